from __future__ import annotations

import secrets
from functools import reduce

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compute_nodes.crypto.bfv import PLAIN_MODULUS, BfvKey, BfvSum
from compute_nodes.crypto.paillier import PaillierKey
from compute_nodes.crypto.ring import Ring
from compute_nodes.crypto.seed import derive
from compute_nodes.protocols.base import PartyInfo
from compute_nodes.protocols.he_sum import HeSetup, HeTotal, bfv_scheme, paillier_scheme
from compute_nodes.protocols.he_sum.masking import (
    PairSeed,
    expand_slots,
    pair_info,
    ring_share,
    slot_share,
)
from compute_nodes.protocols.he_sum.total import unframe
from protos.faults import VeilError
from tests.he_sum_world import make_setup, run

WIDTHS = st.sampled_from([32, 64, 128])


def setup_of(parties: int, **changes: object) -> HeSetup:
    names = tuple(PartyInfo(i, f"d{i}", f"{i:064x}") for i in range(parties))
    return make_setup("bfv", parties=names, threshold=parties, **changes)


def seeds_of(setup: HeSetup, me: int) -> PairSeed:
    return lambda peer: derive(b"k" * 32, pair_info(setup, me, peer))


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@given(st.integers(2, 12), WIDTHS, st.data())
def test_ring_masks_cancel_for_every_roster(n: int, bits: int, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 20))
    setup, ring = setup_of(n, bits=bits, length=length), Ring(bits)
    values = [
        ring.encode(data.draw(st.lists(signed(bits), min_size=length, max_size=length)))
        for _ in range(n)
    ]
    shares = [ring_share(setup, me, values[me], seeds_of(setup, me)) for me in range(n)]
    assert np.array_equal(reduce(ring.add, shares), reduce(ring.add, values))
    assert not any(np.array_equal(*pair) for pair in zip(shares, values, strict=True))


@given(st.integers(2, 12), st.data())
def test_slot_masks_cancel_mod_t(n: int, data: st.DataObject) -> None:
    slots = st.lists(st.integers(0, PLAIN_MODULUS - 1), min_size=4, max_size=4)
    values = [np.array(data.draw(slots), dtype=np.uint64) for _ in range(n)]
    setup = setup_of(n, length=4, total_bits=47)
    shares = [slot_share(setup, me, values[me], seeds_of(setup, me)) for me in range(n)]
    assert all(int(share.max()) < PLAIN_MODULUS for share in shares)
    total = [sum(int(share[i]) for share in shares) % PLAIN_MODULUS for i in range(4)]
    assert total == [sum(int(value[i]) for value in values) % PLAIN_MODULUS for i in range(4)]


@given(WIDTHS, st.integers(1, 60), st.integers(1, 40), st.data())
def test_paillier_packing_round_trips(
    bits: int, length: int, slots: int, data: st.DataObject
) -> None:
    setup = setup_of(2, bits=bits, length=length)
    values = data.draw(st.lists(signed(bits), min_size=length, max_size=length))
    packed = paillier_scheme.pack(setup, Ring(bits).encode(values), slots)
    assert len(packed) == -(-length // slots)
    assert paillier_scheme.unpack(setup, packed, slots, terms=1) == values


@given(WIDTHS, st.integers(2, 255), st.integers(1, 5))
def test_slots_never_overflow_into_the_next(bits: int, parties: int, length: int) -> None:
    """The largest share from every one of the most departments that a roster can have."""
    setup = setup_of(parties, bits=bits, length=length)
    top = Ring(bits).encode([-1] * length)  # all ones: the largest unsigned share
    packed = paillier_scheme.pack(setup, top, slots=3)
    summed = [parties * plaintext for plaintext in packed]
    assert paillier_scheme.unpack(setup, summed, 3, parties) == [-parties] * length
    assert max(summed) < 1 << (3 * (bits + 16))
    limbs = bfv_scheme._limbs(top).astype(object) * parties
    assert max(limbs) < PLAIN_MODULUS // 2
    assert bfv_scheme._join(setup, limbs.astype(np.int64)) == [-parties] * length


@given(WIDTHS, st.integers(1, 9), st.data())
def test_open_values_are_shifted_and_come_back(
    bits: int, parties: int, data: st.DataObject
) -> None:
    """Any subset answers; the slots show the total and the number of terms, nothing else."""
    bound = 2 ** (bits - 1) // parties
    values = data.draw(st.lists(st.integers(-bound, bound - 1), min_size=parties, max_size=parties))
    setup = make_setup("paillier", n=3, masked=False, bits=bits, length=1)
    summed = sum(
        paillier_scheme.pack(
            setup, paillier_scheme._shift(setup, Ring(bits).encode([value])), slots=2
        )[0]
        for value in values
    )
    assert summed == sum(values) + parties * 2 ** (bits - 1)
    assert paillier_scheme.unpack(setup, [summed], 2, parties) == [sum(values)]


@settings(max_examples=12)
@given(st.sampled_from(["bfv", "paillier"]), st.integers(2, 5), st.integers(2, 64), st.data())
def test_totals_are_exact_for_declared_bounds(
    scheme: str, n: int, total_bits: int, data: st.DataObject
) -> None:
    """Every value that the bounds allow, up to the last bit, for each scheme and layout."""
    bound = 2 ** (total_bits - 1) // n
    masked = data.draw(st.booleans()) or (scheme == "bfv" and total_bits > 47)
    setup = make_setup(scheme, n=n, total_bits=total_bits, length=3, masked=masked)
    row = st.lists(
        st.sampled_from([-bound, bound - 1, 0, -1]) | st.integers(-bound, bound - 1),
        min_size=3,
        max_size=3,
    )
    rows = [data.draw(row) for _ in range(n)]
    assert run(setup, rows) == [sum(column) for column in zip(*rows, strict=True)]


@settings(max_examples=25)
@given(st.binary(max_size=300))
def test_foreign_bytes_never_leave_the_error_tree(data: bytes) -> None:
    readers = (
        BfvKey.load,
        PaillierKey.load,
        lambda raw: BfvSum(1).add([raw]),
        lambda raw: HeTotal.from_bytes(make_setup("bfv"), raw),
        lambda raw: unframe(memoryview(raw)),
    )
    for read in readers:
        try:
            read(data)
        except VeilError:
            continue


@given(st.binary(min_size=32, max_size=32), st.integers(0, 50))
def test_seeds_give_the_same_mask_on_both_sides(seed: bytes, length: int) -> None:
    assert np.array_equal(expand_slots(seed, length), expand_slots(seed, length + 9)[:length])
    assert not np.array_equal(expand_slots(seed, 9), expand_slots(secrets.token_bytes(32), 9))
