"""Opens a foreign file as a table of the engine; called in a limited child process only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from desensitize.engines.child import ShortOfMemoryError, Task
from desensitize.engines.csv_source import CsvSource, sniff_csv
from desensitize.engines.parquet_source import open_parquet
from desensitize.engines.stored_values import literal
from desensitize.engines.tables import FILE
from desensitize.engines.workbook import ROUNDED, SUFFIXES, read_workbook
from desensitize.sources import (
    ENGINE,
    Setting,
    SourceColumn,
    Table,
    check_width,
    columns_of,
    distinct_names,
)
from protos.faults import InputError, UnavailableError, VeilError
from protos.language import Text

_PARQUET: Final = "source.parquet"
_SPILL: Final = "spill"
_ROWS: Final = 1 << 62


def engine_config(memory_bytes: int, threads: int) -> dict[str, Setting]:
    """Returns the engine's settings within a process that may take so much memory.

    Half is for what the engine counts. Its sorts, its allocator's gaps, Arrow and Python take the
    other half: with seven tenths, 20 million rows could not be put in order within 2 GB.
    """
    return ENGINE | {
        "memory_limit": f"{memory_bytes // 2 // 2**20} MiB",
        # Also when the working directory has changed: each file is read in one of its own.
        "temp_directory": str(Path.cwd() / _SPILL),
        "threads": threads,
    }


@contextmanager
def engine_for(task: Task, *, on_disk: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yields an engine within a child's limits.

    Args:
        task: Says the limits.
        on_disk: Keep what `make_table` makes in a file of the working directory.

    Raises:
        UnavailableError: Memory, disk or time did not suffice.
    """
    try:
        config = engine_config(task.memory_bytes, task.threads)
        with duckdb.connect(FILE if on_disk else ":memory:", config=config) as engine:
            yield engine
    except (duckdb.Error, MemoryError, OSError) as error:
        raise exhausted(task.path.name, error) from error


@contextmanager
def blamed(table: Table) -> Iterator[None]:
    """Says which row of a file was wrong when the engine meets it only while it works.

    Raises:
        VeilError: A row cannot be read.
        duckdb.Error: Something else went wrong.
    """
    try:
        yield
    except duckdb.Error as error:
        if table.blame is None:
            raise
        raise table.blame(error) from error


_ONE_COLUMN: Final = Text(
    "only one column was found: commas, semicolons, tabs and bars divide columns",
    "仅有一列：列之间须用逗号、分号、制表符或竖线分隔",
)


def open_file(source: Path, sheet: str, engine: duckdb.DuckDBPyConnection) -> Table:
    """Opens a file as a table; the working directory takes what has to lie beside the engine.

    Args:
        source: The file; its suffix says what it is, anything unknown is read as CSV.
        sheet: Sheet of a workbook; empty for the first that has cells.
        engine: Where the table will mean something.

    Raises:
        InputError: It is not what its name says, or not readable.
    """
    name = source.name
    if source.suffix.lower() in SUFFIXES:
        header, rows, notes = read_workbook(source, name, sheet)
        names, odd = distinct_names(header)
        engine.register("veil_workbook", rows)
        columns = tuple(map(_with_digits, columns_of(engine, "veil_workbook", names)))
        return Table(name, engine, "veil_workbook", columns, rows.num_rows, (*notes, *odd))
    if sheet:
        raise InputError(
            Text(f"{name} is no workbook and has no sheets", f"{name} 不是工作簿，没有工作表"),
            code="source.sheet",
        )
    if source.suffix.lower() == ".parquet":
        return _parquet(source, name, engine)
    return _csv(source, name, engine)


