"""Which texts are one value, in Arrow and in the engine."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitize.spelling import plain, plain_array, plain_sql


@pytest.mark.parametrize(
    ("one", "other"),
    [("HIV", "hiv"), ("ＨＩＶ＋", "HIV +"), ("Never-married", "never married"),
     ("（高血压）", "高血压"), ("COVID-19", "covid 19"), ("Ph.D.", "PhD"),
     ("肝炎，乙型", "肝炎 乙型"), ("a_b", "A-B"), ("1,000", "1000"),
     ("1 000", "１０００"), ("¥1，234，567", "¥1'234'567")],
)  # fmt: skip
def test_one_value_in_two_ways(one: str, other: str) -> None:
    assert len(set(plain([one, other]))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("HIV+", "HIV-"), ("1.5mg", "15mg"), (">50K", "<=50K"), ("-5", "5"), ("1/2", "12"),
     ("RH-", "RH+"), ("1,5", "15"), ("甲肝", "乙肝")],
)  # fmt: skip
def test_two_values(one: str, other: str) -> None:
    assert len(set(plain([one, other]))) == 2


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=12), max_size=6))
def test_the_engine_writes_them_alike(texts: list[str]) -> None:
    texts = [text.replace("\0", "") for text in texts]
    sql = plain_sql("x")
    values = duckdb.execute(f"SELECT [{sql} FOR x IN $it]", {"it": texts}).fetchall()[0][0]
    assert values == plain(texts)


def test_the_engine_and_arrow_take_the_same_words_for_one() -> None:
    same = (("HIV", "艾滋病", "it's"), ("flu", "流感"))
    texts = ["艾 滋病", "HIV+", "Ｆlu", "流感", "It's", None, "cold"]
    sql = plain_sql("x", same)
    [[values]] = duckdb.execute(f"SELECT [{sql} FOR x IN $it]", {"it": texts}).fetchall()
    assert values == plain_array(pa.array(texts), same).to_pylist()
    assert values == ["hiv", "hiv+", "flu", "flu", "hiv", None, "cold"]
