"""Key agreement: X25519 (RFC 7748) and HKDF-SHA-256 (RFC 5869)."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from compute_nodes.crypto.seed import derive
from protos.faults import TrustError

KEY_BYTES: Final = 32


class AgreementKey:
    """A private X25519 key; redacted in ``repr``.

    Args:
        secret: 32 uniform bytes; clamped as RFC 7748 section 5 says.
    """

    def __init__(self, secret: bytes) -> None:
        self._private = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        """Shows the public half only."""
        return f"AgreementKey(<redacted>, public={self.public.hex()[:16]!r})"

    def agree(self, public: bytes, info: bytes, size: int = KEY_BYTES) -> bytes:
        """Derives the key that only the two key holders know.

        Args:
            public: The peer's public key, 32 bytes.
            info: Purpose, job, roster and the two parties, the same on both sides.
            size: Bytes wanted.

        Raises:
            TrustError: ``public`` has another length or is a point of low order, for which the
                shared secret would be zero and known to everybody (RFC 7748 section 6.1).
        """
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise TrustError(
                "a peer's X25519 key is malformed or of low order", code="key.invalid"
            ) from error
        return derive(shared, info, size)


def check_public(public: bytes) -> None:
    """Checks a public key before anybody relies on it.

    Raises:
        TrustError: It has another length or is a point of low order.
    """
    _PROBE.agree(public, b"probe")


_PROBE: Final = AgreementKey(bytes(range(KEY_BYTES)))  # any scalar shows a point of low order
