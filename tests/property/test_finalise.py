"""Intervals mean 95 %, and exact figures are exact for any integers."""

import statistics
from fractions import Fraction
from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.planner import intervals as iv

DRAWS = 20_000
# Five standard deviations of a binomial rate with p = 0.95.
SLACK = 5 * sqrt(0.95 * 0.05 / DRAWS)


def noise(sigma: float, seed: int) -> np.ndarray:
    """Rounded normal draws: for sigma >= 2 as good as discrete Gaussian ones, for a test."""
    return np.rint(np.random.default_rng(seed).normal(0, sigma, DRAWS))


def covered(found: iv.Interval, truth: float) -> float:
    return float(np.mean((found.low <= truth) & (truth <= found.high)))


@pytest.mark.parametrize("sigma", [2.0, 3.7, 25.0, 1e6])
def test_counts_and_sums_are_covered(sigma: float) -> None:
    drawn = noise(sigma, 1)
    rate = float(np.mean(np.abs(drawn) <= iv.margin(sigma**2)))
    assert rate >= 0.95 - SLACK
    assert rate <= 0.95 + SLACK + 0.25 / sigma  # whole numbers only: small sigma covers more


@pytest.mark.parametrize("bounds", [None, (0.0, 5000.0)])
@pytest.mark.parametrize("rows", [8.0, 30.0, 400.0, 20_000.0])
@pytest.mark.parametrize("mean", [0.0, 37.0, 4000.0])
def test_averages_are_covered(rows: float, mean: float, bounds: tuple[float, float] | None) -> None:
    sigma_n, sigma_s = 5.0, 9000.0
    n, s = rows + noise(sigma_n, 2), rows * mean + noise(sigma_s, 3)
    found = iv.ratio(s, n, sigma_s**2, sigma_n**2, bounds)
    given_one = ~np.isnan(found.low)
    if bounds is not None:
        assert given_one.all()
    # Fieller leaves an interval open where the row count may be 0; an open one covers.
    rate = float(np.mean(~given_one | ((found.low <= mean) & (mean <= found.high))))
    assert rate >= 0.95 - SLACK
    if bounds is None and given_one.all():
        assert rate <= 0.95 + SLACK


@pytest.mark.parametrize("sample", [True, False])
@pytest.mark.parametrize(
    ("rows", "mean", "deviation"), [(400, 30, 20), (3000, -10, 25), (20_000, 5, 14)]
)
def test_variances_and_deviations_are_covered(
    rows: int, mean: float, deviation: float, *, sample: bool
) -> None:
    sigmas = (60.0, 3000.0, 8.0)
    divisor = rows - 1 if sample else rows
    truth = rows * deviation**2 / divisor
    s = rows * mean + noise(sigmas[0], 4)
    q = rows * (deviation**2 + mean**2) + noise(sigmas[1], 5)
    n = rows + noise(sigmas[2], 6)
    found = iv.variance(s, q, n, tuple(x**2 for x in sigmas), sample=sample)  # type: ignore[arg-type]
    assert covered(found, truth) == pytest.approx(0.95, abs=0.012)
    assert covered(iv.root(found), sqrt(truth)) == pytest.approx(0.95, abs=0.012)


def test_too_few_rows_have_no_variance_interval() -> None:
    few = np.array([50.0])
    found = iv.variance(few, few, few, (1.0, 1.0, 100.0), sample=True)
    assert isnan(found.low[0])
    assert isnan(found.high[0])


@given(st.lists(st.integers(-(10**12), 10**12), min_size=2, max_size=50), st.integers(0, 4))
def test_variance_from_integer_totals_is_the_rounded_exact_one(
    values: list[int], decimals: int
) -> None:
    n, s, q = len(values), sum(values), sum(v * v for v in values)
    scale = 100**decimals
    exact = statistics.pvariance([Fraction(v, 10**decimals) for v in values])
    assert (n * q - s * s) / (n * n * scale) == float(exact)
