"""Known answers for masks, rings and derived seeds.

The mask stream is checked against AES in ECB mode (FIPS 197), counter by counter, and the stored
vectors against both.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from compute_nodes.crypto.masks import expand
from compute_nodes.crypto.ring import Ring
from compute_nodes.crypto.seed import PartySeed, derive

VECTORS = json.loads((Path(__file__).parent / "masks.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["expand"], ids=lambda vector: str(vector["name"]))
def test_expand(vector: dict[str, Any]):
    ring, seed = Ring(vector["bits"]), bytes.fromhex(vector["seed"])
    mask = expand(seed, ring, vector["n"])
    assert ring.to_bytes(mask).hex() == vector["mask"]
    assert [str(value) for value in ring.decode(mask)] == vector["values"]


@pytest.mark.parametrize("vector", VECTORS["expand"], ids=lambda vector: str(vector["name"]))
def test_the_stream_is_aes_of_the_counters(vector: dict[str, Any]):
    mask = bytes.fromhex(vector["mask"])
    block = Cipher(algorithms.AES(bytes.fromhex(vector["seed"])), modes.ECB()).encryptor()  # noqa: S305 - one block at a time is what CTR is made of
    counters = b"".join(i.to_bytes(16, "big") for i in range(-(-len(mask) // 16)))
    assert block.update(counters)[: len(mask)] == mask


def test_fips_197_appendix_c3():
    """The block cipher itself, by the standard's own example for AES-256."""
    key = bytes(range(32))
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - as above
    plaintext = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert block.update(plaintext).hex() == "8ea2b7ca516745bfeafc49904b496089"


def test_derive_is_rfc_5869_test_case_3():
    """SHA-256, no salt, no info, 42 bytes."""
    assert derive(b"\x0b" * 22, b"", 42).hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


@pytest.mark.parametrize("vector", VECTORS["derive"], ids=lambda vector: str(vector["purpose"]))
def test_party_seeds(vector: dict[str, Any]):
    seed = PartySeed(bytes.fromhex(vector["seed"]))
    derived = seed.derive(vector["purpose"], vector["context"], vector["size"])
    assert derived.hex() == vector["derived"]


@pytest.mark.parametrize("vector", VECTORS["encode"], ids=lambda vector: str(vector["bits"]))
def test_encoding(vector: dict[str, Any]):
    ring = Ring(vector["bits"])
    values = [int(value) for value in vector["values"]]
    assert ring.to_bytes(ring.encode(values)).hex() == vector["bytes"]
    assert ring.decode(ring.from_bytes(bytes.fromhex(vector["bytes"]), len(values))) == values
