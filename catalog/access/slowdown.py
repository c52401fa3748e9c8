"""Guessing is slowed down where it comes from; nobody can shut out somebody else.

An attempt counts against the pair of account and source, against the source, and against the
account, and each waits longer with every failure beyond what people need to remember a password.
The third stops guessing from many sources, and could be used to shut out the owner. So who shows
something that a guesser has not (the cookie of a browser in which this account has logged in
before, or, while it would have to wait, a one-time code that is right) is counted by that alone
(OWASP, "device cookies").

Six digits can be guessed, and whoever waits is told whether they were right: so showing one counts,
too, before it is compared. A recovery code has 80 random bits; guessing it is nobody's way in.

Attempts count as failed when they begin, or a hundred at once would all find the door open.
Names that nobody has are counted like others: the answer tells nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from protos.faults import LimitError
from protos.language import Text

Kind = Literal["pair", "source", "account", "browser", "code", "shown", "shown anywhere"]
FREE: Final[dict[Kind, int]] = {
    "pair": 5, "source": 20, "account": 30, "browser": 5, "code": 10, "shown": 5,
    "shown anywhere": 30,
}  # fmt: skip
"""Failures that cost no time."""
LONGEST_S: Final = 900
FORGOTTEN_S: Final = 24 * 3600
_MOST: Final = 100_000  # counters; the one that was used longest ago is dropped
_OF_OTHERS: Final[frozenset[Kind]] = frozenset({"source", "account", "shown anywhere"})
Key = tuple[Kind, str, str]


@dataclass
class _Counter:
    failures: int
    last: float


@dataclass(frozen=True)
class Attempt:
    """One attempt that has begun.

    Attributes:
        keys: What it counts against.
    """

    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Shown:
    """A one-time code that an attempt shows.

    Attributes:
        guessable: Whether it has so few digits that it could be found by trying.
        right: Says whether it would be taken now.
    """

    guessable: bool
    right: Callable[[], bool]


class Slowdown:
    """Counts failures, in memory.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counters: OrderedDict[Key, _Counter] = OrderedDict()

    def begin(
        self, account: str, source: str, *, browser: str = "", shown: Shown | None = None
    ) -> Attempt:
        """Begins an attempt.

        Args:
            account: As typed, folded.
            source: Where it comes from.
            browser: Number of a browser that has logged in to this account before; "" if none.
            shown: The one-time code that it shows; None for none, or of an account without.

        Raises:
            LimitError: It must wait; says how long.
        """
        keys: tuple[Key, ...] = (("browser", account, browser),)
        if not browser:
            keys = (("pair", account, source), ("source", source, ""), ("account", account, ""))
        wait = self._count(keys)
        if wait > 0:
            keys = self._instead(account, source, shown)
            if not keys:
                raise _wait(int(wait) + 1)  # the same, whatever was shown
        return Attempt(keys)

    def succeeded(self, attempt: Attempt) -> None:
        """Takes an attempt back: it was right, and so were those before it from the same hand."""
        with self._lock:
            for key in attempt.keys:
                counter = self._counters.get(key)
                if counter is None:
                    continue
                if key[0] in _OF_OTHERS:  # others may be guessing there, too
                    counter.failures -= 1
                else:
                    del self._counters[key]

    def _instead(self, account: str, source: str, shown: Shown | None) -> tuple[Key, ...]:
        """What an attempt that would have to wait counts against instead; nothing if it waits."""
        if shown is None:
            return ()
        tries: tuple[Key, ...] = ()
        if shown.guessable:
            tries = (("shown", account, source), ("shown anywhere", account, ""))
        right: tuple[Key, ...] = (("code", account, ""),)
        if (tries and self._count(tries) > 0) or not shown.right() or self._count(right) > 0:
            return ()
        return right + tries

    def _count(self, keys: tuple[Key, ...]) -> float:
        """Counts an attempt as failed, unless it must wait; returns how long, seconds."""
        now = self._clock()
        with self._lock:
            wait = max(self._wait(key, now) for key in keys)
            if wait > 0:
                return wait
            for key in keys:
                counter = self._counter(key, now)
                counter.failures += 1
                counter.last = now
            while len(self._counters) > _MOST:
                self._counters.popitem(last=False)
        return 0.0

    def _counter(self, key: Key, now: float) -> _Counter:
        counter = self._counters.get(key)
        if counter is None or now - counter.last > FORGOTTEN_S:
            counter = self._counters[key] = _Counter(0, now)
        self._counters.move_to_end(key)
        return counter

    def _wait(self, key: Key, now: float) -> float:
        counter = self._counters.get(key)
        if counter is None or (beyond := counter.failures - FREE[key[0]]) < 0:
            return 0.0
        return float(counter.last + min(2 ** min(beyond, 20), LONGEST_S) - now)


def _wait(seconds: int) -> LimitError:
    return LimitError(
        Text(f"too many attempts; wait {seconds} s", f"尝试次数过多，请等待 {seconds} 秒"),
        remedy=Text("a one-time code of your second factor, or a browser that you have logged in "
                    "with before, gets through at once",
                    "使用双因素验证码，或使用曾登录过的浏览器，可立即登录"),
        code="login.slow", retry_after_s=seconds,
    )  # fmt: skip
