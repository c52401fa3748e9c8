"""An answer says what it is: figures, intervals, notes, receipt, HTML."""

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from catalog.algebra import Aggregate, ColumnRef, Key, Measure
from catalog.dataset import Dataset
from catalog.plan import Member
from desensitize.column import Column
from exchange.analyst.answer import Answer, make_answer
from exchange.analyst.finalise import Released
from exchange.analyst.postprocess import Processed
from exchange.planner.bound import Bound, Output

NASTY = "<script>alert('x')</script>"
DATA = Dataset(
    "visits", "", {"d": Column("d", "string", codes=("a", NASTY))}, ("p", "q", "r"), 1000, "id"
)
ROSTER = tuple(Member(name, "0" * 64) for name in ("p", "q", "r"))


def answered(mode: str, survivors: tuple[str, ...], **more: Any) -> Answer:  # noqa: ANN401
    bound = Bound(
        dataset=DATA,
        aggregate=Aggregate(
            "visits", None, (Key(ColumnRef("d"), ("a", NASTY)),), (Measure("rows"),)
        ),
        outputs=(Output("a0", "count", 0, None, None, 0, 0, "integer"),),
        post_sql=more.get("sql", "SELECT k0 AS district, a0 AS n FROM released"),
        sql="",
        mode="exact",
    )
    plan: Any = SimpleNamespace(mode=mode, roster=ROSTER, epsilon=0.5, delta=1e-6)
    noise: Any = SimpleNamespace(sigma_node=(10.0,)) if mode == "adhoc" else None
    visible = (True, True) if mode == "exact" else None
    if "visible" in more:
        visible = more["visible"]
    totals = [1234] * (sum(visible) if visible else 2)
    return make_answer(
        bound, plan, totals, visible=visible, calibration=noise, survivors=survivors, receipt={}
    )


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEIL_LANG", "en")


def test_a_noisy_answer_has_intervals_and_says_what_they_cover() -> None:
    answer = answered("adhoc", ("p", "q", "r"))
    assert answer.to_pandas()["n"].tolist() == [1234, 1234]
    assert answer.intervals is not None
    # Three nodes with sigma 10 each: 1.96 * sqrt(300) = 33.9.
    assert answer.intervals.to_pylist()[0] == {"n_low": 1200, "n_high": 1268}
    assert "95 % intervals cover this noise, not what clipping" in answer.notes[0]


def test_fewer_survivors_mean_less_noise_and_a_note_about_who_is_missing() -> None:
    answer = answered("adhoc", ("p", "q"))
    assert answer.intervals is not None
    assert answer.intervals.to_pylist()[0] == {"n_low": 1206, "n_high": 1262}
    assert "r dropped out: the figures cover 2 of 3 departments" in answer.notes[0]


def test_a_computed_column_points_to_the_intervals_of_its_inputs() -> None:
    answer = answered("adhoc", ("p", "q", "r"), sql="SELECT a0 / 2 AS half FROM released")
    assert answer.intervals is None
    assert any("half" in note and "(≈)" in note for note in answer.notes)
    assert answer.released.intervals is not None


def test_an_exact_answer_says_so_and_counts_what_it_hides() -> None:
    answer = answered("exact", ("p", "q", "r"), visible=(True, False))
    assert answer.to_arrow().to_pylist() == [{"district": "a", "n": 1234}]
    assert "no noise was added" in answer.notes[0]
    assert answer.notes[1].startswith("1 of 2 groups are not shown")


def test_notes_are_chinese_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEIL_LANG", "zh")
    assert "差分隐私" in answered("adhoc", ("p", "q", "r")).notes[0]


def test_html_is_escaped_has_error_bars_and_no_scripts() -> None:
    html = answered("adhoc", ("p", "q", "r"))._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<svg") == 2
    assert "1,234 ± 34" in html
    assert "currentColor" in html


def test_html_of_odd_values_and_many_rows() -> None:
    table = pa.table(
        {"n": pa.array([None, 2.5, float("inf")] * 30), "b": pa.array([True, False, None] * 30)}
    )
    answer = Answer(Processed(table, None, ()), Released(table, None, 90), {})
    html = answer._repr_html_()
    assert "… 30 more rows" in html
    assert "–" in html


def test_the_receipt_stays_out_of_repr() -> None:
    assert "receipt" not in repr(answered("exact", ("p", "q", "r")))
