"""Places for what takes long: some are kept for members, and nobody has more than a share.

Whoever asks as a visitor is known by where the request comes from, a member by the account. So one
machine cannot keep a server busy for everybody, and all visitors together cannot for members.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Asker:
    """Who asks, as far as places are counted by it.

    Attributes:
        name: Account of a member, network address of a visitor; "" for somebody without a share:
            this program itself, and what comes from this machine, such as its proxy.
        member: Whether it has logged in.
    """

    name: str = ""
    member: bool = False


HERE: Final = Asker(member=True)
"""This program itself."""


class Places:
    """A number of places; for any number of threads.

    Args:
        most: How many there are.
        kept: How many of them visitors do not get.
        share: How many one asker gets at most.
    """

    def __init__(self, most: int, *, kept: int, share: int) -> None:
        self._most, self._kept, self._share = most, kept, share
        self._taken: Counter[Asker] = Counter()
        self._changed = threading.Condition()

    def take(self, asker: Asker, wait_s: float = 0.0) -> Callable[[], None] | None:
        """Takes a place; returns what gives it back, or None if there was none in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(asker), wait_s):
                return None
            self._taken[asker] += 1
        return lambda: self._give_back(asker)

    def _has_room(self, asker: Asker) -> bool:
        taken = self._taken.total()
        visitors = sum(count for each, count in self._taken.items() if not each.member)
        return (
            taken < self._most
            and (asker.member or visitors < self._most - self._kept)
            and (not asker.name or self._taken[asker] < self._share)
        )

    def _give_back(self, asker: Asker) -> None:
        with self._changed:
            self._taken[asker] -= 1
            if self._taken[asker] <= 0:
                del self._taken[asker]
            self._changed.notify_all()
