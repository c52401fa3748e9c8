"""``/api/authorisations/uses``: every use of one's own data, each with its proof in the log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from catalog.access.principal import Principal
from catalog.rest.case_parts import proof_of
from catalog.web.guard import Everything, May
from catalog.workflows import uses as found_uses
from catalog.workflows.views import event_dict

router = APIRouter(prefix="/api/authorisations", tags=["authorisations"])


@router.get("/uses")
def uses(
    services: Everything,
    caller: Annotated[Principal, Depends(May("authorisation.read"))],
    limit: Annotated[int, Query(ge=1, le=found_uses.MOST)] = 20,
    cursor: Annotated[str, Query(pattern=f"^({found_uses.CURSOR})?$")] = "",
) -> dict[str, Any]:
    """Lists the uses under all authorisations that the caller has given, the newest first."""
    page = found_uses.uses(services.registry, caller.account, limit=limit, cursor=cursor)
    book = services.cases.book
    return {
        "signer": services.registry.key().public.to_jwk(),
        "uses": [
            {"case": each.said.case, **event_dict(each, proof_of(book, each.entry))}
            for each in page.events
        ],
        "cursor": page.cursor,
    }
