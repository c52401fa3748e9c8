"""Ends for calls to engines that know no time-out: one thread interrupts whoever is late."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

_LOOK_S: Final = 0.05
_REST: Final = 40  # looks without a call after which the thread sleeps


class Deadlines:
    """The calls that run now. Its thread begins with the first, and ends with `close`."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[float, duckdb.DuckDBPyConnection]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asleep = False
        self._closed = False

    @contextmanager
    def limit(self, engine: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
        """Interrupts what the engine does in this block when its time is over.

        Raises:
            TimeoutError: It ended by itself, but too late: the rule is the same.
        """
        end = time.monotonic() + seconds
        key = id(engine)
        with self._changed:
            self._running[key] = (end, engine)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif self._asleep:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._running[key]
        if time.monotonic() > end:
            raise TimeoutError("the call ended after its deadline")

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        with self._changed:
            quiet = 0
            while not self._closed:
                # Calls of a millisecond must not wake it: it looks by itself, and rests at length.
                self._asleep = quiet > _REST
                self._changed.wait(None if self._asleep else _LOOK_S)
                now = time.monotonic()
                for end, engine in self._running.values():
                    if now > end:
                        engine.interrupt()
                quiet = 0 if self._running else quiet + 1
