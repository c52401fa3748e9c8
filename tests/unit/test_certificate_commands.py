"""``veil certificate`` and ``veil verify`` of certificates, in this process."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.certificates.office_files import OfficeFiles
from catalog.codec import dataset_digest
from catalog.config import load_dataset
from exchange.cli import app
from exchange.demo.proof import altered
from protos.data_integrity import secure
from protos.did_key import did_of
from protos.faults import InputError, TrustError, UnavailableError, VeilError
from tests.certificate_world import ExactJob, Office

DECLARATION = """
name = "visits"
title = "Visits"
members = ["guangzhou", "shenzhen", "foshan"]
max_rows = 1000
subject = "id"
[columns.sex]
type = "string"
codes = ["F", "M"]
"""
Veil = Callable[..., str]


@pytest.fixture
def veil(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Veil:
    """Runs a command in a directory with an office; returns what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> str:
        end = typer.main.get_command(app)(list(words), standalone_mode=False)
        said = capsys.readouterr().out
        assert (end or 0) == code, said
        return said

    Path("visits.toml").write_text(DECLARATION, "utf-8")
    run("certificate", "init", "--dir", "office", "--name", "hub", "--log", "hub.example/log")
    return run


def registered(veil: Veil) -> str:
    said = veil("certificate", "issue", "registration", "visits.toml", "--grade", "L3",
                "--dir", "office")  # fmt: skip
    return said.split()[2].rstrip(",")


def test_list_show_and_the_way_back(veil: Veil) -> None:
    assert "No certificate" in veil("certificate", "list", "--dir", "office")
    made = registered(veil)
    listed = veil("certificate", "list", "--dir", "office", "--kind", "registration")
    assert made in listed
    assert "stands" in listed
    assert made not in veil("certificate", "list", "--dir", "office", "--dataset", "other")
    [whole] = json.loads(veil("certificate", "list", "--dir", "office", "--json"))
    assert whole["id"].removeprefix("urn:uuid:").replace("-", "").startswith(made)
    veil("certificate", "revoke", made, "--reason", "wrong provider", "--dir", "office")
    assert "revoked" in veil("certificate", "list", "--dir", "office", "--dataset", "visits")
    shown = veil("certificate", "show", made, "--dir", "office", "--qr", "--svg", "code.svg")
    for word in ("State: revoked", "Led to by", "change of status", "Fingerprint: ", "█"):
        assert word in shown
    assert "<svg" in Path("code.svg").read_text("utf-8")


def test_chinese_texts(veil: Veil, monkeypatch: pytest.MonkeyPatch) -> None:
    made = registered(veil)
    monkeypatch.setenv("VEIL_LANG", "zh")
    assert "有效" in veil("certificate", "list", "--dir", "office")
    assert "登记 urn:uuid:" in veil("certificate", "show", made, "--dir", "office")
    veil("certificate", "show", made, "--output", "b.json", "--dir", "office")
    said = veil("verify", "b.json", "--pins", "office/public/pins.toml",
                "--policy", "office/public/log.policy")  # fmt: skip
    assert "证书已签名" in said
    assert "截至" in said


def test_a_newer_bundle_s_lists_show_that_an_older_one_was_revoked(veil: Veil) -> None:
    made = registered(veil)
    veil("certificate", "show", made, "--output", "old.json", "--dir", "office")
    trust = ("--pins", "office/public/pins.toml", "--policy", "office/public/log.policy")
    assert "In the log" in veil("verify", "old.json", *trust)
    veil("certificate", "revoke", made, "--reason", "wrong", "--dir", "office")
    veil("certificate", "show", made, "--output", "new.json", "--dir", "office")
    assert "was revoked" in veil("verify", "old.json", *trust, "--status", "new.json", code=1)


def test_a_log_that_was_altered_is_named_by_the_command(veil: Veil) -> None:
    registered(veil)
    veil("certificate", "log", "copy", "before.copy", "--dir", "office")
    assert "1 entries, 1 checkpoints" in veil("certificate", "log", "verify", "--dir", "office")
    assert "hub.example/log" in veil("certificate", "log", "show", "--dir", "office")
    policy = ("--policy", "office/public/log.policy")
    veil("certificate", "log", "verify", "before.copy", *policy)
    lines = Path("before.copy").read_text("utf-8").split("\n")
    lines[1] = lines[1][:4] + ("A" if lines[1][4] != "A" else "B") + lines[1][5:]
    Path("altered.copy").write_text("\n".join(lines), "utf-8")
    with pytest.raises(TrustError, match="altered at entry 0"):
        veil("certificate", "log", "verify", "altered.copy", *policy)
    with pytest.raises(TrustError, match="differ at entry 0"):
        veil("certificate", "log", "verify", "before.copy", "--against", "altered.copy", *policy)


