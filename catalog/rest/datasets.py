"""``/api/catalog``: datasets are searched and shown."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from catalog.access.principal import Principal
from catalog.registry.entries import Entry
from catalog.registry.entry_json import entry_dict
from catalog.registry.quality import judge
from catalog.registry.withdrawal import unknown
from catalog.search import query as search
from catalog.search.find import Scope
from catalog.web.guard import Everything, May
from catalog.web.services import Services

router = APIRouter(prefix="/api/catalog", tags=["catalog"])
Reader = Annotated[Principal, Depends(May("dataset.read"))]


def scope_of(caller: Principal) -> Scope:
    """Returns which datasets a caller may know of."""
    return "all" if caller.reach("dataset.read") == "all" else "open"


def asked(
    q: Annotated[str, Query(max_length=search.LONGEST)] = "",
    theme: Annotated[list[str] | None, Query()] = None,
    scenario: Annotated[list[str] | None, Query()] = None,
    department: Annotated[list[str] | None, Query()] = None,
    grade: Annotated[list[str] | None, Query()] = None,
    format: Annotated[list[str] | None, Query()] = None,  # noqa: A002 - the facet's name
    sharing: Annotated[list[str] | None, Query()] = None,
    opening: Annotated[list[str] | None, Query()] = None,
    place: Annotated[list[str] | None, Query()] = None,
    cycle: Annotated[list[str] | None, Query()] = None,
    kind: Annotated[list[str] | None, Query()] = None,
) -> search.Query:
    """Returns the search that the parameters of an address stand for."""
    given: dict[search.Facet, list[str] | None] = {
        "theme": theme, "scenario": scenario, "department": department, "grade": grade,
        "format": format, "sharing": sharing, "opening": opening, "place": place, "cycle": cycle,
        "kind": kind,
    }  # fmt: skip
    filters = {
        facet: tuple(search.read_filter(facet, text) for text in texts)
        for facet, texts in given.items()
        if texts
    }
    return search.Query(q, filters)


Asked = Annotated[search.Query, Depends(asked)]


@router.get("/datasets")
def find(
    services: Everything,
    caller: Reader,
    wanted: Asked,
    order: search.Order = "relevance",
    limit: Annotated[int, Query(ge=1, le=search.MOST_HITS)] = 20,
    cursor: Annotated[str, Query(max_length=2000)] = "",
) -> dict[str, Any]:
    """Searches by words and facets; each facet takes several values, one of which must hold."""
    query = replace(wanted, order=order, limit=limit, cursor=cursor)
    page = services.search.find(query, scope_of(caller))
    return {
        "total": page.total,
        "hits": [hit.to_dict() for hit in page.hits],
        "facets": page.facets,
        "cursor": page.cursor,
    }


@router.get("/datasets/{source}/{identifier:path}")
def show(services: Everything, caller: Reader, source: str, identifier: str) -> dict[str, Any]:
    """Returns all that is known about one dataset; of a withdrawn one its tombstone, too."""
    entry = visible(services, caller, source, identifier)
    today = dt.datetime.fromtimestamp(services.registry.now(), dt.UTC).date()
    return entry_dict(entry, judge(entry.record, today))


def visible(services: Services, caller: Principal, source: str, identifier: str) -> Entry:
    """Returns a dataset that a caller may know of, with only those neighbours.

    Raises:
        MissingError: There is none, or it is not for this caller: the two look alike.
    """
    entry = services.registry.entry(source, identifier)
    if scope_of(caller) == "all":
        return entry
    if entry.record.opening.attribute == "none":
        raise unknown(source, identifier)
    others = tuple(each for each in entry.neighbours if each.open)
    named = {(each.kind, each.source, each.identifier) for each in others if each.outward}
    relations = tuple(
        each
        for each in entry.record.relations
        if (each.kind, each.source, each.identifier) in named
    )
    return replace(entry, neighbours=others, record=replace(entry.record, relations=relations))
