"""The database of a catalog: SQLite in its directory, or PostgreSQL by a URL; both alike.

A writer takes the whole catalog (``BEGIN IMMEDIATE`` in SQLite, the row of ``state`` in
PostgreSQL), so ids and revisions are given out in order; readers see what was there when they
began. A fresh database is built when it is opened; an older one asks for ``veil catalog upgrade``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from catalog.registry.tables import StateRow
from protos.faults import InputError, UnavailableError
from protos.language import Text

HEAD: Final = "0009"
"""The newest migration; a test compares it with the scripts."""

_BUSY_S: Final = 120.0
"""A writer waits so long for the one before it: four imports of a province."""
_THREADS: Final = 40
"""As many as a server has: connections beyond would be opened and closed again at each call."""
_WRITTEN: Final = select(StateRow.revision)
_WRITES: Final = "veil_writes"
_ALONE: Final = "veil_alone"
MIGRATES: Final = "veil_migrates"
_MIGRATION_LOCK: Final = 0x7665696C  # any number that nobody else locks in this database


class Database:
    """One catalog's tables.

    Args:
        url: ``sqlite:///…`` or ``postgresql://…``.
    """

    def __init__(self, url: str) -> None:
        self._url = url  # may have a password in it: never shown
        self._engine: Engine | None = None
        self._alone: Engine | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether the catalog is an SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @property
    def engine(self) -> Engine:
        """The open engine."""
        if self._engine is None:
            raise UnavailableError(
                Text("the catalog is closed", "目录已关闭"), code="catalog.closed"
            )
        return self._engine

    def open(self, *, upgrade: bool = False) -> None:
        """Connects; builds a fresh database.

        Args:
            upgrade: Also bring an older one up to date.

        Raises:
            UnavailableError: It cannot be reached, read or written.
            InputError: It needs an upgrade, or was made by a newer Veil.
        """
        self._engine = _engine(self._url)
        self._alone = self._engine.execution_options(**{_ALONE: True})
        with _failures():
            found = self.revision()
            if found == HEAD:
                return
            if found is not None and not upgrade:
                raise _outdated(found)
            from catalog.registry.migrations import migrate

            # Each statement sees what is committed: who waited for another finds its work done.
            options: dict[str, bool | str] = {MIGRATES: True}
            if not self.is_sqlite:
                options["isolation_level"] = "READ COMMITTED"
            migrate(self._engine.execution_options(**options))

    def revision(self) -> str | None:
        """Returns the last migration that was carried out; None of an empty database."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
        return None if row is None else str(row[0])

    def close(self) -> None:
        """Lets go of all connections; closing twice is harmless."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = self._alone = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lends a connection that sees one state of the catalog."""
        with _failures(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Lends a connection for one statement that reads: it sees one state by itself.

        Without a transaction around it SQLite is called twice instead of five times, and each
        time threads wait for each other: it matters where every call of a program asks.
        """
        with _failures(), (self._alone or self.engine).connect() as connection:
            yield connection

    def writes(self) -> int:
        """Returns the number of the last write: as long as it stays, nothing has changed."""
        with self.look() as connection:
            return int(connection.execute(_WRITTEN).scalar_one())

    @contextmanager
    def write(self) -> Iterator[tuple[Connection, int]]:
        """Lends a connection for one transaction: all of it is kept, or none.

        Yields:
            The connection, and the number of this write: higher than that of any before.
        """
        with _failures():
            engine = self.engine.execution_options(**{_WRITES: True})
            with engine.begin() as connection:
                count = (
                    update(StateRow)
                    .values(revision=StateRow.revision + 1)
                    .returning(StateRow.revision)
                )
                yield connection, connection.execute(count).scalar_one()


def sqlite_url(path: Path) -> str:
    """Returns the URL of a file; a name with ``?`` or ``%`` in it is still a name."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def _engine(url: str) -> Engine:
    try:
        made = make_url(url)
        if made.get_backend_name() == "postgresql":
            made = made.set(drivername="postgresql+psycopg")
        elif made.drivername != "sqlite" or not made.database:
            raise ArgumentError(made.drivername)
        else:
            # Other users of the machine must not read a catalog that is not public yet.
            os.close(os.open(made.database, os.O_RDWR | os.O_CREAT, 0o600))
        engine = create_engine(
            made, connect_args=_arguments(made), pool_size=_THREADS, pool_use_lifo=True
        )
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise InputError(
            Text("this is no database that a catalog can live in", "目录不支持该数据库地址"),
            remedy=Text(
                "give postgresql://user:password@host/database, or nothing for SQLite",
                "请使用 postgresql://用户:口令@主机/库名；缺省为 SQLite",
            ),
            code="catalog.url",
            detail=type(error).__name__,  # a URL has a password in it
        ) from error
    except ModuleNotFoundError as error:
        raise UnavailableError(
            Text("the driver for PostgreSQL is not installed", "未安装 PostgreSQL 驱动"),
            remedy=Text(
                "install it: pip install 'veil-exchange[postgresql]'",
                "请安装：pip install 'veil-exchange[postgresql]'",
            ),
            code="catalog.driver",
        ) from error
    except OSError as error:
        raise _unavailable(error) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    else:
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def _arguments(url: URL) -> dict[str, Any]:
    return {"timeout": _BUSY_S} if url.drivername == "sqlite" else {"connect_timeout": 10}


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so, DDL included
    for setting in (
        "journal_mode = WAL",
        "synchronous = FULL",  # registered means: on disk
        "foreign_keys = ON",
        "cache_size = -65536",  # KiB
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_ALONE):
        return
    writes = options.get(_WRITES) or options.get(MIGRATES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """A writer waits for the one before it, and only then takes its view of the catalog."""
    options = connection.get_execution_options()
    if options.get(_WRITES):
        connection.exec_driver_sql("LOCK TABLE state IN EXCLUSIVE MODE")
    if options.get(MIGRATES):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")


@contextmanager
def _failures() -> Iterator[None]:
    """Turns what the database says into Veil's words; a broken constraint is our own mistake."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, OSError) as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> UnavailableError:
    if "database is locked" in str(error):
        return UnavailableError(
            Text("another program is writing the catalog", "另一程序正在写入目录"),
            remedy=Text("try again when it is done", "请待其完成后重试"),
            code="catalog.busy",
            detail=str(error),
        )
    return UnavailableError(
        Text("the catalog's database cannot be read or written", "目录数据库无法读写"),
        remedy=Text(
            "check that it can be reached, that its disk is not full, and that it is yours",
            "请检查数据库能否连接、磁盘是否已满、权限是否正确",
        ),
        code="catalog.database",
        detail=str(error),
    )


def _outdated(found: str) -> InputError:
    if found > HEAD:
        return InputError(
            Text("the catalog was made by a newer Veil", "目录由更新版本的 Veil 创建"),
            remedy=Text("install that version", "请安装相应版本"),
            code="catalog.newer",
        )
    return InputError(
        Text(
            f"the catalog is at version {found}, this Veil needs {HEAD}",
            f"目录版本为 {found}，当前 Veil 需要 {HEAD}",
        ),
        remedy=Text(
            "make a copy of it, then run: veil catalog upgrade",
            "请先备份，再运行：veil catalog upgrade",
        ),
        code="catalog.outdated",
    )
