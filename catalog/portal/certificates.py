"""Certificates for people: what one says, its QR code and proof; and a bundle, verified."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, File, Form, Path, Query, UploadFile
from fastapi.responses import RedirectResponse, Response

from catalog.certificates import qr
from catalog.certificates.envelope import Credential, read
from catalog.certificates.kinds import KINDS, TITLES, Subject, read_subject
from catalog.certificates.open_office import OpenOffice
from catalog.certificates.reading import State
from catalog.certificates.records import Record, hex_of
from catalog.certificates.verification import verify, verify_bundle
from catalog.portal.languages import PREFIX
from catalog.portal.links import link
from catalog.portal.visit import Certifying
from catalog.rest.certificates import MOST_BUNDLE, office_of
from catalog.web.services import Services
from protos.faults import InputError, MissingError
from protos.language import Text

router = APIRouter(include_in_schema=False)
_FORM_BYTES: Final = MOST_BUNDLE + (64 << 10)
"""Of a form with a bundle, the words around it included."""
_COUNTED: Final = ("VeilRegistration", "VeilAuthorisation", "VeilCirculation")
_LISTED: Final = 10
Identifier = Annotated[str, Path(max_length=80)]


@dataclass(frozen=True)
class Shown:
    """A certificate as its page shows it.

    Attributes:
        record: At its issuer.
        credential: Its envelope.
        subject: Its claims.
        state: ``valid``, ``suspended``, ``revoked`` or ``expired``.
    """

    record: Record
    credential: Credential
    subject: Subject
    state: str


def counts(services: Services) -> dict[str, int]:
    """Returns how many certificates there are, by kind."""
    if services.office is None:
        return {}
    with services.office.book.db.read() as db:
        rows = db.execute("SELECT kind, count(*) FROM certificates GROUP BY kind").fetchall()
    return {kind: int(count) for kind, count in rows if kind in _COUNTED}


def registration_of(services: Services, names: set[str]) -> Record | None:
    """Returns the newest registration certificate of a dataset that was not revoked.

    Args:
        services: What the server works with.
        names: Under which the exchange may know the dataset.
    """
    if services.office is None:
        return None
    book = services.office.book
    found = [each for name in sorted(names) for each in book.listed("VeilRegistration", name, 20)]
    states = book.states(found)
    return next((r for r, s in zip(found, states, strict=True) if not s["revocation"]), None)


@router.get(PREFIX + "/certificates")
def certificates(visit: Certifying, id: Annotated[str, Query(max_length=80)] = "") -> Response:  # noqa: A002 - as people call it
    """Says what there is, and leads to a certificate by its id."""
    if wanted := hex_of(id):
        office_of(visit.services)
        return RedirectResponse(link(visit.language, "certificate", wanted), 303)
    office = visit.services.office
    newest = [] if office is None else office.book.listed(most=_LISTED)
    return visit.page(
        "certificates",
        counts=counts(visit.services),
        titles=TITLES,
        office=office,
        checkpoint=office.book.tiles.checkpoint() if office is not None and newest else "",
        newest=[] if office is None else _all_shown(office, newest, visit.services.registry.now()),
    )


@router.get(PREFIX + "/certificates/verify")
def verify_form(visit: Certifying) -> Response:
    """Asks for a bundle."""
    return visit.page("verify", report=None, most=MOST_BUNDLE)


@router.post(PREFIX + "/certificates/verify", max_body_size=_FORM_BYTES)
def verified(
    visit: Certifying,
    file: Annotated[UploadFile | None, File()] = None,
    text: Annotated[str, Form(max_length=MOST_BUNDLE)] = "",
) -> Response:
    """Verifies a bundle that is handed in; nothing of it is kept."""
    office = office_of(visit.services)
    content = text.strip().encode()
    if file is not None and file.size:
        content = file.file.read(MOST_BUNDLE + 1)
    if not content or len(content) > MOST_BUNDLE:
        raise InputError(
            Text(f"a bundle has 1 byte to {MOST_BUNDLE >> 20} MiB",
                 f"证书文件须为 1 字节至 {MOST_BUNDLE >> 20} MiB"),
            remedy=Text("hand in the file that came with the certificate",
                        "请提交随证书下发的文件"),
            code="portal.bundle",
        )  # fmt: skip
    report = verify_bundle(content, office.trust(visit.services.registry.now()))
    return visit.page("verify", report=report, most=MOST_BUNDLE)


@router.get(PREFIX + "/certificate/{identifier}")
def certificate(visit: Certifying, identifier: Identifier) -> Response:
    """Shows one certificate."""
    office = office_of(visit.services)
    record = _find(office, identifier)
    now, book = visit.services.registry.now(), office.book
    proven = book.bundle(record, linked=True)
    [shown] = _all_shown(office, [record], now)
    return visit.page(
        "certificate",
        shown=shown,
        code=base64.b64encode(qr.svg(record).encode()).decode(),
        fingerprint=qr.fingerprint_of(record.token),
        report=verify(proven, office.trust(now)),
        proof=proven.proof,
        cited=_all_shown(office, book.cited_by(record), now),
        citing=_all_shown(office, book.citing(record), now),
        titles=TITLES,
    )


def _find(office: OpenOffice, identifier: str) -> Record:
    """Finds a certificate by its whole id; every spelling of it is understood.

    Raises:
        MissingError: There is none.
    """
    try:
        return office.book.get(hex_of(identifier))
    except MissingError as error:
        raise MissingError(
            Text(f"there is no certificate {identifier[:40]!r}",
                 f"没有编号为“{identifier[:40]}”的证书"),
            remedy=Text("give the whole id, as it stands under the code",
                        "请填写二维码下方的完整编号"),
            code="certificate.unknown",
        ) from error  # fmt: skip


def _all_shown(office: OpenOffice, records: list[Record], now: int) -> list[Shown]:
    states = office.book.states(records)
    return [_shown(record, state, now) for record, state in zip(records, states, strict=True)]


def _shown(record: Record, bits: State, now: int) -> Shown:
    credential = read(record.token, *KINDS, with_status=True)
    subject = read_subject(KINDS[record.kind], credential.subject)
    return Shown(record, credential, subject, _state(record, bits, now))


def _state(record: Record, bits: State, now: int) -> str:
    if bits["revocation"]:
        return "revoked"
    if record.valid_until is not None and record.valid_until < now:
        return "expired"
    return "suspended" if bits["suspension"] else "valid"
