"""The answer to a search: one page of hits, how many there are, and how many by facet.

Relevance depends on the record and the words alone, not on what else is in the catalog: a word in
the name counts most, then one in department, theme or scenario, then one anywhere; a name that
the words cover more of comes first, and of two alike the newer. So a page's end stays where it
is while others register datasets, and SQLite and PostgreSQL answer alike. See decision 0033.
"""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from catalog.registry import vocabulary as v
from catalog.registry.database import Database
from catalog.registry.tables import DatasetRow, DepartmentRow
from catalog.search.columns import Columns, Ints, Tags, load, name_key
from catalog.search.index import holding, in_a_row
from catalog.search.query import MOST_HITS, Facet, Order, Query, cursor_after, read_cursor
from catalog.search.terms import spaced
from protos.faults import InputError
from protos.language import Text

Mask = NDArray[np.bool_]
Scope = Literal["all", "open"]
"""Which datasets a searcher may know of: the public those that are open, also in counts."""
OPEN: Final = ("unconditional", "conditional")
"""Open attributes of what the public may know of."""
_IN_NAME: Final = 80
_BEGINS: Final = 10
_IN_TAGS: Final = 30
_ANYWHERE: Final = 10
_COVERS: Final = 100  # if the words are the whole name
_DAYS: Final = 1 << 20  # more days than any date since 1970


@dataclass(frozen=True)
class Hit:
    """One dataset that was found."""

    number: int
    source: str
    identifier: str
    name: str
    name_en: str
    provider: str
    provider_name: str
    provider_name_en: str
    place: str
    kind: str
    format: str
    grade: int
    sharing: str
    opening: str
    cycle: str
    updated: dt.date | None
    usage: int

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return body | {"updated": None if self.updated is None else self.updated.isoformat()}


@dataclass(frozen=True)
class Page:
    """One page of an answer.

    Attributes:
        hits: In order.
        total: How many datasets there are in all.
        facets: Facet → code → how many, most first. A facet that is filtered by counts what the
            other filters leave.
        cursor: Where the next page begins; empty if this is the last.
    """

    hits: tuple[Hit, ...]
    total: int
    facets: Mapping[Facet, Mapping[str, int]]
    cursor: str


class Search:
    """Searches one catalog; keeps its columns from one search to the next.

    Args:
        database: Open.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._columns: Columns | None = None

    def find(self, query: Query, scope: Scope = "all") -> Page:
        """Answers a search.

        Args:
            query: What is searched for.
            scope: Among which datasets.

        Raises:
            InputError: It has too many words, or a cursor of another search.
        """
        words = query.words()
        if not 1 <= query.limit <= MOST_HITS:
            raise InputError(
                Text(f"a page has 1 to {MOST_HITS:,} hits", f"每页条数须为 1 至 {MOST_HITS:,}"),
                remedy=Text("choose another limit", "请调整每页条数"),
                code="search.limit",
            )
        with self._database.read() as connection:
            columns = self.columns(connection)
            found = matching(connection, columns, words)
            if scope == "open":
                found &= has(columns, "opening", OPEN)
            masks = {
                facet: has(columns, facet, codes) for facet, codes in query.filters.items() if codes
            }
            wanted = found.copy()
            for mask in masks.values():
                wanted &= mask
            places = np.flatnonzero(wanted)
            order: Order = query.order
            if order == "relevance" and not words:
                order = "date"
            page, keys = _page(columns, places, query, order, words)
            hits = _hits(connection, columns.ids[page].tolist())
        cursor = ""
        if len(hits) == query.limit and keys is not None:
            cursor = cursor_after(query, keys, hits[-1].number)
        return Page(hits, len(places), _counts(columns, found, masks), cursor)

    def columns(self, connection: Connection) -> Columns:
        """Returns all datasets as the connection sees them; kept from one search to the next."""
        self._columns = load(connection, self._columns)
        return self._columns

    def numbers(self, query: Query, scope: Scope = "all") -> frozenset[int]:
        """Returns the numbers of all datasets that a search finds, on all of its pages.

        Raises:
            InputError: It has too many words.
        """
        words = query.words()
        with self._database.read() as connection:
            columns = load(connection, self._columns)
            self._columns = columns
            wanted = matching(connection, columns, words)
            if scope == "open":
                wanted &= has(columns, "opening", OPEN)
            for facet, codes in query.filters.items():
                if codes:
                    wanted &= has(columns, facet, codes)
            return frozenset(columns.ids[wanted].tolist())


def matching(connection: Connection, columns: Columns, words: tuple[str, ...]) -> Mask:
    """Which registered datasets have all the words."""
    wanted = columns.alive.copy()
    for word in words:
        found = holding(connection, word)
        if found is None:
            continue  # nothing but punctuation
        mask = np.zeros(len(columns.ids), dtype=np.bool_)
        mask[columns.places_of(found)] = True
        wanted &= mask
    return wanted


def has(columns: Columns, facet: Facet, codes: tuple[str, ...]) -> Mask:
    """Which datasets have one of the codes; a city has all that its districts have."""
    tags = columns.facets[facet]
    asked = [
        number
        for number, value in enumerate(tags.values)
        if (value in codes if facet != "place" else any(_within(value, code) for code in codes))
    ]
    mask = np.zeros(len(columns.ids), dtype=np.bool_)
    mask[tags.places[np.isin(tags.codes, asked)]] = True
    return mask


def _within(place: str, whole: str) -> bool:
    return place.startswith(whole.removesuffix("00").removesuffix("00"))


def _counts(
    columns: Columns, matching: Mask, masks: Mapping[Facet, Mask]
) -> dict[Facet, dict[str, int]]:
    everything = matching.copy()
    for mask in masks.values():
        everything &= mask
    counts: dict[Facet, dict[str, int]] = {}
    for facet, tags in columns.facets.items():
        counted = everything
        if facet in masks:
            counted = matching.copy()
            for other, mask in masks.items():
                if other != facet:
                    counted &= mask
        counts[facet] = count(tags, counted)
    return counts


def count(tags: Tags, counted: Mask) -> dict[str, int]:
    """How many of some datasets have each value, most first."""
    numbers = np.bincount(tags.codes[counted[tags.places]], minlength=len(tags.values))
    order = sorted(np.flatnonzero(numbers).tolist(), key=lambda n: (-numbers[n], tags.values[n]))
    return {tags.values[n]: int(numbers[n]) for n in order}


def _page(
    columns: Columns, places: Ints, query: Query, order: Order, words: tuple[str, ...]
) -> tuple[Ints, int | str | None]:
    """Returns the places on the page, in order, and the last one's key."""
    after = read_cursor(query) if query.cursor else None
    if order == "name":
        return _page_by_name(columns, places, query, after)
    if order == "relevance":
        key = relevance(columns, places, words) * _DAYS + np.maximum(columns.day[places], 0)
    else:
        key = (columns.day if order == "date" else columns.usage)[places]
    ids = columns.ids[places]
    if after is not None:
        last, dataset = int(after[0]), after[1]
        stays = (key < last) | ((key == last) & (ids > dataset))
        places, key, ids = places[stays], key[stays], ids[stays]
    if len(places) > 4 * query.limit:  # no need to sort what is on no page
        border = np.partition(key, len(key) - query.limit)[len(key) - query.limit]
        stays = key >= border
        places, key, ids = places[stays], key[stays], ids[stays]
    first = np.lexsort((ids, -key))[: query.limit]
    return places[first], int(key[first[-1]]) if len(first) else None


