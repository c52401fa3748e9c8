"""Signing keys of data stewards: Ed25519, one private file each, named by did:key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from protos.did_key import did_of
from protos.faults import TrustError
from protos.keyfile import read_private, write_private
from protos.language import Text

_REMEDY: Final = Text(
    "make one: veil desensitize keys signing FILE", "请生成：veil desensitize keys signing FILE"
)


def new_signing_key(path: str | os.PathLike[str]) -> str:
    """Makes a key in a new file (PKCS #8, mode 0600); returns its did:key.

    Raises:
        InputError: The file exists.
        UnavailableError: It cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    write_private(Path(path), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return did_of(key.public_key())


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Reads a key.

    Raises:
        TrustError: Others can read the file, or it holds no Ed25519 key.
        UnavailableError: It is missing.
    """
    try:
        key = load_pem_private_key(read_private(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _none(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _none(path)
    return key


def _none(path: Path) -> TrustError:
    return TrustError(
        Text(f"{path} holds no Ed25519 key", f"{path} 中没有 Ed25519 密钥"),
        remedy=_REMEDY,
        code="key.signing",
    )
