"""What EXPLAIN says about noise is what the answer's intervals then are."""

from __future__ import annotations

import re

import numpy as np
import pytest

from catalog.calibration import calibrate
from catalog.sql_gate import parse
from exchange.planner.bind import bind
from exchange.planner.expected_noise import column_names, expected_noise, rounded
from exchange.planner.intervals import Z, ratio
from protos.language import Text
from tests.sql_world import DATASET, planned


def told(sql: str) -> dict[str, Text]:
    plan = planned(sql)
    bound = bind(parse(sql), {"visits": DATASET})
    lines = expected_noise(plan, bound, calibrate(plan, DATASET))
    return dict(zip(column_names(bound).values(), lines, strict=True))


def test_each_column_has_its_own_name_and_unit() -> None:
    sql = "SELECT sex, COUNT(*) AS n, SUM(cost) AS spent, STDDEV(age) FROM visits GROUP BY sex"
    found = told(sql)
    assert list(found) == ["n = COUNT(*)", "spent = SUM(cost)", "STDDEV(age)"]
    assert re.fullmatch(r"n = COUNT\(\*\): ±[\d,]+ in 95 % of cases", found["n = COUNT(*)"].en)
    assert "noisy sum of squares" in found["STDDEV(age)"].en
    assert all(text.zh != text.en for text in found.values())


def test_a_sum_of_decimals_is_told_in_written_units() -> None:
    sql = "SELECT SUM(cost) FROM visits"
    plan = planned(sql)
    sigma = calibrate(plan, DATASET).sigma_node[0] * len(plan.roster) ** 0.5
    scale = 10 ** DATASET.columns["cost"].decimals
    assert scale > 1
    assert f"±{rounded(Z * sigma / scale)} " in told(sql)["SUM(cost)"].en


def test_an_average_is_told_for_stated_sizes_and_never_too_small() -> None:
    sql = "SELECT AVG(age) AS a FROM visits"
    plan, bound = planned(sql), bind(parse(sql), {"visits": DATASET})
    total, rows = (len(plan.roster) * s**2 for s in calibrate(plan, DATASET).sigma_node)
    said = told(sql)["a = AVG(age)"].en
    halves = [float(h.replace(",", "")) for h in re.findall(r"±([\d.,]+\d)", said)]
    low, high = DATASET.columns["age"].bounds or (0, 0)
    for n, half in zip((1_000, 10_000), halves, strict=True):
        for value in (low, (low + high) // 2, high):
            centred = float(value - bound.outputs[0].offset)
            found = ratio(np.array([centred * n]), np.array([float(n)]), total, rows, None)
            assert (found.high[0] - found.low[0]) / 2 <= half * 1.05
    assert halves[0] > halves[1]


@pytest.mark.parametrize(
    ("half", "text"),
    [(27.3, "27"), (2.44, "2.4"), (0.0312, "0.031"), (11643.2, "11,643"), (0, "0")],
)
def test_half_widths_have_two_digits(half: float, text: str) -> None:
    assert rounded(half) == text
