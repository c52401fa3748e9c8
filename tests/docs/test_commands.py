"""What documents tell people to type: the command, its arguments and every option exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.core import TyperGroup

from exchange.cli import app
from exchange.demo.acts import ACTS

if TYPE_CHECKING:
    from typer._click import Command

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]


def typed(path: Path) -> Iterator[list[str]]:
    """The words of every ``veil …`` in a console block, without comments and variables."""
    for block in re.findall(r"```console\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
        for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            words = [w for w in shlex.split(line, comments=True) if not re.match(r"[A-Z_]+=", w)]
            if words[:1] == ["veil"]:
                yield words[1:]


def named(words: list[str]) -> tuple[Command, list[str]]:
    """The command that the words name, and what is left of them."""
    command: Command = typer.main.get_command(app)
    while words and isinstance(command, TyperGroup) and not words[0].startswith("-"):
        assert words[0] in command.commands, f"there is no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_and_option_exists(path: Path) -> None:
    found = list(typed(path))
    assert found, "no command in this document"
    for words in found:
        command, rest = named(words)
        options = {"--help"}
        for parameter in command.params:
            options |= {*parameter.opts, *parameter.secondary_opts}  # --full/--sample
        for word in rest:
            if word.startswith("--"):
                assert word.split("=")[0] in options, f"{path.name}: {words}: no option {word}"
        if not isinstance(command, TyperGroup) and "--help" not in rest:
            needed = [p for p in command.params if p.param_type_name == "argument" and p.required]
            plain = [word for word in rest if not word.startswith("-")]
            assert len(plain) >= len(needed), f"{path.name}: {words}: an argument is missing"


def test_the_readme_shows_what_the_demo_prints() -> None:
    begin, end = "<!-- demo output: begin -->", "<!-- demo output: end -->"
    shown = README[README.index(begin) : README.index(end)]
    for number, act in enumerate(ACTS, 1):
        assert f"{number}/{len(ACTS)}  {act.title.en}" in shown
    assert "All of it was as it must be." in shown


def test_the_python_of_the_readme_is_the_sdk() -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.strip().splitlines()) <= 6
    compile(code, "README.md", "exec")
    assert "from exchange import connect" in code
    from exchange import Veil, connect

    assert connect.__module__ == "exchange.analyst.client"
    for name in re.findall(r"\bveil\.(\w+)", code):
        assert hasattr(Veil, name), name
