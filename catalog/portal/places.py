"""Ways into the catalog without words: the market, cities, departments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy import select

from catalog.access.principal import NOBODY
from catalog.portal.figures import department_titles
from catalog.portal.languages import PREFIX
from catalog.portal.searching import by_area
from catalog.portal.tile_map import CITIES, short_name
from catalog.portal.visit import Reading, Visit
from catalog.registry.cities import GUANGDONG, place_title
from catalog.registry.record import Department
from catalog.registry.tables import DepartmentRow
from catalog.search import query as search
from catalog.search.find import Page
from catalog.search.query import Facet
from catalog.workflows import views
from catalog.workflows.finding import Filter, find
from catalog.workflows.products import PRODUCTS
from desensitize.divisions import divisions
from protos.faults import MissingError
from protos.language import Text

router = APIRouter(include_in_schema=False)
_NEWEST: Final = 8
_TOP: Final = 24
_PRODUCTS: Final = 24
_TOP_HERE: Final = 12
_LISTED: Final = 400
"""Departments on one page: more than a city and its districts have."""


@dataclass(frozen=True)
class Provider:
    """A department with what a visitor may know of it.

    Attributes:
        department: Who.
        datasets: How many.
    """

    department: Department
    datasets: int


@router.get(PREFIX + "/market")
def market(visit: Reading) -> Response:
    """Shows all shelves: themes, scenarios, departments, and how things come."""
    found = _find(visit, {}, limit=1)
    top = dict(list(found.facets["department"].items())[:_TOP])
    titles = department_titles(visit.services.registry.database, top)
    return visit.page(
        "market", found=found, top=top, titles=titles, products=list(_products(visit))
    )


def _products(visit: Visit) -> Iterator[dict[str, Any]]:
    """What licensed brokers offer, as everybody sees it."""
    cases = visit.services.cases
    wanted = Filter(state="listed", limit=_PRODUCTS)
    for case in find(cases.registry, cases.clocks, PRODUCTS, NOBODY, wanted).cases:
        yield views.whole(cases, PRODUCTS, case, NOBODY)


@router.get(PREFIX + "/city/{code}")
def city(visit: Reading, code: Annotated[str, Path(max_length=12)]) -> Response:
    """Shows what a city, a district or the province has.

    Raises:
        MissingError: There is no such division.
    """
    found = _find(visit, {"place": (code,)}) if code in divisions() else None
    if found is None:
        raise _nothing(code)
    top = dict(list(found.facets["department"].items())[:_TOP_HERE])
    whole = code.removesuffix("00").removesuffix("00")
    areas = by_area(found.facets["place"], {"place": (code,)})
    return visit.page(
        "overview",
        kind="place",
        code=code,
        title=place_title(code),
        under=None,
        found=found,
        top=top,
        titles=department_titles(visit.services.registry.database, top),
        areas={
            place: count
            for place, count in areas.items()
            if place.startswith(whole) and place != code
        },
    )


@router.get(PREFIX + "/department/{code}")
def department(visit: Reading, code: Annotated[str, Path(max_length=200)]) -> Response:
    """Shows what a department has.

    Raises:
        MissingError: There is none of this code, or nothing of it for this visitor.
    """
    found = _find(visit, {"department": (code,)})
    if not found.total:
        raise _nothing(code)
    with visit.services.registry.database.read() as connection:
        row = connection.execute(
            select(DepartmentRow.__table__).where(DepartmentRow.code == code)
        ).one()
    return visit.page(
        "overview",
        kind="department",
        code=code,
        title=Text(row.name_en or row.name, row.name),
        under=row.place,
        found=found,
        top={},
        titles={},
        areas={},
    )


@router.get(PREFIX + "/departments")
def departments(
    visit: Reading,
    q: Annotated[str, Query(max_length=80)] = "",
    place: Annotated[str, Query(max_length=12)] = "",
) -> Response:
    """Lists departments: the province's, a city's with its districts', or those of a name."""
    found = _find(visit, {}, limit=1)
    counts = found.facets["department"]
    chosen = place if place in divisions() else GUANGDONG
    providers = _providers(visit, counts, q.strip(), chosen)
    return visit.page(
        "departments",
        q=q.strip(),
        chosen=chosen,
        providers=providers[:_LISTED],
        more=max(len(providers) - _LISTED, 0),
        total=len(counts),
        cities=[(code, short_name(code)) for code in sorted(CITIES)],
    )


def _providers(visit: Visit, counts: Mapping[str, int], name: str, place: str) -> list[Provider]:
    columns = DepartmentRow.__table__
    statement = select(columns)
    if name:
        statement = statement.where(
            DepartmentRow.name.contains(name, autoescape=True)
            | DepartmentRow.name_en.icontains(name, autoescape=True)
        )
    elif place.endswith("0000"):
        statement = statement.where(DepartmentRow.place == place)
    else:
        statement = statement.where(DepartmentRow.place.startswith(place.removesuffix("00")))
    with visit.services.registry.database.read() as connection:
        rows = connection.execute(statement.order_by(DepartmentRow.place, DepartmentRow.code)).all()
    return [
        Provider(Department(row.code, row.name, row.place, row.name_en), counts[row.code])
        for row in rows
        if row.code in counts
    ]


def _find(visit: Visit, filters: Mapping[Facet, tuple[str, ...]], *, limit: int = _NEWEST) -> Page:
    return visit.services.search.find(
        search.Query(filters=filters, order="date", limit=limit), visit.scope
    )


def _nothing(code: str) -> MissingError:
    return MissingError(
        Text(f"nothing is registered under {code[:40]!r}", f"“{code[:40]}”下没有数据资源"),
        remedy=Text("look in the list of departments, or search", "请查看部门列表，或使用检索"),
        code="portal.nothing",
    )
