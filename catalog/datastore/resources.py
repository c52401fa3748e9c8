"""What is public, under the names that programs call it by.

A resource is one publication: its bytes never change, so its id, an UUID that follows from
catalog, code and version, names the same rows for ever. A dataset's own name or id stands for its
newest version.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection, select

from catalog.interchange.ckan import slug_of
from catalog.publishing.listing import Publication, publications
from catalog.publishing.names import dataset_id, publication_ids
from catalog.registry.database import Database
from catalog.registry.tables import DatasetRow, PublicationRow, StateRow
from protos.faults import MissingError
from protos.language import Text

Scope = Literal["all", "open"]
FRESH_S: Final = 0.5
"""How long it may take until somebody who has asked before learns of an end."""


@dataclass(frozen=True)
class Resource:
    """One publication as programs know it.

    Attributes:
        id: Of its rows.
        file_id: Of its file, byte by byte as it was attested.
        name: Of its dataset, as CKAN writes it.
        dataset_id: Of its dataset.
        dataset: Number of the dataset in the catalog's tables.
        open: Whether the public may know of the dataset.
        publication: What it is.
    """

    id: str
    file_id: str
    name: str
    dataset_id: str
    dataset: int
    open: bool
    publication: Publication


@dataclass(frozen=True)
class _Known:
    revision: int
    by_name: Mapping[str, Resource]
    by_dataset: Mapping[int, tuple[Resource, ...]]


class Resources:
    """All that is public, read again when the catalog has changed.

    Args:
        database: Of the catalog.
        fresh_s: Seconds for which it is not asked whether it has.
    """

    def __init__(self, database: Database, fresh_s: float = FRESH_S) -> None:
        self._database = database
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._known = _Known(-1, {}, {})
        self._asked = float("-inf")

    def find(self, name: str, scope: Scope) -> Resource:
        """Returns what is called so.

        Args:
            name: Id of a resource, or name or id of a dataset: its newest version.
            scope: Among what: the public knows of open datasets only.

        Raises:
            MissingError: There is none, or it is not for this caller: the two look alike.
        """
        for at_once in (False, True):  # what is not for the caller takes as long as what is not
            found = self._now(at_once=at_once).by_name.get(name)
            if found is not None and (scope == "all" or found.open):
                return found
        raise missing(name)

    def of(self, dataset: int, scope: Scope) -> tuple[Resource, ...]:
        """Returns what is public of a dataset, the newest first."""
        found = self._now().by_dataset.get(dataset, ())
        return tuple(each for each in found if scope == "all" or each.open)

    def all(self, scope: Scope) -> Iterator[Resource]:
        """Yields everything, in the order of datasets, the newest version first."""
        for found in self._now().by_dataset.values():
            yield from (each for each in found if scope == "all" or each.open)

    def _now(self, *, at_once: bool = False) -> _Known:
        if not at_once and time.monotonic() - self._asked < self._fresh_s:
            return self._known
        with self._lock:
            if not at_once and time.monotonic() - self._asked < self._fresh_s:
                return self._known
            with self._database.read() as connection:
                revision = connection.execute(select(StateRow.revision)).scalar_one()
                if revision != self._known.revision:
                    self._known = _load(connection, revision)
            self._asked = time.monotonic()
            return self._known


def _load(connection: Connection, revision: int) -> _Known:
    public = select(PublicationRow.dataset).where(PublicationRow.state == "published")
    statement = select(
        DatasetRow.id, DatasetRow.source, DatasetRow.identifier, DatasetRow.opening
    ).where(DatasetRow.state == "registered", DatasetRow.id.in_(public))
    datasets = {
        (row.source, row.identifier): (row.id, row.opening != "none")
        for row in connection.execute(statement)
    }
    by_name: dict[str, Resource] = {}
    by_dataset: dict[int, list[Resource]] = defaultdict(list)
    for each in publications(connection):  # by dataset and version: the newest comes last
        known = datasets.get((each.source, each.identifier))
        if each.state != "published" or known is None:
            continue
        rows, file = publication_ids(each.source, each.identifier, each.number)
        name, whole = (
            slug_of(each.source, each.identifier),
            dataset_id(each.source, each.identifier),
        )
        found = Resource(rows, file, name, whole, known[0], known[1], each)
        by_name |= dict.fromkeys((rows, file, name, whole), found)
        by_dataset[known[0]].insert(0, found)
    return _Known(revision, by_name, {n: tuple(found) for n, found in by_dataset.items()})


def missing(name: str) -> MissingError:
    """Returns what is said of a resource that is not there, or not for this caller."""
    shown = name[:80]
    return MissingError(
        Text(f"no public data is called {shown!r}", f"没有名为“{shown}”的公开数据"),
        remedy=Text(
            "take the id from package_show or /api/catalog/datasets",
            "请从 package_show 或 /api/catalog/datasets 取得标识",
        ),
        code="datastore.missing",
    )
