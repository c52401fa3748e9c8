"""The first page: a search box, what there is in figures, themes, cities, and what is new."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from catalog.portal.certificates import counts
from catalog.portal.figures import published, with_rows
from catalog.portal.languages import PREFIX, preferred
from catalog.portal.tile_map import tile_map
from catalog.portal.visit import Looking, Reading
from catalog.search.query import Query

router = APIRouter(include_in_schema=False)
_NEWEST = 6
_SCENARIOS = 12
_WITH_ROWS = 4


@router.get("/")
def start(visit: Looking) -> Response:
    """Leads to the language that the browser asks for."""
    return RedirectResponse(f"/{preferred(visit.request)}/", 302, {"Vary": "Accept-Language"})


@router.get(PREFIX)
def slash(visit: Looking) -> Response:
    """Leads to the first page's one address."""
    return RedirectResponse(f"/{visit.language}/", 308)


@router.get(PREFIX + "/")
def home(visit: Reading) -> Response:
    """Shows the first page."""
    found = visit.services.search.find(Query(order="date", limit=_NEWEST), visit.scope)
    scenarios = list(found.facets["scenario"].items())[:_SCENARIOS]
    return visit.page(
        "home",
        found=found,
        themes=found.facets["theme"],
        scenarios=scenarios,
        departments=len(found.facets["department"]),
        published=published(visit.services.registry.database),
        with_rows=with_rows(visit.services.registry.database, _WITH_ROWS),
        certificates=sum(counts(visit.services).values()),
        map=tile_map(found.facets["place"]),
    )
