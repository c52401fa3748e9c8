"""What the processes of a cluster cost: processor time between two looks, and memory.

From ``/proc``, so on Linux only. Processor time says the same on a busy machine, where the clock
does not. A query worker leaves no account of itself: nobody waits for it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exchange.cluster.processes import Process

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
WORKERS: Final = "spare workers"
ORDER: Final = ("analyst", "exchange", "nodes", "zygotes", WORKERS)


@dataclass(frozen=True)
class Cost:
    """One kind of process.

    Attributes:
        kind: Of `ORDER`.
        count: How many there are.
        cpu_ms: Processor time of an answer, over all of them; None where nobody counts it.
        memory_mb: Proportional set size of each, MB.
    """

    kind: str
    count: int
    cpu_ms: float | None
    memory_mb: float

    def row(self) -> tuple[str, str, str, str]:
        """For people: kind, time, time of each, memory of each."""
        times = ("not counted", "")
        if self.cpu_ms is not None:
            times = (f"{self.cpu_ms:.0f} ms", f"{self.cpu_ms / self.count:.1f} ms")
        return (f"{self.count} × {self.kind}", *times, f"{self.memory_mb:.0f} MB")


def costs(processes: Sequence[Process]) -> Callable[[int], tuple[Cost, ...]]:
    """Looks now; the function that it returns looks again.

    Args:
        processes: Of the cluster; this process is the analyst.

    Returns:
        Takes how many answers were given in between.
    """
    before = _times(_family(processes))

    def since(answers: int) -> tuple[Cost, ...]:
        family = _family(processes)
        after = _times(family)
        found = []
        for kind in ORDER:
            memory = sum(map(_memory_mb, family[kind])) / max(1, len(family[kind]))
            spent = None
            if kind != WORKERS:
                grown = sum(after[pid] - before.get(pid, 0.0) for pid in family[kind])
                spent = grown / answers * 1e3
            found.append(Cost(kind, len(family[kind]), spent, memory))
        return tuple(found)

    return since


def _family(processes: Sequence[Process]) -> dict[str, list[int]]:
    """Process ids by kind; a node's child is its zygote, the zygote's are workers."""
    family: dict[str, list[int]] = defaultdict(list)
    family["analyst"] = [os.getpid()]
    for process in processes:
        if process.name == "exchange":
            family["exchange"].append(process.pid)
            continue
        family["nodes"].append(process.pid)
        for zygote in _children(process.pid):
            family["zygotes"].append(zygote)
            family[WORKERS] += _children(zygote)
    return family


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text("ascii").split())
    return found


def _times(family: dict[str, list[int]]) -> dict[int, float]:
    """Seconds of processor time by process id."""
    times = {}
    for pid in (pid for kind, pids in family.items() if kind != WORKERS for pid in pids):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
        times[pid] = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return times


def _memory_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:  # it has ended meanwhile
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
