"""Grants and receipts as credentials: what holds, and what exactly is refused."""

import json
from base64 import urlsafe_b64decode
from dataclasses import replace

import pytest

from catalog.algebra import Aggregate, Measure
from catalog.certificates import envelope
from catalog.certificates.grants import (
    GrantRequest,
    check_grants,
    issue_grant,
    read_grant,
    read_request,
    sign_request,
)
from catalog.certificates.receipts import (
    Facts,
    Statement,
    issue_receipt,
    plan_hash,
    read_receipt,
    receipt_of,
    statements_needed,
)
from catalog.codec import to_json
from catalog.plan import Member, Plan
from protos.faults import InputError, PolicyError, TrustError
from protos.signing import IdentityKey, Pins

NOW = 1_800_000_000
ALICE = IdentityKey.generate()
OWNERS = {name: IdentityKey.generate() for name in ("a", "b", "c")}
ROSTER = tuple(Member(name, key.public.fingerprint) for name, key in OWNERS.items())
COUNT = Aggregate("visits", None, (), (Measure("rows"),))
PLAN = Plan(
    job="0" * 32,
    issued_at=NOW,
    expires_at=NOW + 600,
    analyst="alice",
    analyst_fingerprint=ALICE.public.fingerprint,
    analyst_sealing_key="ab" * 32,
    project="default",
    purpose="report",
    dataset="visits",
    dataset_digest="d" * 64,
    statement="SELECT COUNT(*) FROM visits",
    aggregate=COUNT,
    mode="exact",
    protocol="masked_sum",
    bits=64,
    roster=ROSTER,
    threshold=3,
    epsilon=0.0,
    delta=0.0,
)
REQUEST = GrantRequest(
    id="f" * 32,
    issued_at=NOW,
    expires_at=NOW + 3600,
    analyst="alice",
    recipient=ALICE.public.fingerprint,
    dataset="visits",
    dataset_digest="d" * 64,
    statement="SELECT COUNT(*) FROM visits",
    aggregate=COUNT,
    purpose="report",
    members=ROSTER,
)
PINS = Pins()
PINS.add("analyst", "alice", ALICE.public.fingerprint)
for _name, _key in OWNERS.items():
    PINS.add("department", _name, _key.public.fingerprint)


def granted(plan: Plan = PLAN, owners: tuple[str, ...] = ("a", "b", "c")) -> Plan:
    tokens = tuple(issue_grant(OWNERS[name], name, REQUEST, now=NOW) for name in owners)
    return replace(plan, grants=tokens)


def test_a_request_arrives_as_it_was_signed() -> None:
    assert read_request(sign_request(ALICE, REQUEST), PINS, now=NOW) == REQUEST
    assert len(REQUEST.aggregate_digest) == 64


def test_requests_of_strangers_and_old_requests_are_refused() -> None:
    token = sign_request(ALICE, REQUEST)
    with pytest.raises(TrustError, match="not pinned"):
        read_request(token, Pins(), now=NOW)
    with pytest.raises(TrustError, match="expired"):
        read_request(token, PINS, now=NOW + 3700)


