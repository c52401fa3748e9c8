"""``/api/certificates``, ``/api/log``, ``/api/status``, ``/api/verify``: certificates and proofs.

Certificates are public acts: whoever is asked to believe one must be able to look it up, and
whoever audits the log must get all of it. So all of this is open to everybody and may be cached;
revoking is the administrator's (`catalog.rest.revoking`).
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from catalog.access.principal import Principal
from catalog.certificates.open_office import OpenOffice
from catalog.certificates.reading import State
from catalog.certificates.records import Record
from catalog.certificates.verification import verify_bundle
from catalog.rest.verification import Verification, verification_of
from catalog.transparency.tiles import Tile
from catalog.web.bodies import BodyWithin
from catalog.web.guard import Everything, May
from catalog.web.services import Services
from protos.faults import MissingError
from protos.identity import unverified_claims
from protos.language import Text

router = APIRouter(prefix="/api", tags=["certificates"])
Reader = Annotated[Principal, Depends(May("certificate.read"))]
Kind = Literal["registration", "authorisation", "circulation", "status"]
KINDS: Final[dict[Kind, str]] = {
    "registration": "VeilRegistration",
    "authorisation": "VeilAuthorisation",
    "circulation": "VeilCirculation",
    "status": "VeilStatusChange",
}
MOST_BUNDLE: Final = 1 << 20  # bytes of a file that is verified here
_NAMES: Final = {kind: name for name, kind in KINDS.items()}
_ID: Final = r"^[0-9a-f]{32}$"
_SOON: Final = {"Cache-Control": "public, max-age=60"}
_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_HASHES: Final = "application/octet-stream"
Identifier = Annotated[str, Path(pattern=_ID, description="32 hex digits of its urn:uuid")]
Entry = Annotated[int, Query(ge=0, le=2**48)]


@router.get("/certificates")
def find(
    services: Everything,
    _: Reader,
    kind: Kind | None = None,
    dataset: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=0, le=2**48)] = None,
) -> JSONResponse:
    """Lists certificates, the latest first; ``next`` is the ``before`` of the next page."""
    book = office_of(services).book
    found = book.listed(None if kind is None else KINDS[kind], dataset, limit + 1, before)
    page = found[:limit]
    return JSONResponse(
        {
            "certificates": [
                line(record, state) for record, state in zip(page, book.states(page), strict=True)
            ],
            "next": page[-1].entry if len(found) > limit else None,
        },
        headers=_SOON,
    )


@router.get("/certificates/{identifier}")
def show(services: Everything, _: Reader, identifier: Identifier) -> JSONResponse:
    """Returns what a certificate says, how it stands, what it leads to and what leads to it."""
    book = office_of(services).book
    record = book.get(identifier)
    cited, citing = book.cited_by(record), book.citing(record)
    [state, *others] = book.states([record, *cited, *citing])
    return JSONResponse(
        {
            **line(record, state),
            "says": unverified_claims(record.token)["credentialSubject"],
            "certificate": record.token,
            "leads_to": [line(*each) for each in zip(cited, others, strict=False)],
            "led_to_by": [line(*each) for each in zip(citing, others[len(cited) :], strict=True)],
        },
        headers=_SOON,
    )


@router.get("/certificates/{identifier}/bundle")
def bundle(
    services: Everything, _: Reader, identifier: Identifier, *, linked: bool = True
) -> Response:
    """Returns the file that proves it offline, for ``veil verify``."""
    book = office_of(services).book
    content = book.bundle(book.get(identifier), linked=linked).to_bytes()
    return Response(content, media_type="application/json", headers=_SOON)


@router.get("/log/checkpoint")
def checkpoint(services: Everything, _: Reader) -> PlainTextResponse:
    """Returns the log's latest signed state (C2SP tlog-checkpoint)."""
    return PlainTextResponse(office_of(services).book.tiles.checkpoint(), headers=_SOON)


@router.get("/log/policy")
def policy(services: Everything, _: Reader) -> PlainTextResponse:
    """Returns the log's key and its witnesses (C2SP tlog-policy); compare it over another way."""
    return PlainTextResponse(str(office_of(services).policy), headers=_SOON)


@router.get("/log/tile/entries/{name:path}")
def entries(services: Everything, _: Reader, name: str) -> Response:
    """Returns 256 entries, each behind its length (C2SP tlog-tiles)."""
    return _tile(office_of(services).book.tiles.entries(name))


@router.get("/log/tile/{level}/{name:path}")
def tile(
    services: Everything, _: Reader, level: Annotated[int, Path(ge=0, le=5)], name: str
) -> Response:
    """Returns 256 hashes of complete subtrees (C2SP tlog-tiles)."""
    return _tile(office_of(services).book.tiles.hashes(level, name))


@router.get("/log/proof")
def proof(
    services: Everything, _: Reader, entry: Entry, size: Annotated[int, Query(ge=1, le=2**48)]
) -> PlainTextResponse:
    """Proves that an entry stands in the tree of a size (C2SP tlog-proof)."""
    return PlainTextResponse(office_of(services).book.tiles.proof(entry, size), headers=_SOON)


@router.get("/log/consistency")
def consistency(
    services: Everything, _: Reader, old: Entry, new: Annotated[int, Query(ge=1, le=2**48)]
) -> JSONResponse:
    """Proves that the tree of ``old`` entries is a beginning of that of ``new`` (RFC 9162)."""
    steps = office_of(services).book.tiles.consistency(old, new)
    return JSONResponse({"old": old, "new": new, "proof": steps}, headers=_FOR_EVER)


@router.get("/status/{identifier}")
def status(services: Everything, _: Reader, identifier: Identifier) -> Response:
    """Returns a status list (Bitstring Status List v1.0), signed."""
    token = office_of(services).book.status_list(identifier)
    return Response(token, media_type="application/vc+jwt", headers=_SOON)


@router.post(
    "/verify",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
def verify(
    services: Everything, _: Reader, body: Annotated[bytes, Depends(BodyWithin(MOST_BUNDLE))]
) -> Verification:
    """Checks a bundle as ``veil verify`` does; whoever believes this server needs no more.

    ``ok`` is true where ``veil verify`` ends with 0: nothing is wrong, and the bundle lacks nothing
    that its certificate names. ``lacking`` tells an incomplete bundle from one that does not hold.
    """
    report = verify_bundle(body, office_of(services).trust(int(time.time())))
    return verification_of(report)


def office_of(services: Services) -> OpenOffice:
    """Returns the office that this server shows.

    Raises:
        MissingError: It shows none.
    """
    if services.office is None:
        raise MissingError(
            Text("no certificates are kept here", "此处没有证书"),
            remedy=Text("ask the exchange itself", "请向交换中心查询"),
            code="certificate.none",
        )
    return services.office


def line(record: Record, state: State) -> dict[str, Any]:
    """Returns a certificate in one line of JSON."""
    return {
        "id": record.id,
        "kind": _NAMES[record.kind],
        "dataset": record.dataset,
        "issued_at": record.issued_at,
        "valid_until": record.valid_until,
        "entry": record.entry,
        "revoked": state["revocation"],
        "suspended": state["suspension"],
    }


def _tile(found: Tile) -> Response:
    return Response(found.content, media_type=_HASHES, headers=_FOR_EVER if found.full else _SOON)
