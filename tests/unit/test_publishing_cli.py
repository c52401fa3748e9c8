"""``veil catalog publish`` and its kin, as people and programs see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.cli import app
from protos.faults import InputError, VeilError
from tests.publishing_world import World, clone

Patch = pytest.MonkeyPatch


def say(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, VeilError):
        raise result.exception
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_a_refusal_has_every_reason_and_a_remedy(
    publishing: World, tmp_path: Path, monkeypatch: Patch
) -> None:
    catalog = ("--dir", clone(publishing, tmp_path))
    assert say("published", *catalog) == "Nothing was ever public."
    wanted = ("publish", publishing.release, "--dataset", "YL/003", *catalog)
    said = say(*wanted, code=1)
    assert "✗ attested is the dataset 'yl_001', not 'yl_003'" in said
    assert "✗ L3, opened on a condition: the sign-off of a data steward is missing" in said
    assert said.count("→") == 2
    body = json.loads(say(*wanted, "--json", code=1))
    assert [each["code"] for each in body["refused"]] == [
        "publish.dataset", "publish.sign_off_missing",
    ]  # fmt: skip
    monkeypatch.setenv("VEIL_LANG", "zh")
    assert "✗ L3，有条件开放：缺少数据专员的签批" in say(*wanted, code=1)


def test_signers_come_and_go_and_are_listed(publishing: World, tmp_path: Path) -> None:
    catalog = ("--dir", clone(publishing, tmp_path))
    say("signers", "remove", 1, "--by", "数据局", "--reason", "离职", *catalog)
    found = json.loads(say("signers", "list", "--json", *catalog))
    assert [(each["role"], each["removed_reason"]) for each in found] == [
        ("signer", "离职"), ("steward", None), ("chief", None), ("signer", None),
    ]  # fmt: skip
    say("signers", "remove", 2, "--by", "数据局", "--reason", "被盗", "--compromised", *catalog)
    said = say("signers", "list", *catalog)
    assert "离职" in said
    assert "compromised" in said
    with pytest.raises(InputError, match="--since goes with --compromised"):
        say("signers", "remove", 3, "--by", "我", "--reason", "x", "--since", "2026-01-01",
            *catalog)  # fmt: skip
    assert "enrolled" in said


def test_a_store_of_one_s_own_and_what_programs_read(publishing: World, tmp_path: Path) -> None:
    catalog = ("--dir", clone(publishing, tmp_path))
    uri = tmp_path / "uri"
    uri.touch(mode=0o600)
    uri.write_text((tmp_path / "elsewhere").as_uri() + "\n", "utf-8")
    say("store", uri, *catalog)
    made = json.loads(say("publish", publishing.release, "--dataset", "YL/001", "--json", *catalog))
    assert (made["version"], made["kind"], made["state"]) == (1, "copy", "published")
    assert len(list((tmp_path / "elsewhere").glob("*.parquet"))) == 1
    [listed] = json.loads(say("published", "--dataset", "YL/001", "--json", *catalog))
    assert listed == made
    assert "desensitized" in say("published", *catalog)


def test_only_officers_sign_off(publishing: World, tmp_path: Path) -> None:
    words = ("sign-off", publishing.release, "--dataset", "YL/003", "--out", tmp_path / "s",
             "--key", publishing.place / "steward.pem")  # fmt: skip
    with pytest.raises(InputError, match="no officer"):
        say(*words, "--role", "signer")
    assert "may be published as YL/003" in say(*words)
    with pytest.raises(InputError, match="exists already"):
        say(*words)
