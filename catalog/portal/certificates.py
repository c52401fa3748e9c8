"""Certificates for people: what one says, its QR code and proof; and a bundle, verified.

A certificate is shown to whoever has its whole id, as it stands on a print-out or in its code: an
authorisation says who uses data and what for, so there is no list of them, and none leads to those
that cite it.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, File, Form, Path, Query, UploadFile
from fastapi.responses import RedirectResponse, Response

from catalog.certificates import qr
from catalog.certificates.envelope import Credential, read
from catalog.certificates.evidence import Trust
from catalog.certificates.kinds import KINDS, TITLES, Subject, read_subject
from catalog.certificates.office import CertificateOffice
from catalog.certificates.records import Record, hex_of
from catalog.certificates.verification import verify, verify_bundle
from catalog.portal.languages import PREFIX
from catalog.portal.links import link
from catalog.portal.visit import Looking, Visit
from catalog.web.services import Services
from protos.faults import InputError, MissingError
from protos.language import Text

router = APIRouter(include_in_schema=False)
MOST_BYTES: Final = 1 << 20
"""Of a bundle that is handed in: the largest that an exchange of 255 departments makes."""
_FORM_BYTES: Final = MOST_BYTES + (64 << 10)
_ID: Final = re.compile(r"[0-9a-f]{32}")
_COUNTED: Final = ("VeilRegistration", "VeilAuthorisation", "VeilCirculation")


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
    with services.office.db.read() as db:
        rows = db.execute("SELECT kind, count(*) FROM certificates GROUP BY kind").fetchall()
    return {kind: int(count) for kind, count in rows if kind in _COUNTED}


def registration_of(services: Services, names: set[str]) -> Record | None:
    """Returns the registration certificate of a dataset, by the names that it may have there."""
    if services.office is None:
        return None
    found = (services.office.listed("VeilRegistration", name) for name in sorted(names))
    return next((records[0] for records in found if records), None)


@router.get(PREFIX + "/certificates")
def certificates(visit: Looking, id: Annotated[str, Query(max_length=80)] = "") -> Response:  # noqa: A002 - as people call it
    """Says what there is, and leads to a certificate by its id."""
    if wanted := hex_of(id):
        if _ID.fullmatch(wanted):
            return RedirectResponse(link(visit.language, "certificate", wanted), 303)
        raise _no_id(id)
    office = visit.services.office
    log: dict[str, Any] | None = None
    if office is not None:
        with office.db.read() as db:
            size = office.log.size(db)
            log = {"origin": office.log.origin, "size": size,
                   "note": office.log.note(db) if size else ""}  # fmt: skip
    return visit.page(
        "certificates", counts=counts(visit.services), titles=TITLES, log=log,
        policy=visit.services.policy, office=office,
    )  # fmt: skip


@router.get(PREFIX + "/certificates/verify")
def verify_form(visit: Looking) -> Response:
    """Asks for a bundle."""
    return visit.page("verify", report=None, most=MOST_BYTES)


@router.post(PREFIX + "/certificates/verify", max_body_size=_FORM_BYTES)
def verified(
    visit: Looking,
    file: Annotated[UploadFile | None, File()] = None,
    text: Annotated[str, Form(max_length=MOST_BYTES)] = "",
) -> Response:
    """Verifies a bundle that is handed in; nothing of it is kept."""
    content = text.strip().encode()
    if file is not None and file.size:
        content = file.file.read(MOST_BYTES + 1)
    if not content or len(content) > MOST_BYTES:
        raise InputError(
            Text(f"a bundle has 1 byte to {MOST_BYTES >> 20} MiB",
                 f"证书文件须为 1 字节至 {MOST_BYTES >> 20} MiB"),
            remedy=Text("hand in the file that came with the certificate",
                        "请提交随证书下发的文件"),
            code="portal.bundle",
        )  # fmt: skip
    return visit.page(
        "verify", report=verify_bundle(content, _trust(visit.services)), most=MOST_BYTES
    )


@router.get(PREFIX + "/certificate/{identifier}")
def certificate(visit: Looking, identifier: Annotated[str, Path(max_length=80)]) -> Response:
    """Shows one certificate."""
    office, record = _find(visit, identifier)
    now = visit.services.registry.now()
    proven = office.bundle(record, linked=True)
    code = base64.b64encode(qr.svg(record).encode()).decode()
    return visit.page(
        "certificate",
        shown=_shown(office, record, now),
        code=code,
        fingerprint=qr.fingerprint_of(record.token),
        report=verify(proven, _trust(visit.services)),
        proof=proven.proof,
        cited=[_shown(office, each, now) for each in office.cited_by(record)],
        citing=Counter(each.kind for each in office.citing(record)),
        titles=TITLES,
    )


@router.get("/certificate/{identifier}.json")
def bundle(visit: Looking, identifier: Annotated[str, Path(max_length=80)]) -> Response:
    """Gives out a certificate with all that proves it offline."""
    office, record = _find(visit, identifier)
    return Response(
        office.bundle(record, linked=True).to_bytes(),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{record.id}.json"'},
    )


def _find(visit: Visit, identifier: str) -> tuple[CertificateOffice, Record]:
    office, wanted = visit.services.office, hex_of(identifier)
    if office is None or not _ID.fullmatch(wanted):
        raise _no_id(identifier)
    try:
        return office, office.find(wanted)
    except InputError as error:
        raise _no_id(identifier) from error


def _shown(office: CertificateOffice, record: Record, now: int) -> Shown:
    credential = read(record.token, *KINDS, with_status=True)
    subject = read_subject(KINDS[record.kind], credential.subject)
    return Shown(record, credential, subject, _state(office, record, now))


def _state(office: CertificateOffice, record: Record, now: int) -> str:
    bits = {} if record.list is None else office.state(record)
    if bits.get("revocation"):
        return "revoked"
    if record.valid_until is not None and record.valid_until < now:
        return "expired"
    return "suspended" if bits.get("suspension") else "valid"


def _trust(services: Services) -> Trust:
    return Trust(services.registry.now(), services.pins, services.policy)


def _no_id(identifier: str) -> MissingError:
    return MissingError(
        Text(f"there is no certificate {identifier[:40]!r}",
             f"没有编号为“{identifier[:40]}”的证书"),
        remedy=Text("give the whole id, as it stands under the code",
                    "请填写二维码下方的完整编号"),
        code="certificate.unknown",
    )  # fmt: skip
