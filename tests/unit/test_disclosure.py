"""The bitmap of an exact answer, and the secret cell order that it is computed in."""

import numpy as np
import pytest

from compute_nodes.cell_order import cell_order, gather, invert, permute_axes, scatter
from compute_nodes.disclosure import pack_bitmap, strictest_min_group, suppress, unpack_bitmap
from protos.faults import ProtocolError

KEY = bytes(range(32))
KNOWN_ORDER = [3, 1, 2, 0, 11, 9, 10, 8, 7, 5, 6, 4]


def counts(*rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=np.int64).reshape(-1)


def test_a_small_cell_takes_its_smallest_neighbour_along() -> None:
    assert suppress(counts([3, 8, 40, 6]), (4,), 5).tolist() == [False, True, True, False]


def test_two_small_cells_that_sum_to_the_threshold_are_enough() -> None:
    assert suppress(counts([3, 2, 40, 6]), (4,), 5).tolist() == [False, False, True, True]


def test_an_empty_cell_is_hidden_and_takes_nobody_along() -> None:
    assert suppress(counts([0, 9, 7]), (3,), 5).tolist() == [False, True, True]


def test_a_table_of_large_cells_is_shown_whole() -> None:
    assert suppress(counts([5, 6], [7, 8]), (2, 2), 5).all()


def test_in_two_dimensions_a_rectangle_is_hidden() -> None:
    visible = suppress(counts([3, 10, 50], [9, 20, 60], [70, 80, 90]), (3, 3), 5)
    assert visible.reshape(3, 3).tolist() == [
        [False, False, True],
        [False, False, True],
        [True, True, True],
    ]


def test_no_keys_is_one_cell() -> None:
    assert not suppress(counts([4]), (), 5)[0]
    assert suppress(counts([5]), (), 5)[0]


def test_a_veto_hides_a_large_cell_and_a_neighbour() -> None:
    visible = suppress(counts([50, 60, 70]), (3,), 5, np.array([True, False, False]))
    assert visible.tolist() == [False, False, True]


def test_axes_of_one_value_add_no_lines() -> None:
    assert suppress(counts([3, 8, 40]), (1, 3, 1), 5).tolist() == [False, False, True]


def test_everything_may_end_up_hidden() -> None:
    assert not suppress(counts([3, 7]), (2,), 5).any()


@pytest.mark.parametrize(
    ("vector", "shape"), [([1, 2, 3], (2,)), ([-1, 2], (2,)), ([], (2,))], ids=str
)
def test_vectors_that_do_not_fit_are_refused(vector: list[int], shape: tuple[int, ...]) -> None:
    with pytest.raises(ProtocolError):
        suppress(np.array(vector, dtype=np.int64), shape, 5)


def test_the_threshold_grows_where_one_person_may_be_counted_by_all() -> None:
    assert strictest_min_group([5, 10, 3], subjects_disjoint=True) == 10
    assert strictest_min_group([5, 10, 3], subjects_disjoint=False) == 30


def test_bitmap_round_trip_and_bad_bitmaps() -> None:
    visible = np.array([True, False, True] * 5)
    assert unpack_bitmap(pack_bitmap(visible), 15).tolist() == visible.tolist()
    for text in ("", "zz", "ffff", "ffffff"):
        with pytest.raises(ProtocolError):
            unpack_bitmap(text, 15)


def test_cell_order_known_answer() -> None:
    # Nodes of different versions must agree: this order may never change within v1.
    assert cell_order((3, 4), KEY).tolist() == KNOWN_ORDER


def test_lines_stay_lines_under_the_secret_order() -> None:
    cells = np.arange(20, dtype=np.int64)
    shuffled = permute_axes(cells, (4, 5), KEY).reshape(4, 5)
    assert not np.array_equal(shuffled.reshape(-1), cells)
    assert {frozenset(row) for row in shuffled.tolist()} == {
        frozenset(row) for row in cells.reshape(4, 5).tolist()
    }
    assert invert(shuffled.reshape(-1), (4, 5), KEY).tolist() == cells.tolist()


def test_the_order_depends_on_the_key_and_the_axis() -> None:
    assert cell_order((50,), KEY).tolist() != cell_order((50,), bytes(32)).tolist()
    both = cell_order((50, 50), KEY).reshape(50, 50)
    assert (both[:, 0] // 50).tolist() != (both[0] % 50).tolist()


def test_gather_and_scatter_bring_values_back_to_declared_order() -> None:
    shape, cells = (3, 4), 12
    values = [10**30 + i for i in range(2 * cells)]
    shown = np.array([True, False, True, True] * 3)
    secret = permute_axes(shown.astype(np.int64), shape, KEY).astype(np.bool_)
    totals, visible = scatter(gather(values, secret, shape, KEY), secret, shape, KEY)
    assert visible == tuple(shown.tolist())
    assert totals == [values[m * cells + c] for m in (0, 1) for c in range(cells) if shown[c]]


def test_scatter_refuses_lengths_that_do_not_fit() -> None:
    none = np.zeros(4, dtype=np.bool_)
    assert scatter([], none, (4,), KEY) == ([], (False,) * 4)
    with pytest.raises(ProtocolError):
        scatter([1], none, (4,), KEY)
    with pytest.raises(ProtocolError):
        scatter([1, 2, 3], ~none, (4,), KEY)
    with pytest.raises(ProtocolError):
        cell_order((4,), b"short")