def test_others_credentials_are_checked_by_their_proof(veil: Veil) -> None:
    key = Ed25519PrivateKey.generate()
    now = dt.datetime.now(dt.UTC)
    body = {"issuer": did_of(key.public_key()), "validFrom": "2020-01-01T00:00:00Z", "n": 1}
    good = secure(body, key, now)
    Path("good.json").write_text(json.dumps(good), "utf-8")
    assert "Proof holds" in veil("verify", "good.json")
    for change in ({"n": 2}, {"issuer": "did:key:zOther"}, {"validFrom": "2999-01-01T00:00:00Z"}):
        Path("bad.json").write_text(json.dumps({**good, **change}), "utf-8")
        assert "✗" in veil("verify", "bad.json", code=1)
    late = secure({**body, "validUntil": "2020-01-02T00:00:00Z"}, key, now)
    Path("late.json").write_text(json.dumps(late), "utf-8")
    assert "Valid now" in veil("verify", "late.json", code=1)
    Path("twice.json").write_text(json.dumps(good)[:-1] + ', "n": 1}', "utf-8")
    with pytest.raises(InputError, match="two ways"):
        veil("verify", "twice.json")


def test_mistakes_are_explained(veil: Veil, tmp_path: Path) -> None:
    cases: list[tuple[type[VeilError], str, tuple[str, ...]]] = [
        (InputError, "office already", ("certificate", "init", "--dir", "office")),
        (InputError, "does not exist", ("certificate", "list", "--dir", "nowhere")),
        (InputError, "no certificates begin", ("certificate", "show", "abc", "--dir", "office")),
        (InputError, "no checkpoint", ("certificate", "log", "copy", "x", "--dir", "office")),
        (UnavailableError, "cannot read", ("certificate", "log", "cosign", "x", "--dir", "office")),
        (InputError, "verifier key", ("certificate", "log", "add-witness", "a", "b", "--dir",
                                      "office")),
        (TrustError, "visits.toml: ", ("certificate", "issue", "circulation", "visits.toml",
                                       "--pins", "office/public/pins.toml", "--dir", "office")),
        (UnavailableError, "is no witness", ("certificate", "witness", "sign", "visits.toml", "o",
                                          "--policy", "office/public/log.policy")),
    ]  # fmt: skip
    for kind, word, words in cases:
        with pytest.raises(kind, match=word) as caught:
            veil(*words)
        assert caught.value.said.zh != caught.value.said.en
    assert (tmp_path / "office" / "log.key").stat().st_mode & 0o777 == 0o600
    office = OfficeFiles(tmp_path / "office").office(time.time)
    assert office.listed() == []
    office.close()


def test_a_name_that_is_refused_leaves_no_key_in_the_way(veil: Veil) -> None:
    for words in (("init", "--dir", "o", "--log"), ("witness", "init", "--dir", "w")):
        with pytest.raises(InputError, match="cannot name a key"):
            veil("certificate", *words, "a b")
        veil("certificate", *words, 'ab"\\é')
    assert "0 entries" in veil("certificate", "log", "verify", "--dir", "o")
    assert Path("o/public/log.policy").stat().st_mode & 0o777 == 0o644


def receipt(tmp_path: Path) -> dict[str, Any]:
    """A receipt of exact figures over the declaration above, and the pins to check it with."""
    office = Office(tmp_path)
    office.pins.save(Path("pins.toml"))
    digest = dataset_digest(load_dataset(Path("visits.toml")))
    return ExactJob(office.key, office.owners, int(time.time()), digest).document()


def test_nothing_is_certified_that_does_not_lead_to_what_it_needs(
    veil: Veil, tmp_path: Path
) -> None:
    document = receipt(tmp_path)
    Path("receipt.json").write_text(json.dumps(document), "utf-8")
    more = ("receipt.json", "--pins", "pins.toml", "--dir", "office")
    for what in ("authorisation", "circulation"):
        with pytest.raises(InputError, match="not registered"):
            veil("certificate", "issue", what, *more)
    registered(veil)
    with pytest.raises(InputError, match="3 grants of this result have no certificate"):
        veil("certificate", "issue", "circulation", *more)
    assert veil("certificate", "issue", "authorisation", *more).count("authorisation ") == 3
    assert "Nothing to do" in veil("certificate", "issue", "authorisation", *more)
    veil("certificate", "issue", "circulation", *more)
    with pytest.raises(InputError, match="is about this already"):
        veil("certificate", "issue", "circulation", *more)


def test_a_receipt_that_does_not_hold_is_not_certified(veil: Veil, tmp_path: Path) -> None:
    document = receipt(tmp_path)
    registered(veil)
    more = ("receipt.json", "--pins", "pins.toml", "--dir", "office")
    forged = altered(document, lambda claims: claims["credentialSubject"].update(hidden_cells=1))
    for bad in (forged, {**document, "statements": {}}, {}, []):
        Path("receipt.json").write_text(json.dumps(bad), "utf-8")
        for what in ("authorisation", "circulation"):
            with pytest.raises(TrustError) as caught:
                veil("certificate", "issue", what, *more)
            assert caught.value.code == "receipt.invalid"
    Path("receipt.json").write_text(json.dumps(document), "utf-8")
    strangers = Office(tmp_path / "office", now=1)
    strangers.pins.save(Path("pins.toml"))
    with pytest.raises(TrustError, match="pinned"):
        veil("certificate", "issue", "authorisation", *more)