@pytest.mark.parametrize(
    "change", [{"id": "F" * 32}, {"expires_at": NOW}, {"recipient": "0" * 64}, {"analyst": "ä"}]
)
def test_malformed_requests_are_not_signed(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        sign_request(ALICE, replace(REQUEST, **change))  # type: ignore[arg-type]


def test_requests_that_contradict_themselves_are_refused() -> None:
    from catalog.codec import to_json

    body = {
        **to_json(REQUEST),
        "iat": NOW,
        "exp": NOW + 3600,
        "jwk": ALICE.public.to_jwk(),
    }
    assert read_request(ALICE.sign("veil-grant-request+jwt", body), PINS, now=NOW) == REQUEST
    for wrong in (
        {**body, "exp": NOW + 10**6},
        {**body, "more": 1},
        {**body, "recipient": "0" * 64},
        {**body, "mode": "adhoc"},
        {**body, "id": "F" * 32},
        {k: v for k, v in body.items() if k != "purpose"},
    ):
        with pytest.raises(TrustError):
            read_request(ALICE.sign("veil-grant-request+jwt", wrong), PINS, now=NOW)


def test_grants_of_every_owner_let_the_plan_pass() -> None:
    grants = check_grants(granted(), PINS, now=NOW)
    assert set(grants) == {"a", "b", "c"}
    assert {grant.id for grant in grants.values()} == {f"urn:uuid:{'-'.join(GROUPS)}"}


GROUPS = ("f" * 8, "f" * 4, "f" * 4, "f" * 4, "f" * 12)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"statement": "SELECT COUNT(*) FROM visits WHERE age > 90"}, "statement"),
        ({"aggregate": replace(COUNT, measures=(Measure("rows"),) * 2)}, "aggregate digest"),
        ({"dataset": "other"}, "dataset"),
        ({"dataset_digest": "e" * 64}, "dataset digest"),
        ({"purpose": "curiosity"}, "purpose"),
        ({"analyst": "mallory"}, "analyst"),
        ({"analyst_fingerprint": "0" * 64}, "recipient"),
        ({"roster": ROSTER[:2]}, "members"),
        ({"mode": "adhoc"}, "exact plans"),
    ],
)
def test_a_grant_allows_nothing_else(change: dict[str, object], named: str) -> None:
    plan = replace(granted(), **change)  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match=named):
        check_grants(plan, PINS, now=NOW)


def test_missing_doubled_foreign_and_expired_grants_are_named() -> None:
    with pytest.raises(PolicyError, match="needs the grant of c"):
        check_grants(granted(owners=("a", "b")), PINS, now=NOW)
    with pytest.raises(PolicyError, match="two grants of a"):
        check_grants(granted(owners=("a", "a", "b", "c")), PINS, now=NOW)
    with pytest.raises(PolicyError, match="not valid now"):
        check_grants(granted(), PINS, now=NOW + 3700)
    with pytest.raises(PolicyError, match="not valid now"):
        check_grants(granted(), PINS, now=NOW - 120)
    with pytest.raises(TrustError, match="pinned"):
        check_grants(granted(), Pins(), now=NOW)


def test_an_owner_grants_only_what_it_is_asked_and_not_for_longer() -> None:
    with pytest.raises(InputError, match="does not ask"):
        issue_grant(ALICE, "a", REQUEST, now=NOW)
    for until in (NOW - 1, NOW + 3601):
        with pytest.raises(InputError, match="end after now"):
            issue_grant(OWNERS["a"], "a", REQUEST, now=NOW, valid_until=until)
    token = issue_grant(OWNERS["a"], "a", REQUEST, now=NOW, valid_until=NOW + 5)
    assert read_grant(token).valid_until == NOW + 5


