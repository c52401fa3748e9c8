"""Rings behave as the integers modulo 2**bits, whatever the values."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compute_nodes.crypto.ring import Ring

widths = st.sampled_from([32, 64, 128])


def centred(value: int, bits: int):
    return (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


@st.composite
def rows(draw: st.DrawFn, count: int):
    bits = draw(widths)
    top = 2 ** (bits - 1)
    integers = st.integers(-top, top - 1)
    n = draw(st.integers(0, 8))
    return bits, [draw(st.lists(integers, min_size=n, max_size=n)) for _ in range(count)]


@given(rows(1))
def test_encode_and_decode_round_trip(case: tuple[int, list[list[int]]]):
    bits, [row] = case
    ring = Ring(bits)
    vector = ring.encode(row)
    assert ring.decode(vector) == row
    assert np.array_equal(ring.from_bytes(ring.to_bytes(vector), len(row)), vector)


@given(rows(2))
def test_sums_and_differences_wrap_rightly(case: tuple[int, list[list[int]]]):
    bits, [a, b] = case
    ring = Ring(bits)
    x, y = ring.encode(a), ring.encode(b)
    added = [centred(p + q, bits) for p, q in zip(a, b, strict=True)]
    taken = [centred(p - q, bits) for p, q in zip(a, b, strict=True)]
    assert ring.decode(ring.add(x, y)) == added
    assert ring.decode(ring.sub(x, y)) == taken
