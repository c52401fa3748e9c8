"""A forest of columns: exact inference on it, and the one that fits noisy marginals best.

The joint distribution is a product of factors over columns and over the forest's edges; on a forest
belief propagation gives its exact marginals in two sweeps (Koller and Friedman 2009, section
10.2). The factors are found by mirror descent on the marginals (McKenna, Sheldon and Miklau 2019,
"Graphical-model based estimation and inference for differential privacy", algorithm 1). Nothing in
here sees data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from desensitize.synthesis.mechanism import Measured, Pair, Real

_STEPS: Final = 400
_HALVINGS: Final = 30
_ENOUGH: Final = 1e-6  # relative gain of a step after which no further one is taken
_LEAST: Final = 1e-3  # rows of a cell with which the search begins where noise says none: from
# nothing at all it could not come back


@dataclass(frozen=True)
class Forest:
    """Which columns hang together.

    Attributes:
        sizes: Cells of each column.
        edges: Pairs of columns, without a cycle.
        order: Columns, each after its parent.
        parents: By column; None for a root.
    """

    sizes: tuple[int, ...]
    edges: tuple[Pair, ...]
    order: tuple[int, ...]
    parents: tuple[int | None, ...]

    @classmethod
    def of(cls, sizes: Sequence[int], edges: Sequence[Pair]) -> Forest:
        """Finds an order in which every column comes after its parent."""
        parents: list[int | None] = [None] * len(sizes)
        order: list[int] = []
        for root in range(len(sizes)):
            if root in order:
                continue
            waiting = [root]
            while waiting:
                column = waiting.pop()
                order.append(column)
                for i, j in edges:
                    if column in {i, j}:
                        other = j if column == i else i
                        if other != parents[column]:
                            parents[other] = column
                            waiting.append(other)
        return cls(tuple(sizes), tuple(edges), tuple(order), tuple(parents))


@dataclass(frozen=True)
class Beliefs:
    """Marginals of a model: probabilities.

    Attributes:
        ones: One vector for each column.
        pairs: One table for each edge.
    """

    ones: list[Real]
    pairs: dict[Pair, Real]


def beliefs(forest: Forest, ones: Sequence[Real], pairs: Mapping[Pair, Real]) -> Beliefs:
    """Returns the exact marginals of a model.

    Args:
        forest: Its columns and edges.
        ones: Logarithms of the factors of columns; minus infinity bars a cell, but not all.
        pairs: Logarithms of the factors of edges, finite.
    """
    inward = [np.array(each) for each in ones]  # a column's factor, and what its children say
    message: dict[int, Real] = {}  # from a column to its parent
    for column in reversed(forest.order):
        parent = forest.parents[column]
        if parent is not None:
            message[column] = _log_sum(_facing(pairs, parent, column) + inward[column], axis=1)
            inward[parent] = inward[parent] + message[column]
    whole: list[Real] = list(inward)
    found: dict[Pair, Real] = {}
    for column in forest.order:
        parent = forest.parents[column]
        if parent is None:
            continue
        without = whole[parent] - message[column]
        table = _facing(pairs, parent, column) + without[:, None]
        whole[column] = inward[column] + _log_sum(table, axis=0)
        joint = _normal(table + inward[column])
        if (parent, column) in pairs:
            found[parent, column] = joint
        else:
            found[column, parent] = joint.T
    return Beliefs([_normal(each) for each in whole], found)


def _facing(pairs: Mapping[Pair, Real], parent: int, column: int) -> Real:
    """The factor of an edge, one row for each cell of the parent."""
    return pairs[parent, column] if (parent, column) in pairs else pairs[column, parent].T


def _log_sum(table: Real, axis: int) -> Real:
    most = table.max(axis=axis, keepdims=True)
    most = np.where(np.isfinite(most), most, 0.0)
    with np.errstate(divide="ignore"):
        logs: Real = np.log(np.exp(table - most).sum(axis=axis)) + most.squeeze(axis)
    return logs


def _normal(logs: Real) -> Real:
    weights = np.exp(logs - logs.max())
    normal: Real = weights / weights.sum()
    return normal


def fit(measured: Measured, barred: Sequence[bool]) -> tuple[Forest, Beliefs]:
    """Finds the model whose marginals are closest to the noisy ones, weighed by their noise.

    Args:
        measured: Noisy marginals.
        barred: By column, whether its last cell (no value) is left out of the model.
    """
    sizes = [each.counts.size for each in measured.ones]
    edges = {(each.columns[0], each.columns[1]): each for each in measured.pairs}
    forest = Forest.of(sizes, tuple(edges))
    total = measured.total
    ones, pairs = _beginning(measured, total)
    for column, without in enumerate(barred):
        if without:
            ones[column][-1] = -np.inf
    now = beliefs(forest, ones, pairs)
    loss, down_ones, down_pairs = _loss(measured, now, total)
    length = 1.0 / total**2
    for _ in range(_STEPS):
        length *= 2.0
        for _ in range(_HALVINGS):
            new_ones = [one - length * down for one, down in zip(ones, down_ones, strict=True)]
            new_pairs = {pair: pairs[pair] - length * down_pairs[pair] for pair in pairs}
            new = beliefs(forest, new_ones, new_pairs)
            new_loss, slope_ones, slope_pairs = _loss(measured, new, total)
            promised = sum(
                float(np.vdot(down, was - then))
                for down, was, then in zip(down_ones, now.ones, new.ones, strict=True)
            ) + sum(float(np.vdot(down_pairs[p], now.pairs[p] - new.pairs[p])) for p in pairs)
            if loss - new_loss >= 0.5 * promised:
                break
            length *= 0.5
        else:
            break
        gained = loss - new_loss
        ones, pairs, now, loss = new_ones, new_pairs, new, new_loss
        down_ones, down_pairs = slope_ones, slope_pairs
        if gained <= _ENOUGH * loss:
            break
    return forest, now


def _beginning(measured: Measured, total: float) -> tuple[list[Real], dict[Pair, Real]]:
    """Factors whose marginals would be the measured ones if these agreed with each other."""
    ones = [np.log(_nearest(each.counts, total) + _LEAST) for each in measured.ones]
    pairs: dict[Pair, Real] = {}
    for each in measured.pairs:
        table = _nearest(each.counts, total) + _LEAST
        margins = table.sum(axis=1)[:, None] * table.sum(axis=0)[None, :]
        pairs[each.columns[0], each.columns[1]] = np.log(table) - np.log(margins)
    return ones, pairs


def _nearest(counts: Real, total: float) -> Real:
    """The closest table without negative counts that adds up to the total.

    Euclidean projection onto the simplex (Duchi et al. 2008, figure 1).
    """
    down = np.sort(counts, axis=None)[::-1]
    too_many = (down.cumsum() - total) / np.arange(1, down.size + 1)
    cut = too_many[np.flatnonzero(down > too_many)[-1]]
    nearest: Real = np.maximum(counts - cut, 0.0)
    return nearest


def _loss(
    measured: Measured, found: Beliefs, total: float
) -> tuple[float, list[Real], dict[Pair, Real]]:
    """Half the squared distance in standard deviations, and its slopes by probability."""
    loss = 0.0
    ones, pairs = [], {}
    for marginal, probabilities in zip(measured.ones, found.ones, strict=True):
        missed = (total * probabilities - marginal.counts) / marginal.sigma
        loss += 0.5 * float(np.vdot(missed, missed))
        ones.append(missed * (total / marginal.sigma))
    for marginal in measured.pairs:
        pair = (marginal.columns[0], marginal.columns[1])
        missed = (total * found.pairs[pair] - marginal.counts) / marginal.sigma
        loss += 0.5 * float(np.vdot(missed, missed))
        pairs[pair] = missed * (total / marginal.sigma)
    return loss, ones, pairs


def draw(
    forest: Forest, found: Beliefs, rows: int, rng: np.random.Generator
) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Draws rows, independent of each other: the root's cell, then each child's given its parent's.

    Args:
        forest: Columns and edges.
        found: Their marginals.
        rows: How many.
        rng: Any good generator: what it draws from is public.

    Returns:
        For each column, the cells of all rows.
    """
    drawn: dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
    for column in forest.order:
        parent = forest.parents[column]
        if parent is None:
            table, above = found.ones[column][None, :], np.zeros(rows, dtype=np.int64)
        else:
            pair = (parent, column)
            table = found.pairs[pair] if pair in found.pairs else found.pairs[column, parent].T
            above = drawn[parent]
        drawn[column] = _given(table, above, rng)
    return [drawn[column] for column in range(len(forest.sizes))]


def _given(
    table: Real, above: np.ndarray[tuple[int], np.dtype[np.int64]], rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """For each row, a cell of the table's line that the row above names."""
    sums = table.cumsum(axis=1)
    whole = sums[:, -1:]
    # A line that has (nearly) no probability is never asked for; it must only do no harm.
    sums = np.where(whole > 0, sums / np.where(whole > 0, whole, 1.0), 1.0)
    # All lines one after the other, each one higher by 1: one search serves all rows.
    lines = (sums + np.arange(len(table))[:, None]).ravel()
    # A number so close to 1 that the sum would be rounded into the next line is not drawn.
    share = rng.random(len(above)) * (1.0 - 2.0**-30)
    found = np.searchsorted(lines, above + share, side="right")
    cells: np.ndarray[tuple[int], np.dtype[np.int64]] = np.minimum(
        found - above * table.shape[1], table.shape[1] - 1
    ).astype(np.int64)
    return cells
