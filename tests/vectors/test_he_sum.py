"""Known answers: what each department's masks and plaintexts are, for fixed pair secrets."""

from __future__ import annotations

import hashlib
import json
from functools import reduce
from pathlib import Path

import numpy as np
import pytest

from compute_nodes.crypto.bfv import PLAIN_MODULUS
from compute_nodes.crypto.ring import Ring
from compute_nodes.protocols.base import PartyInfo
from compute_nodes.protocols.he_sum import HeSetup, bfv_scheme, paillier_scheme, pair_seed_from
from compute_nodes.protocols.he_sum.masking import PairSeed, ring_share, slot_share
from protos.faults import ProtocolError

VECTOR = json.loads((Path(__file__).parent / "he_sum.json").read_text())
TRIPLED = [3 * value for value in VECTOR["value"]]


def setup_of(case: str) -> HeSetup:
    names = ("guangzhou", "shenzhen", "foshan")
    parties = tuple(PartyInfo(i, name, f"{i + 1:02x}" * 32) for i, name in enumerate(names))
    fields = {
        "job": "00112233445566778899aabbccddeeff",
        "plan_hash": "11" * 32,
        "instance": "main",
        "parties": parties,
        "threshold": 3,
        "bits": 64,
        "length": 3,
        "key_digest": "aa" * 32,
    }
    return HeSetup(**(fields | VECTOR[case]["setup"]))


def seeds(setup: HeSetup, me: int) -> PairSeed:
    def agree(peer: int) -> bytes:
        return hashlib.sha256(f"secret {min(me, peer)} {max(me, peer)}".encode()).digest()

    return pair_seed_from(agree, setup, me)


@pytest.mark.parametrize("case", ["narrow", "wide", "paillier"])
def test_the_setup_and_the_seeds(case: str) -> None:
    setup = setup_of(case)
    assert setup.digest == VECTOR[case]["digest"]
    assert seeds(setup, 0)(1).hex() == seeds(setup, 1)(0).hex() == VECTOR[case]["pair_seed_0_1"]


def test_the_narrow_layout() -> None:
    setup = setup_of("narrow")
    value = Ring(64).encode(VECTOR["value"])
    slots = np.mod(bfv_scheme._narrow(setup, value), PLAIN_MODULUS).astype(np.uint64)
    shares = [slot_share(setup, me, slots, seeds(setup, me)) for me in range(3)]
    assert [share.tolist() for share in shares] == VECTOR["narrow"]["shares"]
    total = reduce(np.add, shares) % np.uint64(PLAIN_MODULUS)
    assert total.tolist() == [value % PLAIN_MODULUS for value in TRIPLED]


@pytest.mark.parametrize("case", ["wide", "paillier"])
def test_the_ring_layouts(case: str) -> None:
    setup = setup_of(case)
    ring = Ring(setup.bits)
    value = ring.encode(VECTOR["value"])
    shares = [ring_share(setup, me, value, seeds(setup, me)) for me in range(3)]
    assert [ring.to_bytes(share).hex() for share in shares] == VECTOR[case]["shares"]
    if case == "wide":
        slots = [bfv_scheme._limbs(share) for share in shares]
        assert [one.tolist() for one in slots] == VECTOR[case]["slots"]
        assert bfv_scheme._join(setup, reduce(np.add, slots).astype(np.int64)) == TRIPLED
    else:
        packed = [paillier_scheme.pack(setup, share, 2) for share in shares]
        assert [f"{one[0]:x}" for one in packed] == VECTOR[case]["plaintexts"]
        summed = [sum(column) for column in zip(*packed, strict=True)]
        assert paillier_scheme.unpack(setup, summed, 2, 3) == TRIPLED


BAD_TOTALS = {
    "carry of too many terms": ([3 << 64], "no packed sum"),
    "bits beyond the last slot": ([1 << 300], "no packed sum"),
    "bits in an unused slot": ([0, 1 << 80], "no packed sum"),
}


@pytest.mark.parametrize("name", BAD_TOTALS)
def test_totals_that_no_sum_gives_are_refused(name: str) -> None:
    plaintexts, why = BAD_TOTALS[name]
    with pytest.raises(ProtocolError, match=why):
        paillier_scheme.unpack(setup_of("paillier"), [*plaintexts, 0][:2], slots=2, terms=3)
