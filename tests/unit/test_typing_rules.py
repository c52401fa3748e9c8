"""Types, bounds and the width of the ring."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.algebra import (
    Aggregate,
    Arith,
    Case,
    ColumnRef,
    Compare,
    Constant,
    Expr,
    Function,
    Key,
    Measure,
)
from catalog.typing_rules import (
    bits_needed,
    check_aggregate,
    columns_of,
    magnitude,
    type_of,
    value_bound,
)
from protos.faults import InputError
from tests.sql_world import COLUMNS, DATASET, planned

COST, AGE, DAYS = ColumnRef("cost"), ColumnRef("age"), ColumnRef("days")


def number(value: int, decimals: int = 0) -> Constant:
    return Constant(value, "decimal" if decimals else "integer", decimals)


@pytest.mark.parametrize(
    ("expr", "bounds", "decimals"),
    [
        (COST, (-10_000, 500_000), 2),
        (Arith("+", COST, AGE), (-10_000, 512_000), 2),
        (Arith("-", AGE, DAYS), (-60, 125), 0),
        (Arith("*", COST, DAYS), (-2_500_000, 30_000_000), 2),
        (Arith("*", COST, number(15, 1)), (-150_000, 7_500_000), 3),
        (Arith("+", AGE, number(12345, 3)), (12_345, 132_345), 3),
        (Function("abs", (DAYS,)), (0, 60), 0),
        (Function("greatest", (AGE, DAYS)), (-5, 120), 0),
        (Function("greatest", (AGE, number(5), ColumnRef("rate"))), (50, 1200), 1),
        (Function("least", (DAYS, number(10))), (-5, 10), 0),
        (Function("year", (ColumnRef("day"),)), (2024, 2025), 0),
        (Function("month", (ColumnRef("day"),)), (1, 12), 0),
        (Arith("-", ColumnRef("day"), ColumnRef("day")), (-119, 119), 0),
        (Case(((Compare("=", AGE, AGE), COST),), number(1)), (-10_000, 500_000), 2),
    ],
)
def test_bounds_follow_from_declarations(expr: Expr, bounds: tuple[int, int], decimals: int):
    found = type_of(expr, COLUMNS)
    assert (found.bounds, found.decimals) == (bounds, decimals)


@pytest.mark.parametrize(
    ("expr", "code"),
    [
        (ColumnRef("nobody"), "column.unknown"),
        (Compare("=", AGE, Constant("x", "string")), "type.mismatch"),
        (Arith("+", AGE, Constant("x", "string")), "type.mismatch"),
        (Arith("*", ColumnRef("day"), number(2)), "type.mismatch"),
        (Function("upper", (AGE,)), "type.mismatch"),
        (Function("abs", ()), "type.arity"),
        (Constant("1", "integer"), "type.constant"),
        (Constant(True, "integer"), "type.constant"),
        (Constant(1, "integer", 2), "type.constant"),
        (Constant(1, "decimal", 19), "type.decimals"),
        (Constant(10**9, "date"), "type.date"),
        (Case((), AGE), "type.arity"),
        (Arith("+", ColumnRef("day"), number(10**9)), "type.date"),
    ],
)
def test_what_does_not_fit_together_is_refused(expr: Expr, code: str):
    with pytest.raises(InputError) as caught:
        type_of(expr, COLUMNS)
    assert caught.value.code == code


def test_a_measure_is_bounded_around_its_offset():
    assert value_bound(Measure("rows"), COLUMNS) == 1
    assert value_bound(Measure("sum", COST), COLUMNS) == 500_000
    assert value_bound(Measure("sum", COST, 245_000), COLUMNS) == 255_000
    assert value_bound(Measure("sum_squares", COST, 245_000), COLUMNS) == 255_000**2
    with pytest.raises(InputError, match="only numbers"):
        value_bound(Measure("sum", ColumnRef("free")), COLUMNS)


def test_a_value_without_bounds_cannot_be_summed():
    columns = {**COLUMNS, "age": replace(COLUMNS["age"], bounds=None)}
    with pytest.raises(InputError, match="no bounds are declared for age"):
        value_bound(Measure("sum", AGE), columns)


def test_the_ring_is_the_narrowest_that_no_total_can_leave():
    exact = planned("SELECT SUM(age) FROM visits", mode="exact")
    assert magnitude(exact, DATASET) == 120 * 1000 * 3
    assert exact.bits == 32
    edge = replace(DATASET, max_rows=(2**31 - 1) // (120 * 3))
    assert bits_needed(exact, edge) == 32
    assert bits_needed(exact, replace(edge, max_rows=edge.max_rows + 1)) == 64
    squares = planned("SELECT VAR_POP(cost) FROM visits", mode="exact")
    assert bits_needed(squares, replace(DATASET, max_rows=10**9)) == 128
    with pytest.raises(InputError, match="more than 128 bits"):
        bits_needed(squares, replace(DATASET, max_rows=10**30))


def test_noise_has_room_in_the_ring():
    quiet = planned("SELECT COUNT(*) FROM visits", epsilon=1.0)
    loud = planned("SELECT COUNT(*) FROM visits", epsilon=1e-7)
    assert quiet.bits == 32
    assert loud.bits == 64
    assert magnitude(loud, DATASET) > magnitude(quiet, DATASET) > 3000
    with pytest.raises(InputError, match="epsilon"):
        magnitude(replace(quiet, epsilon=0.0), DATASET)


@pytest.mark.parametrize(
    "aggregate",
    [
        Aggregate("visits", None, (), ()),
        Aggregate("visits", AGE, (), (Measure("rows"),)),
        Aggregate("visits", None, (), (Measure("rows", AGE),)),
        Aggregate("visits", None, (), (Measure("sum"),)),
        Aggregate("visits", None, (), (Measure("rows", offset=5),)),
        Aggregate("visits", None, (Key(AGE, ()),), (Measure("rows"),)),
        Aggregate("visits", None, (Key(AGE, (1, 1)),), (Measure("rows"),)),
        Aggregate("visits", None, (Key(AGE, ("1",)),), (Measure("rows"),)),
        Aggregate("visits", None, (Key(AGE, (True,)),), (Measure("rows"),)),
        Aggregate("visits", None, (Key(ColumnRef("insured"), (0, 1)),), (Measure("rows"),)),
        Aggregate("visits", None, (), (Measure("sum", ColumnRef("sex")),)),
    ],
)
def test_a_malformed_aggregate_is_refused(aggregate: Aggregate):
    with pytest.raises(InputError):
        check_aggregate(aggregate, COLUMNS)


def test_columns_of_finds_every_column():
    case = Case(((Compare("=", AGE, DAYS), COST),), Function("abs", (ColumnRef("rate"),)))
    assert columns_of(case) == {"age", "days", "cost", "rate"}


def test_no_bound_rests_on_a_declaration_of_not_null():
    """Data may break it; the noise must hold all the same."""
    found = type_of(Function("greatest", (ColumnRef("cost"), DAYS)), COLUMNS)
    assert not found.nullable
    assert found.bounds == (-10_000, 500_000)
