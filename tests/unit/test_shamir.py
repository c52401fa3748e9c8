"""Shamir's secret sharing over GF(2**8)."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest

from compute_nodes.crypto import shamir
from compute_nodes.crypto.masks import keystream
from protos.faults import InputError, ProtocolError

SEED = bytes(range(32))


def split(secret: bytes, threshold: int, holders: int):
    return shamir.share(secret, threshold, holders, keystream(SEED, (threshold - 1) * len(secret)))


def join(shares: list[bytes], points: Sequence[int]):
    return shamir.rebuild(points, np.array([list(shares[p - 1]) for p in points], np.uint8))


def slow_product(a: int, b: int):
    """Multiplication in AES's field as FIPS 197 section 4.2 writes it."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a, b = (a << 1) ^ (0x11B if a & 0x80 else 0), b >> 1
    return product


def test_the_product_table_is_the_field_of_fips_197():
    for a in range(256):
        for b in (0, 1, 2, 3, 0x53, 0x80, 0xCA, 0xFF, a):
            assert shamir._PRODUCTS[a, b] == slow_product(a, b)


def test_every_set_of_threshold_holders_rebuilds():
    secret = b"a secret of 21 bytes!"
    shares = split(secret, 3, 6)
    assert {len(share) for share in shares} == {len(secret)}
    for points in combinations(range(1, 7), 3):
        assert join(shares, points).tobytes() == secret


def test_order_of_points_does_not_matter():
    shares = split(b"secret", 3, 5)
    assert join(shares, [5, 1, 3]).tobytes() == b"secret"


def test_66_of_100_and_255_of_255():
    for threshold, holders in ((66, 100), (255, 255), (1, 1)):
        shares = split(SEED, threshold, holders)
        points = list(range(holders - threshold + 1, holders + 1))
        assert join(shares, points).tobytes() == SEED


def test_several_secrets_rebuild_side_by_side():
    first, second = split(b"one", 2, 3), split(b"two", 2, 3)
    rows = np.array([list(first[i] + second[i]) for i in (0, 2)], np.uint8)
    assert shamir.rebuild([1, 3], rows).tobytes() == b"onetwo"


def test_fewer_shares_fit_every_secret_equally_well():
    """Two of three-of-n shares: each of the 256 secrets is explained by exactly one third share."""
    shares = split(b"\x2a", 3, 5)
    known = [shares[0][0], shares[3][0]]
    secrets = {
        int(shamir.rebuild([1, 4, 5], np.array([*known, guess], np.uint8).reshape(3, 1))[0])
        for guess in range(256)
    }
    assert secrets == set(range(256))


@pytest.mark.parametrize(
    ("threshold", "holders", "coefficients"),
    [(0, 3, b""), (4, 3, bytes(96)), (2, 256, bytes(32)), (2, 3, bytes(31)), (2, 3, bytes(33))],
)
def test_impossible_sharings_are_refused(threshold: int, holders: int, coefficients: bytes):
    with pytest.raises(InputError):
        shamir.share(SEED, threshold, holders, coefficients)


@pytest.mark.parametrize("points", [[1, 1], [0, 1], [1, 256], [-1, 2], [1], [1, 2, 3], []])
def test_impossible_points_are_refused(points: Sequence[int]):
    with pytest.raises(ProtocolError):
        shamir.rebuild(points, np.zeros((2, 4), np.uint8))
