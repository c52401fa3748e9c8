"""Measures of utility, by tables small enough to work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from desensitize.generalise.groups import Domain, Flags, Groups
from desensitize.generalise.utility import Utility, utility


def table(counts: list[int]) -> Groups:
    """Four ages of one column, with levels: age, two bands, everybody."""
    codes = np.array([[0, 1, 2, 3], [0, 0, 1, 1], [0, 0, 0, 0]])
    labels = (("1", "2", "11", "12"), ("[0,10)", "[10,20)"), ("*",))
    shares = (np.zeros(4), np.full(2, 1 / 3), np.ones(1))
    domain = Domain(("value", "10", "*"), codes, labels, shares)
    return Groups((domain,), np.arange(4)[None, :], np.array(counts))


def measured(groups: Groups, node: tuple[int, ...], out: Flags) -> Utility:
    """A table that is in memory is its own source."""
    return utility(groups, groups, node, out)


NOBODY = np.zeros(4, bool)


def test_the_finest_level_loses_nothing() -> None:
    found = measured(table([1, 2, 3, 4]), (0,), NOBODY)
    assert found.discernibility == 1 + 4 + 9 + 16
    assert found.entropy == (0.0,)
    assert found.marginals == (0.0,)


def test_the_coarsest_level_loses_all_and_skews_nothing() -> None:
    found = measured(table([1, 2, 3, 4]), (2,), NOBODY)
    assert found.discernibility == 10 * 10
    assert found.entropy == (1.0,)
    assert found.marginals == (0.0,)


def test_bands_of_equally_frequent_ages_leave_one_of_two_bits_open() -> None:
    found = measured(table([5, 5, 5, 5]), (1,), NOBODY)
    assert found.discernibility == 2 * 10 * 10
    assert found.entropy == (pytest.approx(0.5),)


def test_entropy_weighs_values_by_how_often_they_occur() -> None:
    # Bands {1, 3} and {4, 8}: 1*log2(4) + 3*log2(4/3) + 4*log2(3) + 8*log2(1.5), of the bits that
    # the ages have of 16 rows.
    open_bits = 2 + 3 * math.log2(4 / 3) + 4 * math.log2(3) + 8 * math.log2(1.5)
    all_bits = 4 + 3 * math.log2(16 / 3) + 4 * 2 + 8
    found = measured(table([1, 3, 4, 8]), (1,), NOBODY)
    assert found.entropy == (pytest.approx(open_bits / all_bits),)


def test_suppressed_rows_lose_all_and_skew_what_is_left() -> None:
    out = np.array([True, True, False, False])  # the first band: 2 of 10 rows
    found = measured(table([1, 1, 4, 4]), (1,), out)
    assert found.discernibility == 8 * 8 + 2 * 10
    open_bits = 8 + 2 * math.log2(10)
    all_bits = 2 * math.log2(10) + 8 * math.log2(10 / 4)
    assert found.entropy == (pytest.approx(open_bits / all_bits),)
    assert found.marginals == (pytest.approx(0.2),)  # 0 and 1 where 0.2 and 0.8 were


def test_of_a_table_without_a_row_left_nothing_is_known() -> None:
    found = measured(table([1, 1, 1, 1]), (1,), ~NOBODY)
    assert found.discernibility == 4 * 4
    assert found.entropy == (1.0,)
    assert found.marginals == (1.0,)


def test_a_column_of_one_value_has_nothing_to_lose() -> None:
    domain = Domain(("value",), np.zeros((1, 1), np.int64), (("x",),), (np.zeros(1),))
    groups = Groups((domain,), np.zeros((1, 1), np.int64), np.array([7]))
    assert measured(groups, (0,), np.zeros(1, bool)).entropy == (0.0,)
