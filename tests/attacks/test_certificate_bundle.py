"""A bundle tampered with, swapped, or made up: each time the question that fails is named."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer

from catalog.certificates import status
from catalog.certificates.bundle import Bundle
from catalog.certificates.envelope import issue, read
from catalog.certificates.evidence import Trust
from catalog.certificates.office import Application
from catalog.certificates.status import SLOTS, issue_list, read_list
from catalog.certificates.verification import verify, verify_bundle
from catalog.transparency.checkpoints import cosigned, read_proof
from catalog.transparency.notes import LOG, read_note
from catalog.transparency.policy import NONE
from exchange.commands.verify import INCOMPLETE, app
from protos.canonical import canonical
from protos.faults import TrustError
from protos.signing import IdentityKey, Pins
from tests.certificate_world import NOW, VISITS, Office, ed25519, failed


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(tmp_path_factory.mktemp("office"))
    office.register(1, NOW + 1000)
    office.register(2, NOW + 1000)
    office.cosign()
    return office


@pytest.fixture
def bundle(office: Office) -> Bundle:
    return office.office.bundle(office.office.listed()[0])


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def header_of(token: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".", maxsplit=1)[0] + "==")))


def test_the_honest_bundle_holds(office: Office, bundle: Bundle) -> None:
    assert verify(bundle, office.trust()).ok


def test_another_algorithm_or_none_is_refused(office: Office, bundle: Bundle) -> None:
    _, payload, signature = bundle.certificate.split(".")
    fields = header_of(bundle.certificate)
    assert fields["alg"] == "ES256"
    for changed in (
        {**fields, "alg": "none"}, {**fields, "alg": "HS256"}, {**fields, "alg": "EdDSA"},
        {**fields, "typ": "JWT"}, {**fields, "jwk": office.key.public.to_jwk()},
        {**fields, "crit": ["x"]},
    ):  # fmt: skip
        for last in (signature, ""):
            token = f"{b64(json.dumps(changed).encode())}.{payload}.{last}"
            report = verify(replace(bundle, certificate=token), office.trust())
            assert failed(report) == ["Certificate is signed"], changed


def test_before_and_after_its_time_it_does_not_hold(office: Office, bundle: Bundle) -> None:
    for now in (NOW - 3600, NOW + 1100):
        assert "Valid now" in failed(verify(bundle, office.trust(now=now)))


def test_a_swapped_salt_does_not_fit_the_log(office: Office, bundle: Bundle) -> None:
    other = office.office.bundle(office.office.listed()[1])
    for salt in (other.salt, bytes(32), bundle.salt[:31], b""):
        assert failed(verify(replace(bundle, salt=salt), office.trust())) == ["In the log"]
    assert failed(verify(replace(bundle, proof=other.proof), office.trust())) == ["In the log"]


def test_a_certificate_of_another_log_does_not_count(
    office: Office, bundle: Bundle, tmp_path: Path
) -> None:
    elsewhere = Office(tmp_path, key=office.key, log_key=ed25519("other.example/log", LOG))
    record = elsewhere.register(1)
    elsewhere.cosign()
    assert elsewhere.verify(record).ok
    foreign = elsewhere.office.bundle(record)
    said = failed(verify(foreign, office.trust()))
    assert said == ["In the log", "Seen by witnesses"]
    swapped = replace(bundle, proof=foreign.proof)
    assert failed(verify(swapped, office.trust())) == ["In the log", "Seen by witnesses"]


def test_too_few_witnesses_do_not_count(office: Office, bundle: Bundle) -> None:
    lines = bundle.proof.splitlines(keepends=True)
    fewer = replace(bundle, proof="".join(line for line in lines if "shenzhen" not in line))
    report = verify(fewer, office.trust())
    assert failed(report) == ["Seen by witnesses"]
    assert "2 of guangzhou, shenzhen, foshan" in str(report.failures[0].what)
    alone = replace(office.policy, groups={}, quorum=NONE)
    assert verify(fewer, office.trust(policy=alone)).ok  # a reader's own choice
    early = office.trust(now=NOW - 3600)
    assert "Seen by witnesses" in failed(verify(bundle, early))  # cosigned in the future


def test_an_issuer_that_nobody_knows_is_refused(office: Office, bundle: Bundle) -> None:
    pins = Pins()
    pins.add("exchange", "hub", "0" * 64)
    assert "Issuer is pinned" in failed(verify(bundle, office.trust(pins=pins)))
    analyst = Pins()
    analyst.add("analyst", "hub", office.key.public.fingerprint)
    assert "Issuer is pinned" in failed(verify(bundle, office.trust(pins=analyst)))


def test_a_stranger_s_status_list_says_nothing(office: Office, bundle: Bundle) -> None:
    stranger = IdentityKey.generate()
    ids = {read_list(token).purpose: read_list(token).credential.id for token in bundle.status}
    for key, identifier in (
        (stranger, ids["revocation"].removeprefix("urn:uuid:").replace("-", "")),
        (office.key, "0" * 32),
    ):
        forged = issue_list(key, "hub", identifier, "revocation", bytes(SLOTS // 8), NOW + 5)
        tokens = (forged, bundle.status[1])
        assert failed(verify(replace(bundle, status=tokens), office.trust())) == [
            "Not revoked, not suspended"
        ]
    # The suspension list cannot stand in for the revocation list.
    assert not verify(replace(bundle, status=(bundle.status[1],) * 2), office.trust()).ok


def test_a_revocation_that_the_issuer_takes_back_stays_one(office: Office, bundle: Bundle) -> None:
    """The issuer signs a newer list without the bit; a reader has kept the one that had it."""
    now = {read_list(token).purpose: read_list(token) for token in bundle.status}["revocation"]
    identifier = now.credential.id.removeprefix("urn:uuid:").replace("-", "")
    issuer = read(bundle.certificate, "VeilRegistration", with_status=True)
    slot = next(int(each["statusListIndex"]) for each in issuer.status)
    revoked = status.with_bit(now.bits, slot, value=True)
    other = status.with_bit(now.bits, (slot + 1) % SLOTS, value=True)

    def kept(key: IdentityKey, bits: bytes, at: int) -> list[str]:
        old = issue_list(key, "hub", identifier, "revocation", bits, at)
        return failed(verify(bundle, office.trust(status=(old,))))

    assert kept(office.key, revoked, NOW - 10) == ["Not revoked, not suspended"]
    assert kept(office.key, revoked, NOW - status.VALID_S * 9) == ["Not revoked, not suspended"]
    assert kept(office.key, other, NOW - 10) == []
    assert kept(IdentityKey.generate(), revoked, NOW - 10) == []  # a stranger's word is none


def test_a_witness_whose_clock_is_absurd_stops_no_reader(office: Office, bundle: Bundle) -> None:
    note = read_proof(bundle.proof).note
    line = cosigned(read_note(note), office.signers["foshan"], 2**63)
    proof = replace(read_proof(bundle.proof), note=note + line)
    report = verify(replace(bundle, proof=str(proof)), office.trust())
    assert report.ok
    assert not any("foshan" in str(check.what) for check in report.checks)


@pytest.mark.parametrize(
    "subject",
    [
        {"encodedList": status.encoded(bytes(100))},  # no herd to hide in
        {"encodedList": status.encoded(bytes(1 << 21))},  # unpacks to more than it should
        {"encodedList": "uH4sIAAAA"},
        {"encodedList": "x"},
        {"statusPurpose": "message"},
        {"type": "x"},
        {"extra": 1},
    ],
)
def test_a_malformed_status_list_is_refused(office: Office, subject: dict[str, Any]) -> None:
    good = read_list(
        issue_list(office.key, "hub", "0" * 32, "revocation", bytes(SLOTS // 8), NOW)
    ).credential.subject
    token = issue(
        office.key, kind=status.LIST_KIND, identifier="0" * 32, issuer="hub",
        subject={**good, **subject}, valid_from=NOW, valid_until=NOW + 1,
    )  # fmt: skip
    with pytest.raises(TrustError):
        read_list(token)


def test_the_published_status_list_is_read() -> None:
    # Bitstring Status List 1.0 (W3C Recommendation, 15 May 2025), example 3: no bit is set.
    published = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"
    assert status.decoded(published) == bytes(SLOTS // 8)
    assert status.decoded(status.encoded(bytes(SLOTS // 8))) == bytes(SLOTS // 8)
    # Section 3.2: the first index is the left-most bit.
    assert status.with_bit(bytes(SLOTS // 8), 0, value=True)[0] == 0x80
    assert status.with_bit(bytes(SLOTS // 8), 9, value=True)[:2] == b"\x00\x40"
    set_ = status.with_bit(bytes(SLOTS // 8), 77, value=True)
    assert [n for n in range(200) if status.is_set(set_, n)] == [77]
    assert status.with_bit(set_, 77, value=False) == bytes(SLOTS // 8)


def test_a_certificate_without_its_status_is_not_one_of_ours(
    office: Office, tmp_path: Path
) -> None:
    """A status cannot be left out by whoever passes a certificate on: it is signed."""
    claims = json.loads(base64.urlsafe_b64decode(
        office.office.listed()[0].token.split(".")[1] + "=="))  # fmt: skip
    assert [entry["statusPurpose"] for entry in claims["credentialStatus"]] == list(status.PURPOSES)
    one = Office(tmp_path, key=office.key)
    record = one.register(1)
    bundle = one.office.bundle(record)
    slots = [entry["statusListIndex"] for entry in claims["credentialStatus"]]
    assert slots[0] == slots[1]
    assert failed(verify(replace(bundle, status=bundle.status[:1]), one.trust(policy=None))) == [
        "Not revoked, not suspended"
    ]


def test_a_grant_with_a_status_that_no_node_would_look_into_is_refused(office: Office) -> None:
    entry = status.StatusEntry("revocation", 1, "urn:uuid:0").to_json()
    token = issue(
        office.key, kind="VeilGrant", identifier="0" * 32, issuer="hub", subject={},
        valid_from=NOW, status=[entry],
    )  # fmt: skip
    with pytest.raises(TrustError, match="unknown members"):
        read(token, "VeilGrant")
    assert read(token, "VeilGrant", with_status=True).status == (entry,)


def test_files_that_are_no_bundles_are_said_to_be_none(office: Office, bundle: Bundle) -> None:
    body = bundle.to_json()
    trust = office.trust()
    for bad in (
        b"", b"{}", b"[]", b"nonsense", b"\xff", b"[" * 100_000,
        canonical({**body, "more": 1}), canonical({**body, "version": 2}),
        canonical({**body, "salt": body["salt"] + "="}), canonical({**body, "status": "x"}),
        canonical({**body, "linked": [{**body, "linked": [body]}]}),
        bundle.to_bytes().replace(b'"version":1', b'"version":1,"version":1'),
    ):  # fmt: skip
        report = verify_bundle(bad, trust)
        assert failed(report) == ["The file can be read"]
    extra = bundle.proof.replace("\nindex", "\nextra AAAA\nindex")
    assert not verify(replace(bundle, proof=extra), trust).ok


def test_a_linked_certificate_of_another_dataset_does_not_count(tmp_path: Path) -> None:
    office = Office(tmp_path)
    _, _, result = office.chain()
    other = office.office.issue(
        Application(replace(VISITS, dataset="other", dataset_digest="1" * 64))
    )
    office.cosign()
    honest = office.office.bundle(result, linked=True)
    assert verify(honest, office.trust()).ok
    forged = replace(honest, linked=(office.office.bundle(other),))
    assert failed(verify(forged, office.trust())) == ["Certificates it leads to"]
    office.office.change(office.office.cited_by(result)[1].id, "revocation", "wrong")
    revoked = office.office.bundle(result, linked=True)
    report = verify(revoked, office.trust())
    assert failed(report) == ["Certificates it leads to"]
    assert "revoked" in str(report.failures[0].what)


def test_what_was_left_out_of_a_bundle_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(tmp_path)
    _, _, result = office.chain()
    office.cosign()
    whole = office.office.bundle(result, linked=True)
    assert verify(whole, office.trust()).complete
    bare = tuple(replace(each, document="") for each in whole.linked)
    for stripped, question in (
        (replace(whole, document=""), "Fits what it is about"),
        (replace(whole, linked=()), "Certificates it leads to"),
        (replace(whole, linked=whole.linked[1:]), "Certificates it leads to"),
        (replace(whole, linked=bare), "Certificates it leads to"),
    ):
        report = verify(stripped, office.trust())
        assert [check.name.en for check in report.lacking] == [question]
        assert (report.sound, report.ok, report.complete) == (True, False, False)
    monkeypatch.setattr("time.time", lambda: NOW)
    (tmp_path / "stripped.json").write_bytes(replace(whole, document="", linked=()).to_bytes())
    (tmp_path / "whole.json").write_bytes(whole.to_bytes())
    run = partial(typer.main.get_command(app), standalone_mode=False)
    assert run([str(tmp_path / "stripped.json")]) == INCOMPLETE
    assert not run([str(tmp_path / "stripped.json"), "--partial"])
    assert not run([str(tmp_path / "whole.json")])  # without keys: that is the reader's choice


def test_every_changed_character_is_found(office: Office) -> None:
    """Two of two witnesses: otherwise a third one's line may be lost, which changes nothing."""
    policy = replace(office.policy, groups={}, quorum="both")
    policy.groups["both"] = (2, ("guangzhou", "shenzhen"))
    content = office.office.bundle(office.office.listed()[0]).to_bytes()
    trust = office.trust(policy=policy)
    assert verify_bundle(content, trust).ok
    for at in range(0, len(content), max(1, len(content) // 400)):
        changed = bytes([content[at] ^ 1])
        tampered = content[:at] + changed + content[at + 1 :]
        assert not verify_bundle(tampered, trust).ok, (at, content[at : at + 1], changed)


def test_without_a_policy_and_pins_nothing_is_taken_for_granted(bundle: Bundle) -> None:
    report = verify(bundle, Trust(NOW))
    assert report.ok
    assert not report.complete
