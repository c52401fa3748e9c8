"""What a caller may know of, in bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, select

from catalog.registry.reading import records
from catalog.registry.record import Department, Record
from catalog.registry.tables import DatasetRow, DepartmentRow, PublicationRow
from catalog.search.find import Scope

MOST: Final = 1000
"""Datasets on one page."""


@dataclass(frozen=True)
class Shown:
    """A dataset as a caller may see it.

    Attributes:
        number: In this catalog's tables.
        record: With those relations alone whose other end the caller may know of.
        registered_at: Unix seconds.
        changed_at: Unix seconds.
        departments: By code, those that its data items name as their source.
    """

    number: int
    record: Record
    registered_at: int
    changed_at: int
    departments: Mapping[str, Department]


@dataclass(frozen=True)
class Page:
    """Some datasets in the order of their registration.

    Attributes:
        datasets: On this page.
        total: On all pages.
        after: Where the next page begins; None if this is the last.
    """

    datasets: tuple[Shown, ...]
    total: int
    after: int | None


def visible(scope: Scope) -> ColumnElement[bool]:
    """Returns the condition that a dataset is there for a caller."""
    registered = DatasetRow.state == "registered"
    return registered if scope == "all" else and_(registered, DatasetRow.opening != "none")


def page(connection: Connection, scope: Scope, after: int, limit: int) -> Page:
    """Returns some datasets.

    A page begins behind a dataset, not at a count: whoever reads page by page misses none and
    gets none twice, whatever is registered or withdrawn meanwhile.

    Args:
        connection: To read with.
        scope: What the caller may know of.
        after: Number of the last dataset of the page before; 0 for the first page.
        limit: How many at most, 1 to `MOST`.
    """
    there = visible(scope)
    wanted = select(DatasetRow.id).where(there, DatasetRow.id > after).order_by(DatasetRow.id)
    ids = list(connection.execute(wanted.limit(limit + 1)).scalars())
    total = connection.execute(select(func.count()).select_from(DatasetRow).where(there))
    found = shown(connection, ids[:limit], scope)
    return Page(found, total.scalar_one(), ids[limit - 1] if len(ids) > limit else None)


def shown(connection: Connection, ids: Sequence[int], scope: Scope) -> tuple[Shown, ...]:
    """Returns datasets that a caller may know of, in the order of their numbers given.

    Args:
        connection: To read with.
        ids: Numbers of datasets that are there for the caller (`visible`).
        scope: What else it may know of.
    """
    found = list(records(connection, ids)) if ids else []
    there = _there(connection, (record for _, record in found), scope)
    times = {
        row.id: row
        for row in connection.execute(
            select(DatasetRow.id, DatasetRow.registered_at, DatasetRow.changed_at).where(
                DatasetRow.id.in_(ids)
            )
        )
    }
    departments = _departments(connection, (record for _, record in found))
    return tuple(
        Shown(
            number,
            replace(record, relations=tuple(
                each for each in record.relations if (each.source, each.identifier) in there
            )),
            times[number].registered_at,
            times[number].changed_at,
            departments,
        )
        for number, record in found
    )  # fmt: skip


def number_of(connection: Connection, source: str, identifier: str, scope: Scope) -> int | None:
    """Returns a dataset's number; None if it is not there for the caller."""
    wanted = select(DatasetRow.id).where(
        visible(scope), DatasetRow.source == source, DatasetRow.identifier == identifier
    )
    return connection.execute(wanted).scalar()


def last_change(connection: Connection) -> int:
    """Returns when anything that is shown changed last, Unix seconds; 0 of an empty catalog."""
    times = connection.execute(
        select(
            select(func.max(DatasetRow.changed_at)).scalar_subquery(),
            select(func.max(PublicationRow.published_at)).scalar_subquery(),
            select(func.max(PublicationRow.unpublished_at)).scalar_subquery(),
        )
    ).one()
    return max((time for time in times if time is not None), default=0)


def _departments(connection: Connection, shown_records: Iterable[Record]) -> dict[str, Department]:
    codes = {item.source for record in shown_records for item in record.items if item.source}
    rows = connection.execute(
        select(DepartmentRow.__table__).where(DepartmentRow.code.in_(sorted(codes)))
    )
    return {row.code: Department(row.code, row.name, row.place, row.name_en) for row in rows}


def _there(
    connection: Connection, shown_records: Iterable[Record], scope: Scope
) -> set[tuple[str, str]]:
    """Which of the datasets that records name are there for the caller."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for record in shown_records:
        for relation in record.relations:
            wanted[relation.source].add(relation.identifier)
    return {
        (source, identifier)
        for source, identifiers in wanted.items()
        for identifier in connection.execute(
            select(DatasetRow.identifier).where(
                visible(scope),
                DatasetRow.source == source,
                DatasetRow.identifier.in_(sorted(identifiers)),
            )
        ).scalars()
    }
