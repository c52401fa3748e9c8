"""What is said of an expression before any row is seen holds for every row."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from catalog.algebra import Expr, Measure, Scalar
from catalog.typing_rules import type_of, value_bound
from exchange.planner.domains import domain_of
from exchange.planner.evaluate import evaluate, holds
from protos.faults import InputError
from tests.sql_world import COLUMNS, EPOCH, Row, conditions, numbers, random_rows, texts, value_of

ROWS = random_rows(7, 40)


def _scaled(row: Row) -> dict[str, Scalar]:
    def one(name: str) -> Scalar:
        value = row[name]
        if isinstance(value, Fraction):
            return int(value * 10 ** COLUMNS[name].decimals)
        return (value - EPOCH).days if isinstance(value, date) else value

    return {name: one(name) for name in row}


@given(numbers())
def test_a_number_lies_within_its_bounds_and_decimals(expr: Expr):
    try:
        found = type_of(expr, COLUMNS)
    except InputError as error:
        if error.code == "type.decimals":
            return
        raise
    assert found.bounds is not None
    for row in ROWS:
        value = value_of(expr, row)
        if value is None:
            assert found.nullable
            continue
        scaled = value * 10**found.decimals
        assert scaled.denominator == 1
        assert found.bounds[0] <= scaled <= found.bounds[1]


@given(numbers(2), st.integers(-1000, 1000), st.sampled_from(["sum", "sum_squares"]))
def test_no_row_adds_more_than_the_value_bound(expr: Expr, offset: int, kind: str):
    measure = Measure("sum_squares" if kind == "sum_squares" else "sum", expr, offset)
    try:
        bound, decimals = value_bound(measure, COLUMNS), type_of(expr, COLUMNS).decimals
    except InputError as error:
        if error.code == "type.decimals":
            return
        raise
    for row in ROWS:
        value = value_of(expr, row)
        if value is not None:
            moved = value * 10**decimals - offset
            assert abs(moved if kind == "sum" else moved**2) <= bound


@given(numbers() | texts())
def test_the_planner_evaluates_as_the_reference_does(expr: Expr):
    try:
        type_of(expr, COLUMNS)
    except InputError:
        return
    for row in ROWS[:10]:
        value, decimals = evaluate(expr, _scaled(row), COLUMNS)
        known = value_of(expr, row)
        if isinstance(known, Fraction):
            assert isinstance(value, int)
            assert Fraction(value, 10**decimals) == known
        else:
            assert value == known


@given(conditions())
def test_conditions_are_three_valued(expr: Expr):
    try:
        found = type_of(expr, COLUMNS)
    except InputError as error:
        if error.code == "type.decimals":
            return
        raise
    assert found.type == "boolean"
    for row in ROWS[:10]:
        assert holds(expr, _scaled(row), COLUMNS) is value_of(expr, row)


@given(texts() | numbers(2), conditions(1))
def test_a_domain_holds_every_group_that_passes_the_where(expr: Expr, predicate: Expr):
    try:
        domain = domain_of(expr, predicate, COLUMNS)
        decimals = type_of(expr, COLUMNS).decimals
    except InputError as error:
        if error.code == "group.domain" and "leaves no group" in error.message:
            domain, decimals = (), 0
        elif error.code in {"group.domain", "type.decimals"}:
            return
        else:
            raise
    assert len(set(domain)) == len(domain)
    for row in ROWS:
        if value_of(predicate, row) is True:
            value = value_of(expr, row)
            if isinstance(value, Fraction):
                value = int(value * 10**decimals)
            assert value in domain
