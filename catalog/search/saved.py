"""Searches under a name, for those who look for the same again and again."""

from __future__ import annotations

import json

from sqlalchemy import delete, insert, select

from catalog.registry.database import Database
from catalog.registry.tables import SavedSearchRow
from catalog.search.query import Query
from protos.faults import InputError
from protos.language import Text

LONGEST = 60


def save(database: Database, name: str, query: Query, now: int) -> None:
    """Keeps a search; one of the same name is replaced.

    Raises:
        InputError: The name is empty, too long or not printable.
    """
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise InputError(
            Text("this is no name for a search", "检索名称无效"),
            remedy=Text(
                f"use 1 to {LONGEST} printable characters", f"请用 1 至 {LONGEST} 个可见字符"
            ),
            code="search.name",
        )
    row = {"name": name, "query": json.dumps(query.to_dict(), ensure_ascii=False), "saved_at": now}
    with database.write() as (connection, _):
        connection.execute(delete(SavedSearchRow).where(SavedSearchRow.name == name))
        connection.execute(insert(SavedSearchRow), row)


def saved(database: Database) -> dict[str, Query]:
    """Returns all saved searches by name."""
    with database.read() as connection:
        rows = connection.execute(select(SavedSearchRow.name, SavedSearchRow.query)).all()
    return {name: Query.from_dict(json.loads(query)) for name, query in sorted(map(tuple, rows))}


def named(database: Database, name: str) -> Query:
    """Returns one saved search.

    Raises:
        InputError: There is none of this name.
    """
    found = saved(database)
    if name in found:
        return found[name]
    raise InputError(
        Text(f"there is no saved search {name[:LONGEST]!r}", f"没有名为“{name[:LONGEST]}”的检索"),
        remedy=Text(
            f"saved are: {', '.join(found) or 'none'}", f"已保存：{'、'.join(found) or '无'}"
        ),
        code="search.not_saved",
    )


def forget(database: Database, name: str) -> None:
    """Removes a saved search.

    Raises:
        InputError: There is none of this name.
    """
    named(database, name)
    with database.write() as (connection, _):
        connection.execute(delete(SavedSearchRow).where(SavedSearchRow.name == name))
