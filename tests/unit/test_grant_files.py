"""The analyst's and the officer's files around a grant, from draft to a grant of the node's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.certificates.decisions import request_digest
from desensitize.attesting.signing import new_signing_key
from exchange.analyst.grant_files import read_decisions, read_signed, sign_decision, write_draft
from exchange.cli import app
from protos.did_key import fingerprint_of
from protos.faults import InputError, TrustError, UnavailableError
from tests.attacks.test_decided_grants import Node, day


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    (tmp_path / "node").mkdir()
    found = Node(tmp_path / "node")
    yield found
    found.close()


def test_an_officer_signs_at_a_terminal_and_the_node_grants(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEIL_LANG", "en")
    draft, key, out = tmp_path / "request.jwt", tmp_path / "li.key", tmp_path / "li.json"
    mark = fingerprint_of(new_signing_key(key))
    node.rules(
        f'[[grants.officer]]\nname = "Li"\nkey = "{mark}"\noffice = "chief"\n'
        f"since = {day(-1)}\nuntil = {day(1)}\n",
        rule="chief = 1",
    )
    token = node.sign(node.request())
    assert write_draft(draft, token) == request_digest(token)
    done = CliRunner().invoke(
        app,
        ["grant", "decide", str(draft), "--department", "east", "--office", "chief",
         "--key", str(key), "--output", str(out)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "GROUP BY sex" in done.output, "the officer sees what would be computed"
    [file] = read_decisions([out])
    assert node.deliver(read_signed(draft), file=file).kind == "grant"


def test_a_no_needs_reasons(node: Node, tmp_path: Path) -> None:
    key = tmp_path / "key"
    new_signing_key(key)
    token = node.sign(node.request())
    with pytest.raises(InputError, match="cannot be decided"):
        sign_decision(token, "east", "chief", key, tmp_path / "no.json", yes=False)
    sign_decision(token, "east", "chief", key, tmp_path / "no.json", yes=False, reasons="too fine")
    with pytest.raises(InputError):  # never over another decision
        sign_decision(token, "east", "chief", key, tmp_path / "no.json", yes=True)


def test_files_that_are_none_are_named(node: Node, tmp_path: Path) -> None:
    draft = tmp_path / "request.jwt"
    write_draft(draft, node.sign(node.request()))
    with pytest.raises(InputError, match="has its statement already"):
        read_signed(draft, statement="SELECT 1")
    (tmp_path / "other").write_text("no token", "utf-8")
    with pytest.raises(InputError, match="no signed request"):
        read_signed(tmp_path / "other")
    with pytest.raises(UnavailableError, match="cannot read"):
        read_decisions([tmp_path / "absent"])
    with pytest.raises(TrustError):
        read_decisions([draft])
    (tmp_path / "large").write_bytes(b" " * (300 << 10))
    with pytest.raises(InputError, match="longer than"):
        read_decisions([tmp_path / "large"])
