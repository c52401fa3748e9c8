"""Invitations: what an operator hands to a department or an analyst, good for one enrolment.

A token is ``veil1.`` and base64url of canonical JSON. It carries the CA's certificate, so the
machine that redeems it knows whom it talks to, and a secret of 256 bits, of which the exchange
keeps only the SHA-256. Whoever holds the token can enrol under its name: hand it over like a
password.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from typing import Final

from protos.canonical import canonical
from protos.faults import InputError, TrustError
from protos.language import Text
from protos.names import Role, check_name, check_role

_PREFIX: Final = "veil1."
_MAX_CHARACTERS: Final = 8192
_FIELDS: Final = {"url", "ca", "secret", "role", "name"}


@dataclass(frozen=True)
class Invite:
    """The contents of a token.

    Attributes:
        url: Where to enrol, ``https://host:port``.
        ca_pem: Certificate of the CA that signed the server's and will sign ours.
        secret: Hex; what proves the invitation.
        role: What the exchange will certify.
        name: What the exchange will certify.
    """

    url: str
    ca_pem: str = field(repr=False)
    secret: str = field(repr=False)
    role: Role
    name: str

    def encode(self) -> str:
        """Returns the token."""
        body = canonical(
            {
                "url": self.url,
                "ca": self.ca_pem,
                "secret": self.secret,
                "role": self.role,
                "name": self.name,
            }
        )
        return _PREFIX + base64.urlsafe_b64encode(body).decode().rstrip("=")


def read_invite(token: str) -> Invite:
    """Reads a token; white space and line breaks from copying are forgiven.

    Raises:
        TrustError: It is not a Veil invitation, or was cut off.
    """
    text = "".join(token.split())
    try:
        if not text.startswith(_PREFIX) or len(text) > _MAX_CHARACTERS:
            raise ValueError("no token")
        encoded = text.removeprefix(_PREFIX)
        body = json.loads(
            base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        )
        if set(body) != _FIELDS or not all(isinstance(value, str) for value in body.values()):
            raise ValueError("other fields")
        if not body["url"].startswith("https://"):
            raise ValueError("not https")
        return Invite(
            url=body["url"],
            ca_pem=body["ca"],
            secret=body["secret"],
            role=check_role(body["role"]),
            name=check_name(body["name"]),
        )
    except (ValueError, TypeError, binascii.Error, InputError, RecursionError) as error:
        raise TrustError(
            Text("this is not a whole Veil invitation", "这不是一份完整的 Veil 邀请码"),
            remedy=Text(
                "copy all of it, from 'veil1.' to the end, or ask for a new one",
                "请从 veil1. 开始完整复制，或索取新的邀请码",
            ),
            code="invite.malformed",
            detail=repr(error),
        ) from error


def secret_hash(secret: str) -> str:
    """Returns what the exchange keeps of a secret: its SHA-256, hex."""
    return hashlib.sha256(secret.encode()).hexdigest()
