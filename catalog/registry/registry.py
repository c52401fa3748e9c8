"""The door to a catalog: a directory with its database (or the URL of one) and its signing key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import bindparam, func, select, update

from catalog.registry import conflict_views, decisions, entries, withdrawal
from catalog.registry.database import Database, sqlite_url
from catalog.registry.reading import records
from catalog.registry.record import Department, Record
from catalog.registry.rules import check
from catalog.registry.tables import DatasetRow, DepartmentRow
from catalog.registry.writing import Progress, Writer, harvested
from protos.faults import InputError
from protos.keyfile import read_private, write_private
from protos.language import Text
from protos.signing import IdentityKey

_DATABASE: Final = "catalog.db"
_URL: Final = "database.url"
_KEY: Final = "identity.pem"


@dataclass(frozen=True)
class Provider:
    """A department and what it has registered.

    Attributes:
        department: Who.
        datasets: How many are registered.
        newest: Unix seconds of its last change; None if nothing is registered.
    """

    department: Department
    datasets: int
    newest: int | None


class Registry:
    """A catalog.

    Args:
        database: Its tables.
        key_file: Its signing key.
        clock: Unix seconds.
    """

    def __init__(
        self,
        database: Database,
        key_file: Path,
        *,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        self.database = database
        self._key_file = key_file
        self._clock = clock

    @property
    def directory(self) -> Path:
        """Where it keeps what is not in its database."""
        return self._key_file.parent

    def now(self) -> int:
        """The catalog's time, Unix seconds."""
        return self._clock()

    def key(self) -> IdentityKey:
        """The catalog's signing key, read when it is needed."""
        return IdentityKey.load(self._key_file)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """One write: all that is put in is kept, or none of it."""
        with self.database.write() as (connection, revision):
            yield Writer(connection, revision, self._clock())

    def register(
        self, wanted: Sequence[Record], progress: Progress = lambda _done, _total: None
    ) -> Writer:
        """Registers or updates records, all or none.

        Args:
            wanted: In the order in which their claims count.
            progress: Told how many are written.

        Returns:
            What became of them.

        Raises:
            InputError: A record has a flaw, or the catalog objects to one.
        """
        for record in wanted:
            check(record)
        with self.writing() as writer:
            writer.enrol(record.provider for record in wanted)
            for record in wanted:
                if flaw := writer.objection(record):
                    raise InputError(
                        Text(
                            f"{record.identifier}, {flaw.field}: {flaw.said.en}",
                            f"{record.identifier}，{flaw.field}：{flaw.said.zh}",
                        ),
                        remedy=flaw.remedy,
                        code="record.objection",
                    )
            writer.put(wanted, progress)
        return writer

    def entry(self, source: str, identifier: str) -> entries.Entry:
        """Returns one dataset; see `entries.entry`."""
        with self.database.read() as connection:
            return entries.entry(connection, source, identifier)

    def sources_of(self, identifier: str) -> list[str]:
        """Returns the catalogs that have a dataset of this identifier."""
        with self.database.read() as connection:
            statement = select(DatasetRow.source).where(DatasetRow.identifier == identifier)
            return list(connection.execute(statement.order_by(DatasetRow.source)).scalars())

    def records(self) -> Iterator[Record]:
        """Yields all registered records, in the order of registration."""
        with self.database.read() as connection:
            statement = select(DatasetRow.id).where(DatasetRow.state == "registered")
            ids = list(connection.execute(statement.order_by(DatasetRow.id)).scalars())
            for _, record in records(connection, ids):
                yield record

    def count(self) -> int:
        """Returns how many datasets are registered."""
        with self.database.read() as connection:
            statement = select(func.count()).where(DatasetRow.state == "registered")
            return connection.execute(statement).scalar_one()

    def providers(self) -> list[Provider]:
        """Returns all departments, those with most datasets first."""
        total, newest = func.count(DatasetRow.id), func.max(DatasetRow.changed_at)
        statement = (
            select(DepartmentRow.__table__, total.label("total"), newest.label("newest"))
            .join(
                DatasetRow,
                (DatasetRow.provider == DepartmentRow.code) & (DatasetRow.state == "registered"),
                isouter=True,
            )
            .group_by(*DepartmentRow.__table__.columns)
            .order_by(total.desc(), DepartmentRow.code)
        )
        with self.database.read() as connection:
            return [
                Provider(
                    Department(row.code, row.name, row.place, row.name_en), row.total, row.newest
                )
                for row in connection.execute(statement)
            ]

    def conflicts(self, *, state: str = "") -> list[conflict_views.Conflict]:
        """Returns conflicts of responsibility; see `conflict_views.conflicts`."""
        with self.database.read() as connection:
            return conflict_views.conflicts(connection, state=state)

    def resolve(
        self, number: int, decision: decisions.Decision, *, who: str, note: str, subject: str = ""
    ) -> None:
        """Decides a conflict; see `decisions.resolve`."""
        with self.database.write() as (connection, _):
            decisions.resolve(
                connection, number, decision,
                who=who, note=note, subject=subject, now=self._clock(),
            )  # fmt: skip

    def withdraw(self, source: str, identifier: str, *, reason: str, who: str) -> str:
        """Withdraws a dataset and returns its tombstone; see `withdrawal.withdraw`."""
        signer = self.key()
        with self.database.write() as (connection, revision):
            if (name := source.partition(".")[0]) in harvested(connection):
                raise InputError(
                    Text(
                        f"{identifier[:80]} is harvested from {name}",
                        f"“{identifier[:80]}”采集自 {name}",
                    ),
                    remedy=Text(
                        "withdraw it where it comes from, or end the harvest: "
                        "veil catalog harvest remove",
                        "请在来源目录撤回，或用 veil catalog harvest remove 终止采集",
                    ),
                    code="withdraw.harvested",
                )
            return withdrawal.withdraw(
                connection, revision, (source, identifier),
                reason=reason, who=who, now=self._clock(), signer=signer,
            )  # fmt: skip

    def count_uses(self, uses: Mapping[tuple[str, str], int]) -> None:
        """Adds to how often datasets were used, by source and identifier; unknown ones are none."""
        with self.database.write() as (connection, revision):
            connection.execute(
                update(DatasetRow)
                .where(
                    DatasetRow.source == bindparam("of"), DatasetRow.identifier == bindparam("code")
                )
                .values(usage=DatasetRow.usage + bindparam("more"), revision=revision),
                [{"of": key[0], "code": key[1], "more": more} for key, more in uses.items()],
            )

    def close(self) -> None:
        """Closes the database."""
        self.database.close()


