"""Parts of a case: its events with their proofs, officers' decisions, certificates."""

from __future__ import annotations

from typing import Any

from catalog.certificates.decisions import FILE_TYPE
from catalog.certificates.reading import CertificateReader
from catalog.certificates.records import Record
from catalog.web.services import Services
from catalog.workflows import asset_rules
from catalog.workflows.case import Case
from catalog.workflows.model import Workflow
from catalog.workflows.signatures import approvals
from catalog.workflows.views import event_dict
from protos.canonical import digest
from protos.signing import unverified_claims
from protos.strict_json import read_strict

_LONGEST = 1 << 20


def events(services: Services, workflow: Workflow, case: Case) -> dict[str, Any]:
    """Returns what was done, signed by the catalog, with each event's proof in the log."""
    kept = services.cases.history(case)
    return {
        "case": case.name,
        "workflow": workflow.kind,
        "signer": services.registry.key().public.to_jwk(),
        "events": [event_dict(each, proof_of(services.cases.book, each.entry)) for each in kept],
    }


def decisions(services: Services, _: Workflow, case: Case) -> dict[str, Any]:
    """Returns the officers' decisions by which the request, as it is asked now, was approved.

    The file that ``veil grant request --decisions`` takes.
    """
    approving = approvals(services.cases.history(case), case)
    bodies = [read_strict(each.encode(), most=_LONGEST) for each in approving]
    return {"type": FILE_TYPE, "decisions": bodies}


def circulations(services: Services, _: Workflow, case: Case) -> dict[str, Any]:
    """Returns the authorisation certificate of each grant, and the results that used it."""
    office = services.cases.book
    grants = [
        grant
        for each in services.cases.history(case)
        if each.said.step == "grant"
        for grant in each.said.fields["grants"]
    ]
    found = []
    for grant in grants:
        known = None if office is None else office.about(digest(unverified_claims(grant)))
        results = [] if office is None or known is None else office.citing(known)
        found.append({
            "grant": unverified_claims(grant)["id"],
            "authorisation": None if known is None else known.urn,
            "circulations": [_line(office, each) for each in results
                             if office is not None and each.kind == "VeilCirculation"],
        })  # fmt: skip
    return {"grants": found}


def certificate(services: Services, _: Workflow, case: Case) -> dict[str, Any]:
    """Returns the registration certificate of an asset; its id is null until there is one."""
    said = [kept.said for kept in services.cases.history(case)]
    office = services.cases.book
    known = None if office is None else asset_rules.certificate(office, said)
    if office is None or known is None:
        return {"certificate": None}
    return {"certificate": _line(office, known)}


def _line(office: CertificateReader, record: Record) -> dict[str, Any]:
    return {"id": record.urn, "issued_at": record.issued_at, "status": office.state(record)}


def proof_of(office: CertificateReader | None, entry: int | None) -> str:
    """Returns the proof of an entry in the log; "" if it is not there (yet)."""
    return "" if office is None or entry is None else str(office.inclusion(entry))
