"""How often data was used: counted in memory, written by the dozen."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import Final

from catalog.registry.registry import Registry
from protos.faults import VeilError

_EVERY_S: Final = 10.0
_LOG: Final = logging.getLogger("veil.datastore")


class Uses:
    """Uses that are not written yet.

    Args:
        registry: Where they are counted.
        every_s: Seconds between two writes; a write moves the catalog's revision.
    """

    def __init__(self, registry: Registry, every_s: float = _EVERY_S) -> None:
        self._registry = registry
        self._every_s = every_s
        self._lock = threading.Lock()
        self._counted: Counter[tuple[str, str]] = Counter()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, source: str, identifier: str) -> None:
        """Counts one use."""
        with self._lock:
            self._counted[source, identifier] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="uses", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Writes what was counted; what cannot be written is counted on."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            self._registry.count_uses(counted)
        except VeilError as error:
            _LOG.warning("uses are not counted yet: %s", error.detail or error)
            with self._lock:
                self._counted.update(counted)

    def close(self) -> None:
        """Writes the rest and ends."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _write(self) -> None:
        while not self._end.wait(self._every_s):
            self.flush()