def _with_digits(column: SourceColumn) -> SourceColumn:
    """Shows a rounded number of a workbook with its digits, as one in a column of floats."""
    rounded = f"regexp_full_match({column.raw}, '-?{ROUNDED}')"
    digits = f"TRY_CAST(TRY_CAST({column.raw} AS DOUBLE) AS HUGEINT)::VARCHAR"
    shown = f"CASE WHEN {rounded} THEN coalesce({digits}, {column.raw}) ELSE {column.raw} END"
    return replace(column, sql=shown)


def _parquet(source: Path, name: str, engine: duckdb.DuckDBPyConnection) -> Table:
    # The engine takes a minute to bind 100,000 columns. What is no Parquet file it says itself.
    with suppress(pa.ArrowException, OSError):
        check_width(len(pq.read_schema(source)))
    # The engine expands wildcards in names; this link has none.
    Path(_PARQUET).symlink_to(source)
    open_parquet(_PARQUET, name, {}, _ROWS, engine)  # refuses what is no Parquet file
    sql = f"read_parquet({literal(_PARQUET)}, hive_partitioning = false)"
    told = engine.execute(
        f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({literal(_PARQUET)})"  # noqa: S608
    ).fetchall()[0][0]

    def blame(error: duckdb.Error) -> VeilError:
        if isinstance(error, duckdb.OutOfMemoryException):
            return exhausted(name, error)
        return InputError(
            Text(
                f"{name} cannot be read to its end: the file is damaged",
                f"{name} 无法读到末尾：文件已损坏",
            ),
            remedy=Text("export it again", "请重新导出"),
            code="source.parquet",
            detail=str(error),
        )

    return Table(name, engine, sql, columns_of(engine, sql), told, blame=blame)


def _csv(source: Path, name: str, engine: duckdb.DuckDBPyConnection) -> Table:
    found = sniff_csv(source, name, Path())
    names, notes = distinct_names(found.header)
    if len(names) == 1:
        notes = (*notes, _ONE_COLUMN)
    # The engine needs names that differ.
    plain = tuple(f"c{i}" for i in range(len(names)))
    read = CsvSource(name, found.path, found.delimiter, plain)

    def blame(error: duckdb.Error) -> VeilError:
        if isinstance(error, duckdb.OutOfMemoryException):
            return exhausted(name, error)
        if "aximum line size" in str(error):
            return InputError(
                Text(f"{name} has a record of more than 2 MB", f"{name} 有一条记录超过 2 MB"),
                remedy=Text(
                    "look for a quote that is never closed, or take that column out",
                    "请检查是否有未闭合的引号，或去掉该列",
                ),
                code="source.long_line",
                detail=str(error),
            )
        return read.blame({}) or InputError(
            Text(f"{name} cannot be read", f"{name} 无法读取"),
            remedy=Text(
                "save the file as CSV UTF-8 with one record a line, its columns divided by commas",
                "请另存为 CSV UTF-8，每行一条记录，列之间用逗号分隔",
            ),
            code="source.unreadable",
            detail=str(error),
        )

    columns = columns_of(engine, read.relation(), names)
    return Table(name, engine, read.relation(), columns, _rows(found.path), notes, blame)


def _rows(path: Path) -> int:
    """Estimates the rows of a CSV file from its first megabyte; for progress only."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
    lines = max(head.count(b"\n"), 1)
    return int(path.stat().st_size / max(len(head), 1) * lines)


def exhausted(name: str, error: BaseException) -> UnavailableError:
    """Returns what is said when the engine or the system had not enough of something."""
    short = isinstance(error, duckdb.OutOfMemoryException)
    return (ShortOfMemoryError if short else UnavailableError)(
        Text(
            f"{name} needs more memory or disk than the scanner may take",
            f"{name} 所需的内存或磁盘超过扫描程序的限额",
        ),
        remedy=Text(
            "free disk space, or allow more memory (--memory-mb, limits= in Python)",
            "请腾出磁盘空间，或放宽内存限额（--memory-mb，Python 中为 limits=）",
        ),
        code="source.limits",
        detail=f"{type(error).__name__}: {error}",
    )
