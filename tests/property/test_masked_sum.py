"""Masks cancel for any roster, values and drop-out set; bodies round-trip."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from compute_nodes.protocols.base import pack, unpack
from compute_nodes.protocols.masked_sum import ROUNDS, least_threshold
from protos.faults import ProtocolError
from tests.masked_sum_world import Run, World


@st.composite
def runs(draw: st.DrawFn):
    n = draw(st.integers(2, 9))
    bits = draw(st.sampled_from([32, 64, 128]))
    length = draw(st.integers(1, 4))
    top = 2 ** (bits - 1) - 1
    bound = top // n  # as the planner proves: no sum overflows
    row = st.lists(st.integers(-bound, bound), min_size=length, max_size=length)
    values = [draw(row) for _ in range(n)]
    leaving = draw(st.permutations(range(n)))[: draw(st.integers(0, n - least_threshold(n)))]
    absent = {name: set() for name in ROUNDS}
    for party in leaving:
        for name in ROUNDS[draw(st.integers(0, len(ROUNDS) - 1)) :]:
            absent[name].add(party)
    world = World(
        n=n,
        bits=bits,
        length=length,
        values=values,
        envelope=draw(st.booleans()),
        seed=draw(st.binary(min_size=8, max_size=8)),
    )
    return world, absent


@given(runs())
def test_masks_cancel_for_any_roster_and_drop_out_set(case: tuple[World, dict[str, set[int]]]):
    world, absent = case
    total = Run(world).finish(absent)
    survivors = tuple(p for p in range(world.n) if p not in absent["masked"])
    assert total.survivors == survivors
    assert world.opened(total) == world.expected(survivors)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(st.text(max_size=5), json_values, max_size=4),
    st.lists(st.binary(max_size=20), max_size=5),
)
def test_bodies_round_trip(header: dict[str, Any], parts: list[bytes]):
    read_header, read_parts = unpack(pack(header, parts))
    assert read_header == header
    assert [bytes(part) for part in read_parts] == parts


@given(st.binary(max_size=80))
def test_any_bytes_are_either_a_body_or_refused(data: bytes):
    try:
        header, parts = unpack(data)
    except ProtocolError:
        return
    assert pack(header, parts) == data
