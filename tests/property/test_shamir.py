"""Sharing and rebuilding are inverse for any threshold, holders and subset."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compute_nodes.crypto import shamir
from compute_nodes.crypto.masks import keystream


@st.composite
def sharings(draw: st.DrawFn):
    holders = draw(st.integers(1, 40))
    threshold = draw(st.integers(1, holders))
    points = draw(st.permutations(range(1, holders + 1)))[:threshold]
    return holders, threshold, points


@given(sharings(), st.binary(min_size=1, max_size=40), st.binary(min_size=32, max_size=32))
def test_any_threshold_of_holders_rebuilds(
    case: tuple[int, int, list[int]], secret: bytes, seed: bytes
):
    holders, threshold, points = case
    shares = shamir.share(
        secret, threshold, holders, keystream(seed, (threshold - 1) * len(secret))
    )
    rows = np.array([list(shares[point - 1]) for point in points], np.uint8)
    assert shamir.rebuild(points, rows).tobytes() == secret
