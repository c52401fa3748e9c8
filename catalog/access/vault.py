"""One secret of the catalog, and what is sealed or authenticated with it.

The secret stands in a file of mode 0600 beside the database: whoever reads a copy of the database
alone, or the PostgreSQL server, opens nothing. Each purpose has a key of its own (HKDF).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protos.faults import TrustError
from protos.keyfile import read_private, write_private
from protos.language import Text

FILE: Final = "access.key"
Purpose = Literal["second factor", "known browser", "form", "openid"]
_NONCE: Final = 12


class Vault:
    """What only this catalog's server can open or make.

    Args:
        secret: 32 random bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, purpose: Purpose, text: str, *, bound: str = "") -> str:
        """Encrypts and authenticates a text (AES-256-GCM).

        Args:
            purpose: Of the key.
            text: What.
            bound: Where it belongs, such as the account: elsewhere it does not open.
        """
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self._key(purpose)).encrypt(nonce, text.encode(), bound.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def open(self, purpose: Purpose, sealed: str, *, bound: str = "") -> str:
        """Opens what was sealed.

        Raises:
            TrustError: It was not sealed here, for this, or it was altered.
        """
        try:
            raw = base64.urlsafe_b64decode(sealed)
            key = AESGCM(self._key(purpose))
            return key.decrypt(raw[:_NONCE], raw[_NONCE:], bound.encode()).decode("utf-8")
        except (InvalidTag, ValueError) as error:
            raise TrustError(
                Text("this was not sealed by this catalog", "该内容并非由本目录封存"),
                remedy=Text("was access.key exchanged?", "access.key 是否被更换？"),
                code="access.sealed",
            ) from error

    def mac(self, purpose: Purpose, text: str) -> str:
        """Authenticates a text (HMAC-SHA-256), as 64 hex digits."""
        return hmac.new(self._key(purpose), text.encode(), hashlib.sha256).hexdigest()

    def _key(self, purpose: Purpose) -> bytes:
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=f"veil access: {purpose}".encode())
        return derived.derive(self._secret)


def open_vault(directory: Path) -> Vault:
    """Reads the secret of a catalog, and makes it the first time.

    Raises:
        TrustError: Others can read the file, or it is none.
        UnavailableError: It cannot be read or written.
    """
    file = directory / FILE
    if not file.exists():
        temporary = directory / f"{FILE}.{secrets.token_hex(4)}"
        write_private(temporary, secrets.token_bytes(32))
        with suppress(FileExistsError):  # another process was faster: its secret is the one
            os.link(temporary, file)  # whole, or not there
        temporary.unlink()
    secret = read_private(file)
    if len(secret) != 32:
        raise TrustError(
            Text(f"{file} is no secret of a catalog", f"{file} 不是目录的密钥文件"),
            remedy=Text("bring it back from a backup", "请从备份恢复"),
            code="access.key",
        )
    return Vault(secret)
