"""Small tables to synthesise, and an attacker who knows everything but one person."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.synthesis.mechanism import Whole

COLUMNS = """
[columns.who]
role = "direct"
[columns.sex]
codes = ["f", "m"]
[columns.age]
type = "integer"
bounds = [0, 99]
[columns.day]
bounds = [2024-01-01, 2024-12-31]
[columns.note]
type = "free_text"
"""
DOMAINS = """
[publish.synthesis.domains]
sex = "codes"
age = { band = 10 }
day = { date = "month" }
"""


def policy_of(section: str = "row_is_subject = true", domains: str = DOMAINS) -> PublishPolicy:
    """A policy with epsilon 1 and what else its section says."""
    epsilon = "" if "epsilon" in section else "epsilon = 1.0\n"
    head = 'dataset = "t"\nopen = "unconditional"\n'
    return parse_policy(f"{head}{COLUMNS}[publish.synthesis]\n{epsilon}{section}\n{domains}")


def table_of(rows: int, seed: int = 5) -> dict[str, list[Any]]:
    """Rows in which age and sex hang together."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, rows)
    return {
        "who": [f"p{i}" for i in range(rows)],
        "sex": ["fm"[s] for s in sex],
        "age": [int(a) for a in np.where(sex == 0, rng.integers(0, 40, rows), 60)],
        "day": [f"2024-{m:02}-15" for m in rng.integers(1, 13, rows)],
        "note": ["n"] * rows,
    }


@dataclass(frozen=True)
class ArrayCounts:
    """Counts of cells in memory, for mechanisms that are run a thousand times."""

    cells: tuple[npt.NDArray[np.int64], ...]
    sizes: tuple[int, ...]

    def one(self, column: int) -> Whole:
        """As the protocol says."""
        return np.bincount(self.cells[column], minlength=self.sizes[column]).astype(np.int64)

    def pair(self, first: int, second: int) -> Whole:
        """As the protocol says."""
        table = np.zeros((self.sizes[first], self.sizes[second]), dtype=np.int64)
        np.add.at(table, (self.cells[first], self.cells[second]), 1)
        return table


def success(
    with_him: Callable[[], float], without: Callable[[], float], runs: int
) -> tuple[float, float]:
    """Plays the game of membership: the attacker sees one figure and says in or out.

    Returns:
        Share of right answers at the best threshold of half of the runs, on the other half; and
        the epsilon that the same answers prove at least, at 99 % (Clopper and Pearson would be a
        little closer than the normal bound used here).
    """
    inside, outside = (np.array([play() for _ in range(runs)]) for play in (with_him, without))
    half = runs // 2
    limits = np.unique(np.concatenate([inside[:half], outside[:half]]))
    right = [(inside[:half] >= t).mean() + (outside[:half] < t).mean() for t in limits]
    limit = limits[int(np.argmax(right))]
    hits, alarms = (inside[half:] >= limit).mean(), (outside[half:] >= limit).mean()
    return (hits + 1 - alarms) / 2, _proved(hits, alarms, runs - half)


def _proved(hits: float, alarms: float, runs: int) -> float:
    def margin(share: float) -> float:
        return 2.6 * math.sqrt(max(share * (1 - share), 1 / runs) / runs)

    proofs: Sequence[tuple[float, float]] = ((hits, alarms), (1 - alarms, 1 - hits))
    return max(
        math.log(max(more - margin(more), 1e-9) / (less + margin(less))) for more, less in proofs
    )
