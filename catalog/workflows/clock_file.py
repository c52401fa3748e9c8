"""Clocks as their file says them now: a change counts at once, without a new start.

Each process that serves looks for itself, by the file's own marks. One that was spoilt while it is
served changes nothing: the clocks stay as they were read last, and the log says why. At the start
there is nothing to stay with, so a spoilt file is refused.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from catalog.workflows.clocks import FILE, Clocks, read_clocks
from catalog.workflows.model import Workflow
from protos.faults import VeilError

_LOG: Final = logging.getLogger("veil.clocks")
_Marks = tuple[int, int, int] | None


class ClockFile:
    """``clocks.toml`` of a catalog.

    Args:
        directory: The catalog's.
        workflows: All kinds of cases.

    Raises:
        InputError: It is malformed, or names a state that no workflow has.
    """

    def __init__(self, directory: Path, workflows: tuple[Workflow, ...]) -> None:
        self._directory = directory
        self._workflows = workflows
        self._known = self._marks(), read_clocks(directory, workflows)

    def now(self) -> Clocks:
        """Returns what it says; what it said before if it cannot be read any more."""
        marks, clocks = self._known
        found = self._marks()
        if found == marks:
            return clocks
        try:
            clocks = read_clocks(self._directory, self._workflows)
            _LOG.info("%s has changed and counts from now on", FILE)
        except VeilError as error:
            _LOG.warning("%s is not as it must be, the clocks stay: %s", FILE, error)
        self._known = found, clocks
        return clocks

    def _marks(self) -> _Marks:
        try:
            found = (self._directory / FILE).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
