"""Where a stranger's SELECT runs: a child process of its own, locked, limited, killed when late.

Workers are forked ahead of need from a process that has the engine loaded (decision 0005), so a
query pays for no start; each serves one query and ends. What it needs, the operating system
bounds; what it returns is bounded before it is received.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from catalog.datastore.places import Asker, Places
from catalog.datastore.resources import Resource
from catalog.datastore.sql import Governed
from catalog.datastore.texts import json_object
from desensitize.engines.worker import QueryPool, QueryTask
from protos.faults import InputError, LimitError, UnavailableError
from protos.language import Text

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MIB: Final = 1 << 20
_SAID: Final = frozenset(
    {"BinderException", "CatalogException", "ConversionException", "OutOfRangeException",
     "InvalidInputException", "ParserException", "SyntaxException", "TypeMismatchException",
     "NotImplementedException"}
)  # fmt: skip
"""What the engine says about a statement. The rows are public, so its words may be, too."""


@dataclass(frozen=True)
class SqlLimits:
    """What one statement may use.

    Attributes:
        memory_mib: Address space beyond the loaded engine, MiB.
        cpu_s: Processor seconds, over all threads.
        deadline_s: Seconds until it is killed, waiting for a place included.
        result_mib: Of what it returns, MiB.
        json_mib: Of the same as JSON, MiB.
        at_once: Statements that run at the same time; visitors leave one place to members.
        in_line: Statements that run or wait; visitors leave half of it to members.
        share: Of one visitor's network, or one member, in the line.
    """

    memory_mib: int = 512
    cpu_s: int = 10
    deadline_s: float = 5.0
    result_mib: int = 32
    json_mib: int = 64
    at_once: int = 2
    in_line: int = 16
    share: int = 4


@dataclass(frozen=True)
class SqlAnswer:
    """What a statement yields.

    Attributes:
        columns: Name → type of the engine.
        records: JSON objects with commas between them.
        rows: How many.
        cut: Whether there were more than an answer may have.
    """

    columns: Mapping[str, str]
    records: str
    rows: int
    cut: bool


class SqlTables:
    """Runs statements.

    Args:
        limits: For each of them.
        path: Returns the database of a resource.
        members: Whether some of the callers may have logged in, for whom places are kept.
    """

    def __init__(
        self, limits: SqlLimits, path: Callable[[Resource], Path], *, members: bool
    ) -> None:
        kept, half = (1, limits.in_line // 2) if members else (0, 0)
        self._places = Places(limits.at_once, kept=kept, share=limits.at_once)
        self._line = Places(limits.in_line, kept=half, share=limits.share)
        self._limits = limits
        self._path = path
        self._pool = QueryPool(
            limits.memory_mib * MIB,
            limits.cpu_s,
            spare=limits.at_once,
            most=limits.at_once,
            result_bytes=limits.result_mib * MIB,
        )
        self._lock = threading.Lock()
        self._writing = threading.BoundedSemaphore(limits.at_once)
        self._started = False

    def start(self) -> None:
        """Has workers ready; without it the first statement waits for them."""
        with self._lock:
            if not self._started:
                self._pool.start()
                self._started = True

    def run(self, governed: Governed, most_rows: int, asker: Asker) -> SqlAnswer:
        """Runs one statement.

        Raises:
            InputError: The engine understands it otherwise than its writer.
            LimitError: Too many wait already, or nobody's statement ended in time.
            UnavailableError: It needs more time, memory or room than it may.
        """
        end = time.monotonic() + self._limits.deadline_s
        if (leave := self._line.take(asker)) is None:
            raise _busy()
        try:
            if (ends := self._places.take(asker, self._limits.deadline_s)) is None:
                raise _busy()
            try:
                return self._run(governed, most_rows, end - time.monotonic())
            finally:
                ends()
        finally:
            leave()

    def _run(self, governed: Governed, most_rows: int, within_s: float) -> SqlAnswer:
        self.start()
        (_, first), *others = [(name, self._path(of)) for name, of in governed.tables.items()]
        try:
            found = self._pool.run(QueryTask(first, governed.sql, tuple(others)), within_s)
        except UnavailableError as error:
            raise _told(error, self._limits) from error
        return self._answer(found, most_rows)

    def _answer(self, found: pa.Table, most_rows: int) -> SqlAnswer:
        """Writes rows as JSON, within bounds of its own: a name of a column stands in each row.

        Raises:
            UnavailableError: They are too long, written so.
        """
        import duckdb

        rows = min(found.num_rows, most_rows)
        names = _unique(found.column_names)
        line = sum(len(json.dumps(name)) for name in names)
        if line * rows > self._limits.json_mib * MIB:
            raise _beyond(self._limits, f"names of {line} characters in {rows} rows")
        with self._writing, _locked(4 * self._limits.json_mib) as engine:  # it doubles as it grows
            engine.register("found", found.rename_columns(names).slice(0, rows))
            described = engine.execute("DESCRIBE found").fetchall()
            columns = {str(row[0]): str(row[1]) for row in described}
            written = f"SELECT {json_object(columns)} AS line FROM found"  # noqa: S608 - our own
            try:
                [(records,)] = engine.execute(
                    f"SELECT coalesce(string_agg(line, ','), '') FROM ({written})"  # noqa: S608
                ).fetchall()
            except duckdb.OutOfMemoryException as error:
                raise _beyond(self._limits, str(error)) from error
        return SqlAnswer(columns, str(records), rows, found.num_rows > rows)

    def close(self) -> None:
        """Ends all workers."""
        with self._lock:
            self._pool.close()
            self._started = False


def _locked(memory_mib: int) -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(
        ":memory:",
        config={"threads": 1, "enable_external_access": False, "temp_directory": "",
                "python_enable_replacements": False, "memory_limit": f"{memory_mib}MiB"},
    )  # fmt: skip


def _unique(names: list[str]) -> list[str]:
    """Names under which JSON and the engine can keep all columns apart."""
    unique: list[str] = []
    taken: set[str] = set()
    for name in names:
        called, number = name or "column", 0
        while called.casefold() in taken:
            number += 1
            called = f"{name or 'column'}_{number}"
        taken.add(called.casefold())
        unique.append(called)
    return unique


def _busy() -> LimitError:
    return LimitError(
        Text("too many statements run at once", "同时运行的查询语句已达上限"),
        remedy=Text("try again in a moment; who has logged in has places of their own",
                    "请稍后重试；登录用户另有保留名额"),
        code="sql.busy",
    )  # fmt: skip


def _told(error: UnavailableError, limits: SqlLimits) -> Exception:
    kind, _, said = error.detail.partition(": ")
    if kind in _SAID:
        line = said.splitlines()[0][:300] if said else kind
        return InputError(
            Text(f"the statement cannot be run: {line}", f"语句无法执行：{line}"),
            remedy=Text("datastore_info lists the columns and their types",
                        "列名与类型见 datastore_info"),
            code="sql.engine",
        )  # fmt: skip
    return _beyond(limits, error.detail)


def _beyond(limits: SqlLimits, detail: str) -> UnavailableError:
    return UnavailableError(
        Text(
            f"the statement takes more than {limits.deadline_s:g} seconds, "
            f"{limits.memory_mib} MiB, or {limits.result_mib} MiB of answer",
            f"语句超出限额（{limits.deadline_s:g} 秒、{limits.memory_mib} MiB 内存或 "
            f"{limits.result_mib} MiB 结果）",
        ),
        remedy=Text("ask for fewer rows or columns, or download the data and run it yourself",
                    "请减少行列，或下载数据后在本地运行"),
        code="sql.limits",
        detail=detail,
    )  # fmt: skip
