"""Whatever the table, its margins give no small number away."""

from itertools import combinations
from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compute_nodes.disclosure import invert, permute_axes, suppress


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    small = st.integers(0, 12)
    cell = st.one_of(small, st.integers(0, 200)) if draw(st.booleans()) else small
    cells = prod(shape)
    values = draw(st.lists(cell, min_size=cells, max_size=cells))
    return np.array(values, dtype=np.int64).reshape(shape), draw(st.integers(1, 10))


@given(tables())
def test_total_minus_visible_is_never_a_small_number(table: tuple[np.ndarray, int]) -> None:
    counts, k = table
    visible = suppress(counts.reshape(-1), counts.shape, k).reshape(counts.shape)
    assert not visible[counts < k].any()
    for size in range(1, counts.ndim + 1):
        for away in combinations(range(counts.ndim), size):
            if prod(counts.shape[a] for a in away) == 1:
                continue
            secret = (counts * ~visible).sum(axis=away)
            something_left = visible.any(axis=away)
            assert not ((secret > 0) & (secret < k) & something_left).any()


@given(tables(), st.binary(min_size=32, max_size=32))
def test_the_secret_order_changes_neither_how_much_is_hidden_in_a_line_nor_the_rules(
    table: tuple[np.ndarray, int], key: bytes
) -> None:
    counts, k = table
    shape = counts.shape
    secret = suppress(permute_axes(counts.reshape(-1), shape, key), shape, k)
    visible = invert(secret.astype(np.int64), shape, key).astype(np.bool_)
    assert not visible[counts.reshape(-1) < k].any()


@given(tables())
def test_a_table_without_small_cells_is_untouched(table: tuple[np.ndarray, int]) -> None:
    counts, k = table
    assert suppress(counts.reshape(-1) + k, counts.shape, k).all()