def _page_by_name(
    columns: Columns, places: Ints, query: Query, after: tuple[int | str, int] | None
) -> tuple[Ints, str | None]:
    keys, rank = columns.by_name
    if after is not None:
        border = bisect.bisect_right(keys, (name_key(str(after[0])), after[1]))
        places = places[rank[places] >= border]
    first = places[np.argsort(rank[places])[: query.limit]]
    return first, columns.names[int(first[-1])] if len(first) else None


def relevance(columns: Columns, places: Ints, words: tuple[str, ...]) -> Ints:
    """How well words describe datasets; more is better (decision 0033)."""
    score = np.zeros(len(places), dtype=np.int64)
    rows = [in_a_row(word) for word in words if spaced([word]).strip()]
    titles = [columns.titles[place] for place in places.tolist()]
    covered = np.zeros(len(places), dtype=np.int64)
    for row in rows:
        in_name = np.array([row in title for title in titles], dtype=np.bool_)
        begins = f" {row.strip()}"
        at_start = np.array([title.startswith(begins) for title in titles], dtype=np.bool_)
        tagged = _tagged(columns, row)[places] & ~in_name
        score += np.where(in_name, _IN_NAME, np.where(tagged, _IN_TAGS, _ANYWHERE))
        score += at_start * _BEGINS
        covered += in_name * len(row.strip())
    lengths = np.array([len(title.split(" ˙ ")[0].strip()) for title in titles], dtype=np.int64)
    return score + np.minimum(_COVERS * covered // np.maximum(lengths, 1), _COVERS)


def _tagged(columns: Columns, row: str) -> Mask:
    """Which datasets have a word in their department's, a theme's or a scenario's name."""
    names: dict[Facet, list[str]] = {
        "department": [columns.departments.get(c, "") for c in columns.facets["department"].values],
        "theme": [_title(code) for code in columns.facets["theme"].values],
        "scenario": [spaced([name]) for name in columns.facets["scenario"].values],
    }
    mask = np.zeros(len(columns.ids), dtype=np.bool_)
    for facet, texts in names.items():
        tags = columns.facets[facet]
        asked = [number for number, text in enumerate(texts) if row in text]
        mask[tags.places[np.isin(tags.codes, asked)]] = True
    return mask


def _title(code: str) -> str:
    title = v.THEMES.title(code)
    return spaced((title.zh, title.en))


def _hits(connection: Connection, ids: list[int]) -> tuple[Hit, ...]:
    columns = (
        DatasetRow.id.label("number"), DatasetRow.source, DatasetRow.identifier, DatasetRow.name,
        DatasetRow.name_en, DatasetRow.provider, DepartmentRow.name.label("provider_name"),
        DepartmentRow.name_en.label("provider_name_en"),
        DatasetRow.place, DatasetRow.kind, DatasetRow.format, DatasetRow.grade,
        DatasetRow.sharing, DatasetRow.opening, DatasetRow.cycle,
    )  # fmt: skip
    newest = func.coalesce(DatasetRow.updated, DatasetRow.published)
    rows = connection.execute(
        select(*columns, newest.label("updated"), DatasetRow.usage)
        .join(DepartmentRow, DepartmentRow.code == DatasetRow.provider)
        .where(DatasetRow.id.in_(ids))
    )
    names = Hit.__dataclass_fields__
    found = {row.number: Hit(**{name: getattr(row, name) for name in names}) for row in rows}
    return tuple(found[number] for number in ids)
