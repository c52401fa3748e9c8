"""What waits at the exchange for each department, until the department has answered it.

Delivery is at least once. A message that was handed out stays here until `settle` or `drop`:
handing out proves nothing, the connection may break the moment after. A *session* is the node's
claim that all it was given under that name has arrived. Within one session nothing is offered
twice; under a new session all that is unanswered is offered again, in order. Nodes are
idempotent, so a repetition costs time and nothing else.

Kept in memory: after a restart of the exchange, whoever owns the jobs puts again what is open.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from compute_nodes.rpc.delivery import Delivery
from protos.faults import ProtocolError

_Key = tuple[str, str, int, str, str]

LONGEST_SLEEP_S: Final = 0.5  # between two looks at whether the waiting call is still wanted
_PAST_SESSIONS: Final = 16


@dataclass
class _Queue:
    """One department's messages, in order of arrival."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: dict[_Key, Delivery] = field(default_factory=dict)
    offered: set[_Key] = field(default_factory=set)
    session: str = ""
    past: deque[str] = field(default_factory=lambda: deque(maxlen=_PAST_SESSIONS))
    pulls: int = 0
    seen_at: float | None = None

    def begin(self, session: str) -> None:
        """Makes ``session`` the current one, which offers everything again."""
        if session in self.past:
            raise ProtocolError(
                "another session of this department has taken over",
                remedy="if this repeats, two nodes run for one department: stop one of them",
                code="pull.superseded",
            )
        if session != self.session:
            self.past.append(self.session)
            self.session = session
            self.offered.clear()
            self.changed.notify_all()

    def offer(self) -> Delivery | None:
        """Returns the first message that this session has not been given."""
        for key, delivery in self.waiting.items():
            if key not in self.offered:
                self.offered.add(key)
                return delivery
        return None

    def remove(self, keys: list[_Key]) -> None:
        for key in keys:
            del self.waiting[key]
            self.offered.discard(key)


class Inbox:
    """Messages for all departments; safe for any number of threads.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._queues: dict[str, _Queue] = {}
        self._lock = threading.Lock()  # of the dict only; never held while waiting
        self._closed = False

    def put(self, delivery: Delivery) -> None:
        """Leaves a message for ``delivery.recipient``; the same message again changes nothing.

        Raises:
            ProtocolError: Another body waits under the same job, round, attempt and kind.
        """
        queue = self._queue(delivery.recipient)
        key = _key(delivery)
        with queue.changed:
            known = queue.waiting.setdefault(key, delivery)
            if known != delivery:
                raise ProtocolError(
                    f"{delivery.recipient} already has another message for round "
                    f"{delivery.round!r} of this job",
                    code="inbox.conflict",
                )
            queue.changed.notify()

    def take(
        self, department: str, wait_s: float, alive: Callable[[], bool], session: str = "-"
    ) -> Delivery | None:
        """Waits for the next message that this session has not been given.

        Args:
            department: Whose messages.
            wait_s: Longest wait, seconds; 0 only looks.
            alive: Asked at least twice a second; false ends the wait.
            session: The node's session; see the module's text.

        Returns:
            The message, or None when nothing came, the wait was ended, or a newer session
            took over.

        Raises:
            ProtocolError: A newer session had taken over before this call.
        """
        queue = self._queue(department)
        with queue.changed:
            queue.begin(session)
            queue.pulls += 1
            queue.seen_at = self._clock()
            end = queue.seen_at + wait_s
            try:
                while alive() and not self._closed and queue.session == session:
                    delivery = queue.offer()
                    if delivery is not None:
                        return delivery
                    left = end - self._clock()
                    if left <= 0:
                        return None
                    queue.changed.wait(min(left, LONGEST_SLEEP_S))
                return None
            finally:
                queue.pulls -= 1
                queue.seen_at = self._clock()

    def settle(self, job: str, round: str, department: str) -> bool:  # noqa: A002 - wire's name
        """Forgets what waited for this answer; false when nothing did."""
        queue = self._queue(department)
        with queue.changed:
            keys = [key for key in queue.waiting if key[:2] == (job, round)]
            queue.remove(keys)
            return bool(keys)

    def drop(self, job: str) -> None:
        """Forgets every message of a job that has ended."""
        for queue in self._all():
            with queue.changed:
                queue.remove([key for key in queue.waiting if key[0] == job])

    def waiting(self, department: str) -> tuple[Delivery, ...]:
        """Returns what is unanswered, in order."""
        queue = self._queue(department)
        with queue.changed:
            return tuple(queue.waiting.values())

    def online(self, department: str, within_s: float = 5.0) -> bool:
        """Whether the department waits for a message now, or did within the last seconds."""
        queue = self._queue(department)
        with queue.changed:
            if queue.pulls:
                return True
            return queue.seen_at is not None and self._clock() - queue.seen_at <= within_s

    def close(self) -> None:
        """Ends every wait at once; later waits end at once too."""
        self._closed = True
        for queue in self._all():
            with queue.changed:
                queue.changed.notify_all()

    def _queue(self, department: str) -> _Queue:
        with self._lock:
            return self._queues.setdefault(department, _Queue())

    def _all(self) -> list[_Queue]:
        with self._lock:
            return list(self._queues.values())


def _key(delivery: Delivery) -> _Key:
    return (delivery.job, delivery.round, delivery.attempt, delivery.kind, delivery.sender)
