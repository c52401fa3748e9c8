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
from catalog.exact_rules import exact_refusals
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


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
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
