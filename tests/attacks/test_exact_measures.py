"""One exact statement whose measures, side by side, single out fewer than ``min_group`` people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.algebra import (
    Aggregate,
    Arith,
    BoolOp,
    Case,
    ColumnRef,
    Compare,
    Constant,
    Expr,
    Function,
    IsNull,
    Measure,
    Not,
)
from catalog.config import load_policy
from catalog.exact_rules import exact_refusals, sides_of
from catalog.judge import judge
from catalog.refusal import Refusal
from desensitize.column import Column
from tests.sql_world import DATASET, POLICY, planned

OWN = load_policy(POLICY, DATASET, "a")

COLUMNS = {
    "hiv": Column("hiv", "string", codes=("y", "n"), nullable=False),
    "flag": Column("flag", "integer", bounds=(0, 1), nullable=False),
    "inc": Column("inc", "integer", bounds=(0, 10**6), nullable=False),
    "bonus": Column("bonus", "integer", bounds=(0, 10**6)),
    "extra": Column("extra", "integer", bounds=(0, 10**6)),
}
INC, BONUS, FLAG, EXTRA = (ColumnRef(n) for n in ("inc", "bonus", "flag", "extra"))
YES = Compare("=", ColumnRef("hiv"), Constant("y", "string"))
NO = Compare("=", ColumnRef("hiv"), Constant("n", "string"))
NULL, ONE = Constant(None, "null"), Constant(1, "integer")
ROWS = Measure("rows")


def when(condition: Expr, value: Expr, default: Expr = NULL) -> Case:
    return Case(((condition, value),), default)


def refused(*measures: Measure, where: Expr | None = None) -> list[Refusal]:
    return list(exact_refusals(Aggregate("v", where, (), measures), COLUMNS))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Function("coalesce", (BONUS, Constant(0, "integer"))), "COALESCE"),
        (Function("greatest", (Arith("-", INC, Constant(1098, "integer")), ONE)), "GREATEST"),
        (Function("least", (INC, ONE)), "LEAST"),
        (Function("abs", (Arith("-", INC, ONE),)), "ABS"),
        (when(YES, INC, ONE), "CASE"),
        (when(YES, ONE, Constant(0, "integer")), "CASE"),
        (when(YES, when(NO, INC)), "CASE"),
        (Case(((YES, INC), (NO, ONE)), NULL), "CASE"),
        (Arith("+", INC, when(YES, ONE)), "CASE"),
        (Arith("*", INC, FLAG), "product"),
        (Arith("*", Arith("-", INC, ONE), Arith("+", FLAG, ONE)), "product"),
        (when(YES, Arith("*", FLAG, FLAG)), "product"),
        (YES, "condition"),
    ],
)
@pytest.mark.parametrize("kind", ["sum", "count", "sum_squares"])
def test_no_condition_hides_in_a_value(value: Expr, says: str, kind: str) -> None:
    found = refused(Measure(kind, value))  # type: ignore[arg-type]
    assert [r.rule for r in found] == ["exact_measure"]
    assert says in found[0].message
    assert found[0].column
    assert found[0].rewrites


@pytest.mark.parametrize(
    "measures",
    [
        (Measure("sum", INC), Measure("sum", when(NO, INC))),
        (ROWS, Measure("count", when(NO, ONE))),
        (Measure("sum", when(YES, INC)), Measure("count", when(NO, ONE))),
    ],
)
def test_no_measure_is_the_complement_of_another(measures: tuple[Measure, ...]) -> None:
    found = refused(*measures)
    assert [(r.rule, r.column) for r in found] == [("exact_condition", "hiv")]
    assert "hiv = 'n'" in found[0].message
    assert "WHERE" in found[0].rewrites[0]


@pytest.mark.parametrize(
    "measures",
    [
        (ROWS, Measure("count", BONUS)),
        (ROWS, Measure("sum", BONUS)),
        (Measure("sum", INC), Measure("sum", Arith("+", INC, BONUS))),
        (Measure("count", when(YES, ONE)), Measure("sum", when(YES, BONUS))),
    ],
)
def test_nobody_is_found_by_having_no_value(measures: tuple[Measure, ...]) -> None:
    found = refused(*measures)
    assert [(r.rule, r.column) for r in found] == [("exact_nulls", "bonus")]
    assert "COUNT(bonus) instead of COUNT(*)" in found[0].rewrites[0]
    assert "WHERE bonus IS NOT NULL" in found[0].rewrites[1]
    assert not refused(*measures, where=BoolOp("and", (YES, Not(IsNull(BONUS)))))
    assert refused(*measures, where=BoolOp("or", (YES, Not(IsNull(BONUS)))))
    assert refused(*measures, where=Not(Not(IsNull(BONUS))))


def test_two_columns_with_gaps_are_refused_together() -> None:
    (found,) = refused(Measure("sum", BONUS), Measure("sum", EXTRA))
    assert "WHERE bonus IS NOT NULL AND extra IS NOT NULL" in found.rewrites[0]


@pytest.mark.parametrize(
    "measures",
    [
        (ROWS, Measure("sum", INC), Measure("sum_squares", INC)),
        (ROWS, Measure("sum", Arith("*", Constant(2, "integer"), Arith("-", INC, FLAG)))),
        (Measure("sum", when(YES, INC)), Measure("count", when(YES, ONE))),
        (Measure("count", BONUS), Measure("sum", BONUS)),
    ],
)
def test_everyday_statements_pass(measures: tuple[Measure, ...]) -> None:
    assert not refused(*measures)


SICK, SMOKES = ColumnRef("sick"), ColumnRef("smokes")
ZERO = Constant(0, "integer")
YES_NO = COLUMNS | {
    "sick": Column("sick", "boolean", nullable=False),
    "smokes": Column("smokes", "boolean"),
}


@pytest.mark.parametrize(
    "value",
    [
        when(SICK, ONE, ZERO),
        Case(((SICK, ONE), (Not(SICK), ZERO)), NULL),
        Case(((SMOKES, ONE), (Not(SMOKES), ZERO)), NULL),
        when(YES, when(SICK, ONE, ZERO)),
    ],
)
def test_the_truth_of_a_column_may_be_summed(value: Expr) -> None:
    measures = (Measure("count", value), Measure("sum", value))
    assert not list(exact_refusals(Aggregate("v", None, (), measures), YES_NO))


@pytest.mark.parametrize(
    "value",
    [
        when(SMOKES, ONE, ZERO),  # who has no value counts as no: the difference shows them
        when(SICK, ZERO, ONE),
        when(SICK, Constant(2, "integer"), ZERO),
        when(SICK, ONE, when(SICK, ONE, ZERO)),
        Case(((SICK, ONE), (SMOKES, ZERO)), NULL),
        Case(((SICK, ONE), (Not(SMOKES), ZERO)), NULL),
        Case(((Not(SICK), ONE), (Not(Not(SICK)), ZERO)), NULL),
        Case(((SICK, ONE), (Not(SICK), ONE)), NULL),
        when(BoolOp("and", (SICK, Compare("=", INC, ONE))), ONE, ZERO),
        when(Compare(">", INC, ONE), ONE, ZERO),  # the analyst's own line between people
        Arith("+", INC, when(SICK, ONE, ZERO)),
        Arith("*", Constant(2, "integer"), when(SICK, ONE, ZERO)),
    ],
)
def test_nothing_else_that_looks_like_a_truth_may(value: Expr) -> None:
    found = exact_refusals(Aggregate("v", None, (), (Measure("sum", value),)), YES_NO)
    assert [r.rule for r in found] == ["exact_measure"]


def test_the_truth_of_a_column_with_gaps_counts_no_one_without() -> None:
    value = Case(((SMOKES, ONE), (Not(SMOKES), ZERO)), NULL)
    (found,) = exact_refusals(Aggregate("v", None, (), (ROWS, Measure("sum", value))), YES_NO)
    assert (found.rule, found.column) == ("exact_nulls", "smokes")


def test_columns_of_two_values_are_known() -> None:
    columns = YES_NO | {
        "sex": Column("sex", "integer", codes=(1, 2)),
        "three": Column("three", "integer", bounds=(0, 2)),
    }
    value = Arith("+", Arith("+", FLAG, ColumnRef("sex")), Arith("-", INC, ColumnRef("three")))
    assert sides_of(value, columns) == {"flag": (0, 1), "sex": (1, 2)}
    assert sides_of(when(SICK, ONE, ZERO), columns) == {"sick": (True, False)}
    assert sides_of(None, columns) == {}


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT AVG(insured) FROM visits", ""),
        ("SELECT SUM(insured), STDDEV(insured) FROM visits", ""),
        (
            "SELECT district, AVG(insured) FROM visits WHERE insured IS NOT NULL GROUP BY district",
            "",
        ),
        ("SELECT AVG(insured) FILTER (WHERE sex = 'F') FROM visits", ""),
        ("SELECT COUNT(*), AVG(insured) FROM visits", "nulls"),
        ("SELECT AVG(age > 65) FROM visits", "measure"),
        ("SELECT SUM(days), SUM(CASE WHEN sex = 'F' THEN days END) FROM visits", "condition"),
        ("SELECT COUNT(*), COUNT(*) FILTER (WHERE sex = 'F') FROM visits", "condition"),
        ("SELECT SUM(COALESCE(cost, 0)) FROM visits", "measure"),
        ("SELECT SUM(GREATEST(days - 58, 0)) FROM visits", "measure"),
        ("SELECT SUM(CASE WHEN sex = 'F' THEN days ELSE 1 END) FROM visits", "measure"),
        ("SELECT SUM(days * age) FROM visits", "measure"),
        ("SELECT COUNT(*), AVG(cost) FROM visits", "nulls"),
        ("SELECT COUNT(cost), AVG(cost), STDDEV(cost) FROM visits", ""),
        ("SELECT COUNT(*), AVG(cost) FROM visits WHERE cost IS NOT NULL AND age > 3", ""),
        ("SELECT COUNT(*), AVG(age) FROM visits WHERE age > 3", ""),
        ("SELECT district, COUNT(*), SUM(days), AVG(days) FROM visits GROUP BY district", ""),
        ("SELECT AVG(days) FILTER (WHERE sex = 'F') FROM visits", ""),
        ("SELECT COUNT_IF(insured) FROM visits", ""),
    ],
)
def test_statements_from_sql(sql: str, rule: str) -> None:
    plan = replace(planned(sql, mode="exact"), grants=("x", "y", "z"))
    found = judge(plan, DATASET, {"a": OWN}, now=1000).refusals
    assert [r.rule for r in found] == ([f"exact_{rule}"] if rule else [])
    assert judge(planned(sql), DATASET, {"a": OWN}, now=1000).allowed  # noise protects these
