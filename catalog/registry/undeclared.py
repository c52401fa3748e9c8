"""Datasets that their department's node no longer declares: a mark beside a record that stays.

A node says what it holds, and may stop saying so: by mistake, by another policy, or because it
wants something out of sight. So its silence erases nothing. It is written beside the record, with
its day, for everybody to see; whether the dataset is withdrawn, with a tombstone and a reason, is
for the catalog to decide. When the node declares it again, the mark is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from catalog.registry.registry import Registry
from catalog.registry.tables import DatasetRow, DepartmentRow

_Known = tuple[int, str, int | None]
"""A dataset: its number, its name at the node, its mark."""


@dataclass(frozen=True)
class Undeclared:
    """A dataset that waits for a decision.

    Attributes:
        source: Its catalog.
        identifier: Its code.
        name: Its name.
        provider: Name of the department.
        since: Unix seconds of the first declaration without it.
    """

    source: str
    identifier: str
    name: str
    provider: str
    since: int


def mark_undeclared(registry: Registry, source: str, node: str, names: Collection[str]) -> int:
    """Marks what a node has declared before and does not now, and unmarks what it declares again.

    Args:
        registry: The catalog.
        source: Of records that rest on declarations.
        node: Name of the department, by its enrolment; others' records are not touched.
        names: All that it declares.

    Returns:
        How many marks have changed.

    Raises:
        UnavailableError: It cannot be written.
    """
    with registry.database.read() as connection:
        if not _changes(_of_node(connection, source, node), names):
            return 0  # as on most days: no write, and caches stay
    with registry.database.write() as (connection, revision):
        changes = _changes(_of_node(connection, source, node), names)
        for number, gone in changes.items():
            connection.execute(
                update(DatasetRow)
                .where(DatasetRow.id == number)
                .values(undeclared_since=registry.now() if gone else None, revision=revision)
            )
    return len(changes)


def undeclared(connection: Connection) -> list[Undeclared]:
    """Returns what waits for a decision, the longest first."""
    rows = connection.execute(
        select(
            DatasetRow.source, DatasetRow.identifier, DatasetRow.name,
            DepartmentRow.name, DatasetRow.undeclared_since,
        )
        .join(DepartmentRow, DepartmentRow.code == DatasetRow.provider)
        .where(DatasetRow.undeclared_since.is_not(None), DatasetRow.state == "registered")
        .order_by(DatasetRow.undeclared_since, DatasetRow.identifier)
    )  # fmt: skip
    return [
        Undeclared(source, identifier, name, provider, since)
        for source, identifier, name, provider, since in rows
        if since is not None
    ]


def _of_node(connection: Connection, source: str, node: str) -> list[_Known]:
    rows = connection.execute(
        select(DatasetRow.id, DatasetRow.identifier, DatasetRow.undeclared_since).where(
            DatasetRow.source == source, DatasetRow.state == "registered"
        )
    )
    parts = ((number, *code.rpartition("/"), since) for number, code, since in rows)
    return [(number, name, since) for number, who, _, name, since in parts if who == node]


def _changes(known: Iterable[_Known], names: Collection[str]) -> dict[int, bool]:
    """Datasets whose mark is not as it should be → whether they are gone."""
    return {
        number: name not in names
        for number, name, since in known
        if (name not in names) != (since is not None)
    }
