"""Takes a foreign file into the engine of a limited child, beside another one."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import duckdb

from desensitize.engines.foreign_file import blamed, exhausted, open_file
from desensitize.engines.tables import make_table
from desensitize.sources import Table, columns_of


def take(
    name: str,
    path: Path,
    engine: duckdb.DuckDBPyConnection,
    *,
    sheet: str = "",
    only: Collection[str] | None = None,
) -> Table:
    """Reads a file into a table, its rows in order; see `make_table`.

    Args:
        name: Of the table in the engine, after ``veil_``; each once.
        path: The file.
        engine: Where the table will be.
        sheet: Sheet of a workbook; empty for the first.
        only: Columns to take; all by default. What the file lacks is left for others to say.

    Raises:
        InputError: The file is wrong.
        UnavailableError: Memory or disk did not suffice.
    """
    # Each file needs a directory of its own for what lies beside the engine.
    here = Path.cwd()
    (here / name).mkdir()
    os.chdir(here / name)
    try:
        read = open_file(path, sheet, engine)
        columns = [column for column in read.columns if only is None or column.name in only]
        listed = ", ".join(f"{column.raw} AS c{i}" for i, column in enumerate(columns))
        sql = f"SELECT {listed or '1 AS nothing'} FROM {read.sql}"  # noqa: S608 - own expressions
        with blamed(read):
            make_table(engine, f"veil_{name}", sql)
    except duckdb.Error as error:
        raise exhausted(path.name, error) from error
    finally:
        os.chdir(here)
    names = [column.name for column in columns] or None
    return Table(path.name, engine, f"veil_{name}", columns_of(engine, f"veil_{name}", names))
