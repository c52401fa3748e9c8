"""What strangers make a server log: a few lines a minute, so that the log fills no disk either.

An error of the server is logged, and so is a login that a provider refused: operators need that.
But a stranger decides how often it happens, for instance while the journal's disk is full.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

_MOST: Final = 100
_A_MINUTE: Final = 10


class Quiet(logging.Filter):
    """Lets a hundred lines through at once and ten a minute; then says how many were left out.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._room, self._at = float(_MOST), clock()
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        with self._lock:
            now = self._clock()
            self._room = min(_MOST, self._room + (now - self._at) * _A_MINUTE / 60)
            self._at = now
            if self._room < 1:
                self._left_out += 1
                return False
            self._room -= 1
            if self._left_out:
                record.msg = f"({self._left_out} lines were left out) {record.msg}"
                self._left_out = 0
            return True


def quieten() -> None:
    """Bounds what the servers of this process log about requests; once is as good as twice."""
    for name in ("veil.web", "veil.portal", "uvicorn.error"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, Quiet) for each in logger.filters):
            logger.addFilter(Quiet())
