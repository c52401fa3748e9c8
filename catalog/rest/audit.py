"""``/api/audit``: the journal of who did what, for auditors."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from catalog.access.audit import MOST
from catalog.access.principal import Principal
from catalog.journal import Head
from catalog.web.guard import Everything, May
from protos.faults import InputError, TrustError
from protos.language import Text

router = APIRouter(prefix="/api/audit", tags=["audit"])
Reader = Annotated[Principal, Depends(May("audit.read"))]
_END = 2**53 - 1


@router.get("")
def find(
    services: Everything,
    _: Reader,
    before: Annotated[int | None, Query(ge=1, le=_END)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> dict[str, Any]:
    """Returns entries, the newest first; ``before`` of the next page is the last one's index."""
    entries = services.audit.before(before, limit)
    return {
        "entries": [
            {"index": each.index, "record": each.record, "hash": each.hash} for each in entries
        ]
    }


@router.get("/verify")
def verify(
    services: Everything,
    _: Reader,
    entries: Annotated[int, Query(ge=0, le=_END)] = 0,
    hash: Annotated[str, Query(pattern="^([0-9a-f]{64})?$")] = "",  # noqa: A002 - the chain's word
) -> dict[str, Any]:
    """Checks the whole journal, and that it still holds a head that was noted earlier.

    Whoever notes entries and hash elsewhere finds out, too, when the end was cut off.
    """
    if bool(entries) != bool(hash):
        raise InputError(
            Text("a noted head is entries and hash", "记下的链头须同时包含条数与哈希"),
            remedy=Text("give both, or neither", "请同时提供或都不提供"),
            code="audit.head",
        )
    try:
        head = services.audit.verify(Head(entries, hash) if entries else None)
    except TrustError as error:  # that is an answer, too
        return {"intact": False, "said": error.said.en, "said_zh": error.said.zh}
    return {"intact": True, "entries": head.entries, "hash": head.hash}
