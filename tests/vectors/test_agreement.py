"""Known answers for key agreement and boxes: RFC 7748's, and our own with their info texts."""

import json
from pathlib import Path
from typing import Any

import pytest

from compute_nodes.crypto.agreement import AgreementKey
from compute_nodes.crypto.boxes import close_box, open_box
from compute_nodes.crypto.seed import derive
from protos.faults import VeilError

VECTORS = json.loads((Path(__file__).parent / "agreement.json").read_text())


def test_rfc_7748_section_6_1():
    """The RFC's keys and shared secret, run through our derivation."""
    rfc = VECTORS["rfc7748"]
    alice = AgreementKey(bytes.fromhex(rfc["alice_secret"]))
    bob = AgreementKey(bytes.fromhex(rfc["bob_secret"]))
    assert alice.public.hex() == rfc["alice_public"]
    assert bob.public.hex() == rfc["bob_public"]
    expected = derive(bytes.fromhex(rfc["shared"]), b"info")
    assert alice.agree(bob.public, b"info") == bob.agree(alice.public, b"info") == expected


@pytest.mark.parametrize("vector", VECTORS["agree"], ids=lambda vector: str(vector["name"]))
def test_agree(vector: dict[str, Any]):
    key = AgreementKey(bytes.fromhex(vector["secret"]))
    info = vector["info"].encode()
    agreed = key.agree(bytes.fromhex(vector["peer"]), info, vector["size"])
    assert agreed.hex() == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["bad_peers"], ids=lambda vector: str(vector["name"]))
def test_bad_peers_are_refused(vector: dict[str, Any]):
    with pytest.raises(VeilError) as caught:
        AgreementKey(bytes(range(32))).agree(bytes.fromhex(vector["peer"]), b"info")
    assert (caught.value.kind, caught.value.code) == ("trust", "key.invalid")


@pytest.mark.parametrize("vector", VECTORS["boxes"], ids=lambda vector: str(vector["name"]))
def test_boxes(vector: dict[str, Any]):
    key, plaintext = bytes.fromhex(vector["key"]), bytes.fromhex(vector["plaintext"])
    assert close_box(key, plaintext).hex() == vector["box"]
    assert open_box(key, bytes.fromhex(vector["box"])) == plaintext


@pytest.mark.parametrize("vector", VECTORS["bad_boxes"], ids=lambda vector: str(vector["name"]))
def test_bad_boxes_are_refused(vector: dict[str, Any]):
    with pytest.raises(VeilError) as caught:
        open_box(bytes.fromhex(vector["key"]), bytes.fromhex(vector["box"]))
    assert (caught.value.kind, caught.value.code) == ("trust", "box.invalid")
