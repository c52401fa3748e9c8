"""Differencing exact answers: somebody holds a table and all of its margins.

The attacker has one approved statement per table and per margin of it (each with its own
``min_group``), and solves for hidden cells as far as one unknown per equation goes.
"""

from itertools import combinations

import numpy as np
import pytest

from compute_nodes.disclosure import suppress

K = 5


def solve(counts: np.ndarray, visible: np.ndarray) -> dict[tuple[int, ...], int]:
    """Returns the hidden cells that follow from visible cells and margins of at least K."""
    known = {tuple(c): int(counts[tuple(c)]) for c in np.argwhere(visible)}
    everything = [tuple(c) for c in np.argwhere(np.ones_like(visible))]
    equations = []
    for size in range(1, counts.ndim + 1):
        for away in combinations(range(counts.ndim), size):
            lines: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
            for cell in everything:
                kept = tuple(v for axis, v in enumerate(cell) if axis not in away)
                lines.setdefault(kept, []).append(cell)
            for cells in lines.values():
                total = sum(int(counts[c]) for c in cells)
                if total >= K:
                    equations.append((cells, total))
    progress = True
    while progress:
        progress = False
        for cells, total in equations:
            unknown = [c for c in cells if c not in known]
            left = total - sum(known[c] for c in cells if c in known)
            if unknown and (len(unknown) == 1 or left == 0):
                known.update(dict.fromkeys(unknown, left))
                progress = True
    return {c: n for c, n in known.items() if not visible[c]}


def test_the_attack_works_on_min_group_alone() -> None:
    counts = np.array([[3, 10, 50], [9, 20, 60], [70, 80, 90]])
    assert solve(counts, counts >= K) == {(0, 0): 3}


def test_the_attack_works_when_each_line_only_hides_enough_people() -> None:
    # Row 0 hides 3 + 7 = 10 people, yet column 1 gives 7 away and then the row gives 3.
    counts = np.array([[3, 7], [6, 9]])
    visible = np.array([[False, False], [False, True]])
    assert solve(counts, visible)[0, 0] == 3


def test_the_attack_stops() -> None:
    counts = np.array([[3, 10, 50], [9, 20, 60], [70, 80, 90]])
    visible = suppress(counts.reshape(-1), counts.shape, K).reshape(counts.shape)
    assert not solve(counts, visible)
    assert visible.sum() >= 5


@pytest.mark.parametrize("seed", range(60))
def test_no_small_group_follows_from_any_margin(seed: int) -> None:
    draw = np.random.default_rng(seed)
    shape = tuple(draw.integers(2, 6, size=draw.integers(1, 4)))
    counts = draw.poisson(draw.choice([2, 5, 9]) * draw.gamma(0.6, 2, size=shape))
    visible = suppress(counts.reshape(-1).astype(np.int64), shape, K).reshape(shape)
    if visible.any():
        found = solve(counts, visible)
        assert not {cell: n for cell, n in found.items() if 0 < n < K}


def test_a_vetoed_cell_does_not_follow_from_margins() -> None:
    counts = np.array([[50, 60, 70], [80, 90, 20]])
    veto = np.zeros(6, dtype=np.bool_)
    veto[0] = True
    visible = suppress(counts.reshape(-1).astype(np.int64), counts.shape, K, veto)
    assert (0, 0) not in solve(counts, visible.reshape(counts.shape))
