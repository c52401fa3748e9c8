"""rho and epsilon: monotone, inverse to each other, never in the analyst's favour."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitize.budget import epsilon_for, rho_for
from protos.faults import InputError

EPSILONS = st.floats(0.01, 50.0)
DELTAS = st.sampled_from([1e-12, 1e-9, 1e-6, 1e-5, 1e-3])


@settings(max_examples=25)
@given(epsilon=EPSILONS, delta=DELTAS)
def test_inverse_and_on_the_safe_side(epsilon: float, delta: float) -> None:
    rho = rho_for(epsilon, delta)
    back = epsilon_for(rho, delta)
    assert back <= epsilon
    assert back == pytest.approx(epsilon, rel=1e-6)


@settings(max_examples=15)
@given(low=EPSILONS, more=st.floats(1.001, 3.0), delta=DELTAS)
def test_monotone(low: float, more: float, delta: float) -> None:
    assert rho_for(low, delta) < rho_for(low * more, delta)
    assert rho_for(low, delta) < rho_for(low, delta * 2.0)
    assert epsilon_for(low, delta) < epsilon_for(low * more, delta)


@settings(max_examples=25)
@given(epsilon=EPSILONS, delta=DELTAS)
def test_between_the_known_bounds(epsilon: float, delta: float) -> None:
    """At least the classic conversion (Bun and Steinke 2016); below epsilon itself."""
    odds = math.log(1.0 / delta)
    classic = (math.sqrt(odds + epsilon) - math.sqrt(odds)) ** 2
    assert classic <= rho_for(epsilon, delta) < epsilon


@settings(max_examples=20)
@given(parts=st.lists(st.floats(0.05, 2.0), min_size=2, max_size=6))
def test_a_sum_of_queries_costs_no_more_than_their_epsilons(parts: list[float]) -> None:
    together = epsilon_for(sum(rho_for(part, 1e-6) for part in parts), 1e-6)
    assert max(parts) < together < sum(parts)


@pytest.mark.parametrize(
    ("epsilon", "delta"),
    [(0.0, 1e-6), (-1.0, 1e-6), (math.inf, 1e-6), (math.nan, 1e-6), (1.0, 0.0), (1.0, 1.0)],
)
def test_out_of_range(epsilon: float, delta: float) -> None:
    with pytest.raises(InputError):
        rho_for(epsilon, delta)
    if epsilon != 0.0:
        with pytest.raises(InputError):
            epsilon_for(epsilon, delta)


def test_nothing_costs_nothing() -> None:
    assert epsilon_for(0.0, 1e-6) == 0.0
