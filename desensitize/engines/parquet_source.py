"""Parquet files: typed, so only values that do not fit their declaration can break a load.

Nothing that the file says about itself (row counts, sizes, statistics) is believed: rows are
counted as they are read, and the process that reads has limits.
"""

# ruff: noqa: S608 - own SQL over own tables: names pass `quoted`, texts pass `literal`

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from desensitize.column import Column
from desensitize.engines.csv_source import missing
from desensitize.engines.stored_values import literal, reading
from protos.faults import InputError
from protos.language import Text

TOO_MANY = "veil: too many rows"


@dataclass(frozen=True)
class ParquetSource:
    """A Parquet file.

    Attributes:
        name: The file's name as its owner knows it.
        path: Where to read it, a name without wildcards.
        columns: Source type of each column that the file has.
        max_rows: Reading stops with an error at one more.
        engine: Connection to find broken rows with.
    """

    name: str
    path: str
    columns: dict[str, str]
    max_rows: int
    engine: duckdb.DuckDBPyConnection

    def relation(self) -> str:
        """Returns the engine's table expression."""
        stop = f"CASE WHEN file_row_number >= {self.max_rows} THEN error({literal(TOO_MANY)}) END"
        return (
            f"(SELECT * FROM read_parquet({literal(self.path)}, file_row_number = true, "
            f"hive_partitioning = false) WHERE ({stop}) IS NULL)"
        )

    def types(self) -> dict[str, str]:
        """Returns the source type of each column."""
        return self.columns

    def blame(self, columns: Mapping[str, Column]) -> InputError | None:
        """Finds the first row with a value that does not fit, or None."""
        found: list[tuple[int, str]] = []
        for name, column in columns.items():
            how = reading(column, self.columns[name])
            if how is None:
                continue
            (row,) = self.engine.sql(
                f"SELECT min(file_row_number) FROM {self.relation()} WHERE {how.broken}"
            ).fetchall()[0]
            if row is not None:
                found.append((row + 1, name))
        if not found:
            return None
        row, name = min(found)
        return InputError(
            Text(
                f"{self.name}, row {row}: column {name!r} holds no {columns[name].type}",
                f"{self.name} 第 {row} 行：列 {name!r} 的值不是 {columns[name].type}",
            ),
            remedy=Text("correct the value, or declare another type", "请改正该值，或声明其他类型"),
            code="source.broken_row",
        )


def open_parquet(
    path: str,
    name: str,
    wanted: Mapping[str, Column],
    max_rows: int,
    engine: duckdb.DuckDBPyConnection,
) -> ParquetSource:
    """Reads the schema.

    Raises:
        InputError: Not a Parquet file, or a column is missing.
        duckdb.OutOfMemoryException: The limits did not suffice; says nothing about the file.
    """
    try:
        rows = engine.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(path)})").fetchall()
    except duckdb.OutOfMemoryException:
        raise  # the limit's fault, not the file's
    except duckdb.Error as error:
        raise InputError(
            Text(f"{name} is not a readable Parquet file", f"{name} 不是可读的 Parquet 文件"),
            remedy=Text(
                "export it again; CSV files need a name that ends in .csv",
                "请重新导出；CSV 文件名须以 .csv 结尾",
            ),
            code="source.parquet",
            detail=str(error),
        ) from error
    types = {str(row[0]): str(row[1]) for row in rows}
    if not set(wanted) <= set(types):
        raise missing(name, wanted, list(types))
    return ParquetSource(name, path, types, max_rows, engine)
