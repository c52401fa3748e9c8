"""Keys as identifiers, and JSON with one meaning, for any input."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protos.did_key import did_of, fingerprint_of, from_multibase, is_signer, key_of, multibase
from protos.strict_json import read_strict


@given(st.binary(max_size=80))
def test_multibase_there_and_back(content: bytes) -> None:
    assert from_multibase(multibase(content)) == content


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_its_did(seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    did = did_of(key)
    assert key_of(did) == key
    assert is_signer(did, fingerprint_of(did))
    assert is_signer(did, did)


@given(st.text(max_size=60))
def test_any_text_is_a_key_or_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        key_of(f"did:key:z{text}!")


@given(st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_an_object_or_an_error(content: bytes) -> None:
    try:
        body = read_strict(content, most=1000)
    except ValueError:
        return
    assert read_strict(json.dumps(body).encode(), most=10_000) == body


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '{"a":{"b":1,"b":2}}', '{"a":9007199254740992}'])
def test_what_two_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_strict(text.encode(), most=1000)
