"""Checks an ID token (OpenID Connect Core 1.0, section 3.1.3.7), without socket or clock."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from protos.faults import LoginError
from protos.language import Text

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519")
"""Signatures with a provider's public key. Never ``none``, and never HMAC: its key would be what
everybody can read."""
_LEEWAY_S: Final = 60
_OLDEST_S: Final = 600
_LONGEST: Final = 32 * 1024


@dataclass(frozen=True)
class Expected:
    """What an ID token must say.

    Attributes:
        issuer: The provider's.
        client_id: Ours.
        nonce: That this browser was sent away with.
        now: Unix seconds.
    """

    issuer: str
    client_id: str
    nonce: str
    now: int


@dataclass(frozen=True)
class Identity:
    """Who somebody is at a provider.

    Attributes:
        issuer: The provider.
        subject: Its name for the person, which never changes hands: unlike an e-mail address.
        title: What the person is called; "" if it does not say.
    """

    issuer: str
    subject: str
    title: str


def identity_of(token: str, keys: KeySet, expected: Expected) -> Identity:
    """Returns who logged in.

    Raises:
        LoginError: The token is not the provider's, not for us, not for this login, or too old.
    """
    if len(token) > _LONGEST:
        raise refused("the ID token is too long")
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            now=expected.now,
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": expected.issuer},
            aud={"essential": True, "value": expected.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise refused(f"{type(error).__name__}: {error}") from error
    return _beyond(claims, expected)


def _beyond(claims: dict[str, Any], expected: Expected) -> Identity:
    """What the registered claims do not say by themselves."""
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    party = claims.get("azp", None if several else expected.client_id)
    if party != expected.client_id:
        raise refused("azp is another party")
    nonce, subject = claims["nonce"], claims["sub"]
    same = isinstance(nonce, str) and secrets.compare_digest(
        nonce.encode("utf-8", "replace"), expected.nonce.encode()
    )
    if not same:
        raise refused("nonce is another login's")
    if expected.now - claims["iat"] > _OLDEST_S:
        raise refused("iat is too long ago")
    if not (isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isprintable()):
        raise refused("sub is none")
    title = claims.get("name")
    title = "".join(c for c in title if c.isprintable())[:100] if isinstance(title, str) else ""
    return Identity(expected.issuer, subject, title)


def refused(detail: str) -> LoginError:
    """What is said of every login at a provider that does not hold."""
    return LoginError(
        Text("the login at the provider does not hold", "身份提供方的登录无效"),
        remedy=Text("begin it again here; if it happens again, tell the operator",
                    "请从本站重新开始登录；如再次出现，请联系运维人员"),
        code="login.openid", detail=detail,
    )  # fmt: skip
