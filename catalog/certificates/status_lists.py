"""An issuer's status lists: pairs of bit strings, kept in its book and signed when asked for.

Whoever has the book without the key (`StatusListReader`) gives them out as they were last signed.
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import Final
from uuid import UUID

from catalog.certificates import status
from catalog.certificates.status import PURPOSES, SLOTS, VALID_S, Purpose, StatusEntry
from protos.faults import MissingError
from protos.identity import IdentityKey
from protos.language import Text

# Counts lie apart from bits: an issue writes a count, and 32 kB of bits need not move for it.
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS status_pairs (
    number INTEGER PRIMARY KEY,
    used   INTEGER NOT NULL                -- slots that were given out
) STRICT;
CREATE TABLE IF NOT EXISTS status_lists (
    number    INTEGER NOT NULL,
    purpose   TEXT NOT NULL,
    id        TEXT NOT NULL,               -- 32 hex digits
    bits      BLOB NOT NULL,
    token     TEXT NOT NULL DEFAULT '',    -- as last signed; '' since a bit has changed
    signed_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (number, purpose)
) STRICT;
"""


class StatusListReader:
    """The lists of one issuer, to be read."""

    def is_set(self, db: sqlite3.Connection, number: int, slot: int, purpose: Purpose) -> bool:
        """Says whether a certificate's bit is set."""
        return status.is_set(_row(db, number, purpose)["bits"], slot)

    def bits(self, db: sqlite3.Connection, number: int, purpose: Purpose) -> bytes:
        """Returns a whole list."""
        return bytes(_row(db, number, purpose)["bits"])

    def last_signed(self, db: sqlite3.Connection, number: int, purpose: Purpose) -> str:
        """Returns a list as it was last signed; "" if a bit has changed since."""
        return str(_row(db, number, purpose)["token"])

    def find(self, db: sqlite3.Connection, identifier: str) -> tuple[int, Purpose]:
        """Returns number and purpose of the list with this id.

        Raises:
            MissingError: There is none.
        """
        row = db.execute(
            "SELECT number, purpose FROM status_lists WHERE id = ?", (identifier,)
        ).fetchone()
        if row is None:
            raise MissingError(
                Text("there is no such status list", "没有该状态列表"), code="status.unknown"
            )
        return int(row["number"]), row["purpose"]

    def numbers(self, db: sqlite3.Connection) -> list[int]:
        """Returns the numbers of all pairs."""
        return [row[0] for row in db.execute("SELECT number FROM status_pairs ORDER BY number")]


class StatusLists(StatusListReader):
    """The lists of one issuer; transactions are the caller's.

    Args:
        key: The issuer's identity.
        issuer: Its name.
    """

    def __init__(self, key: IdentityKey, issuer: str) -> None:
        self._key = key
        self._issuer = issuer

    def draw(self, db: sqlite3.Connection) -> tuple[int, int, list[dict[str, str]]]:
        """Draws a free place; opens a new pair of lists when half of the present one is in use.

        Returns:
            Number of the pair, slot, and the entries for ``credentialStatus``.
        """
        number = self._present(db)

        def taken(slot: int) -> bool:
            found = db.execute(
                "SELECT 1 FROM certificates WHERE list = ? AND slot = ?", (number, slot)
            )
            return found.fetchone() is not None

        slot = status.draw_slot(taken, secrets.randbelow)
        db.execute("UPDATE status_pairs SET used = used + 1 WHERE number = ?", (number,))
        ids = dict(
            db.execute(
                "SELECT purpose, id FROM status_lists WHERE number = ?", (number,)
            ).fetchall()
        )
        entries = [
            StatusEntry(purpose, slot, UUID(hex=ids[purpose]).urn).to_json() for purpose in PURPOSES
        ]
        return number, slot, entries

    def change(
        self, db: sqlite3.Connection, number: int, slot: int, purpose: Purpose, *, value: bool
    ) -> None:
        """Sets or clears a bit; the list as signed before is not given out any more."""
        bits = status.with_bit(_row(db, number, purpose)["bits"], slot, value=value)
        db.execute(
            "UPDATE status_lists SET bits = ?, token = '' WHERE number = ? AND purpose = ?",
            (bits, number, purpose),
        )

    def signed(self, db: sqlite3.Connection, number: int, purpose: Purpose, now: int) -> str:
        """Returns a signed list: anew if a bit has changed or half of its time is over.

        Args:
            db: Within a transaction that may write.
            number: Of the pair.
            purpose: Which of the two.
            now: Unix seconds.
        """
        row = _row(db, number, purpose)
        if row["token"] and now - row["signed_at"] < VALID_S // 2:
            return str(row["token"])
        token = status.issue_list(self._key, self._issuer, row["id"], purpose, row["bits"], now)
        db.execute(
            "UPDATE status_lists SET token = ?, signed_at = ? WHERE number = ? AND purpose = ?",
            (token, now, number, purpose),
        )
        return token

    def _present(self, db: sqlite3.Connection) -> int:
        last = db.execute(
            "SELECT number, used FROM status_pairs ORDER BY number DESC LIMIT 1"
        ).fetchone()
        if last is not None and last["used"] < SLOTS // 2:
            return int(last["number"])
        number = 0 if last is None else int(last["number"]) + 1
        db.execute("INSERT INTO status_pairs VALUES (?, 0)", (number,))
        db.executemany(
            "INSERT INTO status_lists (number, purpose, id, bits) VALUES (?, ?, ?, ?)",
            [(number, purpose, secrets.token_hex(16), bytes(SLOTS // 8)) for purpose in PURPOSES],
        )
        return number


def _row(db: sqlite3.Connection, number: int, purpose: Purpose) -> sqlite3.Row:
    found: sqlite3.Row = db.execute(
        "SELECT * FROM status_lists WHERE number = ? AND purpose = ?", (number, purpose)
    ).fetchone()
    return found
