"""Figures of the whole catalog, and names for the codes that a page shows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select

from catalog.registry.database import Database
from catalog.registry.tables import DatasetRow, DepartmentRow, PublicationRow
from protos.language import Text


@dataclass(frozen=True)
class Published:
    """What is public.

    Attributes:
        datasets: How many have public rows.
        rows: Rows, of all of them.
    """

    datasets: int
    rows: int


def published(database: Database) -> Published:
    """Counts what is public of datasets that are open."""
    statement = (
        select(
            func.count(func.distinct(PublicationRow.dataset)),
            func.coalesce(func.sum(PublicationRow.rows), 0),
        )
        .join(DatasetRow, DatasetRow.id == PublicationRow.dataset)
        .where(
            PublicationRow.state == "published",
            DatasetRow.state == "registered",
            DatasetRow.opening != "none",
        )
    )
    with database.read() as connection:
        datasets, rows = connection.execute(statement).one()
    return Published(datasets, int(rows))


@dataclass(frozen=True)
class WithRows:
    """A dataset that has public rows.

    Attributes:
        source: With the identifier its name.
        identifier: Of the dataset.
        title: What people call it.
        rows: How many are public.
    """

    source: str
    identifier: str
    title: Text
    rows: int


def with_rows(database: Database, most: int) -> list[WithRows]:
    """Returns datasets with public rows, the newest first; of each its newest version.

    Args:
        database: The catalog's.
        most: So many at most.
    """
    newest = (
        select(PublicationRow.dataset, func.max(PublicationRow.number).label("number"))
        .where(PublicationRow.state == "published")
        .group_by(PublicationRow.dataset)
        .subquery()
    )
    statement = (
        select(DatasetRow.source, DatasetRow.identifier, DatasetRow.name, DatasetRow.name_en,
               PublicationRow.rows)
        .join(newest, newest.c.dataset == DatasetRow.id)
        .join(PublicationRow, (PublicationRow.dataset == newest.c.dataset)
              & (PublicationRow.number == newest.c.number))
        .where(DatasetRow.state == "registered", DatasetRow.opening != "none")
        .order_by(PublicationRow.published_at.desc(), DatasetRow.id.desc())
        .limit(most)
    )  # fmt: skip
    with database.read() as connection:
        rows = connection.execute(statement).all()
    return [
        WithRows(row.source, row.identifier, Text(row.name_en or row.name, row.name), row.rows)
        for row in rows
    ]


def department_titles(database: Database, codes: Collection[str]) -> dict[str, Text]:
    """Returns departments' names by code; in English the Chinese stands in for none."""
    statement = select(DepartmentRow.code, DepartmentRow.name, DepartmentRow.name_en).where(
        DepartmentRow.code.in_(codes)
    )
    with database.read() as connection:
        rows = connection.execute(statement).all()
    return {row.code: Text(row.name_en or row.name, row.name) for row in rows}
