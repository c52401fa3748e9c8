"""The envelope of every certificate: a W3C Verifiable Credential 2.0 secured as ``vc+jwt``.

The payload *is* the credential (VC-JOSE-COSE 1.0, section 3.1.1), signed ES256. ``validFrom`` and
``validUntil`` are what ``nbf`` and ``exp`` are to other tokens, and stand once, so that nothing
can contradict them. The issuer is named by ``did:jwk``, which carries the public key itself, so any
verifier can check the signature offline. Whether the key belongs to whom it says is a different
question; pins answer it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from protos.canonical import canonical
from protos.faults import InputError, TrustError
from protos.identity import IdentityKey, PublicIdentity, read_signed
from protos.language import Text
from protos.names import check_name

VC_TYPE: Final = "vc+jwt"
CONTEXT: Final = [
    "https://www.w3.org/ns/credentials/v2",
    "https://www.w3.org/ns/credentials/undefined-terms/v2",
]
_DID: Final = "did:jwk:"
_LONGEST_DID: Final = 512  # one of P-256 has 180; a few hundred are remembered
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_MEMBERS: Final = {"@context", "id", "type", "issuer", "validFrom", "credentialSubject"}


@dataclass(frozen=True)
class Credential:
    """A credential whose signature holds under the key that it names.

    Attributes:
        id: ``urn:uuid:…``.
        kind: Veil's own type, such as ``VeilGrant``.
        issuer: Name of the issuer.
        identity: The issuer's public key; compare its fingerprint with a pin.
        valid_from: Unix seconds.
        valid_until: Unix seconds, or None.
        subject: ``credentialSubject``.
        status: ``credentialStatus``, where to look whether it was revoked; () without one.
    """

    id: str
    kind: str
    issuer: str
    identity: PublicIdentity
    valid_from: int
    valid_until: int | None
    subject: dict[str, Any]
    status: tuple[dict[str, Any], ...] = ()


def issue(
    key: IdentityKey,
    *,
    kind: str,
    identifier: str,
    issuer: str,
    subject: dict[str, Any],
    valid_from: int,
    valid_until: int | None = None,
    status: Sequence[dict[str, str]] = (),
) -> str:
    """Signs a credential.

    Args:
        key: The issuer's identity.
        kind: Veil's own type.
        identifier: 32 hex digits; becomes the credential's ``urn:uuid``.
        issuer: The issuer's name.
        subject: The claims, JSON.
        valid_from: Unix seconds.
        valid_until: Unix seconds, or None for no end.
        status: Entries of status lists (`catalog.certificates.status`).
    """
    body: dict[str, Any] = {
        "@context": CONTEXT,
        "id": UUID(hex=identifier).urn,
        "type": ["VerifiableCredential", kind],
        "issuer": {"id": did_of(key.public), "name": check_name(issuer)},
        "validFrom": _timestamp(valid_from),
        "credentialSubject": subject,
    }
    if valid_until is not None:
        body["validUntil"] = _timestamp(valid_until)
    if status:
        body["credentialStatus"] = list(status)
    return key.sign(VC_TYPE, body)


def read(token: str, *kinds: str, with_status: bool = False) -> Credential:
    """Checks signature and shape; validity in time and trust in the issuer are the caller's.

    Args:
        token: From anywhere.
        kinds: The only ones accepted.
        with_status: Whether it may name status lists; whoever allows it must look into them.

    Raises:
        TrustError: Not a credential of this kind, or not signed by the issuer that it names.
    """
    identity, body = read_signed(VC_TYPE, token, _issuer_of)
    issuer = body["issuer"]
    optional = {"validUntil", "credentialStatus"} if with_status else {"validUntil"}
    if set(body) - optional != _MEMBERS or body["@context"] != CONTEXT:
        raise TrustError(
            Text("the certificate has missing or unknown members", "证书缺少字段或有未知字段"),
            code="certificate.invalid",
        )
    kind = next((kind for kind in kinds if body["type"] == ["VerifiableCredential", kind]), None)
    if kind is None:
        names = " / ".join(kinds)
        raise TrustError(
            Text(f"the certificate is not a {names}", f"证书不是 {names}"), code="certificate.kind"
        )
    if not isinstance(body["credentialSubject"], dict) or not isinstance(body["id"], str):
        raise TrustError(
            Text("the certificate has no subject", "证书没有主体"), code="certificate.invalid"
        )
    try:
        name = check_name(issuer["name"])
    except InputError as error:
        raise TrustError(error.message, code="certificate.invalid") from error
    until, status = body.get("validUntil"), body.get("credentialStatus", [])
    if not isinstance(status, list) or not all(isinstance(entry, dict) for entry in status):
        raise TrustError(
            Text("the certificate's status is malformed", "证书的状态字段格式有误"),
            code="certificate.invalid",
        )
    return Credential(
        id=body["id"],
        kind=kind,
        issuer=name,
        identity=identity,
        valid_from=_seconds(body["validFrom"]),
        valid_until=None if until is None else _seconds(until),
        subject=body["credentialSubject"],
        status=tuple(status),
    )


def _issuer_of(body: dict[str, Any]) -> PublicIdentity:
    issuer = body.get("issuer")
    if not isinstance(issuer, dict) or set(issuer) != {"id", "name"}:
        raise TrustError(
            Text("the certificate names no issuer", "证书没有写明签发者"),
            code="certificate.invalid",
        )
    return identity_of(issuer["id"])


@lru_cache(maxsize=256)
def did_of(identity: PublicIdentity) -> str:
    """Returns the ``did:jwk`` of a public key."""
    return _DID + base64.urlsafe_b64encode(canonical(identity.to_jwk())).rstrip(b"=").decode()


def identity_of(did: object) -> PublicIdentity:
    """Reads the public key inside a ``did:jwk``.

    Raises:
        TrustError: It is not one of a P-256 key in the one spelling that ``did_of`` writes.
    """
    if not isinstance(did, str) or not did.startswith(_DID) or len(did) > _LONGEST_DID:
        raise TrustError(
            Text("the issuer is not a did:jwk", "签发者不是 did:jwk"), code="certificate.invalid"
        )
    return _identity_of(did)


@lru_cache(maxsize=256)
def _identity_of(did: str) -> PublicIdentity:
    text = did.removeprefix(_DID)
    try:
        jwk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError) as error:
        raise TrustError(
            Text("the issuer is not a did:jwk", "签发者不是 did:jwk"), code="certificate.invalid"
        ) from error
    identity = PublicIdentity.from_jwk(jwk)
    if did_of(identity) != did:
        raise TrustError(
            Text("the issuer's did:jwk is not canonical", "签发者的 did:jwk 不是规范形式"),
            code="certificate.invalid",
        )
    return identity


def _timestamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)


def _seconds(text: object) -> int:
    try:
        if not isinstance(text, str):
            raise TypeError("not a text")
        seconds = int(datetime.fromisoformat(text).timestamp())
        if _timestamp(seconds) != text:
            raise ValueError("another spelling")
    except (ValueError, TypeError, OverflowError) as error:
        raise TrustError(
            Text("the certificate's validity is not a UTC timestamp", "证书的有效期不是 UTC 时间"),
            code="certificate.invalid",
        ) from error
    return seconds
