"""Vectorised checks agree with the standards done one by one; finds do not depend on neighbours."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitize.recognisers import by_name
from desensitize.scanning.finder import find, matching
from desensitize.scanning.table_scan import union_gate
from tests.chinese_tables import KINDS, Kind, Maker, id_check, luhn_digit, sentences, widened

DIGITS = "0123456789"


@given(st.lists(st.text(DIGITS, min_size=17, max_size=17), min_size=1, max_size=20))
def test_resident_ids(bodies: list[str]) -> None:
    values = [f"11{body[2:6]}19{body[8:]}" for body in bodies]
    values += [value[:-1] + id_check(value[:17]) for value in [v + "0" for v in values]]
    values = [v if len(v) == 18 else v + id_check(v[:17]) for v in values]
    expected = []
    for value in values:
        right = value[17] == id_check(value[:17]) and value[:4] in {"1100", "1101", "1102"}
        born = None
        with suppress(ValueError):
            born = dt.date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
        expected.append(right and born is not None)
    assert by_name()["cn_resident_id"].valid(pa.array(values)).tolist() == expected


@given(st.lists(st.text(DIGITS, min_size=8, max_size=18), min_size=1, max_size=20))
def test_luhn(bodies: list[str]) -> None:
    values = ["62" + (body + "0" * 16)[: 13 + len(body) % 4] for body in bodies]
    values = [value + digit for value in values for digit in DIGITS]
    expected = [value[-1] == luhn_digit(value[:-1]) for value in values]
    assert by_name()["bank_card"].valid(pa.array(values)).tolist() == expected


@given(st.lists(st.text("0123456789Xx -", max_size=24), min_size=1), st.integers(0, 3))
def test_checks_survive_any_text_and_any_slice(values: list[str], start: int) -> None:
    """A slice of an Arrow array shares its buffers: offsets must be minded."""
    array = pa.array(values)
    for recogniser in (by_name()[n] for n in ("cn_resident_id", "bank_card", "cn_credit_code")):
        everything = recogniser.valid(array).tolist()
        assert recogniser.valid(array[start:]).tolist() == everything[start:]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_made_values_are_valid(kind: Kind) -> None:
    maker = Maker(3)
    values = pa.array([kind.make(maker) for _ in range(300)])
    recogniser = by_name()[kind.name]
    least = 0.95 if kind.name == "cn_person" else 1  # surnames that few bear are no part of it
    assert matching(values, f"^(?:{recogniser.pattern})$").mean() >= least
    assert recogniser.valid(values).mean() >= least


@given(st.integers(0, 2**32), st.sampled_from([k for k in KINDS if k.name != "coordinate"]))
def test_the_union_gate_lets_every_find_through(seed: int, kind: Kind) -> None:
    """The full scan sees only what passes the gate, so the gate must never be stricter."""
    texts = [labelled.text for labelled in sentences(Maker(seed), kind, 5)]
    signs = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if not chr(code).isalnum()}
    texts += [wide for text in texts for wide in (widened(text), text.translate(signs))]
    gate = matching(pa.array(texts), union_gate())
    assert all(gate[hit.cell] for hit in find(texts))


@given(st.integers(0, 2**32), st.integers(0, 400))
def test_a_find_in_a_very_long_text_keeps_its_place(seed: int, shift: int) -> None:
    """Long texts are read in pieces; what lies across a cut is found once, in its place."""
    value = Maker(seed).resident_id()
    place = 65_536 - 200 + shift
    text = "字" * place + value + "字" * 1_000
    [hit] = find([text])
    assert (hit.start, hit.end, hit.value) == (place, place + 18, value)


@given(st.text(max_size=60))
def test_any_text_can_be_looked_at(text: str) -> None:
    for hit in find([text]):
        assert 0 <= hit.start < hit.end <= len(text)
