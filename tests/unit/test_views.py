"""What people see: an answer and the verification of a receipt, on a terminal."""

import io

import pyarrow as pa
import pytest

from catalog.judge import Verdict
from catalog.refusal import Refusal
from exchange.analyst.answer import Answer
from exchange.analyst.finalise import Released
from exchange.analyst.postprocess import Processed
from exchange.analyst.views import show_answer, show_explanation
from exchange.planner.explain import Explanation, Section
from exchange.proof.receipt import Check, Report
from exchange.proof.receipt_views import show_report
from protos.language import Text


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEIL_LANG", "en")


def answer(rows: int = 2) -> Answer:
    table = pa.table(
        {"district": ["荔湾区", "\x1b[2Jbad"] * (rows // 2), "n": [1200, 80] * (rows // 2)}
    )
    ends = pa.table({"n_low": [1180, 40] * (rows // 2), "n_high": [1220, 130] * (rows // 2)})
    return Answer(
        Processed(table, ends, ()), Released(table, ends, rows), {}, (Text("be careful", "小心"),)
    )


def test_an_answer_shows_each_figure_with_its_interval_and_the_notes() -> None:
    out = io.StringIO()
    show_answer(answer(), stream=out)
    text = out.getvalue()
    assert "1,200 ± 20" in text
    assert "80 [40, 130]" in text  # not symmetric: written out
    assert "be careful" in text
    assert "荔湾区" in text
    assert "\x1b[2J" not in text


def test_long_answers_are_cut_and_say_so() -> None:
    out = io.StringIO()
    show_answer(answer(20), most_rows=6, stream=out)
    assert "14 more rows" in out.getvalue()


def test_exact_figures_are_shown_whole() -> None:
    table = pa.table({"s": pa.array([123456789], pa.int64()), "m": [1234.5678]})
    out = io.StringIO()
    show_answer(Answer(Processed(table, None, ()), Released(table, None, 1), {}), stream=out)
    assert "123,456,789" in out.getvalue()
    assert "1,234.57" in out.getvalue()


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ((True, True), "Everything holds."),
        ((True, None), "were not checked"),
        ((True, False), "does not hold: Second"),
    ],
)
def test_a_report_shows_every_check_and_one_verdict(
    outcomes: tuple[bool | None, ...], verdict: str
) -> None:
    names = (Text("First", "一"), Text("Second", "二"))
    report = Report(
        tuple(Check(n, ok, f"about {n.en}") for n, ok in zip(names, outcomes, strict=True))
    )
    out = io.StringIO()
    show_report(report, stream=out)
    assert verdict in out.getvalue()
    assert "about First" in out.getvalue()
    assert "does not prove that inputs were honest" in " ".join(out.getvalue().split())


def test_a_remark_is_marked_and_nothing_is_called_wrong_or_whole() -> None:
    missing = Check(Text("Signed", "签署"), ok=True, what="p did not sign", remark=True)
    holds = Check(Text("First", "一"), ok=True, what="x")
    out = io.StringIO()
    show_report(Report((holds, missing)), stream=out)
    assert "! " in out.getvalue()
    assert "Nothing is wrong." in out.getvalue()
    assert "nobody confirms" in out.getvalue()
    assert "Everything holds" not in out.getvalue()


def test_a_report_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEIL_LANG", "zh")
    out = io.StringIO()
    show_report(Report((Check(Text("First", "一"), ok=True, what="x"),)), stream=out)
    assert "全部成立" in out.getvalue()


REFUSAL = Refusal("guangzhou", "columns", "name", "it is not named in the policy", ())


@pytest.mark.parametrize(
    ("refusals", "said"), [((), "allows this"), ((REFUSAL,), "refuse this")], ids=["yes", "no"]
)
def test_an_explanation_shows_its_sections_and_the_verdict(
    refusals: tuple[Refusal, ...], said: str
) -> None:
    sections = (Section("What is asked", ("5 departments", "2 groups")), Section("Costs", ("0.5",)))
    out = io.StringIO()
    show_explanation(Explanation(sections, {}, Verdict(refusals)), stream=out)
    for text in ("What is asked", "5 departments", "Costs", said):
        assert text in out.getvalue()
