"""The threat model names tests; each of them exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


def test_it_names_tests_at_all() -> None:
    assert len(NAMED) > 40


@pytest.mark.parametrize(("file", "function"), NAMED, ids="::".join)
def test_every_named_test_exists(file: str, function: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert function in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize(
    "who",
    ["A department", "The exchange, curious", "The exchange, malicious", "The analyst",
     "The auditor", "A reader of receipts", "A stranger"],
)  # fmt: skip
def test_every_participant_has_a_section(who: str) -> None:
    assert re.search(rf"^## {who}", TEXT, re.MULTILINE)
