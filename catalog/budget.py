"""Between (epsilon, delta), which people state, and rho, which the ledger adds up.

rho is zero-concentrated differential privacy (Bun and Steinke 2016): it composes by addition. The
conversion is opendp's (Canonne, Kamath and Steinke 2020, proposition 7).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

from protos.faults import InputError

_PRECISION: Final = 1e-9  # relative; the result is always on the safe side


@lru_cache(maxsize=4096)
def epsilon_for(rho: float, delta: float) -> float:
    """Returns the epsilon that rho means at this delta; 0 for rho = 0.

    Args:
        rho: zCDP, at least 0.
        delta: In (0, 1).

    Raises:
        InputError: An argument is out of range.
    """
    if not (0.0 <= rho < math.inf and 0.0 < delta < 1.0):
        raise InputError("rho must be at least 0, and delta between 0 and 1")
    if rho == 0.0:
        return 0.0
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.atom_domain(T="i64"), dp.absolute_distance(T="f64")
    # A discrete Gaussian of this scale has exactly rho at sensitivity 1.
    gaussian = dp.m.make_gaussian(*space, scale=1.0 / math.sqrt(2.0 * rho))
    curve = dp.c.make_zCDP_to_approxDP(gaussian).map(1.0)
    return float(curve.epsilon(delta))


@lru_cache(maxsize=4096)
def rho_for(epsilon: float, delta: float) -> float:
    """Returns the largest rho that stays within (epsilon, delta).

    Args:
        epsilon: Above 0.
        delta: In (0, 1).

    Raises:
        InputError: An argument is out of range.
    """
    if not (0.0 < epsilon < math.inf and 0.0 < delta < 1.0):
        raise InputError("epsilon must be above 0, and delta between 0 and 1")
    low, high = 0.0, epsilon  # rho-zCDP is weaker than (epsilon, delta) well before rho = epsilon
    while epsilon_for(high, delta) <= epsilon:
        high *= 2.0
    while high - low > _PRECISION * high:
        middle = (low + high) / 2.0
        if epsilon_for(middle, delta) <= epsilon:
            low = middle
        else:
            high = middle
    return low
