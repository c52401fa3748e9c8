"""All randomness that protects people comes from here, and all of it from OpenDP.

Whole numbers only: discrete Gaussian noise and OpenDP's noisy maximum have no floating-point tails
that tell the value below them (Mironov 2012). What was spent is what OpenDP says of each mechanism,
as zCDP (Bun and Steinke 2016), which adds up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from protos.faults import InputError
from protos.language import Text

_UP: Final = 1 + 1e-12  # a scale is rounded up: what OpenDP charges stays within what was given
_MOST_SIGMA: Final = 2.0**50


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
    # Not the prelude: it brings along every library that opendp can work with and that is there.
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    space = vector_domain(atom_domain(T="i64")), l2_distance(T="f64")
    sigma = scale_for(rho, sensitivity)
    mechanism: Any = make_gaussian(*space, scale=sigma)
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
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_noisy_max
    from opendp.measures import zero_concentrated_divergence
    from opendp.metrics import linf_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    space = vector_domain(atom_domain(T="i64")), linf_distance(T="i64")
    scale = scale_for(rho, sensitivity)
    mechanism: Any = make_noisy_max(*space, zero_concentrated_divergence(), scale=scale)
    return int(mechanism(list(scores))), float(mechanism.map(sensitivity))
