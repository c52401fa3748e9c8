"""FF1 against the samples that NIST publishes for SP 800-38G (FF1samples.pdf, 1 to 9)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitize.masking.fpe import Ff1

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
KEY_128 = "2B7E151628AED2A6ABF7158809CF4F3C"
KEY_192 = KEY_128 + "EF4359D8D580AA4F"
KEY_256 = KEY_192 + "7F036D6F04FC6A94"
TEN, LONG = "39383736353433323130", "3737373770717273373737"
SAMPLES = [
    (KEY_128, 10, "", "0123456789", "2433477484"),
    (KEY_128, 10, TEN, "0123456789", "6124200773"),
    (KEY_128, 36, LONG, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (KEY_192, 10, "", "0123456789", "2830668132"),
    (KEY_192, 10, TEN, "0123456789", "2496655549"),
    (KEY_192, 36, LONG, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (KEY_256, 10, "", "0123456789", "6657667009"),
    (KEY_256, 10, TEN, "0123456789", "1001623463"),
    (KEY_256, 36, LONG, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]


def digits(*texts: str) -> np.ndarray:
    return np.array([[ALPHABET.index(c) for c in text] for text in texts])


def text(row: np.ndarray) -> str:
    return "".join(ALPHABET[i] for i in row)


@pytest.mark.parametrize(("key", "radix", "tweak", "plain", "secret"), SAMPLES)
def test_the_samples_of_nist(key: str, radix: int, tweak: str, plain: str, secret: str) -> None:
    cipher = Ff1(bytes.fromhex(key), radix, bytes.fromhex(tweak))
    assert text(cipher.encrypt(digits(plain))[0]) == secret
    assert text(cipher.decrypt(digits(secret))[0]) == plain
    # Many at once are what each is alone.
    assert {text(row) for row in cipher.encrypt(digits(*[plain] * 5))} == {secret}


@given(st.integers(2, 256), st.data())
def test_what_was_encrypted_is_decrypted(radix: int, data: st.DataObject) -> None:
    cipher = Ff1(bytes.fromhex(KEY_256), radix, b"t" * data.draw(st.integers(0, 40)))
    n = data.draw(st.sampled_from(cipher.lengths()))
    row = st.lists(st.integers(0, radix - 1), min_size=n, max_size=n)
    values = np.array(data.draw(st.lists(row, min_size=1, max_size=5)))
    secret = cipher.encrypt(values)
    assert secret.shape == values.shape
    assert ((secret >= 0) & (secret < radix)).all()
    assert (cipher.decrypt(secret) == values).all()


def test_different_values_stay_different() -> None:
    cipher = Ff1(bytes.fromhex(KEY_256), 10)
    values = (np.arange(100_000)[:, None] // 10 ** np.arange(6)) % 10
    secret = cipher.encrypt(values) @ 10 ** np.arange(6)
    assert len(np.unique(secret)) == 100_000


def test_lengths_are_those_that_nist_allows() -> None:
    assert Ff1(b"k" * 32, 10).lengths() == range(6, 33)
    assert Ff1(b"k" * 32, 36).lengths()[0] == 4
    with pytest.raises(ValueError, match="5 digits"):
        Ff1(b"k" * 32, 10).encrypt(digits("12345"))
    with pytest.raises(ValueError, match="radix"):
        Ff1(b"k" * 32, 10).encrypt(digits("12345a"))


def test_the_key_is_not_shown() -> None:
    assert "key" not in repr(Ff1(b"k" * 32, 10)).replace("Ff1", "")
