"""Sealing: only the holder of an X25519 key opens it (HPKE base mode, RFC 9180).

Suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. A sealed text is the encapsulated
key (32 bytes), then the ciphertext and its tag: 48 bytes more than the plaintext. ``info``
binds it to its purpose; opening with another ``info`` fails. Base mode does not say who sealed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from protos.faults import TrustError
from protos.keyfile import read_private, write_private
from protos.language import Text

OVERHEAD_BYTES: Final = 48
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class SealingKey:
    """A private X25519 key; redacted in ``repr``."""

    def __init__(self, key: X25519PrivateKey) -> None:
        self._private = key
        self.public_hex = key.public_key().public_bytes_raw().hex()

    def __repr__(self) -> str:
        """Shows the public half only."""
        return f"SealingKey(<redacted>, public={self.public_hex[:16]!r})"

    @classmethod
    def generate(cls) -> SealingKey:
        """Makes a new key from the operating system's randomness."""
        return cls(X25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> SealingKey:
        """Reads a PKCS#8 PEM file.

        Raises:
            TrustError: Others may read the file, or it holds no X25519 key.
            UnavailableError: It cannot be read.
        """
        try:
            key = load_pem_private_key(read_private(path), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise TrustError(
                Text(f"{path} holds no private key", f"{path} 中没有私钥"), code="key.invalid"
            ) from error
        if not isinstance(key, X25519PrivateKey):
            raise TrustError(
                Text(f"{path} holds no X25519 key", f"{path} 中没有 X25519 密钥"),
                code="key.invalid",
            )
        return cls(key)

    def save(self, path: Path) -> None:
        """Writes a new file with mode 0600 and brings it to disk.

        Raises:
            InputError: The file exists.
            UnavailableError: It cannot be written.
        """
        pem = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)

    def agree(self, public_hex: str) -> bytes:
        """Returns the raw X25519 shared secret (RFC 7748 6.1) for a key derivation.

        Raises:
            TrustError: The public key is malformed or of low order (the secret would be zero).
        """
        try:
            return self._private.exchange(public_key(public_hex))
        except ValueError as error:
            raise TrustError(
                Text("the X25519 key is of low order", "X25519 密钥不安全（低阶）"),
                code="key.invalid",
            ) from error

    def open(self, sealed: bytes, *, info: bytes) -> bytes:
        """Opens what was sealed to this key for the same ``info``.

        Raises:
            TrustError: It was sealed to another key or purpose, or was changed.
        """
        try:
            return _SUITE.decrypt(sealed, self._private, info)
        except (InvalidTag, ValueError) as error:
            raise TrustError(
                Text("the sealed text does not open with this key", "此密钥无法打开密封的内容"),
                code="seal.invalid",
            ) from error


def public_key(public_hex: object) -> X25519PublicKey:
    """Reads a public key of 64 lower-case hex digits.

    Raises:
        TrustError: It is malformed.
    """
    if not isinstance(public_hex, str) or not _HEX64.fullmatch(public_hex):
        raise TrustError(
            Text("a sealing key has 64 lower-case hex digits", "封装密钥须为 64 位小写十六进制数"),
            code="key.invalid",
        )
    return X25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))


def seal(public_hex: str, plaintext: bytes, *, info: bytes) -> bytes:
    """Seals ``plaintext`` so that only the holder of the key opens it, for ``info`` only.

    Raises:
        TrustError: The public key is malformed or of low order.
    """
    try:
        return _SUITE.encrypt(plaintext, public_key(public_hex), info)
    except ValueError as error:
        raise TrustError(
            Text("the sealing key is of low order", "封装密钥不安全（低阶）"), code="key.invalid"
        ) from error
