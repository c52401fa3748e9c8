"""Random tokens: sessions, API keys, recovery codes. Only their hashes are kept.

A plain SHA-256 is enough: 256 (or 80) random bits cannot be guessed, as a password can.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Final

KEY_PREFIX: Final = "veil_"
"""What API keys begin with: people and scanners of secrets see what they are."""


def new_token() -> str:
    """Returns 256 random bits as text (43 letters, digits, ``-`` and ``_``)."""
    return secrets.token_urlsafe(32)


def new_key() -> str:
    """Returns a new API key."""
    return KEY_PREFIX + new_token()


def new_recovery_code() -> str:
    """Returns 80 random bits as a code to be written down: ``abcd-efgh-ijkl-mnop``."""
    text = base64.b32encode(secrets.token_bytes(10)).decode("ascii").lower()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def hashed(token: str) -> str:
    """Returns what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def recovery_hash(code: str) -> str:
    """Returns what is kept of a recovery code, however it was typed."""
    return hashed(code.replace("-", "").replace(" ", "").lower())
