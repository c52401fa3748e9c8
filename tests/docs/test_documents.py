"""The documents: links lead somewhere, commands exist, the reference is current."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exchange.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", documents(), ids=by_name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if not target.startswith(("https://", "#")):
            assert (path.parent / target.split("#")[0]).exists(), f"{path.name}: {target}"


def commands_in(path: Path) -> Iterator[str]:
    """The ``veil …`` and ``make …`` that a document tells people to type."""
    text = path.read_text("utf-8")
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        yield from re.findall(r"^\$ (.+?)(?:\s{2,}#.*|\s+#.*)?$", block, re.MULTILINE)
    yield from re.findall(r"`((?:veil|make) [^`]+)`", text)


@pytest.mark.parametrize("path", documents(), ids=by_name)
def test_every_command_in_a_document_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    known = {entry.name for entry in COMMANDS}
    for line in commands_in(path):
        words = [word for word in line.split() if "=" not in word]
        if words[0] == "make":
            assert words[1] in targets, f"{path.name}: {line}"
        if words[0] == "veil" and not words[1].startswith("-"):
            assert words[1].rstrip(",") in known, f"{path.name}: {line}"


def test_the_command_line_reference_is_current(run: Run) -> None:
    said = run(sys.executable, "docs/reference.py", "-")
    assert said.returncode == 0, said.stderr
    committed = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert committed == said.stdout, "docs/cli.md is not what the commands say: run `make docs`"


def test_no_command_and_no_option_is_without_a_help_text(run: Run) -> None:
    said = run(sys.executable, "docs/reference.py", "-").stdout
    assert "|  |" not in said, "an option without a help text"
    for heading, text in re.findall(r"^##+ `(veil[^`]*)`\n\n(.*)$", said, re.MULTILINE):
        assert text, f"{heading} has no help text"


def test_the_readme_shows_the_two_commands_and_what_they_print() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:40])
    assert "$ make demo" in first_screen
    assert "$ make test" in first_screen
    assert "<!-- demo output: begin -->" in first_screen
    assert "All checks passed" in (ROOT / "Makefile").read_text("utf-8")


def test_continuous_integration_runs_what_everybody_runs() -> None:
    path = ROOT / ".ci" / "run"
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert lines[-1] == "make test"
    assert path.stat().st_mode & 0o111


def test_the_version_has_its_place_in_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text("utf-8")
    for path in sorted(folder.glob("0*.md")):
        assert f"({path.name})" in listed, path.name
        text = path.read_text("utf-8")
        parts = ["What we faced", "What we chose", "What it costs", "What we did not choose"]
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == parts, path.name
        assert len(text.split()) < 600, f"{path.name} is longer than a page"


@pytest.mark.parametrize("path", documents(), ids=by_name)
def test_a_decision_is_called_by_its_number(path: Path) -> None:
    said = re.findall(r"\[decision (\d+)\]\([^)]*?(\d{4})-", path.read_text("utf-8"))
    assert [(a, int(b)) for a, b in said if int(a) != int(b)] == []


def test_every_dependency_says_why_it_is_there() -> None:
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    wanted = [line for line in lines if re.match(r'\s+"[a-z0-9][a-z0-9-]*(\[.*\])?[><=]', line)]
    assert len(wanted) > 20
    for line in wanted:
        assert "#" in line, line


def test_the_lock_names_public_registries_only() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    for package in lock["package"]:
        source = package["source"]
        assert source in ({"registry": "https://pypi.org/simple"}, {"editable": "."}), package
        for file in [*package.get("wheels", []), *filter(None, [package.get("sdist")])]:
            assert file["url"].startswith("https://files.pythonhosted.org/"), file


def test_the_permission_matrix_is_current(run: Run) -> None:
    said = run(sys.executable, "docs/permissions.py", "-").stdout
    assert (ROOT / "docs" / "permissions.md").read_text("utf-8") == said, "run: make docs"
