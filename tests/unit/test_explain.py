"""EXPLAIN says who learns what, what it costs and what leaves, from declarations only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catalog.calibration import Calibration
from catalog.plan import Plan
from catalog.sql_gate import parse
from exchange.planner.bind import bind
from exchange.planner.explain import Explanation, explain
from protos.language import Language
from tests.sql_world import DATASET, directory, planned

SQL = "SELECT sex, COUNT(*) n FROM visits GROUP BY sex ORDER BY n"
POLICIES = directory().policies["visits"]


def explained(plan: Plan, language: Language = "en", **options: Any) -> Explanation:  # noqa: ANN401
    bound = bind(parse(plan.statement), {"visits": DATASET}, mode=plan.mode)
    return explain(plan, bound, DATASET, POLICIES, language, **options)


def test_an_ad_hoc_plan_in_plain_words():
    found = explained(
        planned(SQL),
        predicted_bytes=lambda plan: {
            "main/advertise": 100,
            "main/masked": len(plan.roster) * 1000,
        },
        calibration=Calibration(0.1, (3.0,), (2.0,), 3),
        spent={"a": 1.5},
    )
    text = found.text()
    for line in (
        "3 departments compute 3 figures each: 3 groups x 1 measures, in a ring of 32 bits",
        "each department: nothing about the others",
        "the analyst: the totals with noise",
        "epsilon 0.5 with delta 1e-06, charged at every department",
        "a: 1.5 of 10 is spent",
        "b, c: lifetime cap 10, ceiling of one query 2",
        "n = COUNT(*): ±7 in 95 % of cases",
        "masked figures: 3,000 bytes",
        "3,100 bytes per node, 9,300 in all",
        "every policy allows it",
        "FROM released",
    ):
        assert line in text
    assert found.bytes_out == {"main/advertise": 100, "main/masked": 3000}


@pytest.mark.parametrize(
    "protocol", ["masked_sum", "he_sum.bfv", "he_sum.paillier", "he_sum.bfv.open"]
)
@pytest.mark.parametrize("mode", ["adhoc", "exact"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_protocol_and_mode_has_its_words(protocol: Any, mode: Any, language: Language):  # noqa: ANN401
    text = explained(planned(SQL, protocol=protocol, mode=mode), language).text()
    assert "{" not in text
    assert ("各方会知道什么" in text) == (language == "zh")


def test_a_refusal_is_told_before_anybody_is_asked():
    found = explained(planned("SELECT SUM(rate) FROM visits", epsilon=5.0))
    assert not found.verdict.allowed
    assert "refused - all 3 departments: column 'rate' may not be used" in found.text()
    assert "ceiling 2" in found.text()


def test_the_text_depends_on_declarations_only():
    plan = planned(SQL)
    assert explained(plan) == explained(replace(plan, job="1" * 32, purpose="x"))


@pytest.mark.parametrize(
    ("language", "online", "lines"),
    [
        ("en", {"a", "b", "c"}, [
            "all 3 departments must answer, each at a time of its own within 10 minutes; without",
            "the exchange: ciphertexts, who sent them and when; it adds them and can open none",
            "the analyst: the totals with noise, opened with a key made for this question alone",
            "only if all the others and the analyst act together",
        ]),
        ("en", {"a"}, ["within 23 hours; without one of them there is no answer"]),
        ("zh", {"a"}, ["全部 3 个部门都须在 23 小时内应答", "只能相加，无法解开", "与分析员合谋"]),
    ],
)  # fmt: skip
def test_a_homomorphic_sum_in_plain_words(language: Language, online: set[str], lines: list[str]):
    plan = planned(SQL, protocol="he_sum.bfv", view=directory(online=frozenset(online)))
    text = explained(plan, language).text()
    assert [line for line in lines if line not in text] == []
    assert "at least" not in text


def test_an_open_sum_says_who_reads_what():
    plan = planned(SQL, protocol="he_sum.bfv.open", lifetime_s=90, affiliation="b")
    english, chinese = explained(plan).text(), explained(plan, "zh").text()
    for line in (
        "each of 3 departments answers at a time of its own within 90 seconds; the sum is of",
        "the analyst: the totals with noise, of who came in time; every department adds the full",
        "no masks: the exchange and the analyst together read each department's own figures",
        "b is the analyst's own: it counts neither among the departments that must answer",
        "refused - all 3 departments: the protocol he_sum.bfv.open is not taken part in",
        "refused - all 3 departments: an answer needs 3 departments (without b, the analyst's own)",
    ):
        assert line in english
    assert "b 是分析者所属部门" in chinese


def test_a_department_that_answers_in_part_is_named():
    districts = replace(POLICIES["b"].columns["district"], codes=("440103", "440104"))
    partial = POLICIES | {
        "b": replace(POLICIES["b"], columns=POLICIES["b"].columns | {"district": districts})
    }
    plan = planned(SQL)
    bound = bind(parse(SQL), {"visits": DATASET})
    line = "b answers only for rows whose district is one of: '440103', '440104'"
    assert line in explain(plan, bound, DATASET, partial, "en").text()
    assert "answers only for rows" not in explain(plan, bound, DATASET, POLICIES, "en").text()
