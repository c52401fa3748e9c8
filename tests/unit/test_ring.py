"""Rings: encoding, wrapping, bytes."""

import numpy as np
import pytest

from compute_nodes.crypto.ring import Ring
from protos.faults import InputError, ProtocolError

WIDTHS = [32, 64, 128]


@pytest.mark.parametrize("bits", WIDTHS)
def test_the_extremes_round_trip_and_one_more_is_refused(bits: int):
    ring, top = Ring(bits), 2 ** (bits - 1)
    assert ring.decode(ring.encode([-top, -1, 0, 1, top - 1])) == [-top, -1, 0, 1, top - 1]
    for value in (top, -top - 1, 2**200):
        with pytest.raises(InputError, match="does not fit"):
            ring.encode([value])


@pytest.mark.parametrize("bits", WIDTHS)
def test_addition_wraps_and_carries(bits: int):
    ring, top = Ring(bits), 2 ** (bits - 1)
    a, b = ring.encode([top - 1, -1, -(2**31)]), ring.encode([1, 1, -1])
    expected = [-top, 0, 2**31 - 1 if bits == 32 else -(2**31) - 1]
    assert ring.decode(ring.add(a, b)) == expected
    assert np.array_equal(ring.sub(ring.add(a, b), b), a)


def test_carry_and_borrow_cross_the_limbs():
    ring = Ring(128)
    assert ring.decode(ring.add(ring.encode([2**64 - 1]), ring.encode([1]))) == [2**64]
    assert ring.decode(ring.sub(ring.encode([2**64]), ring.encode([1]))) == [2**64 - 1]
    assert ring.decode(ring.sub(ring.encode([0]), ring.encode([2**64 - 1]))) == [-(2**64) + 1]


@pytest.mark.parametrize("bits", WIDTHS)
def test_operations_leave_their_arguments_alone(bits: int):
    ring = Ring(bits)
    a, b = ring.encode([1, 2]), ring.encode([3, 4])
    ring.add(a, b)
    ring.sub(a, b)
    assert ring.decode(a) == [1, 2]
    assert ring.decode(b) == [3, 4]


@pytest.mark.parametrize("bits", WIDTHS)
def test_bytes_are_little_endian_and_of_exact_length(bits: int):
    ring = Ring(bits)
    data = ring.to_bytes(ring.encode([1, -1]))
    assert data == (1).to_bytes(bits // 8, "little") + b"\xff" * (bits // 8)
    assert bytes(ring.as_bytes(ring.encode([1, -1]))) == data
    assert ring.decode(ring.from_bytes(data, 2)) == [1, -1]
    for n in (1, 3):
        with pytest.raises(ProtocolError):
            ring.from_bytes(data, n)


@pytest.mark.parametrize("bits", WIDTHS)
def test_arrays_encode_like_lists(bits: int):
    ring, values = Ring(bits), [-5, 0, 7, -(2**31), 2**31 - 1]
    assert np.array_equal(ring.encode(np.array(values, np.int64)), ring.encode(values))
    assert np.array_equal(ring.encode([]), ring.zeros(0))


@pytest.mark.parametrize("values", [[1.0], ["1"], np.array([1.0]), np.array([[1]])])
def test_only_integers_encode(values: list[int]):
    with pytest.raises(InputError):
        Ring(64).encode(values)


def test_a_narrow_ring_refuses_wide_arrays():
    with pytest.raises(InputError, match="does not fit"):
        Ring(32).encode(np.array([2**31], np.int64))


def test_check_names_what_was_expected():
    ring = Ring(64)
    ring.check(ring.zeros(3), 3)
    for wrong in (ring.zeros(2), Ring(32).zeros(3), Ring(128).zeros(3)):
        with pytest.raises(InputError, match="3 elements mod 2"):
            ring.check(wrong, 3)


def test_other_widths_are_refused():
    for bits in (0, 16, 63, 256):
        with pytest.raises(InputError):
            Ring(bits)
