"""The loader: a limited child process that turns one foreign file into one native database.

Run as ``python -m desensitize.engines.load`` by ``snapshot.load``, with an empty directory as its
working directory; reads its task as JSON on standard input and writes ``{"report": …}`` or
``{"fault": …}`` on standard output. Foreign files are parsed only here: a Parquet bomb, or a file
that makes the parser fail, ends this process and not the node. Rows go straight from the reader
into the file; nothing is held whole.
"""

# ruff: noqa: S608 - own SQL over own tables: names pass `quoted`, texts pass `literal`

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from desensitize.column import Column
from desensitize.engines.csv_source import CsvSource, open_csv
from desensitize.engines.limits import bind
from desensitize.engines.parquet_source import TOO_MANY, ParquetSource, open_parquet
from desensitize.engines.reports import RANK, ColumnReport, LoadReport
from desensitize.engines.stored_values import Reading, literal, quoted, reading
from protos.faults import InputError, UnavailableError, VeilError
from protos.language import Text

DATABASE: Final = "data.duckdb"
_PARQUET: Final = "source.parquet"
_SPILL: Final = "spill"

Source = CsvSource | ParquetSource


@dataclass(frozen=True)
class LoadTask:
    """What to load.

    Attributes:
        source: The file; ``.parquet`` is read as Parquet, anything else as CSV.
        columns: The columns to take, the subject among them.
        subject: Name of the subject column.
        max_rows: More rows are refused.
        max_rows_per_subject: If a subject has more, rows get a rank.
        memory_bytes: Address space of this process beyond what it has at its start.
        disk_bytes: Largest file that it may write.
        cpu_s: CPU seconds.
    """

    source: str
    columns: dict[str, Column]
    subject: str
    max_rows: int
    max_rows_per_subject: int
    memory_bytes: int
    disk_bytes: int
    cpu_s: int


def main() -> None:
    """Runs one task from standard input."""
    task = read_task(json.load(sys.stdin))
    bind(task.memory_bytes, task.disk_bytes, task.cpu_s)
    answer: dict[str, Any]
    try:
        answer = {"report": asdict(run(task))}
    except VeilError as error:
        answer = {"fault": error.public() | {"detail": error.detail}}
    json.dump(answer, sys.stdout)


def read_task(body: dict[str, Any]) -> LoadTask:
    """Rebuilds a task from its JSON form."""
    columns = {
        name: Column(
            name=name,
            type=column["type"],
            decimals=column["decimals"],
            bounds=tuple(column["bounds"]) if column["bounds"] else None,
            codes=None if column["codes"] is None else tuple(column["codes"]),
            nullable=column["nullable"],
        )
        for name, column in body["columns"].items()
    }
    return LoadTask(**(body | {"columns": columns}))


def run(task: LoadTask) -> LoadReport:
    """Loads the file into ``DATABASE`` in the working directory.

    Raises:
        InputError: The file is wrong; names file, line and column.
        UnavailableError: Memory, disk or time did not suffice.
    """
    name = Path(task.source).name
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{task.memory_bytes * 7 // 10 // 2**20} MiB",
        "temp_directory": _SPILL,
        "threads": 2,
        # Readers for remote files: each would take a stack out of the address space.
        "async_threads": 0,
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        with duckdb.connect(DATABASE, config=config) as engine:
            source = _open(task, name, engine)
            try:
                return _fill(task, name, source, engine)
            except duckdb.Error as error:
                raise _blamed(task, name, source, error) from error
    except (duckdb.Error, MemoryError, OSError) as error:
        raise _exhausted(name, error) from error


def _blamed(task: LoadTask, name: str, source: Source, error: duckdb.Error) -> VeilError:
    """Says whose fault it is that the engine refused: the rows, the file, or the limits."""
    if TOO_MANY in str(error):
        return _too_many(name, task)
    if not isinstance(error, duckdb.InvalidInputException | duckdb.ConversionException):
        return _exhausted(name, error)
    return source.blame(task.columns) or InputError(
        Text(f"{name} cannot be read", f"{name} 无法读取"),
        remedy=Text("the log has the reader's own words", "日志中有读取程序的原始说明"),
        code="source.unreadable",
        detail=str(error),
    )


def _open(task: LoadTask, name: str, engine: duckdb.DuckDBPyConnection) -> Source:
    if not task.source.endswith(".parquet"):
        return open_csv(Path(task.source), name, task.columns, Path())
    # The engine expands wildcards in names; this link has none.
    Path(_PARQUET).symlink_to(task.source)
    return open_parquet(_PARQUET, name, task.columns, task.max_rows, engine)


def _fill(
    task: LoadTask, name: str, source: Source, engine: duckdb.DuckDBPyConnection
) -> LoadReport:
    types = source.types()
    parts: list[str] = []
    flags: list[str] = []
    for column in task.columns.values():
        how = reading(column, types[column.name])
        if how is None:
            raise InputError(
                Text(
                    f"{name}: column {column.name!r} is {types[column.name]} in the file and "
                    "cannot "
                    f"be read as {column.type}",
                    f"{name}：列 {column.name!r} 在文件中是 {types[column.name]}，无法按 "
                    f"{column.type} 读取",
                ),
                remedy=Text(
                    "declare the type that the file has, or export the column otherwise",
                    "请声明文件实际的类型，或以其他类型导出该列",
                ),
                code="source.column_type",
            )
        parts.append(f"{how.value} AS {quoted(column.name)}")
        for flag, test in _flags(column, how):
            parts.append(f"{test} AS {quoted(flag)}")
            flags.append(flag)
    engine.execute(f"CREATE TABLE data AS SELECT {', '.join(parts)} FROM {source.relation()}")
    (rows,) = engine.sql("SELECT count(*) FROM data").fetchall()[0]
    if rows > task.max_rows:
        raise _too_many(name, task)
    columns = {c.name: _column_report(c, flags, engine) for c in task.columns.values()}
    _check_nulls(name, task, columns)
    for flag in flags:
        engine.execute(f"ALTER TABLE data DROP COLUMN {quoted(flag)}")
    subject = quoted(task.subject)
    (most,) = engine.sql(
        f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM data GROUP BY {subject})"
    ).fetchall()[0]
    ranked = most > task.max_rows_per_subject
    if ranked:
        engine.execute(
            f"CREATE TABLE ranked AS SELECT *, row_number() OVER (PARTITION BY {subject} "
            f"ORDER BY rowid) AS {quoted(RANK)} FROM data"
        )
        engine.execute("DROP TABLE data")
        engine.execute("ALTER TABLE ranked RENAME TO data")
    engine.execute("CHECKPOINT")
    return LoadReport(rows, columns, most, columns[task.subject].nulls, ranked)


