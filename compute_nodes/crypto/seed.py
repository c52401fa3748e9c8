"""One 32-byte seed per party and job; everything random in a party is derived from it.

That makes a party a pure function of (seed, inbound messages): a node that was killed rebuilds its
state by replaying its journal, and can only send again the very bytes that it sent before.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protos.faults import InputError

SEED_BYTES: Final = 32


def derive(secret: bytes, info: bytes, size: int = SEED_BYTES) -> bytes:
    """Derives a key by HKDF-SHA-256 without salt (RFC 5869).

    Args:
        secret: At least 32 bytes with 256 bits of entropy.
        info: Purpose and context; different infos give independent keys.
        size: Bytes wanted, at most 8,160.
    """
    return HKDF(algorithm=SHA256(), length=size, salt=None, info=info).derive(secret)


class PartySeed:
    """The secret seed; redacted in ``repr``.

    Args:
        secret: 32 uniform bytes, used for one job only.

    Raises:
        InputError: Another length.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SEED_BYTES:
            raise InputError("a party's seed has 32 bytes")
        self._secret = secret

    def __repr__(self) -> str:
        """Shows nothing of the seed."""
        return "PartySeed(<redacted>)"

    def derive(self, purpose: str, context: str, size: int = SEED_BYTES) -> bytes:
        """Derives one secret.

        Args:
            purpose: What for; a constant of the calling protocol.
            context: Digest of the setup, so that two instances of a job share nothing.
            size: Bytes wanted.
        """
        return derive(self._secret, f"veil/v1/party/{purpose}/{context}".encode(), size)
