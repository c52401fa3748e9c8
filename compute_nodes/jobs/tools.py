"""What every job of a node works with, passed in by the process that runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from compute_nodes.guard import Guard
from compute_nodes.jobs.machines import Keys
from compute_nodes.jobs.part import Source
from compute_nodes.store import NodeStore


@dataclass(frozen=True)
class JobTools:
    """What every job of a node works with.

    Attributes:
        department: Whose node this is.
        keys: Its own keys.
        guard: Judges plans.
        store: Remembers.
        sources: Dataset → how its part is computed.
        clock: Unix seconds.
        monotonic: Monotonic seconds.
        sleep: Waits so many seconds.
        randomness: Returns so many secret random bytes.
        log: Takes private detail; never leaves the machine.
    """

    department: str
    keys: Keys
    guard: Guard
    store: NodeStore
    sources: Mapping[str, Source]
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    randomness: Callable[[int], bytes]
    log: Callable[[str, str], None]
