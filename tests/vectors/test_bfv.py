"""The parameter set, pinned: SEAL's parms_id is a BLAKE2b hash over all of it."""

from __future__ import annotations

from tenseal import sealapi

from compute_nodes.crypto.bfv import PLAIN_MODULUS, SLOTS, _parameters


def test_the_parameters_are_the_pinned_ones() -> None:
    seal = _parameters().seal_context().data
    assert seal.key_parms_id() == [
        2196010567673886070,
        6162108183681122036,
        13631647835886951072,
        5469560253356731236,
    ]
    assert seal.first_parms_id() == [
        11471734003150787930,
        10361140122529674019,
        2774338717836011879,
        8153912891656178958,
    ]


def test_the_coefficient_modulus_is_the_128_bit_default() -> None:
    default = sealapi.CoeffModulus.BFVDefault(SLOTS, sealapi.SEC_LEVEL_TYPE.TC128)
    assert [prime.bit_count() for prime in default] == [36, 36, 37]
    assert sealapi.CoeffModulus.MaxBitCount(SLOTS, sealapi.SEC_LEVEL_TYPE.TC128) == 109


def test_the_plain_modulus_is_the_largest_batching_prime_of_48_bits() -> None:
    assert sealapi.PlainModulus.Batching(SLOTS, 48).value() == PLAIN_MODULUS
    assert PLAIN_MODULUS % (2 * SLOTS) == 1
    assert PLAIN_MODULUS.bit_length() == 48
