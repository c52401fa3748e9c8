"""Further processes of one server, on the same port: the system deals out connections among them.

One process of Python uses one processor. Each sibling opens the catalog for itself and listens on
the same address (``SO_REUSEPORT``); they share the database and the audit journal, which take
several writers. One that ends is started again; all end with their parent, however that ends.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from typing import Any, Final

from desensitize.engines.limits import die_with_parent

_AGAIN_S: Final = 1.0
_STOP_S: Final = 10.0
_SPAWN: Final = multiprocessing.get_context("spawn")  # threads of the parent do not survive a fork


class Siblings:
    """Processes that all do the same.

    Args:
        count: How many.
        run: What each does until it is told to end by SIGTERM; of a module's top level.
        told: Its arguments; picklable.
    """

    def __init__(self, count: int, run: Callable[..., None], *told: Any) -> None:  # noqa: ANN401 - of `run`
        self._run = run
        self._told = told
        self._stopping = threading.Event()
        self._watchers = [
            threading.Thread(target=self._watch, name=f"sibling-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Starts them, and returns before they are ready."""
        for watcher in self._watchers:
            watcher.start()

    def stop(self) -> None:
        """Ends them."""
        self._stopping.set()
        for watcher in self._watchers:
            watcher.join(2 * _STOP_S)

    def _watch(self) -> None:
        """Keeps one of them alive."""
        while not self._stopping.is_set():
            process = _SPAWN.Process(target=_begin, args=(self._run, *self._told), daemon=True)
            process.start()
            while process.is_alive() and not self._stopping.wait(0.1):
                pass
            process.terminate()
            process.join(_STOP_S)
            process.kill()
            process.join()
            process.close()
            self._stopping.wait(_AGAIN_S)


def _begin(run: Callable[..., None], *told: Any) -> None:  # noqa: ANN401
    die_with_parent()
    run(*told)
