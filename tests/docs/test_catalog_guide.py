"""The guide to the catalog: its commands run in order, and print what it shows."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.cli import app
from tests.publishing_world import World

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "catalog.md"


def test_the_guide_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publishing: World
) -> None:
    text = GUIDE.read_text("utf-8")
    for name in ("signer", "steward"):
        text = text.replace(f"did:key:{name.upper()}", publishing.dids[name])
    shutil.copytree(publishing.release, tmp_path / "release")
    shutil.copy(publishing.place / "steward.pem", tmp_path)
    [form] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("form.csv").write_text(form, "utf-8")
    blocks = re.findall(r"```console\n(.*?)```(?:\n\n```text\n(.*?)```)?", text, re.DOTALL)
    ran = 0
    for commands, shown in blocks:
        said = ""
        for line in re.findall(r"^\$ veil catalog (.*)$", commands, re.MULTILINE):
            words = shlex.split(line)
            if "province-pg" in words:
                continue  # needs a server; tests/contract/test_registry.py has one
            if words[0] == "sample":
                words += ["--datasets", "300", "--no-rows"]
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, (line, result.output, result.exception)
            said += result.output
            ran += 1
        printed = [" ".join(line.split()) for line in said.splitlines()]
        for line in shown.splitlines():
            assert " ".join(line.split()) in printed, (line, said)
    assert ran > 12
    assert {path.name for path in tmp_path.iterdir()} >= {"all.csv", "all.jsonld", "packages.json"}
