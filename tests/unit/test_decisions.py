"""Officers' decisions: what is signed is read again, and nothing else passes for it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.certificates.decisions import (
    MOST_DECISIONS,
    Matter,
    decide,
    decision_file,
    read_decision,
    read_decision_file,
    request_digest,
)
from protos.data_integrity import secure
from protos.did_key import did_of, fingerprint_of
from protos.faults import InputError, TrustError
from protos.identity import IdentityKey

NOW = dt.datetime(2026, 11, 26, 8, tzinfo=dt.UTC)
KEY = Ed25519PrivateKey.generate()
TOKEN = IdentityKey.generate().sign("veil-grant-request+jwt", {"id": "a"})
MATTER = Matter("requests/0123456789abcdef", "ab" * 32, (request_digest(TOKEN),))


def signed(**more: Any) -> str:  # noqa: ANN401 - arguments of decide
    return decide(MATTER, "11440100000000002B", "steward", "approve", KEY, now=NOW, **more)


def test_a_decision_is_read_as_it_was_signed() -> None:
    read = read_decision(signed(reasons="适合“=1+1”\r\n<b>"))
    assert (read.matter, read.department, read.office) == (MATTER, "11440100000000002B", "steward")
    assert read.fingerprint == fingerprint_of(did_of(KEY.public_key()))
    assert read.reasons == "适合“=1+1”\r\n<b>"
    assert read_decision(read.document) == read


def test_it_covers_the_very_request_and_only_when_it_is_a_yes() -> None:
    other = IdentityKey.generate().sign("veil-grant-request+jwt", {"id": "b"})
    assert read_decision(signed()).covers(TOKEN)
    assert not read_decision(signed()).covers(other)
    no = decide(MATTER, "d", "chief", "refuse", KEY, now=NOW, reasons="too wide")
    assert not read_decision(no).covers(TOKEN)


def test_it_holds_within_its_term() -> None:
    read = read_decision(signed(valid_days=1))
    assert read.valid(NOW)
    assert read.valid(NOW - dt.timedelta(minutes=4))  # clocks differ
    assert not read.valid(NOW - dt.timedelta(minutes=6))
    assert not read.valid(NOW + dt.timedelta(days=1))


def test_a_no_without_reasons_is_none() -> None:
    with pytest.raises(InputError) as raised:
        decide(MATTER, "d", "chief", "refuse", KEY, now=NOW, reasons=" ")
    assert raised.value.code == "decision.malformed"


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "refuse"}, {"office": "chief"}, {"department": "another"},
        {"id": "urn:sha256:" + "cd" * 32}, {"grants": ["cd" * 32]},
        {"case": "requests/" + "0" * 16},
        {"reasons": "because"}, {"more": ""},
    ],
)  # fmt: skip
def test_a_changed_decision_does_not_hold(change: dict[str, Any]) -> None:
    body = json.loads(signed())
    body["credentialSubject"] |= change
    with pytest.raises(TrustError) as raised:
        read_decision(json.dumps(body))
    assert raised.value.code == "decision.invalid"


@pytest.mark.parametrize(
    "change",
    [
        {"office": "signer"}, {"verdict": "maybe"}, {"grants": "ab" * 32}, {"grants": ["x"]},
        {"grants": ["ab" * 32] * 2}, {"case": "../x"}, {"reasons": "x" * 2001}, {"department": ""},
        {"verdict": "refuse"}, {"more": 1}, {"grants": [["ab"]]},
    ],
)  # fmt: skip
def test_what_is_signed_and_malformed_is_no_decision(change: dict[str, Any]) -> None:
    body = json.loads(signed())
    del body["proof"]
    body["credentialSubject"] |= change
    with pytest.raises(TrustError):
        read_decision(json.dumps(secure(body, KEY, NOW)))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a":1,"a":2}', "x" * 70_000, "[" * 5000, "1"])
def test_what_is_no_document_is_no_decision(text: str) -> None:
    with pytest.raises(TrustError):
        read_decision(text)
    with pytest.raises(TrustError):
        read_decision_file(text.encode())


def test_a_file_carries_several() -> None:
    one, two = signed(), decide(MATTER, "d", "chief", "approve", KEY, now=NOW)
    content = decision_file([one, two])
    assert [each.document for each in read_decision_file(content)] == [one, two]
    with pytest.raises(TrustError):
        read_decision_file(decision_file([one] * (MOST_DECISIONS + 1)))
    with pytest.raises(TrustError):
        read_decision_file(content.replace(b'"approve"', b'"refuse"'))
