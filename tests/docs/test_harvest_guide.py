"""The guide to harvesting: its commands run in order against a served city."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.cli import app
from catalog.province.build import province
from tests.harvest_world import city

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "harvest.md"


def test_the_guide_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GUIDE.read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```console\n(.*?)```(?:\n\n```text\n(.*?)```)?", text, re.DOTALL)
    ran = 0
    with city(tmp_path / "city", list(province(300, 1))) as (url, _):
        for commands, shown in blocks:
            said = ""
            for line in re.findall(r"^\$ veil catalog (.*)$", commands, re.MULTILINE):
                words = shlex.split(line.replace("http://127.0.0.1:8080", url))
                done = CliRunner().invoke(app, words, catch_exceptions=False)
                assert done.exit_code == 0, f"{words}: {done.output}"
                said += done.output
                ran += 1
            for wanted in filter(None, (shown or "").splitlines()):
                assert wanted in said, f"{wanted!r} is not in {said!r}"
    assert ran == 10
