"""An answer's files: written where asked, bound to each other, refused before anything is paid."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pyarrow as pa
import pytest

from exchange.answer import Answer
from exchange.saving import check_places, save
from protos.faults import InputError
from protos.identity import IdentityKey, unverified_claims


@pytest.fixture
def answer(identity: IdentityKey) -> Answer:
    receipt = {"receipt": identity.sign("vc+jwt", {"job": "1"}), "release": None}
    shown = SimpleNamespace(receipt=receipt, to_arrow=lambda: pa.table({"n": [1, 2]}))
    return cast("Answer", shown)


def test_the_receipt_is_bound_to_the_table(
    answer: Answer, identity: IdentityKey, tmp_path: Path
) -> None:
    table, receipt = tmp_path / "t.csv", tmp_path / "r.json"
    document = save(answer, identity, table, receipt)
    assert json.loads(receipt.read_text("utf-8")) == document
    assert set(unverified_claims(document["release"])) == {"receipt", "table"}
    assert table.read_text("utf-8").splitlines() == ['"n"', "1", "2"]


def test_a_receipt_alone_is_bound_to_nothing(
    answer: Answer, identity: IdentityKey, tmp_path: Path
) -> None:
    assert save(answer, identity, None, tmp_path / "r.json")["release"] is None


def test_places_are_checked_before_anything_is_asked(tmp_path: Path) -> None:
    check_places(tmp_path / "t.csv", None)
    with pytest.raises(InputError, match="no folder"):
        check_places(None, tmp_path / "absent" / "r.json")
    with pytest.raises(InputError, match="is a folder"):
        check_places(tmp_path)


def test_what_cannot_be_written_is_said(
    answer: Answer, identity: IdentityKey, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot write") as caught:
        save(answer, identity, tmp_path / "absent" / "t.csv", None)
    assert "costs nothing" in caught.value.remedy
