"""Quotas of API keys: calls a minute and calls a day.

The day's are taken from the database in small lots, each before its calls are let through. So
calls do not write, several servers share one quota, and after a crash the rest of a lot is lost
to the key, never given twice. The minute's are counted by each server in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, update

from catalog.access.keys import ApiKey
from catalog.access.tables import ApiKeyRow
from catalog.registry.database import Database
from protos.faults import LimitError
from protos.language import Text

_DAY_S: Final = 24 * 3600
_MINUTE_S: Final = 60
_LOTS: Final = 100  # a day's quota in so many


@dataclass
class _Use:
    lock: threading.Lock
    day: int = 0
    left: int = 0  # of the lot
    minute: int = 0
    calls: int = 0  # in this minute


class Quotas:
    """Counts calls.

    Args:
        database: Open.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._uses: dict[int, _Use] = {}

    def take(self, key: ApiKey) -> None:
        """Counts one call.

        Raises:
            LimitError: The quota is used up; says when there is more.
        """
        with self._lock:
            use = self._uses.setdefault(key.number, _Use(threading.Lock()))
        now = int(self._clock())
        with use.lock:
            if use.minute != now // _MINUTE_S:
                use.minute, use.calls = now // _MINUTE_S, 0
            if use.calls >= key.per_minute:
                raise _used_up(
                    Text(f"{key.per_minute:,} calls a minute are used up",
                         f"每分钟 {key.per_minute:,} 次的配额已用完"),
                    _MINUTE_S - now % _MINUTE_S,
                )  # fmt: skip
            if use.day != now // _DAY_S:
                use.day, use.left = now // _DAY_S, 0
            if use.left == 0:
                use.left = self._lot(key, use.day)
            if use.left == 0:
                raise _used_up(
                    Text(f"{key.per_day:,} calls a day are used up",
                         f"每日 {key.per_day:,} 次的配额已用完"),
                    _DAY_S - now % _DAY_S,
                )  # fmt: skip
            use.left -= 1
            use.calls += 1

    def _lot(self, key: ApiKey, day: int) -> int:
        today = (ApiKeyRow.number == key.number, ApiKeyRow.day == day)
        taken = select(ApiKeyRow.taken).where(*today)
        with self._database.read() as db:  # who has used it up does not take the catalog each time
            if (db.execute(taken).scalar() or 0) >= key.per_day:
                return 0
        with self._database.write() as (db, _):
            before = db.execute(taken).scalar() or 0
            lot = max(0, min(max(1, key.per_day // _LOTS), key.per_day - before))
            db.execute(
                update(ApiKeyRow)
                .where(ApiKeyRow.number == key.number)
                .values(day=day, taken=before + lot)
            )
        return lot


def _used_up(said: Text, seconds: int) -> LimitError:
    wait = _wait(seconds)
    return LimitError(
        said,
        remedy=Text(f"come back in {wait.en}, or ask an administrator for more",
                    f"请在 {wait.zh}后重试，或向平台管理员申请更高配额"),
        code="key.quota", retry_after_s=seconds,
    )  # fmt: skip


def _wait(seconds: int) -> Text:
    """Says how long that is, rounded up."""
    if seconds <= _MINUTE_S:
        return Text(f"{seconds} s", f"{seconds} 秒")
    hours, minutes = divmod(-(-seconds // _MINUTE_S), 60)
    if not hours:
        return Text(f"{minutes} min", f"{minutes} 分钟")
    return Text(f"{hours} h {minutes} min", f"{hours} 小时 {minutes} 分钟")
