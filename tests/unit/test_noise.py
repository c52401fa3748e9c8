"""Discrete Gaussian noise: its moments, its shape, and what is refused."""

from __future__ import annotations

import math

import pytest

from catalog.calibration import MOST_SIGMA
from compute_nodes.noise import draw_noise
from protos.faults import InputError


@pytest.mark.parametrize("sigma", [2.0, 7.5, 1e3, 1e9, MOST_SIGMA])
def test_moments(sigma: float) -> None:
    """Mean 0 and variance sigma**2, within five standard errors (false alarm below 1e-6)."""
    n = 4000
    drawn = draw_noise([sigma], n)
    assert all(type(x) is int for x in drawn)
    mean = sum(drawn) / n
    variance = sum(x * x for x in drawn) / n
    assert abs(mean) < 5 * sigma / math.sqrt(n)
    assert abs(variance / sigma**2 - 1) < 5 * math.sqrt(2 / n)
    assert max(map(abs, drawn)) < 7 * sigma


def test_probabilities_of_small_values() -> None:
    """P(x) is proportional to exp(-x**2 / 2σ²) on the integers."""
    n, sigma = 20_000, 2.0
    drawn = draw_noise([sigma], n)
    weights = {x: math.exp(-x * x / (2 * sigma**2)) for x in range(-40, 41)}
    whole = sum(weights.values())
    for x in range(-3, 4):
        p = weights[x] / whole
        assert abs(drawn.count(x) / n - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_measures_one_after_the_other_and_fresh_each_time() -> None:
    drawn = draw_noise([2.0, 1e6], 500)
    assert len(drawn) == 1000
    assert max(map(abs, drawn[:500])) < 20
    assert max(map(abs, drawn[500:])) > 1e5
    assert draw_noise([1e9], 3) != draw_noise([1e9], 3)


@pytest.mark.parametrize(("sigmas", "cells"), [([], 1), ([0.0], 1), ([-1.0], 1), ([2.0], 0)])
def test_refused(sigmas: list[float], cells: int) -> None:
    with pytest.raises(InputError):
        draw_noise(sigmas, cells)
