"""An answer's files: written where asked, bound to each other, refused before anything is paid."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import duckdb
import pyarrow as pa
import pytest

from exchange.analyst.answer import Answer
from exchange.analyst.saving import FORMATS, check_places, save
from protos.faults import InputError
from protos.identity import IdentityKey, unverified_claims


@pytest.fixture
def answer(identity: IdentityKey) -> Answer:
    receipt = {"receipt": identity.sign("vc+jwt", {"job": "1"}), "release": None}
    table = pa.table({"科室": ["外科", "内科"], "n": [1, 2], "n_low": [0, 1]})
    shown = SimpleNamespace(receipt=receipt, with_intervals=lambda: table)
    return cast("Answer", shown)


def test_the_receipt_is_bound_to_the_table(
    answer: Answer, identity: IdentityKey, tmp_path: Path
) -> None:
    table, receipt = tmp_path / "t.csv", tmp_path / "r.json"
    document = save(answer, identity, table, receipt)
    assert json.loads(receipt.read_text("utf-8")) == document
    assert set(unverified_claims(document["release"])) == {"receipt", "table"}
    assert table.read_text("utf-8-sig").splitlines()[:2] == ['"科室","n","n_low"', '"外科",1,0']


def test_a_receipt_alone_is_bound_to_nothing(
    answer: Answer, identity: IdentityKey, tmp_path: Path
) -> None:
    assert save(answer, identity, None, tmp_path / "r.json")["release"] is None


def test_places_are_checked_before_anything_is_asked(tmp_path: Path) -> None:
    check_places(tmp_path / "t.csv", None)
    with pytest.raises(InputError, match="no folder"):
        check_places(None, tmp_path / "absent" / "r.json")
    with pytest.raises(InputError, match="is a folder"):
        check_places(None, tmp_path)


def test_what_cannot_be_written_is_said(
    answer: Answer, identity: IdentityKey, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot write") as caught:
        save(answer, identity, tmp_path / "absent" / "t.csv", None)
    assert "costs nothing" in caught.value.remedy


@pytest.mark.parametrize("ending", sorted(FORMATS))
def test_every_format_holds_the_same_table(
    answer: Answer, identity: IdentityKey, tmp_path: Path, ending: str
) -> None:
    table = tmp_path / f"t{ending}"
    save(answer, identity, table, None)
    with duckdb.connect() as engine:
        found = engine.execute(f"SELECT 科室, n, n_low FROM '{table}'").fetchall()  # noqa: S608
    assert found == [("外科", 1, 0), ("内科", 2, 1)]


def test_only_a_csv_that_needs_it_begins_with_a_mark() -> None:
    assert FORMATS[".csv"](pa.table({"n": [1]})) == b'"n"\n1\n'
    assert FORMATS[".csv"](pa.table({"数": [1]})).startswith(b"\xef\xbb\xbf")


def test_a_name_without_a_format_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format") as refused:
        check_places(tmp_path / "t.xlsx", None)
    assert refused.value.remedy == "name a file that ends in .csv, .parquet, .json"
