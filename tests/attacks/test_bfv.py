"""Foreign BFV keys and ciphertexts that must not pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tenseal as ts

from compute_nodes.crypto.bfv import PLAIN_MODULUS, SLOTS, BfvKey, BfvSum, generate_bfv_key
from protos.faults import ProtocolError, TrustError, VeilError
from tests.he_sum_world import bfv_key, transparent_block

ONE = np.ones(1, dtype=np.uint64)


def serialized(context: ts.Context, *, public: bool = True, secret: bool = False) -> bytes:
    return context.serialize(
        save_public_key=public,
        save_secret_key=secret,
        save_galois_keys=False,
        save_relin_keys=False,
    )


def test_a_key_with_its_secret_inside_is_refused() -> None:
    with pytest.raises(TrustError, match=r"too large|holds a secret key"):
        BfvKey.load(bfv_key().private_bytes())


def test_a_key_without_a_public_key_is_refused() -> None:
    context = ts.context(ts.SCHEME_TYPE.BFV, SLOTS, PLAIN_MODULUS, n_threads=1)
    with pytest.raises(TrustError):
        BfvKey.load(serialized(context, public=False))


@pytest.mark.parametrize(
    ("degree", "modulus", "primes"),
    [
        (4096, 1_032_193, []),
        (4096, PLAIN_MODULUS, [36, 36, 36]),
        (8192, 281_474_976_546_817, []),
    ],
)
def test_a_key_of_other_parameters_is_refused(degree: int, modulus: int, primes: list[int]) -> None:
    context = ts.context(ts.SCHEME_TYPE.BFV, degree, modulus, primes, n_threads=1)
    with pytest.raises(TrustError, match=r"too large|other parameters"):
        BfvKey.load(serialized(context))


def test_a_ckks_key_is_refused() -> None:
    context = ts.context(ts.SCHEME_TYPE.CKKS, SLOTS, coeff_mod_bit_sizes=[36, 36], n_threads=1)
    context.global_scale = 2.0**20
    with pytest.raises(TrustError):
        BfvKey.load(serialized(context))


@pytest.mark.parametrize("size", [0, 1, 50, 5000, -1])
def test_a_truncated_key_is_refused(size: int) -> None:
    with pytest.raises(TrustError):
        BfvKey.load(bfv_key().public.data[:size])


def test_a_transparent_ciphertext_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="transparent") as caught:
        BfvSum(1).add([transparent_block(tmp_path)])
    assert caught.value.code == "he.transparent"


def test_ciphertexts_of_other_parameters_are_refused() -> None:
    small = ts.context(ts.SCHEME_TYPE.BFV, 4096, 1_032_193, n_threads=1)
    large = ts.context(ts.SCHEME_TYPE.BFV, 8192, PLAIN_MODULUS, n_threads=1)
    for context in (small, large):
        block = ts.bfv_vector(context, [1] * SLOTS).serialize()
        with pytest.raises(ProtocolError):
            BfvSum(1).add([block])


def test_a_product_of_ciphertexts_is_refused() -> None:
    """Three polynomials: no sum, and costlier to handle."""
    context = ts.context(ts.SCHEME_TYPE.BFV, SLOTS, PLAIN_MODULUS, n_threads=1)
    context.auto_relin = False
    vector = ts.bfv_vector(context, [1] * SLOTS)
    vector.mul_(ts.bfv_vector(context, [1] * SLOTS))
    assert vector.ciphertext()[0].size() == 3
    with pytest.raises(ProtocolError):
        BfvSum(1).add([vector.serialize()])


def test_a_short_or_double_vector_is_refused() -> None:
    context = ts.context_from(bfv_key().public.data, n_threads=1)
    short = ts.bfv_vector(context, [1] * 100).serialize()
    block = bfv_key().public.encrypt(ONE)[0]
    for bad in (short, block + block, b""):
        with pytest.raises(ProtocolError):
            BfvSum(1).add([bad])


def test_flipped_bits_never_crash_and_never_leave_our_error_tree() -> None:
    """SEAL accepts some of them: that is why ciphertexts are signed."""
    block = bfv_key().public.encrypt(ONE)[0]
    for at in (*range(0, 120, 3), *range(1000, len(block), 9001)):
        changed = bytearray(block)
        changed[at] ^= 0x41
        adder = BfvSum(1)
        try:
            adder.add([bytes(changed)])
            bfv_key().decrypt(adder.blocks(), 1)
        except VeilError:
            continue


def test_noise_that_would_open_wrongly_is_noticed() -> None:
    context = bfv_key()._context
    vector = ts.bfv_vector(context, [1] * SLOTS)
    for _ in range(15):  # what a thousand honest terms never reach
        vector.add_(vector)
    vector.mul_([2**40] * SLOTS)
    with pytest.raises(ProtocolError, match="noise is too large"):
        bfv_key().decrypt([vector.serialize()], 1)


def test_ciphertexts_do_not_repeat_under_two_keys() -> None:
    other = generate_bfv_key()
    assert other.public.digest != bfv_key().public.digest
