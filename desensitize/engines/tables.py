"""Tables of rows that the engine keeps while it works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb

FILE: Final = "veil_tables"
"""A child's engine that is told to keeps its tables in a file of this name."""


def make_table(
    engine: duckdb.DuckDBPyConnection,
    name: str,
    sql: str,
    values: Mapping[str, object] | None = None,
) -> None:
    """Makes a table of what a statement gives; its rows stay in order, as their ``rowid``.

    Temporary, for the connection may be a user's; in the file of a child that has one. Rows in a
    file can be let go of at any time. Temporary ones have to be written out first, and the engine
    then failed to put 40 million in order within memory in which it does so from a file.

    Args:
        engine: Where.
        name: Of the table; one of that name gives way.
        sql: The statement.
        values: Of its parameters.
    """
    [[database]] = engine.execute("SELECT current_database()").fetchall()
    kind = "" if database == FILE else "TEMP "
    engine.execute(f"CREATE OR REPLACE {kind}TABLE {name} AS {sql}", values or None).fetchall()
