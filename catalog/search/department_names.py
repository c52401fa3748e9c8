"""Departments as people name them."""

from __future__ import annotations

from sqlalchemy import select

from catalog.registry.database import Database
from catalog.registry.tables import DepartmentRow
from catalog.search.terms import runs
from protos.faults import InputError
from protos.language import Text


def names(database: Database) -> dict[str, str]:
    """Returns the departments' names by code."""
    with database.read() as connection:
        rows = connection.execute(select(DepartmentRow.code, DepartmentRow.name))
        return {row.code: row.name for row in rows}


def codes_of(database: Database, text: str) -> tuple[str, ...]:
    """Returns the departments that a text means: by code, by name, or by a part of the name.

    Raises:
        InputError: There is none.
    """
    known = names(database)
    if text in known:
        return (text,)
    wanted = "".join(runs(text))
    found = [code for code, name in known.items() if wanted and wanted in "".join(runs(name))]
    whole = [code for code in found if "".join(runs(known[code])) == wanted]
    if not found:
        raise InputError(
            Text(f"no department is called {text[:40]!r}", f"没有名称含“{text[:40]}”的部门"),
            remedy=Text(
                "'veil catalog departments' lists them", "用 veil catalog departments 查看"
            ),
            code="search.department",
        )
    return tuple(whole or found)
