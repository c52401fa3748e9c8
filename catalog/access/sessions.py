"""Sessions: logins in browsers, known by 256 random bits of which only the hash is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import bindparam, delete, insert, select

from catalog.access import tokens
from catalog.access.accounts import COLUMNS, Account, account_of
from catalog.access.last_used import LastUsed
from catalog.access.tables import AccountRow, SessionRow
from catalog.registry.database import Database

IDLE_S: Final = 30 * 60
LONGEST_S: Final = 12 * 3600
_FIND: Final = (
    select(*COLUMNS, SessionRow.rights.label("began_with"), SessionRow.began_at,
           SessionRow.used_at)
    .join(SessionRow, SessionRow.account == AccountRow.name)
    .where(SessionRow.hash == bindparam("hashed"))
)  # fmt: skip


class Sessions:
    """The sessions of one catalog.

    Args:
        database: Open.
        used: Notes their uses.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, used: LastUsed, clock: Callable[[], int]) -> None:
        self._database = database
        self._used = used
        self._clock = clock

    def begin(self, account: Account, *, instead_of: str = "") -> str:
        """Begins a session and returns its token; it never takes one from outside.

        Args:
            account: Who has logged in.
            instead_of: Token of a session that ends with it; "" for none.
        """
        token, now = tokens.new_token(), self._clock()
        with self._database.write() as (db, _):
            gone = (SessionRow.began_at < now - LONGEST_S) | (
                SessionRow.hash == tokens.hashed(instead_of)
            )
            db.execute(delete(SessionRow).where(gone))
            db.execute(insert(SessionRow).values(
                hash=tokens.hashed(token), account=account.name, rights=account.rights,
                began_at=now, used_at=now,
            ))  # fmt: skip
        return token

    def find(self, token: str) -> Account | None:
        """Returns whose session it is; None if it is none, or is over."""
        hashed, now = tokens.hashed(token), self._clock()
        with self._database.look() as db:
            row = db.execute(_FIND, {"hashed": hashed}).first()
        if row is None:
            return None
        account = account_of(row)
        used_at = max(row.used_at, self._used.of_session(hashed))
        if (
            not account.enabled
            or row.began_with != account.rights
            or now >= row.began_at + LONGEST_S
            or now >= used_at + IDLE_S
        ):
            return None
        self._used.session(hashed)
        return account

    def end(self, token: str) -> None:
        """Ends a session."""
        with self._database.write() as (db, _):
            db.execute(delete(SessionRow).where(SessionRow.hash == tokens.hashed(token)))
