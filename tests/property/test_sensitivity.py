"""What one person's rows can move, wherever they lie, is paid for by the charge."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.calibration import calibrate
from catalog.plan import Protocol
from catalog.typing_rules import value_bound
from desensitize.budget import rho_for
from tests.sql_world import DATASET, planned

SQL = "SELECT district, COUNT(*), SUM(cost), SUM(days) FROM visits GROUP BY district"
ROWS = 4  # of one person at one department
CELLS, MEASURES, NODES = 3, 3, 3
# The cell of each row, and how much of each measure's bound it holds, in thousandths.
ROW = st.tuples(st.integers(0, CELLS - 1), st.tuples(*[st.integers(-1000, 1000)] * MEASURES))
PERSON = st.lists(st.lists(ROW, max_size=ROWS), min_size=NODES, max_size=NODES)


@pytest.mark.parametrize("disjoint", [True, False])
@pytest.mark.parametrize("protocol", ["masked_sum", "he_sum.bfv.open"])
@settings(max_examples=40)
@given(person=PERSON)
def test_one_person_costs_no_more_than_is_charged(
    protocol: Protocol, disjoint: bool, person: list[list[tuple[int, tuple[int, ...]]]]
) -> None:
    """However the rows spread over groups, measures and departments (Bun and Steinke 2016).

    All rows in one group are the worst case, so no bound on the groups of a person is needed.
    """
    dataset = replace(DATASET, max_rows_per_subject=ROWS, subjects_disjoint=disjoint)
    plan = planned(SQL, protocol=protocol)
    found = calibrate(plan, dataset)
    if disjoint:
        person = [person[0]] + [[]] * (NODES - 1)
    moved = []  # per node: the vector of every measure, measure-major
    for rows in person:
        vector = [[0.0] * CELLS for _ in range(MEASURES)]
        for cell, parts in rows:
            for at, (part, measure) in enumerate(zip(parts, plan.aggregate.measures, strict=True)):
                vector[at][cell] += value_bound(measure, dataset.columns) * part / 1000
        moved.append(vector)
    if not plan.is_open:  # only the sum is seen, under the sum of the noise
        moved = [[[sum(c) for c in zip(*v, strict=True)] for v in zip(*moved, strict=True)]]
    cost = sum(
        sum(x * x for x in vector) / (2 * sigma**2)
        for node in moved
        for vector, sigma in zip(node, found.sigma_total, strict=True)
    )
    assert cost <= rho_for(plan.epsilon, plan.delta) * (1 + 1e-9)
    assert found.rho == pytest.approx(rho_for(plan.epsilon, plan.delta))
    if plan.is_open:
        assert found.sigma_node == found.sigma_total