def test_a_grant_is_a_w3c_credential_that_names_its_key() -> None:
    token = granted().grants[0]
    header, payload = (json.loads(urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    assert header["typ"] == "vc+jwt"
    assert header["alg"] == "ES256"
    assert payload["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert payload["type"] == ["VerifiableCredential", "VeilGrant"]
    assert payload["issuer"]["id"].startswith("did:jwk:")
    assert payload["validFrom"] == "2027-01-15T08:00:00Z"
    assert payload["credentialSubject"]["uses"] == "one release per data snapshot"
    assert envelope.identity_of(payload["issuer"]["id"]) == OWNERS["a"].public


@pytest.mark.parametrize(
    "change",
    [
        {"type": ["VerifiableCredential", "VeilReceipt"]},
        {"@context": ["https://www.w3.org/ns/credentials/v2"]},
        {"validFrom": "yesterday"},
        {"validFrom": 7},
        {"validUntil": "2027-01-15T08:00:00+01:00"},
        {"credentialSubject": []},
        {"issuer": "a"},
        {"issuer": {"id": "did:web:a.example", "name": "a"}},
        {"issuer": {"id": "did:jwk:!!", "name": "a"}},
        {"extra": 1},
    ],
    ids=str,
)
def test_malformed_credentials_are_refused(change: dict[str, object]) -> None:
    key = OWNERS["a"]
    body = {
        "@context": envelope.CONTEXT,
        "id": "urn:uuid:0",
        "type": ["VerifiableCredential", "VeilGrant"],
        "issuer": {"id": envelope.did_of(key.public), "name": "a"},
        "validFrom": "2027-01-15T08:00:00Z",
        "credentialSubject": {},
    }
    assert envelope.read(key.sign("vc+jwt", body), "VeilGrant").issuer == "a"
    with pytest.raises(TrustError):
        envelope.read(key.sign("vc+jwt", {**body, **change}), "VeilGrant")


def test_a_did_has_one_spelling_only() -> None:
    did = envelope.did_of(ALICE.public)
    assert envelope.identity_of(did) == ALICE.public
    for wrong in (did + "=", did.replace("did:jwk:", "did:jwk:IA"), None):
        with pytest.raises(TrustError):
            envelope.identity_of(wrong)


def statement(name: str, **change: object) -> Statement:
    whole = Statement(
        PLAN.job, plan_hash(PLAN), name, "p" * 64, "5" * 16, 0.0, ("a", "c"), {"x": 9}, "o" * 64
    )
    return replace(whole, **change)  # type: ignore[arg-type]


FACTS = Facts(PLAN.job, plan_hash(PLAN), 0.0, ("a", "c"), "o" * 64, 0)


def test_a_receipt_is_put_together_from_statements() -> None:
    statements = [statement("a"), statement("c", bytes_out={"x": 7})]
    statements = [replace(s, hidden_cells=2) for s in statements]
    receipt = receipt_of(PLAN, replace(FACTS, hidden_cells=2), statements)
    assert (receipt.survivors, receipt.dropped, receipt.unsigned) == (("a", "c"), ("b",), ())
    assert receipt.bytes_out == {"a": {"x": 9}, "c": {"x": 7}}
    token = issue_receipt(IdentityKey.generate(), "hub", receipt, now=NOW)
    again, credential = read_receipt(token)
    assert again == receipt
    assert (credential.issuer, credential.valid_until) == ("hub", None)


def test_a_survivor_that_never_signed_is_left_blank_not_invented() -> None:
    receipt = receipt_of(PLAN, FACTS, [statement("a")])
    assert (receipt.survivors, receipt.unsigned) == (("a", "c"), ("c",))
    assert set(receipt.policy_versions) == set(receipt.bytes_out) == {"a"}


@pytest.mark.parametrize(
    "change",
    [
        {"job": "1" * 32},
        {"plan_hash": "0" * 64},
        {"survivors": ("a", "b", "c")},
        {"outcome_digest": "0" * 64},
        {"rho": 0.5},
        {"hidden_cells": 1},
        {"department": "b"},
    ],
    ids=str,
)
def test_statements_that_contradict_the_job_are_named(change: dict[str, object]) -> None:
    statements = [statement("a"), statement("c", **change)]
    with pytest.raises(TrustError, match="contradicts the job"):
        receipt_of(PLAN, FACTS, statements)


def test_a_receipt_from_before_departments_could_be_unsigned_is_read() -> None:
    receipt = receipt_of(PLAN, FACTS, [statement("a"), statement("c")])
    body = to_json(receipt)
    del body["unsigned"]
    key = IdentityKey.generate()
    token = envelope.issue(
        key, kind="VeilReceipt", identifier=PLAN.job, issuer="hub", subject=body, valid_from=NOW
    )
    assert read_receipt(token)[0] == receipt


@pytest.mark.parametrize(
    ("protocol", "asked", "threshold", "needed"),
    [
        ("masked_sum", 5, 4, 4),
        ("masked_sum", 5, 5, 4),
        ("he_sum.bfv", 5, 5, 4),
        ("he_sum.bfv", 9, 3, 3),
        ("he_sum.bfv", 3, 3, 3),
        ("masked_sum", 2, 2, 2),
        ("sealed", 1, 1, 1),
    ],
)
def test_how_many_must_sign(protocol: str, asked: int, threshold: int, needed: int) -> None:
    roster = tuple(Member(f"d{number}", f"{number:064x}") for number in range(asked))
    plan = replace(PLAN, protocol=protocol, roster=roster, threshold=threshold)  # type: ignore[arg-type]
    assert statements_needed(plan) == needed
