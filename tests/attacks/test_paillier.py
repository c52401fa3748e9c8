"""The three traps of `phe`, and what half-length exponents must not show."""

from __future__ import annotations

import secrets

import phe
import pytest

from compute_nodes.crypto.paillier import PaillierEncryptor, PaillierKey, PaillierSum
from protos.faults import ProtocolError, TrustError
from tests.he_sum_world import make_setup, paillier_key, replies


def test_trap_1_phe_skips_obfuscation_and_we_refuse_the_result() -> None:
    key = paillier_key().public
    theirs = phe.PaillierPublicKey(key.n)
    readable = theirs.raw_encrypt(1234, r_value=1)
    assert (readable - 1) // key.n == 1234  # anyone reads it
    with pytest.raises(ProtocolError, match="not obfuscated"):
        PaillierSum(key, 1).add([readable.to_bytes(768, "big")])
    also = theirs.encrypt(1234, r_value=1).ciphertext(be_secure=False)
    with pytest.raises(ProtocolError, match="not obfuscated"):
        PaillierSum(key, 1).add([also.to_bytes(768, "big")])


def test_trap_1_ours_is_always_obfuscated_and_always_fresh() -> None:
    key = paillier_key().public
    drawn: list[int] = []

    def counting(size: int) -> bytes:
        drawn.append(size)
        return secrets.token_bytes(size)

    encryptor = PaillierEncryptor(key, counting)
    blocks = encryptor.encrypt([0] * 10)
    assert drawn == [192] * 10  # half of 3072 bits for each ciphertext
    assert len(set(blocks)) == 10
    assert all(int.from_bytes(one, "big") % key.n != 1 for one in blocks)


def test_trap_2_size_and_form_do_not_depend_on_the_values() -> None:
    """`phe` sends an exponent that tells the precision of the value; we send none."""
    assert phe.EncodedNumber.encode(phe.PaillierPublicKey(15), 1).exponent == 0
    setup = make_setup("paillier", length=3)
    sizes = set()
    for row in ([0, 0, 0], [1, -1, 2**62], [-(2**62), 5, 7]):
        sizes |= {len(message.body) for message in replies(setup, [row, row, row])}
    assert len(sizes) == 1


def test_trap_3_phe_accepts_weak_keys_and_we_do_not() -> None:
    for weak in (15, 16, 2**1024 + 1, (2**2203 - 1) * 2**900):
        assert phe.PaillierPublicKey(weak).n == weak
        with pytest.raises(TrustError):
            PaillierKey(weak)


def test_a_changed_ciphertext_still_decrypts_so_it_must_be_signed() -> None:
    """Malleability, as the scheme has it: the exchange could add 1 without a key."""
    secret = paillier_key()
    one = PaillierEncryptor(secret.public, secrets.token_bytes).encrypt([1])[0]
    n = secret.public.n
    changed = int.from_bytes(one, "big") * (1 + n) % (n * n)
    assert secret.decrypt([changed.to_bytes(768, "big")]) == [2]
