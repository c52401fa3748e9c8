"""Events: what was done, by whom, signed by the catalog, each naming the one before.

A typed JWS (ES256) by the catalog's own key over canonical JSON, on behalf of the account that was
logged in. Where the table wants an officer's own signature, the officer's document stands beside
it, and the event names its digest. What the log gets is a salted commitment: nobody learns from it
who asked for what.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from catalog.transparency.log import commitment
from protos.canonical import canonical, digest
from protos.faults import TrustError
from protos.language import Text
from protos.signing import IdentityKey, PublicIdentity, unverified_claims

TYPE: Final = "veil-case-event+jwt"
GENESIS: Final = "0" * 64


@dataclass(frozen=True)
class Event:
    """What an event says.

    Attributes:
        case: Kind and id, ``requests/0123456789abcdef``.
        number: From 1, without gaps.
        step: Code of the step.
        before: State in which it was taken; "" for the first.
        after: State to which it led.
        at: Unix seconds, by the catalog's clock.
        by: Account that was logged in.
        department: The account's department; "".
        responsible: Department of the case from then on; "" for none.
        counterpart: The other side from then on; "" for none.
        subject: Person or firm whose data the case is about; "" for none.
        title: Of the case from then on.
        asked: Number of the event that says what is asked from then on.
        fields: What was said.
        decision: SHA-256 (hex) of the officer's document; "" without one.
        previous: Digest of the event before; `GENESIS` for the first.
    """

    case: str
    number: int
    step: str
    before: str
    after: str
    at: int
    by: str
    department: str
    responsible: str
    counterpart: str
    subject: str
    title: str
    asked: int
    fields: dict[str, Any]
    decision: str
    previous: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of its canonical JSON: what the next event names, and officers sign for."""
        return digest(asdict(self))

    def signed(self, key: IdentityKey) -> str:
        """Returns it, signed."""
        return key.sign(TYPE, asdict(self))

    def committed(self, salt: bytes) -> bytes:
        """Returns what the log holds of it: 32 bytes."""
        return commitment(salt, canonical(asdict(self)))


def document_digest(document: str) -> str:
    """Returns the SHA-256 (hex) of an officer's document, canonical as it is kept."""
    return hashlib.sha256(document.encode()).hexdigest()


def read_event(token: str, signer: PublicIdentity) -> Event:
    """Reads an event, and checks its signature.

    Raises:
        TrustError: It is malformed, or not signed by this key.
    """
    return _event(signer.verify(TYPE, token))


def unverified_event(token: str) -> Event:
    """Reads an event from the catalog's own database, to show or continue it."""
    return _event(unverified_claims(token))


def _event(claims: dict[str, Any]) -> Event:
    wrong = {
        name for name, kind in _TYPES.items() if name in claims and type(claims[name]) is not kind
    }
    if claims.keys() != _TYPES.keys() or wrong:
        raise TrustError(
            Text("the event is malformed", "事件记录格式有误"),
            code="case.event",
            detail=", ".join(sorted(wrong | (claims.keys() ^ _TYPES.keys()))),
        )
    return Event(**claims)


_TYPES: Final = {
    field.name: {"number": int, "at": int, "asked": int, "fields": dict}.get(field.name, str)
    for field in fields(Event)
}
