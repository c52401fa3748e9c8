"""All randomness that protects people comes from here, and all of it from OpenDP.

Whole numbers only: discrete Gaussian noise and OpenDP's noisy maximum have no floating-point tails
that tell the value below them (Mironov 2012). What was spent is what OpenDP says of each mechanism,
as zCDP (Bun and Steinke 2016), which adds up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from protos.faults import InputError
from protos.language import Text

_CLOSE: Final = 1e-9
_UP: Final = 1 + 1e-12  # a scale is rounded up: what OpenDP charges stays within what was given
_MOST_SIGMA: Final = 2.0**50


@cache
def _dp() -> Any:  # noqa: ANN401 - OpenDP has no types
    import opendp.prelude as dp

    dp.enable_features("contrib")
    return dp


def epsilon_for(rho: float, delta: float) -> float:
    """Returns the epsilon that rho means at this delta (OpenDP's conversion).

    Args:
        rho: zCDP, above 0.
        delta: In (0, 1).
    """
    return float(_curve()(math.sqrt(2.0 * rho)).epsilon(delta))


def rho_for(epsilon: float, delta: float) -> float:
    """Returns the largest rho that stays within (epsilon, delta), to one part in 10**9.

    Args:
        epsilon: Above 0, at most 1,000.
        delta: In (0, 1).
    """
    # Proposition 1.3 of Bun and Steinke is never too large, and its double nearly always is.
    odds = math.log(1.0 / delta)
    low = (math.sqrt(odds + epsilon) - math.sqrt(odds)) ** 2
    high = 2.0 * low
    while epsilon_for(high, delta) <= epsilon:
        low, high = high, 2.0 * high
    while high - low > _CLOSE * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if epsilon_for(middle, delta) <= epsilon else (low, middle)
    return low


@cache
def _curve() -> Any:  # noqa: ANN401 - from a distance to OpenDP's privacy curve
    dp = _dp()
    space = dp.atom_domain(T="i64"), dp.absolute_distance(T="f64")
    # At distance d, a Gaussian of scale 1 has exactly rho = d**2 / 2.
    return dp.c.make_zCDP_to_approxDP(dp.m.make_gaussian(*space, scale=1.0)).map


def scale_for(rho: float, sensitivity: int) -> float:
    """Returns the scale with which either mechanism costs rho: Δ / √(2ρ).

    Raises:
        InputError: Counts with such noise would not fit 64 bits.
    """
    scale = sensitivity / math.sqrt(2.0 * rho) * _UP
    if scale > _MOST_SIGMA:
        raise InputError(
            Text("so small an epsilon would leave nothing but noise", "epsilon 过小，结果只剩噪声"),
            remedy=Text("ask for a larger epsilon", "请使用更大的 epsilon"),
            code="synthesis.epsilon",
        )
    return scale


@dataclass(frozen=True)
class Noisy:
    """Counts with noise.

    Attributes:
        counts: Some of them negative.
        sigma: Standard deviation of what was added to each.
        rho: What OpenDP says that they cost.
    """

    counts: list[int]
    sigma: float
    rho: float


def noisy_counts(counts: Sequence[int], rho: float, sensitivity: int) -> Noisy:
    """Adds discrete Gaussian noise to the counts of one marginal.

    Args:
        counts: Whole numbers.
        rho: What it may cost.
        sensitivity: How far one subject can move the counts, in L2: all its rows in one cell.
    """
    dp = _dp()
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    sigma = scale_for(rho, sensitivity)
    mechanism = dp.m.make_gaussian(*space, scale=sigma)
    drawn = [int(x) for x in mechanism(list(counts))]
    return Noisy(drawn, sigma, float(mechanism.map(float(sensitivity))))


def noisy_choice(scores: Sequence[int], rho: float, sensitivity: int) -> tuple[int, float]:
    """Chooses a high score: the exponential mechanism, as OpenDP's noisy maximum.

    Args:
        scores: Whole numbers, at least one.
        rho: What it may cost. With scale s it is Δ²/2s², for the range of the losses is bounded
            (Cesar and Rogers 2021, "Bounding, Concentrating, and Truncating").
        sensitivity: How far one subject can move any score.

    Returns:
        The place of the score, and what OpenDP says that it costs.
    """
    dp = _dp()
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.linf_distance(T="i64")
    measure = dp.zero_concentrated_divergence()
    mechanism = dp.m.make_noisy_max(*space, measure, scale=scale_for(rho, sensitivity))
    return int(mechanism(list(scores))), float(mechanism.map(sensitivity))
