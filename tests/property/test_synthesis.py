"""Inference on a forest equals brute force over the joint distribution; drawing follows it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitize.synthesis.mechanism import Marginal, Measured, Pair, Real
from desensitize.synthesis.model import Forest, _loss, _nearest, beliefs, draw, fit

Model = tuple[list[int], list[Pair], list[Real], dict[Pair, Real]]


@st.composite
def models(draw_: st.DrawFn):
    """A forest of up to five columns, factors of any kind, some cells barred."""
    sizes = draw_(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    rng = np.random.default_rng(draw_(st.integers(0, 10**6)))
    edges = []
    for column in range(1, len(sizes)):
        parent = draw_(st.one_of(st.none(), st.integers(0, column - 1)))
        if parent is not None:
            # In either order: a pair is named as its columns stand in the policy.
            edges.append((parent, column))
    places = rng.permutation(len(sizes))
    edges = [tuple(sorted((int(places[i]), int(places[j])))) for i, j in edges]
    ones = [rng.normal(0, 3, size) for size in sizes]
    for one in ones:
        if len(one) > 1 and rng.random() < 0.3:
            one[-1] = -np.inf
    pairs = {(i, j): rng.normal(0, 3, (sizes[i], sizes[j])) for i, j in edges}
    return sizes, edges, ones, pairs


@given(models())
def test_beliefs_are_the_marginals_of_the_joint_distribution(model: Model) -> None:
    sizes, edges, ones, pairs = model
    joint = np.zeros(sizes)
    for cell in product(*map(range, sizes)):
        joint[cell] = sum(ones[i][cell[i]] for i in range(len(sizes)))
        joint[cell] += sum(pairs[i, j][cell[i], cell[j]] for i, j in edges)
    joint = np.exp(joint)
    joint /= joint.sum()
    forest = Forest.of(sizes, edges)
    found = beliefs(forest, ones, pairs)
    others = tuple(range(len(sizes)))
    for column in others:
        exact = joint.sum(axis=tuple(set(others) - {column}))
        assert found.ones[column] == pytest.approx(exact, abs=1e-9)
    assert set(found.pairs) == set(edges)
    for i, j in edges:
        exact = joint.sum(axis=tuple(set(others) - {i, j}))
        assert found.pairs[i, j] == pytest.approx(exact, abs=1e-9)
    # Drawn rows have the joint distribution, not only the marginals: every cell within 6 errors.
    rows, n = draw(forest, found, 4000, np.random.default_rng(1)), 4000
    drawn = np.zeros(sizes)
    np.add.at(drawn, tuple(rows), 1)
    assert (np.abs(drawn / n - joint) < 6 * np.sqrt(joint * (1 - joint) / n) + 6 / n).all()
    assert drawn[joint == 0].sum() == 0


@given(models())
def test_marginals_without_noise_come_back_from_the_fit(model: Model) -> None:
    """What is measured of a forest's own distribution, and barely noisy, is what is fitted."""
    sizes, edges, ones, pairs = model
    truth, rows = beliefs(Forest.of(sizes, edges), ones, pairs), 10_000.0
    measured = Measured(
        tuple(Marginal((i,), 5.0, rows * one) for i, one in enumerate(truth.ones)),
        tuple(Marginal(pair, 5.0, rows * truth.pairs[pair]) for pair in edges),
        {},
    )
    _, found = fit(measured, [one[-1] == -np.inf for one in ones])
    for one, other in zip(found.ones, truth.ones, strict=True):
        assert np.abs(one - other).sum() < 0.01
    for pair in edges:
        assert np.abs(found.pairs[pair] - truth.pairs[pair]).sum() < 0.01


@given(models(), st.integers(0, 10**6), st.sampled_from([3.0, 30.0]))
def test_no_other_distribution_on_the_forest_fits_much_better(
    model: Model, seed: int, sigma: float
) -> None:
    """Moving the fit towards any cell of the joint distribution, as far as is best, is no gain."""
    sizes, edges, ones, pairs = model
    rng, rows = np.random.default_rng(seed), 1000.0
    truth = beliefs(Forest.of(sizes, edges), ones, pairs)

    def noisy(table: Real) -> Real:
        return np.rint(rows * table + rng.normal(0, sigma, table.shape))

    measured = Measured(
        tuple(Marginal((i,), sigma, noisy(one)) for i, one in enumerate(truth.ones)),
        tuple(Marginal(pair, sigma, noisy(truth.pairs[pair])) for pair in edges),
        {},
    )
    _, found = fit(measured, [False] * len(sizes))
    loss, up_ones, up_pairs = _loss(measured, found, measured.total)
    bend = (measured.total / sigma) ** 2
    for cell in product(*map(range, sizes)):
        slope, curve = 0.0, 0.0
        for place, one in enumerate(found.ones):
            way = np.eye(sizes[place])[cell[place]] - one
            slope, curve = slope + way @ up_ones[place], curve + bend * way @ way
        for i, j in edges:
            way = -found.pairs[i, j].copy()
            way[cell[i], cell[j]] += 1
            slope, curve = slope + np.vdot(way, up_pairs[i, j]), curve + bend * np.vdot(way, way)
        step = min(max(-slope / max(curve, 1e-12), 0.0), 1.0)
        gain = -(step * slope + step**2 * curve / 2)
        assert gain <= 0.1 * loss + 1.0, (gain, loss)


@given(
    st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30),
    st.floats(1, 1e5),
    st.lists(st.floats(0, 1), min_size=30, max_size=30),
)
def test_the_nearest_table_has_the_total_and_none_is_nearer(
    counts: list[float], total: float, other: list[float]
) -> None:
    noisy = np.array(counts)
    nearest = _nearest(noisy, total)
    assert (nearest >= 0).all()
    assert nearest.sum() == pytest.approx(total, rel=1e-6)
    rival = np.array(other[: noisy.size]) + 1e-9
    rival *= total / rival.sum()
    gap = 1e-6 * (1 + total**2 + (noisy**2).sum())
    assert ((nearest - noisy) ** 2).sum() <= ((rival - noisy) ** 2).sum() + gap


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_a_forest_has_every_column_once_and_after_its_parent(sizes: list[int]) -> None:
    forest = Forest.of(sizes, [(i, i + 1) for i in range(0, len(sizes) - 1, 2)])
    assert sorted(forest.order) == list(range(len(sizes)))
    for column, parent in enumerate(forest.parents):
        if parent is not None:
            assert forest.order.index(parent) < forest.order.index(column)
