"""Whatever a user can meet stands in both languages: looked up in the source, text by text."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from protos.faults import BudgetError, InputError, SqlError, VeilError, from_public
from protos.grpc_faults import _short
from protos.language import Text, both, joined

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("protos", "desensitize", "catalog", "compute_nodes", "exchange")
# ProtocolError is not among them: a peer's malformed message is met by programs.
SPEAKING: Final = {
    "InputError", "SqlError", "PolicyError", "BudgetError", "TrustError", "JobError",
    "UnavailableError", "MissingError", "ConflictError", "LimitError", "LoginError", "Refusal",
    "NotAsked", "refuse", "refuse_word",
}  # fmt: skip
# English only, and how many: what is said between programs, to their developers, or after
# somebody has tampered with a file. A new line here needs a reason; the numbers only go down.
ENGLISH_ONLY: Final[dict[str, int]] = {
    "catalog/calibration.py": 1,
    "catalog/codec.py": 4,
    "catalog/sample.py": 1,
    "catalog/typing_rules.py": 5,
    "compute_nodes/crypto/agreement.py": 1,
    "compute_nodes/crypto/bfv.py": 10,
    "compute_nodes/crypto/boxes.py": 1,
    "compute_nodes/crypto/masks.py": 1,
    "compute_nodes/crypto/paillier.py": 8,
    "compute_nodes/crypto/ring.py": 4,
    "compute_nodes/crypto/seed.py": 1,
    "compute_nodes/crypto/shamir.py": 2,
    "compute_nodes/crypto/signatures.py": 2,
    "compute_nodes/jobs/bitmap.py": 1,
    "compute_nodes/jobs/homomorphic.py": 4,
    "compute_nodes/jobs/machines.py": 1,
    "compute_nodes/jobs/setups.py": 1,
    "compute_nodes/noise.py": 1,
    "compute_nodes/protocols/base.py": 5,
    "compute_nodes/protocols/he_sum/analyst.py": 3,
    "compute_nodes/protocols/he_sum/bfv_scheme.py": 1,
    "compute_nodes/protocols/he_sum/coordinator.py": 1,
    "compute_nodes/protocols/he_sum/party.py": 1,
    "compute_nodes/protocols/he_sum/setup.py": 7,
    "compute_nodes/protocols/masked_sum/messages.py": 3,
    "compute_nodes/protocols/masked_sum/party.py": 5,
    "exchange/analyst/he_key.py": 1,
    "protos/canonical.py": 2,
}


def _literal(node: ast.expr) -> bool:
    match node:
        case ast.JoinedStr():
            return True
        case ast.Constant(value=str(text)):
            return bool(text)
        case ast.IfExp(body=one, orelse=other):
            return _literal(one) or _literal(other)
        case ast.BoolOp(values=values):
            return any(map(_literal, values))
        case ast.BinOp(left=left, right=right):
            return _literal(left) or _literal(right)
    return False


def _said(call: ast.Call) -> Iterator[ast.expr]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in SPEAKING:
        return
    first = {"Refusal": 3, "refuse": 1, "refuse_word": 2}.get(name, 0)
    yield from call.args[first : first + 1]
    yield from (k.value for k in call.keywords if k.arg in {"message", "remedy", "said"})


def english_only(source: str) -> int:
    """Counts the texts of errors that are plain literals, also by way of a variable."""
    found = 0
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            found += sum(map(_literal, _said(node)))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found += node.targets[0].id in {"message", "remedy"} and _literal(node.value)
    return found


def test_what_users_meet_is_said_in_both_languages() -> None:
    found: Counter[str] = Counter()
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if count := english_only(file.read_text("utf-8")):
                found[str(file.relative_to(ROOT))] = count
    assert dict(found) == ENGLISH_ONLY


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('raise InputError("x")', 1),
        ('raise InputError(f"{x} is wrong", remedy="mend it")', 2),
        ('raise InputError(Text("x", "y"), remedy=Text("x", "y"))', 0),
        ('raise statement.refuse(node, "x" if a else Text("x", "y"))', 1),
        ('Refusal("", "time", "", "too late")', 1),
        ('raise ProtocolError("x")', 0),
        ('remedy = "mend it"', 1),
    ],
)
def test_the_look_up_finds_plain_english(source: str, count: int) -> None:
    assert english_only(source) == count


def test_an_error_crosses_the_wire_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    error = BudgetError(Text("used up", "已用完"), remedy=Text("wait", "请等待"), code="budget.x")
    there = from_public(error.public())
    assert (there.said, there.advice, there.code) == (error.said, error.advice, "budget.x")
    assert isinstance(there, BudgetError)
    monkeypatch.setenv("VEIL_LANG", "zh")
    assert str(there) == "已用完"
    assert there.message == "used up"  # logs and programs read English


def test_plain_english_still_works_and_an_older_peer_is_understood() -> None:
    error = InputError("bad", remedy="mend it")
    assert error.said == Text("bad", "bad")
    assert set(error.public()) == {"kind", "code", "message", "remedy"}
    assert from_public({"kind": "input", "message": "bad"}).said.zh == "bad"


def test_a_notebook_s_traceback_shows_the_place_and_the_remedy() -> None:
    error = SqlError("no", sql="SELECT x", start=7, end=8, remedy="name a column")
    assert error.__notes__ == ["→ name a column", "SELECT x\n       ^"]
    assert not hasattr(VeilError("no"), "__notes__")


def test_a_long_text_is_cut_between_characters() -> None:
    assert _short("数" * 1000) == "数" * 466
    assert _short("short") == "short"


def test_texts_are_joined_with_each_language_s_punctuation() -> None:
    assert joined([Text("a", "甲"), "b"]) == Text("a; b", "甲；b")
    assert both("a") == Text("a", "a")
