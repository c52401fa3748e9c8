"""Discrete Gaussian noise, from opendp: secret randomness, integers, no floating-point tails."""

from __future__ import annotations

from collections.abc import Sequence

from protos.faults import InputError


def draw_noise(sigmas: Sequence[float], cells: int) -> list[int]:
    """Draws fresh noise for one released vector.

    Args:
        sigmas: Per measure: standard deviation, > 0.
        cells: Cells per measure, at least 1.

    Returns:
        ``len(sigmas) * cells`` integers, measure-major.

    Raises:
        InputError: A standard deviation is not positive.
    """
    if not sigmas or min(sigmas) <= 0 or cells < 1:
        raise InputError("noise needs positive standard deviations and at least one cell")
    # Not the prelude: it brings along every library that opendp can work with and that is there.
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    domain = vector_domain(atom_domain(T="i64"))
    drawn: list[int] = []
    for sigma in sigmas:
        mechanism = make_gaussian(domain, l2_distance(T="f64"), scale=sigma)
        drawn += [int(x) for x in mechanism([0] * cells)]
    return drawn
