"""95 % intervals for released figures, from the noise that is actually in them.

Every released measure carries a sum of discrete Gaussians whose variance is public (survivors x
each node's variance), independent over measures and cells. For sigma >= 2, which calibration
guarantees, the discrete Gaussian's distribution function at half-integers equals the normal one
to four digits and better (Canonne, Kamath, Steinke 2020, section 3), so normal quantiles hold.

All inputs are in scaled units. An interval covers the noise; it does not cover what clipping to
the declared bounds did to a department's values. NaN means: no interval can be given.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

LEVEL: Final = 0.95
Z: Final = NormalDist().inv_cdf((1 + LEVEL) / 2)
# The delta method is a straight line through a curve: below this many standard deviations of the
# row count the curve bends too much for the interval to mean 95 %.
_ROWS_OVER_SIGMA: Final = 10.0


@dataclass(frozen=True)
class Interval:
    """Lower and upper ends, shape (cells,), NaN where there is none."""

    low: Reals
    high: Reals


def margin(variance: float) -> int:
    """Half-width for an integer with integer noise: the least q with P(|noise| <= q) >= 95 %."""
    return max(0, ceil(Z * sqrt(variance) - 0.5))


def ratio(
    total: Reals,
    rows: Reals,
    var_total: float,
    var_rows: float,
    bounds: tuple[float, float] | None,
) -> Interval:
    """Interval of total / rows by Fieller's theorem (1954), exact for normal noise.

    Args:
        total: Noisy sums.
        rows: Noisy row counts.
        var_total: Variance of the noise in ``total``.
        var_rows: Variance of the noise in ``rows``.
        bounds: Where the true ratio must lie by declaration. It closes an interval that Fieller
            leaves open, which happens when the row count may well be 0.
    """
    a = rows**2 - Z**2 * var_rows
    b = rows * total
    spread = np.sqrt(np.maximum(var_total * a + var_rows * total**2, 0.0)) * Z
    open_ended = a <= 0
    safe = np.where(open_ended, 1.0, a)
    low = np.where(open_ended, np.nan, (b - spread) / safe)
    high = np.where(open_ended, np.nan, (b + spread) / safe)
    if bounds is None:
        return Interval(low, high)
    least, most = bounds
    nowhere = open_ended | (high < least) | (low > most)
    return Interval(
        np.where(nowhere, least, np.clip(low, least, most)),
        np.where(nowhere, most, np.clip(high, least, most)),
    )


def variance(
    total: Reals,
    squares: Reals,
    rows: Reals,
    noise: tuple[float, float, float],
    *,
    sample: bool,
) -> Interval:
    """Interval of a variance by the delta method, lower end at least 0.

    Args:
        total: Noisy sums of (value - offset).
        squares: Noisy sums of (value - offset)**2.
        rows: Noisy row counts.
        noise: Variances of the noise in total, squares and rows.
        sample: Whether the divisor is rows - 1.
    """
    var_total, var_squares, var_rows = noise
    usable = rows > max(2.0, _ROWS_OVER_SIGMA * var_rows**0.5)
    n = np.where(usable, rows, 2.0)
    divisor = n - 1.0 if sample else n
    value = (squares - total**2 / n) / divisor
    by_squares = 1.0 / divisor
    by_total = -2.0 * total / (n * divisor)
    by_rows = total**2 / (n**2 * divisor) - value / divisor
    half = Z * np.sqrt(
        by_squares**2 * var_squares + by_total**2 * var_total + by_rows**2 * var_rows
    )
    return Interval(
        np.where(usable, np.maximum(value - half, 0.0), np.nan),
        np.where(usable, np.maximum(value + half, 0.0), np.nan),
    )


def root(interval: Interval) -> Interval:
    """Interval of the square root: the same ends, transformed, because it is increasing."""
    return Interval(np.sqrt(interval.low), np.sqrt(interval.high))
