"""One public table, open: a locked engine that sees it and nothing else, for any number of threads.

Only SQL of ours runs here (`ask`). Each call has an end in rows, time and memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from catalog.datastore.ask import Ask, AskError, Made, Value, counting, made
from catalog.datastore.deadlines import Deadlines
from desensitize.engines.stored_values import quoted
from protos.faults import UnavailableError
from protos.language import Text

if TYPE_CHECKING:
    import duckdb

_BATCH: Final = 10_000  # rows of a stream's piece
_LOCKS: Final = (
    # temp_directory first: without access to files it can no longer be set; the lock last.
    "SET temp_directory = ''",
    "SET preserve_insertion_order = true",  # what `ask` relies on
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


Line = Callable[[Mapping[str, str]], str]
"""Makes the expression of a row out of its columns (`texts`)."""


@dataclass(frozen=True)
class Page:
    """Some rows.

    Attributes:
        text: Of all of them.
        rows: How many.
        columns: Name → type.
    """

    text: str
    rows: int
    columns: Mapping[str, str]


@dataclass(frozen=True)
class ReadLimits:
    """What reading may use.

    Attributes:
        memory_mib: Of one table's engine, MiB.
        call_s: Seconds for a page, or a piece of a stream.
        tables: Open at once; the one that was not used longest gives way.
    """

    memory_mib: int = 256
    call_s: float = 5.0
    tables: int = 16


class Table:
    """An open table.

    Args:
        path: Its database.
        limits: For every call.
        deadlines: Who keeps them.
    """

    def __init__(self, path: Path, limits: ReadLimits, deadlines: Deadlines) -> None:
        import duckdb

        self._limits = limits
        self._deadlines = deadlines
        memory = f"{limits.memory_mib}MiB"
        self._engine = duckdb.connect(
            str(path), read_only=True, config={"threads": 1, "memory_limit": memory}
        )
        # A stream may have it open still, which gave way to others: then it is shared, and locked.
        [(locked,)] = self._engine.execute(
            "SELECT current_setting('lock_configuration')"
        ).fetchall()
        for statement in () if locked else _LOCKS:
            self._engine.execute(statement)
        described = self._engine.execute("DESCRIBE data").fetchall()
        self.columns: Mapping[str, str] = {str(row[0]): str(row[1]) for row in described}

    def page(self, ask: Ask, line: Line, between: str) -> Page:
        """Returns rows as one text.

        Args:
            ask: Which.
            line: Makes the expression of a row (`texts`).
            between: What stands between two of them.

        Raises:
            AskError: It does not fit the table.
            UnavailableError: Time or memory did not suffice.
        """
        wanted = made(ask, self.columns)
        # Joined here: the engine's own aggregate takes longer to plan than a small page to read.
        found = self._all(f"SELECT {line(wanted.columns)} {wanted.rows}", wanted.values)
        return Page(between.join(text for (text,) in found), len(found), wanted.columns)

    def lines(self, ask: Ask, line: Line) -> Iterator[memoryview | bytes]:
        """Yields rows as texts in pieces, in memory that does not grow with their number.

        Raises:
            AskError: It does not fit the table.
            UnavailableError: Time or memory did not suffice.
        """
        wanted = made(ask, self.columns)
        pieces = self._pieces(f"SELECT {line(wanted.columns)} AS line {wanted.rows}", wanted)
        return _with_first(next(pieces, None), pieces)  # what is wrong is said before it begins

    def rows(self, ask: Ask) -> Iterator[list[tuple[Any, ...]]]:
        """Yields rows as tuples, some at a time; for formats that no engine writes."""
        wanted = made(ask, self.columns)
        # Times with a zone are texts: as Python's values they ask for a package of its own.
        listed = ", ".join(
            f"{quoted(name)}{'::VARCHAR' if kind.endswith('WITH TIME ZONE') else ''}"
            for name, kind in wanted.columns.items()
        )
        with self._cursor() as cursor:
            with self._ends(cursor):
                cursor.execute(f"SELECT {listed} {wanted.rows}", wanted.values)
            while True:
                with self._ends(cursor):
                    some = cursor.fetchmany(_BATCH)
                if not some:
                    return
                yield some

    def fields(self, ask: Ask) -> Mapping[str, str]:
        """Returns name → type of the answer's columns."""
        return made(ask, self.columns).columns

    def total(self, ask: Ask, page: Page | None = None) -> int:
        """Returns how many rows there are in all, whatever page is asked for.

        Args:
            ask: Which.
            page: What it brought; if that was the last page, nothing is left to count.
        """
        if page is not None and ask.limit is not None and 0 < page.rows < ask.limit:
            return ask.offset + page.rows
        wanted = counting(ask, self.columns)
        [(number,)] = self._all(f"SELECT count(*) {wanted.rows}", wanted.values)
        return int(number)

    def about_how_many(self, columns: Sequence[str]) -> list[int]:
        """Returns about how many values each of some columns has, in memory that stays small.

        Raises:
            UnavailableError: Time or memory did not suffice.
        """
        listed = ", ".join(f"approx_count_distinct({quoted(each)})" for each in columns)
        [row] = self._all(f"SELECT {listed} FROM data", ())  # noqa: S608 - quoted
        return [int(each) for each in row]

    def counts(self, column: str, most: int) -> list[tuple[str | None, int]]:
        """Returns how many rows have each value of a column, the most frequent first.

        Args:
            column: One of `columns`.
            most: Values.

        Raises:
            UnavailableError: Time or memory did not suffice.
        """
        name = quoted(column)
        found = self._all(
            f"SELECT CAST({name} AS VARCHAR), count(*) FROM data GROUP BY ALL "  # noqa: S608 - quoted
            f"ORDER BY 2 DESC, 1 LIMIT {int(most)}",
            (),
        )
        return [(value, int(count)) for value, count in found]

    def span(self, column: str) -> tuple[str, ...]:
        """Returns the least, the middle and the greatest number of a column.

        Raises:
            UnavailableError: Time or memory did not suffice.
        """
        name = quoted(column)
        [row] = self._all(
            f"SELECT min({name}), quantile_disc({name}, 0.5), max({name}) FROM data",  # noqa: S608 - quoted
            (),
        )
        return tuple(str(each) for each in row)

    def close(self) -> None:
        """Closes the engine; calls that run are interrupted."""
        self._engine.close()

    def _all(self, sql: str, values: Sequence[Value]) -> list[Any]:
        with self._cursor() as cursor, self._ends(cursor):
            return cursor.execute(sql, values).fetchall()

    def _pieces(self, sql: str, wanted: Made) -> Generator[memoryview]:
        with self._cursor() as cursor:
            with self._ends(cursor):
                found = cursor.sql(sql, params=list(wanted.values))
                reader = found.to_arrow_reader(_BATCH)
            while True:
                with self._ends(cursor):
                    try:
                        column = reader.read_next_batch().column(0)
                    except StopIteration:
                        return
                if len(column):
                    yield _bytes_of(column)

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._engine.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    @contextmanager
    def _ends(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        import duckdb
        import pyarrow as pa

        try:
            with self._deadlines.limit(cursor, self._limits.call_s):
                yield
        except (duckdb.ConversionException, duckdb.TypeMismatchException) as error:
            said = str(error).splitlines()[0][:200]
            raise AskError("filters", Text(said, said)) from error
        except (duckdb.Error, pa.ArrowException, MemoryError, OSError) as error:
            raise UnavailableError(
                Text(
                    "this takes more time or memory than one call may",
                    "该请求所需时间或内存超出限制",
                ),
                remedy=Text("ask for fewer rows or columns", "请减少行数或列数"),
                code="datastore.limits",
                detail=str(error),
            ) from error


class Tables:
    """Open tables, a few at a time.

    Args:
        limits: For each of them.
    """

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._deadlines = Deadlines()
        self._lock = threading.Lock()
        self._open: OrderedDict[Path, Table] = OrderedDict()

    def open(self, path: Path) -> Table:
        """Returns the table of a database; one that gives way to it stays for whoever reads it."""
        with self._lock:
            if path in self._open:
                self._open.move_to_end(path)
                return self._open[path]
            table = self._open[path] = Table(path, self._limits, self._deadlines)
            if len(self._open) > self._limits.tables:
                self._open.popitem(last=False)  # ends with its last cursor
            return table

    def close(self) -> None:
        """Closes all of them."""
        with self._lock:
            for table in self._open.values():
                table.close()
            self._open.clear()
        self._deadlines.close()


def _with_first(first: memoryview | None, others: Generator[memoryview]) -> Iterator[memoryview]:
    try:
        if first is not None:
            yield first
        yield from others
    finally:
        others.close()


def _bytes_of(column: Any) -> memoryview:  # noqa: ANN401 - of pyarrow, which has no types
    """Returns the texts of a column as they lie in memory, one behind the other."""
    import pyarrow as pa

    width = 8 if pa.types.is_large_string(column.type) else 4
    _, offsets, data = column.buffers()
    ends = memoryview(offsets).cast("q" if width == 8 else "i")
    first, last = ends[column.offset], ends[column.offset + len(column)]
    return memoryview(data)[first:last]
