"""One job in the exchange's memory: its session while it runs, and what its analyst is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from exchange.coordinator.archive import JobRow
from exchange.coordinator.journal import Journal
from exchange.coordinator.session import Session
from exchange.ports import Alive, Progress

LOOK_S: Final = 0.5  # between two looks at whether whoever watches is still there
GATHER_S: Final = 0.05  # progress is for people: the end is told at once, the rest in handfuls


@dataclass
class RunningJob:
    """One job.

    Attributes:
        row: As it was submitted.
        journal: What its session has taken in.
        replayed_at: While an earlier process's inputs are replayed: when the present one came.
        session: None before the job has begun and after it has ended. Another thread may end it at
            any moment: look once, and use what was seen.
        events: What its analyst may see.
        ended: Whether there is an outcome, or an error.
        changed: Notified at each event and at the end.
    """

    row: JobRow
    journal: Journal
    replayed_at: float | None = None
    session: Session | None = None
    events: list[Progress] = field(default_factory=list)
    ended: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def tell(self, progress: Progress) -> None:
        """Tells whoever watches."""
        with self.changed:
            self.events.append(progress)
            self.changed.notify_all()

    def end(self, progress: Progress) -> None:
        """Tells the last thing; what the session held in memory goes."""
        with self.changed:
            self.ended, self.session = True, None
            self.tell(progress)

    def follow(self, alive: Alive) -> Iterator[list[Progress]]:
        """Yields progress from the start, and ends when the job has, or not ``alive``."""
        at = 0
        while alive():
            with self.changed:
                if at >= len(self.events) and not self.ended:
                    self.changed.wait(LOOK_S)
                self.changed.wait_for(lambda: self.ended, GATHER_S)
                events, ended = self.events[at:], self.ended
            if events:
                yield events
            at += len(events)
            if ended and at >= len(self.events):
                return
