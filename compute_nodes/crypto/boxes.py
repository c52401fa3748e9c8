"""Boxes: AES-256-GCM (NIST SP 800-38D) under a key that is used for exactly one plaintext.

The key comes from `AgreementKey.agree` with sender, recipient, job and roster in its info, so the
nonce may be fixed, and a box that is moved to another place does not open there.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from protos.faults import TrustError

OVERHEAD_BYTES: Final = 16
_NONCE: Final = bytes(12)


def close_box(key: bytes, plaintext: bytes) -> bytes:
    """Encrypts; the key must never be used for a different plaintext.

    Args:
        key: 32 bytes.
        plaintext: What to hide; its length shows.

    Returns:
        ``len(plaintext) + OVERHEAD_BYTES`` bytes.
    """
    return AESGCM(key).encrypt(_NONCE, plaintext, None)


def open_box(key: bytes, box: bytes | memoryview) -> bytes:
    """Decrypts and authenticates.

    Raises:
        TrustError: Made under another key, or changed.
    """
    try:
        return AESGCM(key).decrypt(_NONCE, bytes(box), None)
    except (InvalidTag, ValueError) as error:
        raise TrustError("a peer's box does not open", code="box.invalid") from error
