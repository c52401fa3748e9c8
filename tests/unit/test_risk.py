"""The risk of a table, by hand-worked figures, and what people are told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import desensitize
from desensitize.risks import Bucket, RiskReport, from_dict
from protos.faults import InputError
from tests.generalise_world import policy_of

Run = Callable[..., subprocess.CompletedProcess[str]]
VEIL = str(Path(sys.executable).with_name("veil"))
# Sweeney's kind of table: town, age band, illness.
TABLE = {
    "town": ["A", "A", "A", "B", "B", "C", None, None],
    "age": ["20s", "20s", "20s", "30s", "30s", "40s", "50s", "50s"],
    "illness": ["flu", "flu", "gout", "flu", "flu", "gout", "flu", None],
}


def test_a_table_by_hand() -> None:
    found = desensitize.risk(pa.table(TABLE), ["town", "age"], ["illness"])
    assert (found.rows, found.classes, found.k, found.unique_rows) == (8, 4, 1, 1)
    assert found.prosecutor == 1.0
    assert found.marketer == 0.5
    assert found.above_present == 8
    assert found.sizes == (Bucket(1, 1, 1, 1), Bucket(2, 2, 2, 4), Bucket(3, 4, 1, 3))
    [illness] = found.sensitive
    assert (illness.l, illness.homogeneous_rows) == (1, 3)  # B: flu, flu; C: gout alone
    assert illness.entropy_l == 1.0
    # The table: 5/8 flu, 2/8 gout, 1/8 none. C is all gout: half of |0-5/8| + |1-2/8| + |0-1/8|.
    assert illness.t == pytest.approx(0.75)
    assert found.gbt42460_level == 2
    assert found.journalist is None


def test_entropy_and_order() -> None:
    found = desensitize.risk(
        pa.table({"q": ["a"] * 4 + ["b"] * 4, "n": [1, 2, 3, 4, 1, 1, 1, 2]}), ["q"], ["n"]
    )
    [n] = found.sensitive
    assert (n.l, n.homogeneous_rows) == (2, 0)
    assert n.entropy_l == pytest.approx(4 / 3**0.75)  # exp of the entropy of 3:1
    # b: 3/4, 1/4, 0, 0 against 4/8, 2/8, 1/8, 1/8: (|.25| + |.25| + |.125|) / 3
    assert n.t == pytest.approx((0.25 + 0.25 + 0.125) / 3)


def test_twenty_alike_are_what_open_publication_accepts() -> None:
    found = desensitize.risk(pa.table({"q": ["a"] * 20 + ["b"] * 19}), ["q"])
    assert (found.k, found.above_present, found.gbt42460_level) == (19, 19, 2)
    found = desensitize.risk(pa.table({"q": ["a"] * 20 + ["b"] * 20}), ["q"])
    assert (found.above_present, found.gbt42460_level) == (0, 3)


def test_a_direct_identifier_is_level_1_whatever_k_says() -> None:
    table = pa.table({"q": ["a"] * 30, "note": ["见 440106199003071231"] + ["无"] * 29})
    found = desensitize.risk(table, ["q"])
    assert (found.direct, found.gbt42460_level) == (("note",), 1)
    assert "people can be named" in found.sentences()[0].en


def test_an_empty_table_says_nothing() -> None:
    found = desensitize.risk(
        pa.table({"q": pa.array([], pa.string()), "s": pa.array([], pa.int64())}), ["q"], ["s"]
    )
    assert (found.rows, found.k, found.prosecutor, found.marketer) == (0, 0, 0.0, 0.0)
    assert [text.en for text in found.sentences()] == ["The table is empty: it tells nothing."]


@pytest.mark.parametrize(
    ("quasi", "sensitive", "code"),
    [
        ([], [], "risk.columns"),
        (["town", "town"], [], "risk.columns"),
        (["town"], ["town"], "risk.columns"),
        (["twon"], [], "risk.column"),
        (["town"], ["ilness"], "risk.column"),
    ],
)
def test_columns_that_cannot_be(quasi: list[str], sensitive: list[str], code: str) -> None:
    with pytest.raises(InputError) as refused:
        desensitize.risk(pa.table(TABLE), quasi, sensitive)
    assert refused.value.code == code


def test_beside_a_population(tmp_path: Path) -> None:
    sample = pd.DataFrame({"town": ["A", "A", "B"], "age": [20, 20, 30]})
    everybody = pd.DataFrame(
        {"age": [20] * 5 + [30] * 2 + [99], "town": ["A"] * 5 + ["B"] * 2 + ["Z"]}
    )
    sample.to_csv(tmp_path / "sample.csv", index=False)
    everybody.to_parquet(tmp_path / "all.parquet")
    found = desensitize.risk(
        tmp_path / "sample.csv", ["town", "age"], population=tmp_path / "all.parquet"
    )
    assert found.presence is not None
    assert (found.presence.population, found.presence.smallest) == (8, 2)
    assert (found.presence.least, found.presence.most) == (0.4, 0.5)
    assert (found.presence.outside, found.journalist) == (0, 0.5)
    assert found.prosecutor == 1.0
    everybody[everybody.town != "B"].to_csv(tmp_path / "some.csv", index=False)
    found = desensitize.risk(
        tmp_path / "sample.csv", ["town", "age"], population=tmp_path / "some.csv"
    )
    assert found.presence is not None
    assert found.presence.outside == 1
    assert "not in the population" in found.sentences()[-1].en
    (tmp_path / "other.csv").write_text("x\n1\n")
    with pytest.raises(InputError, match=r"other\.csv has no column 'town', 'age'"):
        desensitize.risk(tmp_path / "sample.csv", ["town", "age"],
                         population=tmp_path / "other.csv")  # fmt: skip
    with pytest.raises(InputError, match="is no file"):
        desensitize.risk(tmp_path / "sample.csv", ["town"], population=tmp_path / "no.csv")


def test_files_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are for files"):
        desensitize.risk(pa.table(TABLE), ["town"], sheet="x")


def test_a_release_knows_its_columns(tmp_path: Path) -> None:
    policy = policy_of({"age": '["value", "*"]'}, ["illness"], "k = 2, max_suppressed = 0.2")
    table = pa.table({name: TABLE[name] for name in ("age", "illness")})
    facts = desensitize.run(table, policy=policy, out=tmp_path / "r")
    found = desensitize.risk(tmp_path / "r")
    assert (found.quasi, found.k) == (("age",), 2)
    assert [each.name for each in found.sensitive] == ["illness"]
    assert found.to_dict() == facts.figures["risk"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 4)),
                min_size=1, max_size=30))  # fmt: skip
def test_it_is_what_pandas_counts(rows: list[tuple[str, str, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["p", "q", "s"])
    found = desensitize.risk(frame, ["p", "q"], ["s"])
    classes = frame.groupby(["p", "q"])
    assert (found.k, found.classes) == (classes.size().min(), len(classes))
    assert found.unique_rows == (classes.size() == 1).sum()
    assert found.sensitive[0].l == classes["s"].nunique().min()
    alike = [len(each) for _, each in classes["s"] if each.nunique() == 1]
    assert found.sensitive[0].homogeneous_rows == sum(alike)
    shares = [each.value_counts(normalize=True).to_numpy() for _, each in classes["s"]]
    entropy = min(float(-(p * np.log(p)).sum()) for p in shares)
    assert found.sensitive[0].entropy_l == pytest.approx(np.exp(entropy))
    assert from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_the_command(tmp_path: Path, run: Run) -> None:
    frame = pd.DataFrame(TABLE)
    frame.to_csv(tmp_path / "t.csv", index=False)
    args = [VEIL, "desensitize", "risk", str(tmp_path / "t.csv"), "--quasi", "town，age",
            "--sensitive", "illness", "--json", str(tmp_path / "r.json")]  # fmt: skip
    done = run(*args)
    assert done.returncode == 0, done.stderr
    assert "at least 1 row " in done.stdout
    assert "GB/T 42460 level 2" in done.stdout
    body = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert isinstance(from_dict(body), RiskReport)
    done = run("env", "VEIL_LANG=zh", *args)
    assert "等价类" in done.stdout
    done = run(VEIL, "desensitize", "risk", str(tmp_path / "t.csv"))
    assert done.returncode != 0
    assert "as in --quasi sex,birth" in done.stderr
