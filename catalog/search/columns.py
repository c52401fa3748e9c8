"""What facets and orders need of every dataset, as arrays: 4 MB for a province.

A search counts ten facets over all hits; as SQL that is ten passes, as arrays it is a millisecond.
The arrays belong to one revision of the catalog. What was written since is read by its revision
and laid over them, within the transaction that also asks the text index, so both say the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, select

from catalog.registry.tables import (
    DatasetRow,
    DatasetScenarioRow,
    DepartmentRow,
    ScenarioRow,
    StateRow,
    ThemeRow,
)
from catalog.search.query import Facet
from catalog.search.terms import spaced

Ints = NDArray[np.int64]
_ONE: Final[dict[Facet, Any]] = {
    "department": DatasetRow.provider,
    "grade": DatasetRow.grade,
    "format": DatasetRow.format,
    "sharing": DatasetRow.sharing,
    "opening": DatasetRow.opening,
    "place": DatasetRow.place,
    "cycle": DatasetRow.cycle,
    "kind": DatasetRow.kind,
}
_EPOCH: Final = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Tags:
    """A facet: which datasets have which value.

    Attributes:
        values: Codes; their places are the numbers in ``codes``.
        places: Places of datasets, ascending for a facet with one value each.
        codes: A value of each.
    """

    values: tuple[str, ...]
    places: Ints
    codes: Ints


@dataclass(frozen=True)
class Columns:
    """All datasets at one revision.

    Attributes:
        revision: Of the catalog.
        ids: Numbers of the datasets, ascending; a dataset's place is its index here.
        alive: Whether it is registered.
        facets: By name.
        day: Day since 1970 on which it was updated or published; 0 if it is not said.
        usage: How often it was used.
        titles: Names as the text index has them.
        names: Names as they are.
        departments: Code → names as the text index has them.
    """

    revision: int
    ids: Ints
    alive: NDArray[np.bool_]
    facets: dict[Facet, Tags]
    day: Ints
    usage: Ints
    titles: list[str]
    names: list[str]
    departments: dict[str, str]

    @cached_property
    def by_name(self) -> tuple[list[tuple[bytes, int]], Ints]:
        """All names in order, and each dataset's place in that order."""
        keys = [(name_key(n), int(i)) for n, i in zip(self.names, self.ids, strict=True)]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        rank = np.empty(len(keys), dtype=np.int64)
        rank[order] = np.arange(len(keys))
        return [keys[i] for i in order], rank

    def places_of(self, ids: Ints) -> Ints:
        """Returns the places of datasets, all of which must be here."""
        return np.searchsorted(self.ids, ids)


def name_key(name: str) -> bytes:
    """Returns what Chinese names are sorted by: GB 18030 has common characters in pinyin order."""
    return name.encode("gb18030", "replace")


def load(connection: Connection, before: Columns | None = None) -> Columns:
    """Returns the columns at the revision that the connection sees.

    Args:
        connection: In a transaction.
        before: Columns of an earlier revision of the same catalog.
    """
    revision = connection.execute(select(StateRow.revision)).scalar_one()
    if before is not None and before.revision == revision:
        return before
    since = -1 if before is None or before.revision > revision else before.revision
    old = before if since >= 0 and before is not None else _nothing()
    rows = _rows(connection, since)
    # By columns, once: 41,600 rows have half a million cells.
    numbers, states, fresh_names, english, usage, published, updated, *coded = (
        zip(*rows, strict=True) if rows else [()] * (7 + len(_ONE))
    )
    fresh = np.array(numbers, dtype=np.int64)
    known = np.isin(fresh, old.ids, assume_unique=True)
    ids = np.concatenate([old.ids, fresh[~known]])  # numbers only go up: still ascending
    places = np.searchsorted(ids, fresh)
    names, titles = _grown(old.names, ids), _grown(old.titles, ids)
    for place, name, name_en in zip(places.tolist(), fresh_names, english, strict=True):
        names[place] = name
        titles[place] = spaced((name, name_en))
    facets: dict[Facet, Tags] = {
        facet: _laid_over(old.facets[facet], places, places, [str(value) for value in values])
        for facet, values in zip(_ONE, coded, strict=True)
    }
    for facet, found in _tags(connection, since).items():
        owners = np.searchsorted(ids, np.array([dataset for dataset, _ in found], dtype=np.int64))
        facets[facet] = _laid_over(old.facets[facet], places, owners, [tag for _, tag in found])
    days = [_day(last or first) for first, last in zip(published, updated, strict=True)]
    return Columns(
        revision=revision,
        ids=ids,
        alive=_put(old.alive, ids, places, [state == "registered" for state in states]),
        facets=facets,
        day=_put(old.day, ids, places, days),
        usage=_put(old.usage, ids, places, usage),
        titles=titles,
        names=names,
        departments={
            row.code: spaced((row.name, row.name_en))
            for row in connection.execute(
                select(DepartmentRow.code, DepartmentRow.name, DepartmentRow.name_en)
            )
        },
    )


def _rows(connection: Connection, since: int) -> Sequence[Row[Any]]:
    statement = select(
        DatasetRow.id, DatasetRow.state, DatasetRow.name, DatasetRow.name_en, DatasetRow.usage,
        DatasetRow.published, DatasetRow.updated, *_ONE.values(),
    )  # fmt: skip
    return connection.execute(
        statement.where(DatasetRow.revision > since).order_by(DatasetRow.id)
    ).all()


def _tags(connection: Connection, since: int) -> dict[Facet, Sequence[tuple[int, str]]]:
    themes = (
        select(ThemeRow.dataset, ThemeRow.theme)
        .join(DatasetRow, DatasetRow.id == ThemeRow.dataset)
        .where(DatasetRow.revision > since)
    )
    scenarios = (
        select(DatasetScenarioRow.dataset, ScenarioRow.name)
        .join(ScenarioRow, ScenarioRow.id == DatasetScenarioRow.scenario)
        .join(DatasetRow, DatasetRow.id == DatasetScenarioRow.dataset)
        .where(DatasetRow.revision > since)
    )
    return {
        "theme": [(row[0], row[1]) for row in connection.execute(themes)],
        "scenario": [(row[0], row[1]) for row in connection.execute(scenarios)],
    }


def _nothing() -> Columns:
    none = np.empty(0, dtype=np.int64)
    facets: dict[Facet, Tags] = {f: Tags((), none, none) for f in (*_ONE, "theme", "scenario")}
    return Columns(-1, none, none.astype(np.bool_), facets, none, none, [], [], {})


def _grown(old: list[str], ids: Ints) -> list[str]:
    return old + [""] * (len(ids) - len(old))


def _put(old: NDArray[Any], ids: Ints, places: Ints, values: Sequence[Any]) -> NDArray[Any]:
    new = np.zeros(len(ids), dtype=old.dtype)
    new[: len(old)] = old
    new[places] = values
    return new


def _laid_over(old: Tags, changed: Ints, places: Ints, tags: Sequence[str]) -> Tags:
    """Takes the values of changed datasets away and puts new ones beside the others'."""
    numbers = {value: number for number, value in enumerate(old.values)}
    codes = [numbers.setdefault(tag, len(numbers)) for tag in tags]
    stays = ~np.isin(old.places, changed)
    all_places = np.concatenate([old.places[stays], places])
    all_codes = np.concatenate([old.codes[stays], np.array(codes, dtype=np.int64)])
    order = np.argsort(all_places, kind="stable")
    return Tags(tuple(numbers), all_places[order], all_codes[order])


def _day(day: dt.date | None) -> int:
    return 0 if day is None else (day - _EPOCH).days
