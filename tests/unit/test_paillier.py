from __future__ import annotations

import secrets
from itertools import product

import gmpy2
import phe
import pytest

from compute_nodes.crypto.fixed_base import WORTH_A_TABLE, FixedBase
from compute_nodes.crypto.paillier import (
    PaillierEncryptor,
    PaillierKey,
    PaillierSecretKey,
    PaillierSum,
    generate_paillier_key,
)
from protos.faults import InputError, ProtocolError, TrustError
from tests.he_sum_world import paillier_key


@pytest.fixture(scope="module")
def secret() -> PaillierSecretKey:
    return paillier_key()


@pytest.mark.parametrize("count", [1, WORTH_A_TABLE])
def test_what_is_encrypted_opens(secret: PaillierSecretKey, count: int) -> None:
    plaintexts = [0, secret.public.n - 1, *range(count)][:count]
    blocks = PaillierEncryptor(secret.public, secrets.token_bytes).encrypt(plaintexts)
    assert {len(block) for block in blocks} == {768}
    assert secret.decrypt(blocks) == plaintexts


def test_sums_are_exact_and_wrap_at_n(secret: PaillierSecretKey) -> None:
    encryptor = PaillierEncryptor(secret.public, secrets.token_bytes)
    adder = PaillierSum(secret.public, 2)
    adder.add(encryptor.encrypt([2**3000, secret.public.n - 1]))
    adder.add(encryptor.encrypt([2**3000, 2]))
    assert secret.decrypt(adder.blocks()) == [2**3001, 1]


def test_a_key_without_a_base_uses_a_full_random_power(secret: PaillierSecretKey) -> None:
    bare = PaillierKey(secret.public.n)
    blocks = PaillierEncryptor(bare, secrets.token_bytes).encrypt([5, 5])
    assert blocks[0] != blocks[1]
    assert secret.decrypt(blocks) == [5, 5]


def test_partners_with_phe_read_and_write_our_ciphertexts(secret: PaillierSecretKey) -> None:
    theirs = phe.PaillierPublicKey(secret.public.n)
    block = PaillierEncryptor(secret.public, secrets.token_bytes).encrypt([41])[0]
    assert secret._secret.raw_decrypt(int.from_bytes(block, "big")) == 41
    adder = PaillierSum(secret.public, 1)
    adder.add([block])
    adder.add([theirs.raw_encrypt(1).to_bytes(768, "big")])
    assert secret.decrypt(adder.blocks()) == [42]


def test_a_new_key_has_the_form_of_the_paper() -> None:
    secret = generate_paillier_key(random_bytes=secrets.token_bytes)
    p, q, n = secret._secret.p, secret._secret.q, secret.public.n
    assert n.bit_length() == 3072
    assert p % 4 == q % 4 == 3
    assert gmpy2.gcd(p - 1, q - 1) == 2
    assert gmpy2.powmod(secret.public.hs, (p - 1) * (q - 1), n * n) == 1  # an n-th power
    assert PaillierKey.load(secret.public.data).digest == secret.public.digest
    assert "redacted" in repr(secret)
    assert str(p) not in repr(secret)


@pytest.mark.parametrize("bits", [1024, 2048, 3071, 3080, 16384])
def test_other_lengths_are_not_made(bits: int) -> None:
    with pytest.raises(InputError):
        generate_paillier_key(bits, random_bytes=secrets.token_bytes)


def test_the_key_pair_comes_back_from_its_file(secret: PaillierSecretKey) -> None:
    again = PaillierSecretKey.load(secret.private_bytes())
    assert again.public.data == secret.public.data
    for rubbish in (b"", b"{}", b"[]", b"\xff", b'{"p":1,"q":2,"hs":3}'):
        with pytest.raises(TrustError, match="no Paillier key"):
            PaillierSecretKey.load(rubbish)


def test_plaintexts_outside_the_modulus_are_refused(secret: PaillierSecretKey) -> None:
    encryptor = PaillierEncryptor(secret.public, secrets.token_bytes)
    for plaintext in (-1, secret.public.n):
        with pytest.raises(InputError):
            encryptor.encrypt([plaintext])


def test_a_refused_term_leaves_the_sum_as_it_was(secret: PaillierSecretKey) -> None:
    adder = PaillierSum(secret.public, 2)
    good = PaillierEncryptor(secret.public, secrets.token_bytes).encrypt([1, 2])
    adder.add(good)
    with pytest.raises(ProtocolError):
        adder.add([good[0], bytes(768)])
    with pytest.raises(ProtocolError):
        adder.add(good[:1])
    assert secret.decrypt(adder.blocks()) == [1, 2]


def test_a_comb_and_a_plain_power_agree() -> None:
    modulus = 2**255 - 19
    for length, powers in product((1, 7, 8, 9, 32), (2, 12, 45)):
        comb = FixedBase(5, modulus, length)
        exponent = secrets.token_bytes(length)
        plain = comb.power(exponent)
        comb.tabulate(powers)
        comb.tabulate(1000)  # the table that is there stays
        assert comb.power(exponent) == plain == pow(5, comb.exponent_of(exponent), modulus)
