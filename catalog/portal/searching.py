"""The search page: words, facets as links, order, page by page; one query a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from catalog.portal.figures import department_titles
from catalog.portal.languages import PREFIX
from catalog.portal.links import Value, link
from catalog.portal.visit import Reading
from catalog.portal.words import CATALOGUE_FACETS
from catalog.registry.cities import place_title
from catalog.registry.scenarios import scenario_title
from catalog.search import query as search
from catalog.search.find import Page
from catalog.search.query import Facet
from protos.language import Language, Text

router = APIRouter(include_in_schema=False)
_SHOWN: Final = 8
"""Values of a facet that are shown at once."""
_LIMIT: Final = 20


@dataclass(frozen=True)
class Choice:
    """One value of a facet, as a link.

    Attributes:
        code: The value.
        title: What it is called.
        count: Datasets that have it, and all that is asked for otherwise.
        chosen: Whether it is asked for now.
        address: Of the search with it; or without it, if it is.
    """

    code: str
    title: Text
    count: int
    chosen: bool
    address: str


@dataclass(frozen=True)
class Narrowing:
    """One facet with its values.

    Attributes:
        facet: Its name in addresses.
        title: Its name.
        choices: What is chosen, then what most datasets have.
        more: How many values are not shown.
    """

    facet: Facet
    title: Text
    choices: tuple[Choice, ...]
    more: int

    @property
    def chosen(self) -> bool:
        """Whether something of it is asked for."""
        return any(choice.chosen for choice in self.choices)


@dataclass(frozen=True)
class Asked:
    """A search as its address says it.

    Attributes:
        language: Of the page.
        query: What is asked.
    """

    language: Language
    query: search.Query

    def address(
        self, *, order: str | None = None, cursor: str = "", start: int = 0,
        filters: Mapping[Facet, tuple[str, ...]] | None = None,
    ) -> str:  # fmt: skip
        """Returns the address of this search with something changed; from its first page."""
        return link(self.language, "search", **self._parts(order, filters),
                    cursor=cursor, start=start or "")  # fmt: skip

    @property
    def words(self) -> dict[str, Value]:
        """What a feed or a program asks the same by."""
        return self._parts(None, None)

    def _parts(
        self, order: str | None, filters: Mapping[Facet, tuple[str, ...]] | None
    ) -> dict[str, Value]:
        chosen = self.query.filters if filters is None else filters
        order = self.query.order if order is None else order
        return {"q": self.query.text, **{facet: codes for facet, codes in chosen.items() if codes},
                "order": "" if order == "relevance" else order}  # fmt: skip

    def toggled(self, facet: Facet, code: str) -> str:
        """Returns the address with a value more, or less if it is there."""
        now = self.query.filters.get(facet, ())
        then = tuple(each for each in now if each != code) if code in now else (*now, code)
        return self.address(filters={**self.query.filters, facet: then})


def asked_by(request: Request, language: Language, text: str, order: search.Order,
             cursor: str = "") -> Asked:  # fmt: skip
    """Reads a search out of an address.

    Raises:
        InputError: A facet has no such value.
    """
    filters: dict[Facet, tuple[str, ...]] = {}
    for facet in search.FACETS:
        if texts := [each for each in request.query_params.getlist(facet) if each][:50]:
            read = (search.read_filter(facet, each[:200]) for each in texts)
            filters[facet] = tuple(dict.fromkeys(read))
    return Asked(language, search.Query(text.strip(), filters, order, _LIMIT, cursor))


@router.get(PREFIX + "/search")
def find(
    visit: Reading,
    q: Annotated[str, Query(max_length=search.LONGEST)] = "",
    order: search.Order = "relevance",
    cursor: Annotated[str, Query(max_length=2000)] = "",
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """Shows one page of what was found."""
    asked = asked_by(visit.request, visit.language, q, order, cursor)
    found = visit.services.search.find(asked.query, visit.scope)
    first = start if cursor else 0
    shown = first + len(found.hits)
    return visit.page(
        "search",
        asked=asked,
        found=found,
        first=first + 1,
        shown=shown,
        narrowings=narrowings(visit, asked, found),
        following=asked.address(cursor=found.cursor, start=shown) if found.cursor else "",
    )


def narrowings(visit: Reading, asked: Asked, found: Page) -> list[Narrowing]:
    """Returns the facets to narrow a search by."""
    shown: dict[Facet, list[str]] = {}
    counts = {**found.facets, "place": by_area(found.facets["place"], asked.query.filters)}
    for facet in search.FACETS:
        chosen = list(asked.query.filters.get(facet, ()))
        others = [code for code in counts[facet] if code not in chosen]
        if facet == "grade":  # few, and they have an order of their own
            others.sort()
        shown[facet] = chosen + others[: max(_SHOWN - len(chosen), 3)]
    database = visit.services.registry.database
    departments = department_titles(database, shown["department"])
    made = []
    for facet in CATALOGUE_FACETS:
        choices = tuple(
            Choice(
                code,
                value_title(facet, code, departments),
                counts[facet].get(code, 0),
                code in asked.query.filters.get(facet, ()),
                asked.toggled(facet, code),
            )
            for code in shown[facet]
        )
        more = max(len(counts[facet]) - len(choices), 0)
        if choices:
            made.append(Narrowing(facet, search.TITLES[facet], choices, more))
    return made


def by_area(counts: Mapping[str, int], filters: Mapping[Facet, tuple[str, ...]]) -> dict[str, int]:
    """Returns datasets by city, districts added up; of chosen cities the districts besides.

    A city's filter has all that its districts have, so its count has, too. What is the province's
    own is in no city; its filter would be everything.
    """
    chosen = filters.get("place", ())
    cities: dict[str, int] = {}
    for place, count in counts.items():
        city = f"{place[:4]}00"
        if not city.endswith("0000") or place in chosen:
            cities[city] = cities.get(city, 0) + count
    districts = {
        place: count
        for place, count in counts.items()
        if place in chosen or (not place.endswith("00") and f"{place[:4]}00" in chosen)
    }
    ordered = sorted(cities.items(), key=lambda pair: (-pair[1], pair[0]))
    return dict(ordered) | {p: n for p, n in districts.items() if p not in cities}


def value_title(facet: Facet, code: str, departments: Mapping[str, Text]) -> Text:
    """Returns what a facet's value is called."""
    if facet in search.VOCABULARIES:
        return search.VOCABULARIES[facet].title(code)
    if facet == "place":
        return place_title(code)
    if facet == "grade":
        return Text(f"L{code}", f"L{code}")
    if facet == "scenario":
        return scenario_title(code)
    return departments.get(code, Text(code, code)) if facet == "department" else Text(code, code)
