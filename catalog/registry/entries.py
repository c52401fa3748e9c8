"""One dataset with all that the catalog knows about it beside its record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from catalog.registry.reading import records
from catalog.registry.record import Record, Version
from catalog.registry.tables import (
    DatasetRow,
    DepartmentRow,
    ItemRow,
    RelationRow,
    TombstoneRow,
    VersionRow,
)
from catalog.registry.withdrawal import unknown


@dataclass(frozen=True)
class PastVersion:
    """One version of a dataset.

    Attributes:
        number: From 1.
        recorded_at: Unix seconds.
        said: What the provider says about it.
        changes: What differs in the record from the version before, JSON types.
    """

    number: int
    recorded_at: int
    said: Version
    changes: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Neighbour:
    """Another dataset that a relation leads to, or comes from.

    Attributes:
        kind: Code of the relation.
        source: The other's catalog.
        identifier: The other's identifier.
        name: The other's name; empty if it is not registered here.
        outward: Whether it is this record that names the other.
        open: Whether the other is registered and open to the public.
        name_en: The other's English name; may be empty.
    """

    kind: str
    source: str
    identifier: str
    name: str
    outward: bool
    open: bool
    name_en: str = ""


@dataclass(frozen=True)
class Entry:
    """A dataset in the catalog.

    Attributes:
        number: Of the dataset, in this catalog's tables.
        record: As it was registered last.
        state: ``registered`` or ``withdrawn``.
        registered_at: Unix seconds.
        changed_at: Unix seconds.
        usage: How often it was used.
        sources: Name of a shared data item → the responsible department's name; empty while
            that is disputed.
        versions: Newest first.
        neighbours: Both ways.
        tombstone: Signed; empty while it is registered.
        undeclared_since: Unix seconds since when its node no longer declares it; None if it does,
            or no node ever did.
    """

    number: int
    record: Record
    state: str
    registered_at: int
    changed_at: int
    usage: int
    sources: dict[str, str]
    versions: tuple[PastVersion, ...]
    neighbours: tuple[Neighbour, ...]
    tombstone: str
    undeclared_since: int | None


def entry(connection: Connection, source: str, identifier: str) -> Entry:
    """Returns one dataset, also a withdrawn one.

    Raises:
        InputError: There is no such dataset.
    """
    row = connection.execute(
        select(
            DatasetRow.id, DatasetRow.state, DatasetRow.registered_at, DatasetRow.changed_at,
            DatasetRow.usage, DatasetRow.undeclared_since,
        ).where(DatasetRow.source == source, DatasetRow.identifier == identifier)
    ).first()  # fmt: skip
    if row is None:
        raise unknown(source, identifier)
    [(_, record)] = records(connection, [row.id])
    sources = connection.execute(
        select(ItemRow.name, DepartmentRow.name)
        .join(DepartmentRow, DepartmentRow.code == ItemRow.source, isouter=True)
        .where(ItemRow.dataset == row.id, ItemRow.datum.is_not(None))
    )
    tombstone = connection.execute(
        select(TombstoneRow.token).where(TombstoneRow.dataset == row.id)
    ).scalar()
    return Entry(
        row.id, record, row.state, row.registered_at, row.changed_at, row.usage,
        {name: department or "" for name, department in sources},
        tuple(_versions(connection, row.id)),
        tuple(_neighbours(connection, row.id, record)),
        tombstone or "",
        row.undeclared_since,
    )  # fmt: skip


def _versions(connection: Connection, dataset: int) -> list[PastVersion]:
    rows = connection.execute(
        select(VersionRow.__table__)
        .where(VersionRow.dataset == dataset)
        .order_by(VersionRow.number.desc())
    )
    return [
        PastVersion(
            row.number,
            row.recorded_at,
            Version(row.label, row.notes, row.rows, row.added, row.removed, row.changed),
            tuple(json.loads(row.changes)),
        )
        for row in rows
    ]


def _neighbours(connection: Connection, dataset: int, record: Record) -> list[Neighbour]:
    found = []
    for relation in record.relations:
        other = connection.execute(
            select(DatasetRow.name, DatasetRow.name_en, DatasetRow.opening, DatasetRow.state).where(
                DatasetRow.source == relation.source, DatasetRow.identifier == relation.identifier
            )
        ).first()
        found.append(Neighbour(
            relation.kind, relation.source, relation.identifier, other.name if other else "",
            outward=True, open=other is not None and _is_open(other.state, other.opening),
            name_en=other.name_en if other else "",
        ))  # fmt: skip
    rows = connection.execute(
        select(
            RelationRow.kind, DatasetRow.source, DatasetRow.identifier, DatasetRow.name,
            DatasetRow.name_en, DatasetRow.opening, DatasetRow.state,
        )
        .join(DatasetRow, DatasetRow.id == RelationRow.dataset)
        .where(
            RelationRow.source == record.source,
            RelationRow.identifier == record.identifier,
            RelationRow.dataset != dataset,
        )
        .order_by(DatasetRow.id)
    )  # fmt: skip
    return found + [
        Neighbour(
            r.kind, r.source, r.identifier, r.name,
            outward=False, open=_is_open(r.state, r.opening), name_en=r.name_en,
        )
        for r in rows
    ]  # fmt: skip


def _is_open(state: str, opening: str) -> bool:
    return state == "registered" and opening != "none"
