"""Masks and seeds."""

from pathlib import Path

import numpy as np
import pytest

from compute_nodes.crypto import masks
from compute_nodes.crypto.masks import _Stream, apply_mask, apply_masks, expand, keystream
from compute_nodes.crypto.ring import Ring
from compute_nodes.crypto.seed import PartySeed
from protos.faults import InputError

SEED = bytes(range(32))
# Below, at and above one chunk of 256 KiB.
LENGTHS = [0, 1, 7, 16_384, 32_768, 65_537]


@pytest.mark.parametrize("bits", [32, 64, 128])
@pytest.mark.parametrize("n", LENGTHS)
def test_chunks_make_no_difference(bits: int, n: int):
    ring = Ring(bits)
    mask = expand(SEED, ring, n)
    assert ring.to_bytes(mask) == keystream(SEED, n * ring.element_bytes)
    vector = ring.zeros(n)
    apply_mask(vector, SEED, ring, 1)
    assert np.array_equal(vector, mask)
    apply_mask(vector, SEED, ring, -1)
    assert not vector.any()


@pytest.mark.parametrize("bits", [32, 64, 128])
def test_many_masks_are_the_sum_of_each(bits: int):
    ring, n = Ring(bits), 40_000
    seeds = [(bytes([i]) * 32, (-1) ** i) for i in range(5)]
    together = ring.zeros(n)
    apply_masks(together, seeds, ring)
    single = ring.zeros(n)
    for seed, sign in seeds:
        ring.accumulate(single, expand(seed, ring, n), sign=sign)
    assert np.array_equal(together, single)


@pytest.mark.parametrize("by_gcm", [True, False])
@pytest.mark.parametrize(
    "pieces", [[5], [16, 16], [31, 1, 1], [32, 4], [40, 0, 100_000], [262_144] * 2]
)
def test_both_ways_of_computing_give_the_one_stream(by_gcm: bool, pieces: list[int]):
    """Pieces end before, in and after the two blocks that GCM keeps for itself."""
    stream, written = _Stream(SEED, by_gcm=by_gcm), bytearray(sum(pieces))
    room = memoryview(written)
    for size in pieces:
        stream.fill(room[:size])
        room = room[size:]
    assert written == keystream(SEED, len(written))


@pytest.mark.parametrize(
    ("cpuinfo", "wide"),
    [
        ("model\t: x\nflags\t\t: fpu aes avx512f avx512vl vaes vpclmulqdq\nbugs\t: y", True),
        ("flags\t\t: fpu aes avx2 vaes vpclmulqdq\nmodel name : avx512f avx512vl", False),
        ("flags\t\t: fpu aes\n", False),
        ("Features\t: fp asimd aes pmull", False),
        ("", False),
        (None, False),
    ],
)
def test_the_processor_says_which_way_is_faster(
    cpuinfo: str | None, wide: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        path.write_text(cpuinfo)
    monkeypatch.setattr(masks, "_CPU", path)
    assert masks._has_wide_aes.__wrapped__() is wide


def test_a_longer_mask_begins_with_the_shorter():
    ring = Ring(64)
    assert np.array_equal(expand(SEED, ring, 100)[:10], expand(SEED, ring, 10))


def test_masks_look_uniform():
    ones = np.unpackbits(np.frombuffer(keystream(SEED, 1_000_000), np.uint8)).mean()
    assert abs(ones - 0.5) < 0.001


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_seed_has_32_bytes(size: int):
    ring = Ring(64)
    vector = ring.zeros(3)
    with pytest.raises(InputError):
        apply_masks(vector, [(SEED, 1), (bytes(size), 1)], ring)
    assert not vector.any()
    with pytest.raises(InputError):
        PartySeed(bytes(size))


def test_a_party_seed_separates_purposes_and_contexts_and_hides_itself():
    seed = PartySeed(SEED)
    derived = {seed.derive(purpose, context) for purpose in "ab" for context in "xy"}
    assert len(derived) == 4
    assert seed.derive("a", "x") == PartySeed(SEED).derive("a", "x")
    assert "redacted" in repr(seed)
    assert SEED.hex() not in repr(seed)
