"""Binds protocols to identity keys: the `Sign` and `Verify` callables that they take.

Outside ``protocols/`` because signing is randomised and keys live in files; the machines only see
callables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from protos.faults import TrustError
from protos.identity import IdentityKey, PublicIdentity

MESSAGE_TYPE: Final = "veil-message+jwt"


def signer(key: IdentityKey) -> Callable[[str, dict[str, Any]], str]:
    """Returns ``sign(purpose, body) -> token`` with this key."""

    def sign(purpose: str, body: dict[str, Any]) -> str:
        return key.sign(MESSAGE_TYPE, {"purpose": purpose, "body": body})

    return sign


def verifier(identities: Sequence[PublicIdentity]) -> Callable[[int, str, str], dict[str, Any]]:
    """Returns ``verify(party, purpose, token) -> body`` against pinned identities.

    Args:
        identities: Pinned keys in roster order, never what the exchange says about them.
    """

    def verify(party: int, purpose: str, token: str) -> dict[str, Any]:
        claims = identities[party].verify(MESSAGE_TYPE, token)
        body = claims.get("body")
        if set(claims) != {"purpose", "body"} or claims["purpose"] != purpose:
            raise TrustError("the signature was made for another purpose", code="signature.purpose")
        if not isinstance(body, dict):
            raise TrustError("the signed body is malformed", code="signature.body")
        return body

    return verify
