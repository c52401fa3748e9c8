"""When sessions and keys were last used: noted in memory, written now and then.

A write for each call would take the whole catalog each time. After a crash a session looks idle
for longer than it was, so it ends earlier, never later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from sqlalchemy import bindparam, update

from catalog.access.tables import ApiKeyRow, SessionRow
from catalog.registry.database import Database
from protos.faults import UnavailableError

EVERY_S: Final = 60.0


class LastUsed:
    """Uses that are noted and not yet written.

    Args:
        database: Open.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, int] = {}
        self._keys: dict[int, int] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Writes every minute from now on."""
        self._thread = threading.Thread(target=self._run, name="last-used", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Writes what is left, and ends."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def session(self, hashed: str) -> None:
        """Notes that a session is used now."""
        with self._lock:
            self._sessions[hashed] = self._clock()

    def key(self, number: int) -> None:
        """Notes that a key is used now."""
        with self._lock:
            self._keys[number] = self._clock()

    def of_session(self, hashed: str) -> int:
        """Returns the last use of a session that is not written yet; 0 if there is none."""
        return self._sessions.get(hashed, 0)

    def write(self) -> None:
        """Writes what was noted.

        Raises:
            UnavailableError: The database cannot be written; it stays noted.
        """
        with self._lock:
            sessions, keys = dict(self._sessions), dict(self._keys)
        if not sessions and not keys:
            return
        with self._database.write() as (db, _):
            if sessions:
                db.execute(
                    update(SessionRow)
                    .where(SessionRow.hash == bindparam("which"))
                    .values(used_at=bindparam("at")),
                    [{"which": which, "at": at} for which, at in sessions.items()],
                )
            if keys:
                db.execute(
                    update(ApiKeyRow)
                    .where(ApiKeyRow.number == bindparam("which"))
                    .values(used_at=bindparam("at")),
                    [{"which": which, "at": at} for which, at in keys.items()],
                )
        with self._lock:
            self._sessions = {k: v for k, v in self._sessions.items() if sessions.get(k) != v}
            self._keys = {k: v for k, v in self._keys.items() if keys.get(k) != v}

    def _run(self) -> None:
        while True:
            ended = self._stopping.wait(EVERY_S)
            with suppress(UnavailableError):  # next time; nobody waits for it
                self.write()
            if ended:
                return