def create(directory: Path, *, url: str = "") -> None:
    """Makes a catalog's directory: key, and database or its URL. What is there already stays.

    Args:
        directory: Made with mode 0700 if it does not exist.
        url: Of a PostgreSQL database; empty for an SQLite file in the directory.

    Raises:
        InputError: The URL is none, or the catalog is there with another database.
        UnavailableError: Something cannot be reached or written.
    """
    file = directory / _URL
    if url and (directory / _DATABASE).exists():
        raise InputError(
            Text(f"{directory} has an SQLite catalog already", f"{directory} 已有 SQLite 目录库"),
            remedy=Text("choose another directory", "请换一个目录"),
            code="catalog.exists",
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(url or _url_of(directory))
    database.open()
    database.close()
    if url and not file.exists():
        write_private(file, url.encode())
    if not (directory / _KEY).exists():
        IdentityKey.generate().save(directory / _KEY)


@contextmanager
def opened(
    directory: Path,
    *,
    upgrade: bool = False,
    clock: Callable[[], int] = lambda: int(time.time()),
) -> Iterator[Registry]:
    """Opens a catalog that `create` has made.

    Args:
        directory: Where.
        upgrade: Also brings its tables up to date.
        clock: Unix seconds.

    Raises:
        InputError: There is none, or it needs an upgrade.
        UnavailableError: It cannot be reached or read.
    """
    if not (directory / _KEY).is_file():
        raise InputError(
            Text(f"{directory} is no catalog", f"{directory} 不是目录库"),
            remedy=Text(
                "make one with 'veil catalog init', or name it with --dir",
                "请用 veil catalog init 创建，或用 --dir 指定",
            ),
            code="catalog.missing",
        )
    database = Database(_url_of(directory))
    database.open(upgrade=upgrade)
    try:
        yield Registry(database, directory / _KEY, clock=clock)
    finally:
        database.close()


def _url_of(directory: Path) -> str:
    file = directory / _URL
    if file.exists():
        return read_private(file).decode("utf-8").strip()
    return sqlite_url(directory / _DATABASE)
