"""A journal that shows when it was altered: each entry's hash covers the one before it.

An alteration, a gap and a new order break the chain where they are. A cut at the end shows in
the head, a row of its own with the number of entries and the last hash. None of this stops the
owner of the file from writing a whole new chain; whoever noted a head before notices that too.
"""

# ruff: noqa: S608 - the only name put into SQL is the table's, which the constructor checks

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from protos.canonical import canonical
from protos.faults import TrustError
from protos.language import Text

GENESIS: Final = "0" * 64
_NAME: Final = re.compile(r"[a-z_]{1,32}", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        index: From 1, without gaps.
        record: What was written (a JSON object).
        hash: SHA-256 (hex) over the previous hash and the record's canonical JSON.
    """

    index: int
    record: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class Head:
    """Where a chain ends.

    Attributes:
        entries: How many entries it has.
        hash: The last entry's hash; `GENESIS` without entries.
    """

    entries: int
    hash: str


class HashChain:
    """One chain in one SQLite table; transactions are the caller's.

    Args:
        name: Table name: lower-case letters and ``_``.
    """

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a table name")
        self._table = name

    @property
    def schema(self) -> str:
        """SQL that makes the table."""
        return (
            f"CREATE TABLE IF NOT EXISTS {self._table} ("
            "entry INTEGER PRIMARY KEY, record TEXT NOT NULL, hash TEXT NOT NULL) STRICT;\n"
            f"CREATE TABLE IF NOT EXISTS {self._table}_head ("
            "one INTEGER PRIMARY KEY CHECK (one = 1), entries INTEGER NOT NULL, "
            "hash TEXT NOT NULL) STRICT;"
        )

    def append(self, db: sqlite3.Connection, record: dict[str, Any]) -> Entry:
        """Adds one entry within the caller's transaction."""
        head = self.extend(db, [canonical(record).decode("utf-8")])
        return Entry(head.entries, record, head.hash)

    def extend(self, db: sqlite3.Connection, texts: Sequence[str]) -> Head:
        """Adds entries within the caller's transaction, in their order.

        Args:
            db: Connection to write with.
            texts: Records as canonical JSON.

        Returns:
            Where the chain ends now.
        """
        head = self.head(db)
        index, link = head.entries, head.hash
        rows = []
        for text in texts:
            index, link = index + 1, _link(link, text)
            rows.append((index, text, link))
        db.executemany(f"INSERT INTO {self._table} VALUES (?, ?, ?)", rows)
        db.execute(
            f"INSERT INTO {self._table}_head VALUES (1, ?, ?) "
            "ON CONFLICT (one) DO UPDATE SET entries = excluded.entries, hash = excluded.hash",
            (index, link),
        )
        return Head(index, link)

    def head(self, db: sqlite3.Connection) -> Head:
        """Returns where the chain ends; worth noting elsewhere."""
        row = db.execute(f"SELECT entries, hash FROM {self._table}_head").fetchone()
        return Head(0, GENESIS) if row is None else Head(row[0], row[1])

    def entries(self, db: sqlite3.Connection) -> Iterator[Entry]:
        """Reads all entries in order, unchecked."""
        for index, text, link in self._rows(db):
            yield Entry(index, json.loads(text), link)

    def before(self, db: sqlite3.Connection, index: int, limit: int) -> list[Entry]:
        """Reads the entries before an index, the newest first, unchecked."""
        rows = db.execute(
            f"SELECT entry, record, hash FROM {self._table} WHERE entry < ? "
            "ORDER BY entry DESC LIMIT ?",
            (index, limit),
        )
        return [Entry(number, json.loads(text), link) for number, text, link in rows]

    def verify(self, db: sqlite3.Connection, noted: Head | None = None) -> str:
        """Checks the whole chain and returns its last hash.

        Chain and head are read as they were at one moment, also while another process writes.

        Args:
            db: Connection to read with.
            noted: A head that was noted earlier, to be found in the chain again.

        Raises:
            TrustError: An entry was altered, removed, added or reordered; names the first wrong
                one.
        """
        with _one_moment(db):
            return self._verified(db, noted)

    def _verified(self, db: sqlite3.Connection, noted: Head | None) -> str:
        previous, count = GENESIS, 0
        for index, text, link in self._rows(db):
            if index != count + 1 or link != _link(previous, text):
                raise self._broken(count + 1)
            previous, count = link, index
            if noted is not None and noted.entries == count and noted.hash != link:
                raise self._broken(count)
        if self.head(db) != Head(count, previous) or (noted is not None and noted.entries > count):
            raise self._broken(count + 1)
        return previous

    def _rows(self, db: sqlite3.Connection) -> sqlite3.Cursor:
        return db.execute(f"SELECT entry, record, hash FROM {self._table} ORDER BY entry")

    def _broken(self, entry: int) -> TrustError:
        return TrustError(
            Text(
                f"the journal {self._table!r} is broken at entry {entry}",
                f"日志 {self._table!r} 在第 {entry} 条处断裂",
            ),
            remedy=Text(
                "keep the file, and compare with the last hash that you noted",
                "请保留文件，并与您记下的最后一个哈希核对",
            ),
            code="journal.broken",
        )


@contextmanager
def _one_moment(db: sqlite3.Connection) -> Iterator[None]:
    """Reads within one transaction: the caller's, or one that ends with the block."""
    if db.in_transaction:
        yield
        return
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.rollback()


def _link(previous: str, text: str) -> str:
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
