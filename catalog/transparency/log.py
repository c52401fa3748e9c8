"""The log: entries of 32 bytes, the hashes of complete subtrees, and signed checkpoints.

Lives in a `Database` beside what is logged, so that a certificate and its entry are one
transaction: both on disk, or neither. Entries are salted commitments, SHA-256 over 32 random bytes
and the certificate's canonical claims; whoever has the log alone learns how many there are.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from catalog.transparency.checkpoints import Checkpoint, Proof
from catalog.transparency.merkle import (
    HASH_BYTES,
    Read,
    consistency_proof,
    grown,
    inclusion_proof,
    leaf_hash,
    root_of,
)
from catalog.transparency.notes import NoteSigner
from protos.faults import InputError, TrustError
from protos.language import Text

SALT_BYTES: Final = 32
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS log_entries (
    entry      INTEGER PRIMARY KEY,   -- from 0, without gaps
    commitment BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS log_nodes (
    level    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_checkpoints (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL,               -- with the cosignatures that have come in
    cosignatures INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS log_checkpoints_by_cosignatures
    ON log_checkpoints (cosignatures, size);
CREATE TABLE IF NOT EXISTS log_noted (   -- entries that are about no certificate
    commitment BLOB PRIMARY KEY,
    entry      INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_witnesses (
    name TEXT PRIMARY KEY,
    size INTEGER NOT NULL             -- of the largest tree that it has cosigned
) STRICT;
"""


