"""One SQLite file: durable, one writer at a time, and its failures in Veil's words."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from protos.faults import UnavailableError
from protos.language import Text

_BUSY_S: Final = 10.0


class Database:
    """A connection that threads share under a lock; other processes may use the file too.

    Args:
        path: Made with mode 0600 when it does not exist.
        schema: SQL script that is safe to run again (``IF NOT EXISTS``).
        read_only: Whether the file must be there, and nothing in it can be changed.
    """

    def __init__(self, path: Path, schema: str, *, read_only: bool = False) -> None:
        self._path = path
        self._schema = schema
        self._read_only = read_only
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Opens the file and brings the schema up to date.

        Raises:
            UnavailableError: It cannot be opened or written.
        """
        try:
            self._connection = self._reading() if self._read_only else self._writing()
        except (OSError, sqlite3.Error) as error:
            raise _failed(self._path, error) from error

    def close(self) -> None:
        """Closes the file; closing twice is harmless."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lends the connection for statements that only read."""
        with self._lock:
            try:
                yield self._open_connection()
            except sqlite3.Error as error:
                raise _failed(self._path, error) from error

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Lends the connection for one transaction: all of it is on disk afterwards, or none.

        Args:
            durable: Whether to wait for the disk. Without it the transaction outlives the
                process but not a power cut; the next durable one brings it to disk, too.
        """
        with self.read() as connection:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def settle(self) -> None:
        """Writes the log into the file and empties it: what was deleted is then nowhere."""
        with self.read() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _writing(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = self._connected(str(self._path))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # admitted means: on disk
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # a deleted seed is overwritten
        connection.executescript(self._schema)
        return connection

    def _reading(self) -> sqlite3.Connection:
        return self._connected(f"{self._path.resolve().as_uri()}?mode=ro", uri=True)

    def _connected(self, name: str, *, uri: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            name, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=uri
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise UnavailableError(
                Text(f"{self._path} is closed", f"{self._path} 已关闭"), code="store.closed"
            )
        return self._connection


def _failed(path: Path, error: Exception) -> UnavailableError:
    return UnavailableError(
        Text("the store cannot be read or written", "存储无法读写"),
        remedy=Text(
            "check that its disk is not full and that the directory is yours",
            "请检查磁盘是否已满、目录是否归您所有",
        ),
        code="store.failed",
        detail=f"{path}: {error}",
    )
