"""Known answers for sharing, checked also against polynomials evaluated one by one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute_nodes.crypto import shamir
from compute_nodes.crypto.masks import keystream
from protos.faults import VeilError

VECTORS = json.loads((Path(__file__).parent / "shamir.json").read_text())


def product(a: int, b: int) -> int:
    """Multiplication in AES's field as FIPS 197 section 4.2 writes it."""
    total = 0
    while b:
        total ^= a * (b & 1)
        a, b = (a << 1) ^ (0x11B if a & 0x80 else 0), b >> 1
    return total


@pytest.mark.parametrize("vector", VECTORS["share"], ids=lambda vector: str(vector["name"]))
def test_share_and_rebuild(vector: dict[str, Any]):
    secret, threshold = bytes.fromhex(vector["secret"]), vector["threshold"]
    coefficients = keystream(
        bytes.fromhex(vector["coefficient_seed"]), (threshold - 1) * len(secret)
    )
    shares = shamir.share(secret, threshold, vector["holders"], coefficients)
    assert [share.hex() for share in shares] == vector["shares"]
    points = vector["points"]
    rows = np.array([list(shares[point - 1]) for point in points], np.uint8)
    assert shamir.rebuild(points, rows).tobytes() == secret


@pytest.mark.parametrize("vector", VECTORS["share"], ids=lambda vector: str(vector["name"]))
def test_shares_are_values_of_the_polynomials(vector: dict[str, Any]):
    secret, threshold = bytes.fromhex(vector["secret"]), vector["threshold"]
    stream = keystream(bytes.fromhex(vector["coefficient_seed"]), (threshold - 1) * len(secret))
    for at in range(min(4, len(secret))):
        falling = [*stream[at :: len(secret)], secret[at]]  # highest degree first
        for x, share in enumerate(vector["shares"], start=1):
            value = 0
            for coefficient in falling:
                value = product(value, x) ^ coefficient
            assert value == bytes.fromhex(share)[at]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: str(vector["name"]))
def test_bad_vectors_are_refused(vector: dict[str, Any]):
    rows = np.array([list(bytes.fromhex(share)) for share in vector["shares"]], np.uint8)
    with pytest.raises(VeilError) as caught:
        shamir.rebuild(vector["points"], rows)
    assert caught.value.kind == vector["error"]
