"""Between (epsilon, delta), which people state, and rho, which ledgers and syntheses add up.

rho is zero-concentrated differential privacy (Bun and Steinke 2016): it composes by addition. The
conversion is opendp's (Canonne, Kamath and Steinke 2020, proposition 7).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Final

from protos.faults import InputError
from protos.language import Text

MOST_EPSILON: Final = 1000.0  # far beyond any privacy; the conversion overflows above 10,000
MOST_RHO: Final = 2 * MOST_EPSILON  # rho is below epsilon; a search for one may double the other
_PRECISION: Final = 1e-9  # relative; the result is always on the safe side


@lru_cache(maxsize=4096)
def epsilon_for(rho: float, delta: float) -> float:
    """Returns the epsilon that rho means at this delta; 0 for rho = 0.

    Args:
        rho: zCDP, from 0 to `MOST_RHO`.
        delta: In (0, 1).

    Raises:
        InputError: An argument is out of range.
    """
    if not (0.0 <= rho <= MOST_RHO and 0.0 < delta < 1.0):
        raise InputError(
            Text(
                f"rho must be 0 to {MOST_RHO:g}, and delta between 0 and 1",
                f"rho 须在 0 到 {MOST_RHO:g} 之间，delta 须在 0 与 1 之间",
            )
        )
    # At sensitivity d, a Gaussian of scale 1 has exactly rho = d**2 / 2.
    return float(_curve_of()(math.sqrt(2.0 * rho)).epsilon(delta)) if rho > 0.0 else 0.0


@lru_cache(maxsize=4096)
def rho_for(epsilon: float, delta: float) -> float:
    """Returns the largest rho that stays within (epsilon, delta), up to one part in 10**9.

    Args:
        epsilon: Above 0, at most `MOST_EPSILON`.
        delta: In (0, 1).

    Raises:
        InputError: An argument is out of range.
    """
    if not (0.0 < epsilon <= MOST_EPSILON and 0.0 < delta < 1.0):
        raise InputError(
            Text(
                f"epsilon must be above 0 and at most {MOST_EPSILON:g}, and delta between 0 and 1",
                f"epsilon 须大于 0 且不超过 {MOST_EPSILON:g}，delta 须在 0 与 1 之间",
            )
        )
    # The classic conversion is never too large (Bun and Steinke 2016, proposition 1.3), and
    # close: the answer is bracketed at once.
    odds = math.log(1.0 / delta)
    low = (math.sqrt(odds + epsilon) - math.sqrt(odds)) ** 2
    while epsilon_for(low, delta) > epsilon:
        low /= 2.0
    high = 2.0 * low
    while epsilon_for(high, delta) <= epsilon:
        low, high = high, 2.0 * high
    while high - low > _PRECISION * high:
        width = high - low
        # Epsilon is concave in rho: a chord crosses to the right of the answer, and the chord of
        # two points on the right, prolonged, to the left of it. Bisect when that does not help.
        inner = _crossing(low, high, epsilon, delta)
        outer = _crossing(inner, high, epsilon, delta)
        for point in (inner, outer):
            low, high = _narrowed(point, low, high, epsilon, delta)
        if high - low > width / 2.0:
            low, high = _narrowed((low + high) / 2.0, low, high, epsilon, delta)
    return low


def _narrowed(
    point: float, low: float, high: float, epsilon: float, delta: float
) -> tuple[float, float]:
    """Takes ``point`` as the new end of the bracket on its side, if it is inside."""
    if not low < point < high:
        return low, high
    return (point, high) if epsilon_for(point, delta) <= epsilon else (low, point)


def _crossing(a: float, b: float, epsilon: float, delta: float) -> float:
    """Where the line through (rho, epsilon) at ``a`` and at ``b`` reaches ``epsilon``."""
    at_a, at_b = epsilon_for(a, delta), epsilon_for(b, delta)
    return a if at_a == at_b else a + (b - a) * (epsilon - at_a) / (at_b - at_a)


@cache
def _curve_of() -> Callable[[float], Any]:
    """Returns opendp's conversion of zCDP, made once per process."""
    # Not the prelude: it brings along every library that opendp can work with and that is there.
    from opendp.combinators import make_zCDP_to_approxDP
    from opendp.domains import atom_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import absolute_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    space = atom_domain(T="i64"), absolute_distance(T="f64")
    to_approximate: Any = make_zCDP_to_approxDP
    curve: Callable[[float], Any] = to_approximate(make_gaussian(*space, scale=1.0)).map
    return curve
