"""What is asked of the data, and with how much noise: the only part that spends privacy.

MST (McKenna, Miklau and Sheldon 2021, section 4.2), with zCDP rho in three equal parts:

1. the marginal of every column, with Gaussian noise;
2. pairs of columns, one after the other, by the exponential mechanism: a pair's score is the L1
   distance of its counts from what independent columns would give, less the L1 error that noise
   would bring to its marginal (the penalty is AIM's: McKenna et al. 2022, section 4). Only pairs
   that join two parts of the forest are candidates, and so is "no further pair", with score 0;
3. the marginal of every chosen pair, with Gaussian noise.

**Neighbours** are tables of which one has all rows of one subject more. Rows beyond the m-th of a
subject were left out before, so a marginal moves by at most m in L1 and in L2 (all in one cell),
and a score, which compares counts with figures that are already noisy, by at most m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from desensitize.synthesis.noise import noisy_choice, noisy_counts, scale_for

MOST_CELLS: Final = 1 << 16
"""Cells of a pair that is a candidate; a larger one would be noise, and slow."""

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Pair = tuple[int, int]


class Counts(Protocol):
    """The exact counts; see `desensitize.synthesis.counts`."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Cells of each column: its domain, and one for what is empty or outside."""
        ...

    def one(self, column: int) -> Whole:
        """Returns the counts of one column."""
        ...

    def pair(self, first: int, second: int) -> Whole:
        """Returns the counts of two columns, one row for each cell of the first."""
        ...


@dataclass(frozen=True)
class Marginal:
    """One marginal with its noise.

    Attributes:
        columns: One or two places of columns.
        sigma: Standard deviation of the noise of each cell.
        counts: One or two dimensions; may be negative.
    """

    columns: tuple[int, ...]
    sigma: float
    counts: Real


@dataclass(frozen=True)
class Measured:
    """Everything that is known of the data from here on; it is public.

    Attributes:
        ones: A marginal for each column, in order.
        pairs: Marginals of the chosen pairs: a forest.
        spent: zCDP by part, as OpenDP reckons it.
    """

    ones: tuple[Marginal, ...]
    pairs: tuple[Marginal, ...]
    spent: dict[str, float]

    @property
    def total(self) -> float:
        """Rows, estimated from the columns' marginals; at least 1."""
        # The sum of a marginal has the noise of all its cells: small domains weigh more.
        weights = np.array([1.0 / each.counts.size for each in self.ones])
        sums = np.array([each.counts.sum() for each in self.ones])
        return max(1.0, float(weights @ sums / weights.sum()))


def measure(counts: Counts, rho: float, sensitivity: int) -> Measured:
    """Spends rho on the data.

    Args:
        counts: Of the data.
        rho: zCDP of everything that is returned.
        sensitivity: Most rows of one subject.
    """
    sizes = counts.sizes
    pairs = candidates(sizes)
    rounds = _forest_edges(len(sizes), pairs)
    part = rho / 3 if rounds else rho
    spent = dict.fromkeys(("columns", "choice", "pairs"), 0.0)
    ones = []
    for column in range(len(sizes)):
        share = part / len(sizes)
        marginal, cost = _measured(counts.one(column), (column,), share, sensitivity)
        ones.append(marginal)
        spent["columns"] += cost
    first = Measured(tuple(ones), (), spent)
    if not rounds:
        return first
    chosen, spent["choice"] = _choose(counts, first, pairs, rounds, part, sensitivity)
    measured = []
    # What is left for a pair depends on how many were chosen, which the second part has told:
    # the third is one mechanism of a fixed cost, whatever that number is.
    for pair in chosen:
        marginal, cost = _measured(counts.pair(*pair), pair, part / len(chosen), sensitivity)
        measured.append(marginal)
        spent["pairs"] += cost
    return Measured(tuple(ones), tuple(measured), spent)


def _measured(
    exact: Whole, columns: tuple[int, ...], rho: float, sensitivity: int
) -> tuple[Marginal, float]:
    noisy = noisy_counts(exact.ravel().tolist(), rho, sensitivity)
    table = np.array(noisy.counts, dtype=np.float64).reshape(exact.shape)
    return Marginal(columns, noisy.sigma, table), noisy.rho


def candidates(sizes: tuple[int, ...]) -> list[Pair]:
    """Pairs of columns that are small enough; known without the data."""
    places = range(len(sizes))
    return [(i, j) for i in places for j in places if i < j and sizes[i] * sizes[j] <= MOST_CELLS]


def _forest_edges(columns: int, pairs: list[Pair]) -> int:
    """Edges of the largest forest: rounds of choosing."""
    part = list(range(columns))
    edges = 0
    for i, j in pairs:
        if part[i] != part[j]:
            edges += 1
            part = [part[i] if each == part[j] else each for each in part]
    return edges


def _choose(
    counts: Counts, known: Measured, pairs: list[Pair], rounds: int, rho: float, sensitivity: int
) -> tuple[list[Pair], float]:
    """Chooses the edges of a forest (Kruskal's algorithm with a private choice), and its cost."""
    penalty = math.sqrt(2.0 / math.pi) * scale_for(rho / rounds, sensitivity)
    scores = {pair: _score(counts, known, pair, penalty) for pair in pairs}
    part = list(range(len(counts.sizes)))
    chosen: list[Pair] = []
    spent = 0.0
    for _ in range(rounds):
        open_pairs = [(i, j) for i, j in pairs if part[i] != part[j]]
        place, cost = noisy_choice(
            [*(scores[pair] for pair in open_pairs), 0], rho / rounds, sensitivity
        )
        spent += cost
        if place == len(open_pairs):
            break
        i, j = open_pairs[place]
        chosen.append((i, j))
        part = [part[i] if each == part[j] else each for each in part]
    return chosen, spent


def _score(counts: Counts, known: Measured, pair: Pair, penalty: float) -> int:
    """L1 distance from independence, less what noise would add; a whole number.

    The estimate is rounded before it is compared, so that sums are exact and one row more moves
    the score by exactly 1: rounding in floating point is no part of the sensitivity.
    """
    margins = [np.maximum(known.ones[column].counts, 0.0) for column in pair]
    sums = [max(margin.sum(), 1.0) for margin in margins]
    estimate = np.outer(margins[0] / sums[0], margins[1] / sums[1]) * known.total
    distance = np.abs(counts.pair(*pair) - np.rint(estimate).astype(np.int64)).sum()
    return int(distance) - round(penalty * estimate.size)
