"""The analyst's own DuckDB: in memory, locked, one per process, because opening one takes 15 ms.

It holds the table ``released`` while a statement's upper part runs over it, and nothing else: no
file, no extension, no network, no Python variable can be reached from the statement.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

TABLE: Final = "released"
MEMORY: Final = "1GB"

_lock = threading.Lock()
_engines: list[duckdb.DuckDBPyConnection] = []


@contextmanager
def local_engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """Lends the engine, empty; one statement at a time."""
    with _lock:
        if not _engines:
            _engines.append(_open())
        engine = _engines[0]
        try:
            yield engine
        finally:
            engine.execute(f"DROP TABLE IF EXISTS {TABLE}")


def _open() -> duckdb.DuckDBPyConnection:
    import duckdb

    engine = duckdb.connect(
        ":memory:",
        config={
            "temp_directory": "",
            "memory_limit": MEMORY,
            "threads": 1,  # starting more takes longer than they save on so few rows
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
        },
    )
    engine.execute("SET enable_external_access = false")
    engine.execute("SET lock_configuration = true")
    return engine