def _flags(column: Column, how: Reading) -> list[tuple[str, str]]:
    tests = ((f"not_finite {column.name}", how.not_finite), (f"rounded {column.name}", how.rounded))
    return [(flag, test) for flag, test in tests if test != "false"]


def _column_report(
    column: Column, flags: list[str], engine: duckdb.DuckDBPyConnection
) -> ColumnReport:
    name = quoted(column.name)

    def flagged(flag: str) -> str:
        return f"count(*) FILTER ({quoted(flag)})" if flag in flags else "0"

    outside = "false"
    if (range_ := _range(column)) is not None:
        outside = f"{name} < {range_[0]} OR {name} > {range_[1]}"
    unlisted = "false"
    if column.codes is not None:
        codes = ", ".join(literal(c) if isinstance(c, str) else str(c) for c in column.codes)
        unlisted = f"{name} NOT IN ({codes})" if codes else f"{name} IS NOT NULL"
    measured = column.type not in {"string", "boolean"}
    extremes = f"min({name}), max({name})" if measured else "NULL, NULL"
    row = engine.sql(
        f"SELECT count(*) - count({name}), {flagged('not_finite ' + column.name)}, "
        f"{flagged('rounded ' + column.name)}, count(*) FILTER ({outside}), "
        f"count(*) FILTER ({unlisted}), {extremes} FROM data"
    ).fetchall()[0]
    return ColumnReport(*row)


def _check_nulls(name: str, task: LoadTask, found: dict[str, ColumnReport]) -> None:
    """Exact answers trust the declaration: COUNT(*) beside COUNT(x) would tell who has no x."""
    for column in task.columns.values():
        if not column.nullable and (nulls := found[column.name].nulls):
            raise InputError(
                Text(
                    f"{name}: column {column.name!r} is declared never NULL, but {nulls} rows "
                    "have no "
                    "value (or one that is not finite)",
                    f"{name}：列 {column.name!r} 声明为非空，但有 {nulls} 行没有值（或不是有限数）",
                ),
                remedy=Text(
                    "fill in the values, or agree on `nullable = true` for the dataset",
                    "请补全数值，或商定在数据集中设置 nullable = true",
                ),
                code="source.null",
            )


def _range(column: Column) -> tuple[int, int] | None:
    """The bounds that hold for a number: the declared ones, and those of its code list."""
    if not column.codes or column.type in {"string", "boolean"}:
        return column.bounds
    codes = [int(code) for code in column.codes]
    low, high = column.bounds or (min(codes), max(codes))
    return max(low, min(codes)), min(high, max(codes))


def _too_many(name: str, task: LoadTask) -> InputError:
    return InputError(
        Text(
            f"{name} has more than the {task.max_rows} rows that the dataset declares",
            f"{name} 的行数超过数据集声明的 {task.max_rows} 行",
        ),
        remedy=Text(
            "split the file, or agree on a greater max_rows for the dataset",
            "请拆分文件，或商定更大的 max_rows",
        ),
        code="source.too_many_rows",
    )


def _exhausted(name: str, error: BaseException) -> UnavailableError:
    return UnavailableError(
        Text(
            f"{name} needs more memory or disk than the loader may take",
            f"{name} 所需的内存或磁盘超过加载程序的限额",
        ),
        remedy=Text(
            "free disk space, or raise the loader's limits", "请腾出磁盘空间，或提高加载程序的限额"
        ),
        code="source.limits",
        detail=f"{type(error).__name__}: {error}",
    )


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # the engine's extension module complains at an orderly exit
