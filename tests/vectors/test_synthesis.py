"""The fitted marginals are those that the authors' own library finds from the same noisy counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desensitize.synthesis.mechanism import Marginal, Measured
from desensitize.synthesis.model import fit

CASES = json.loads(Path(__file__).with_name("synthesis.json").read_text("utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "x".join(map(str, case["sizes"])))
def test_private_pgm_finds_the_same(case: dict[str, Any]) -> None:
    """Mirror descent of private-pgm (McKenna, Sheldon and Miklau 2019), run to the end."""
    marginals = []
    for name, counts in case["noisy"].items():
        columns = tuple(map(int, name.split(",")))
        shape = [case["sizes"][column] for column in columns]
        table = np.array(counts, dtype=np.float64).reshape(shape)
        marginals.append(Marginal(columns, case["sigma"], table))
    ones = tuple(each for each in marginals if len(each.columns) == 1)
    measured = Measured(ones, tuple(each for each in marginals if len(each.columns) == 2), {})
    assert measured.total == pytest.approx(case["total"])
    _, found = fit(measured, [False] * len(ones))
    for each in marginals:
        theirs = np.array(case["marginals"][",".join(map(str, each.columns))])
        ours = found.ones[each.columns[0]] if len(each.columns) == 1 else found.pairs[each.columns]
        # Total variation; noise alone moves these marginals by ten times as much and more.
        assert np.abs(ours.ravel() - theirs).sum() / 2 < 0.005
