"""What strangers do stands in the audit journal, too, and does not fill its disk.

A caller whom nobody has given a role costs a few entries an hour; what it does beyond that is
counted, and stands there at the end of the hour as one entry with the number of calls, the first
and the last time. The entry before it says that counting begins, so a kill loses a number and
never the fact. All strangers together have a share, too, because sources are cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Share = Literal["visitors", "members"]
"""Who shares entries: those who have not logged in, and accounts without a role."""
Record = Mapping[str, str | int]
_LONGEST: Final = {"path": 200, "query": 600}
_OTHERWISE: Final = 100


@dataclass(frozen=True)
class StrangerLimits:
    """What strangers get of a journal.

    Attributes:
        window_ms: For which it is theirs, milliseconds.
        each: Entries in full of one source, action, account and outcome.
        together: Entries in full of all.
        sources: Of how many of these calls are counted separately; beyond that by account, of as
            many again, and then by action.
    """

    window_ms: int = 3_600_000
    each: int = 20
    together: int = 1200
    sources: int = 1000


@dataclass(frozen=True)
class _Key:
    action: str
    account: str
    outcome: str
    source: str = ""


@dataclass
class _Seen:
    written: int = 0
    counted: int = 0
    first: int = 0
    last: int = 0


class Strangers:
    """Says which of strangers' calls are entries of their own; for one thread at a time.

    Args:
        limits: What they get.
    """

    def __init__(self, limits: StrangerLimits | None = None) -> None:
        self._limits = limits or StrangerLimits()
        self._seen: dict[_Key, _Seen] = {}
        self._left = 0
        self._until = 0

    @property
    def counting(self) -> bool:
        """Whether something was counted that is no entry yet."""
        return any(each.counted for each in self._seen.values())

    def admit(self, record: Record, now: int) -> Record | None:
        """Returns what is to be written of a call; None if it is counted.

        The window of an earlier call must have been ended by `over`.

        Args:
            record: The call.
            now: Unix milliseconds.
        """
        if not self._seen:
            self._until, self._left = now + self._limits.window_ms, self._limits.together
        seen = self._of(record)
        if seen.written < self._limits.each and self._left > 0:
            seen.written += 1
            self._left -= 1
            return self._in_full(record, last=seen.written == self._limits.each)
        seen.counted += 1
        seen.first, seen.last = seen.first or now, now
        return None

    def over(self, now: int, *, anyway: bool = False) -> list[Record]:
        """Returns what was counted, once, when the hour is over.

        Args:
            now: Unix milliseconds.
            anyway: Also before.
        """
        if now < self._until and not anyway:
            return []
        counted: list[Record] = [
            {"action": key.action, "account": key.account, "source": key.source,
             "outcome": key.outcome, "calls": seen.counted, "first": seen.first, "last": seen.last}
            for key, seen in self._seen.items() if seen.counted
        ]  # fmt: skip
        self._seen.clear()
        return counted

    def _of(self, record: Record) -> _Seen:
        """Finds who calls, as far as there is room to tell them apart."""
        action, account, outcome, source = (
            str(record.get(name, ""))[:_OTHERWISE]
            for name in ("action", "account", "outcome", "source")
        )
        key = _Key(action, account, outcome, source)
        most = self._limits.sources
        if key not in self._seen and len(self._seen) >= most:
            key = _Key(action, account, outcome)
        if key not in self._seen and len(self._seen) >= 2 * most:
            key = _Key(action, "", outcome)
        return self._seen.setdefault(key, _Seen())

    def _in_full(self, record: Record, *, last: bool) -> Record:
        short = {
            name: value[: _LONGEST.get(name, _OTHERWISE)] if isinstance(value, str) else value
            for name, value in record.items()
        }
        if self._left == 0:
            return short | {"next": "all strangers counted"}
        return short | {"next": "counted"} if last else short