def commitment(salt: bytes, claims: bytes) -> bytes:
    """What the log holds of a certificate.

    Args:
        salt: 32 random bytes, kept with the certificate. Without it nobody can guess a
            certificate's content from its entry.
        claims: The certificate's canonical JSON; not its signature, of which there can be many.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has 32 bytes")
    return hashlib.sha256(salt + claims).digest()


class LogReader:
    """The tables of one log, to be read: by whoever has the file, without its key."""

    def size(self, db: sqlite3.Connection) -> int:
        """Number of entries."""
        (last,) = db.execute("SELECT MAX(entry) FROM log_entries").fetchone()
        return 0 if last is None else int(last) + 1

    def note(self, db: sqlite3.Connection, size: int | None = None) -> str:
        """Returns a checkpoint with its cosignatures.

        Args:
            db: Connection to read with.
            size: Of the tree; the latest by default.

        Raises:
            InputError: There is none.
        """
        wanted = self.size(db) if size is None else size
        row = db.execute("SELECT note FROM log_checkpoints WHERE size = ?", (wanted,)).fetchone()
        if row is None:
            raise InputError(
                Text(
                    f"the log has no checkpoint of {wanted} entries",
                    f"日志没有 {wanted} 条时的检查点",
                ),
                remedy=Text("issue a certificate first", "请先签发证书"),
                code="log.empty",
            )
        return str(row[0])

    def notes(self, db: sqlite3.Connection) -> dict[int, str]:
        """Returns every checkpoint by the size that it is kept under, unchecked."""
        return dict(map(tuple, db.execute("SELECT size, note FROM log_checkpoints ORDER BY size")))

    def best(self, db: sqlite3.Connection, index: int) -> int:
        """Returns the size of the checkpoint over an entry that most witnesses have cosigned."""
        row = db.execute(
            "SELECT size FROM log_checkpoints WHERE size > ? "
            "ORDER BY cosignatures DESC, size DESC LIMIT 1",
            (index,),
        ).fetchone()
        return self.size(db) if row is None else int(row[0])

    def noted(self, db: sqlite3.Connection, entry: bytes) -> int | None:
        """Returns the index that `append_once` gave an entry; None if it never did."""
        row = db.execute("SELECT entry FROM log_noted WHERE commitment = ?", (entry,)).fetchone()
        return None if row is None else int(row[0])

    def all_noted(self, db: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
        """Reads index and content of all entries that `append_once` added, in order."""
        yield from map(tuple, db.execute("SELECT entry, commitment FROM log_noted ORDER BY entry"))

    def seen_by(self, db: sqlite3.Connection, witness: str) -> int:
        """Returns the size of the largest tree that a witness has cosigned; 0 for none."""
        row = db.execute("SELECT size FROM log_witnesses WHERE name = ?", (witness,)).fetchone()
        return 0 if row is None else int(row[0])

    def proof(self, db: sqlite3.Connection, index: int, size: int) -> Proof:
        """Proves an entry under the checkpoint of a size."""
        steps = inclusion_proof(_reader(self, db), index, size)
        return Proof(index, tuple(steps), self.note(db, size))

    def consistency(self, db: sqlite3.Connection, old: int, new: int) -> list[bytes]:
        """Proves that the tree of ``old`` entries is a beginning of that of ``new``."""
        return consistency_proof(_reader(self, db), old, new) if old else []

    def entries(self, db: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
        """Reads index and content of all entries, in order, unchecked."""
        rows = db.execute("SELECT entry, commitment FROM log_entries ORDER BY entry")
        yield from map(tuple, rows)

    def node(self, db: sqlite3.Connection, level: int, position: int) -> bytes:
        """Returns the stored hash of a complete subtree, unchecked; empty if there is none."""
        row = db.execute(
            "SELECT hash FROM log_nodes WHERE level = ? AND position = ?", (level, position)
        ).fetchone()
        return b"" if row is None else bytes(row[0])

    def nodes(self, db: sqlite3.Connection, level: int, first: int, most: int) -> list[bytes]:
        """Returns the stored hashes of complete subtrees from one on, without gaps, unchecked."""
        rows = db.execute(
            "SELECT position, hash FROM log_nodes WHERE level = ? AND position >= ? "
            "ORDER BY position LIMIT ?",
            (level, first, most),
        )
        return [bytes(row[1]) for at, row in enumerate(rows, first) if row[0] == at]

    def entries_from(self, db: sqlite3.Connection, first: int, most: int) -> list[bytes]:
        """Returns the content of entries from one on, without gaps, unchecked."""
        rows = db.execute(
            "SELECT entry, commitment FROM log_entries WHERE entry >= ? ORDER BY entry LIMIT ?",
            (first, most),
        )
        return [bytes(row[1]) for at, row in enumerate(rows, first) if row[0] == at]


class Log(LogReader):
    """The tables of one log; transactions are the caller's.

    Args:
        signer: The log's key; its name is the origin.
    """

    def __init__(self, signer: NoteSigner) -> None:
        self._signer = signer

    def append(self, db: sqlite3.Connection, entries: Iterable[bytes]) -> list[int]:
        """Adds entries and a checkpoint over them, within the caller's transaction.

        Returns:
            The index of each entry.
        """
        size = first = self.size(db)
        for entry in entries:
            db.execute("INSERT INTO log_entries VALUES (?, ?)", (size, entry))
            # One by one: the next level reads what the one before has written.
            for node in grown(_reader(self, db), size, leaf_hash(entry)):
                db.execute("INSERT INTO log_nodes VALUES (?, ?, ?)", node)
            size += 1
        if size > first:
            note = Checkpoint(self.origin, size, root_of(_reader(self, db), size)).signed(
                self._signer
            )
            db.execute("INSERT INTO log_checkpoints (size, note) VALUES (?, ?)", (size, note))
        return list(range(first, size))

    def append_once(self, db: sqlite3.Connection, entries: Iterable[bytes]) -> list[int]:
        """Adds those entries that were not added so before, within the caller's transaction.

        For what is kept in another store: whoever was killed before it had noted the index asks
        again, and gets the same one.

        Returns:
            The index of each entry.
        """
        wanted = list(entries)
        known = {entry: place for entry in wanted if (place := self.noted(db, entry)) is not None}
        new = [entry for entry in dict.fromkeys(wanted) if entry not in known]
        added = dict(zip(new, self.append(db, new), strict=True))
        db.executemany("INSERT INTO log_noted VALUES (?, ?)", added.items())
        return [(known | added)[entry] for entry in wanted]

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._signer.public.name

    def add_cosignature(self, db: sqlite3.Connection, size: int, witness: str, line: str) -> None:
        """Puts a witness's line under a checkpoint, within the caller's transaction.

        Args:
            db: Connection of the transaction.
            size: Of the checkpoint.
            witness: Its name in the policy; it has not cosigned this checkpoint before.
            line: Verified.
        """
        db.execute(
            "UPDATE log_checkpoints SET note = note || ?, cosignatures = cosignatures + 1 "
            "WHERE size = ?",
            (line, size),
        )
        db.execute(
            "INSERT INTO log_witnesses VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET size = max(size, excluded.size)",
            (witness, size),
        )


def _reader(log: LogReader, db: sqlite3.Connection) -> Read:
    def read(level: int, position: int) -> bytes:
        found = log.node(db, level, position)
        if len(found) != HASH_BYTES:  # nothing may be signed over it
            raise TrustError(
                Text(
                    f"the log is damaged: the hash of entries {position << level} to "
                    f"{(position + 1 << level) - 1} is missing",
                    f"日志已损坏：缺少第 {position << level} 条至"
                    f"第 {(position + 1 << level) - 1} 条的哈希",
                ),
                remedy=Text(
                    "see what else is wrong: veil certificate log verify",
                    "请检查：veil certificate log verify",
                ),
                code="log.damaged",
            )
        return found

    return read
