from __future__ import annotations

import numpy as np
import pytest

from compute_nodes.crypto.bfv import (
    MAX_BLOCK_BYTES,
    MAX_TERMS,
    PLAIN_MODULUS,
    SLOTS,
    BfvKey,
    BfvSecretKey,
    BfvSum,
    generate_bfv_key,
)
from protos.faults import JobError, ProtocolError, TrustError


@pytest.fixture(scope="module")
def secret() -> BfvSecretKey:
    return generate_bfv_key()


def slots(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def test_sums_are_exact_and_centred(secret: BfvSecretKey) -> None:
    adder = BfvSum(3)
    adder.add(secret.public.encrypt(slots(1, PLAIN_MODULUS - 5, PLAIN_MODULUS // 2)))
    adder.add(secret.public.encrypt(slots(2, 3, 1)))
    assert secret.decrypt(adder.blocks(), 3).tolist() == [3, -2, -(PLAIN_MODULUS // 2)]


def test_a_thousand_terms_leave_noise_budget(secret: BfvSecretKey) -> None:
    top = np.full(SLOTS, PLAIN_MODULUS - 1, dtype=np.uint64)
    blocks = secret.public.encrypt(top)
    adder = BfvSum(SLOTS)
    for _ in range(MAX_TERMS):  # the same noise each time: the worst that honest terms can do
        adder.add(blocks)
    total = adder.blocks()
    assert set(secret.decrypt(total, SLOTS).tolist()) == {-MAX_TERMS}
    vector = secret._context.decryptor().data
    import tenseal as ts

    ciphertext = ts.bfv_vector_from(secret._context, total[0]).ciphertext()[0]
    assert vector.invariant_noise_budget(ciphertext) >= 5
    with pytest.raises(ProtocolError, match="no more than 1000"):
        adder.add(blocks)


def test_blocks_have_the_declared_size(secret: BfvSecretKey) -> None:
    uniform = np.random.default_rng(7).integers(0, PLAIN_MODULUS, 2 * SLOTS, dtype=np.uint64)
    blocks = secret.public.encrypt(uniform)
    assert len(blocks) == 2
    for block in blocks:
        assert 0.98 * MAX_BLOCK_BYTES < len(block) <= MAX_BLOCK_BYTES


def test_two_encryptions_of_one_vector_differ(secret: BfvSecretKey) -> None:
    assert secret.public.encrypt(slots(1)) != secret.public.encrypt(slots(1))


def test_a_value_that_would_wrap_is_refused(secret: BfvSecretKey) -> None:
    with pytest.raises(JobError, match="does not fit"):
        secret.public.encrypt(slots(PLAIN_MODULUS))


def test_the_key_pair_comes_back_from_its_file(secret: BfvSecretKey) -> None:
    again = BfvSecretKey.load(secret.private_bytes())
    block = secret.public.encrypt(slots(7, 8))
    assert again.decrypt(block, 2).tolist() == [7, 8]
    assert again.public.data == secret.public.data
    assert "redacted" in repr(again)


def test_another_length_is_refused(secret: BfvSecretKey) -> None:
    blocks = secret.public.encrypt(slots(1))
    with pytest.raises(ProtocolError, match="another length"):
        BfvSum(SLOTS + 1).add(blocks)
    with pytest.raises(ProtocolError, match="another length"):
        secret.decrypt(blocks * 2, 1)


def test_a_refused_term_leaves_the_sum_as_it_was(secret: BfvSecretKey) -> None:
    adder = BfvSum(2 * SLOTS)
    good = secret.public.encrypt(np.ones(2 * SLOTS, dtype=np.uint64))
    adder.add(good)
    with pytest.raises(ProtocolError):
        adder.add([good[0], b"rubbish"])
    assert set(secret.decrypt(adder.blocks(), 2 * SLOTS).tolist()) == {1}
    assert adder.terms == 1


def test_a_total_under_another_key_does_not_open(secret: BfvSecretKey) -> None:
    with pytest.raises(ProtocolError, match="does not open with this key"):
        generate_bfv_key().decrypt(secret.public.encrypt(slots(1)), 1)


def test_the_public_key_is_one_string_of_bytes(secret: BfvSecretKey) -> None:
    key = BfvKey.load(secret.public.data)
    assert key.digest == secret.public.digest
    assert secret.decrypt(key.encrypt(slots(5)), 1).tolist() == [5]
    assert key.digest[:16] in repr(key)


def test_a_public_file_is_no_key_pair(secret: BfvSecretKey) -> None:
    with pytest.raises(TrustError, match="no secret BFV key"):
        BfvSecretKey.load(secret.public.data)
    with pytest.raises(TrustError, match="no BFV key"):
        BfvSecretKey.load(b"rubbish")
