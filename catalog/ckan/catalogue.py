"""Datasets under CKAN's names, and which of them a caller may know of.

CKAN's clients name a dataset by a slug or an UUID and page through everything by offset; the
catalog names it by source and code. What both need of every dataset stands in arrays beside those
of `catalog.search.columns`, at the same places, and is brought up to date in the same way: what
changed since is read by its revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from catalog.access.principal import Principal
from catalog.datastore.resources import Scope
from catalog.interchange.ckan import slug_of
from catalog.publishing.names import dataset_id
from catalog.registry.tables import DatasetRow, StateRow
from catalog.registry.withdrawal import unknown
from catalog.search.columns import Columns, Ints
from catalog.search.find import OPEN, Mask, Search, has

_NONE: Final[Ints] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Names:
    """All datasets at one revision, by their places in `Columns`.

    Attributes:
        revision: Of the catalog.
        ids: Numbers of the datasets, ascending.
        slugs: Names.
        uuids: Ids.
        created: Unix seconds.
        changed: Unix seconds.
    """

    revision: int
    ids: Ints
    slugs: NDArray[Any]
    uuids: NDArray[Any]
    created: Ints
    changed: Ints

    @cached_property
    def places(self) -> dict[str, int]:
        """Place of each name and id."""
        every = range(len(self.ids))
        return dict(zip(self.slugs.tolist(), every, strict=True)) | dict(
            zip(self.uuids.tolist(), every, strict=True)
        )

    @cached_property
    def by_name(self) -> Ints:
        """Rank of each dataset among all names."""
        return _rank(self.slugs)

    @cached_property
    def by_id(self) -> Ints:
        """Rank of each dataset among all ids."""
        return _rank(self.uuids)


def _rank(texts: NDArray[Any]) -> Ints:
    rank = np.empty(len(texts), dtype=np.int64)
    rank[np.argsort(texts)] = np.arange(len(texts))
    return rank


@dataclass(frozen=True)
class View:
    """What one caller may know of, at one revision.

    Attributes:
        connection: Of the transaction.
        columns: Facets of all datasets.
        names: Their names.
        mask: Which of them are registered, and for this caller.
        scope: Whether that is all, or what is open.
    """

    connection: Connection
    columns: Columns
    names: Names
    mask: Mask
    scope: Scope

    def place(self, name: str) -> int:
        """Returns the place of a dataset.

        Raises:
            MissingError: There is none, or it is not for this caller: the two look alike.
        """
        place = self.names.places.get(name)
        if place is None or not self.mask[place]:
            raise unknown("", name)
        return place


class Catalogue:
    """The catalog under CKAN's names.

    Args:
        search: Keeps the columns.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._names = Names(-1, _NONE, np.empty(0, object), np.empty(0, object), _NONE, _NONE)

    def view(self, connection: Connection, caller: Principal, *, private: bool = True) -> View:
        """Returns what a caller may know of.

        Args:
            connection: To read with.
            caller: Who.
            private: Whether what is not open is wanted, if the caller may have it.
        """
        columns = self._search.columns(connection)
        self._names = names = load(connection, self._names)
        mask = columns.alive.copy()
        scope: Scope = "all" if private and caller.reach("dataset.read") == "all" else "open"
        if scope == "open":
            mask &= has(columns, "opening", OPEN)
        return View(connection, columns, names, mask, scope)


def load(connection: Connection, before: Names) -> Names:
    """Returns the names at the revision that the connection sees."""
    revision = connection.execute(select(StateRow.revision)).scalar_one()
    if before.revision == revision:
        return before
    if before.revision > revision:
        before = Names(-1, _NONE, np.empty(0, object), np.empty(0, object), _NONE, _NONE)
    rows = connection.execute(
        select(
            DatasetRow.id, DatasetRow.source, DatasetRow.identifier, DatasetRow.registered_at,
            DatasetRow.changed_at,
        )
        .where(DatasetRow.revision > before.revision)
        .order_by(DatasetRow.id)
    ).all()  # fmt: skip
    numbers = np.array([row[0] for row in rows], dtype=np.int64)
    fresh = ~np.isin(numbers, before.ids, assume_unique=True)
    ids = np.concatenate([before.ids, numbers[fresh]])  # numbers only go up: still ascending
    added = [row for row, new in zip(rows, fresh.tolist(), strict=True) if new]
    changed = np.concatenate([before.changed, np.zeros(len(added), np.int64)])
    changed[np.searchsorted(ids, numbers)] = [row[4] for row in rows]
    slugs = [slug_of(row[1], row[2]) for row in added]
    uuids = [dataset_id(row[1], row[2]) for row in added]
    return Names(
        revision,
        ids,
        np.concatenate([before.slugs, np.array(slugs, dtype=object)]),
        np.concatenate([before.uuids, np.array(uuids, dtype=object)]),
        np.concatenate([before.created, np.array([row[3] for row in added], dtype=np.int64)]),
        changed,
    )
