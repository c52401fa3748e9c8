"""The text that owners read: it never fails, and different computations read differently."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.algebra import (
    Aggregate,
    Arith,
    ColumnRef,
    Compare,
    Constant,
    Expr,
    Function,
    Key,
    Like,
    Measure,
)
from catalog.algebra_text import aggregate_text, expr_text
from tests.sql_world import COLUMNS, conditions, dates, numbers, texts

SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=4)
MEASURES = st.just(Measure("rows")) | st.builds(
    Measure, st.sampled_from(["count", "sum", "sum_squares"]), numbers(2)
)
KEYS = st.builds(Key, texts() | dates() | numbers(1), st.lists(SCALARS, max_size=6).map(tuple))
AGGREGATES = st.builds(
    Aggregate,
    st.just("visits"),
    st.none() | conditions(),
    st.lists(KEYS, max_size=2).map(tuple),
    st.lists(MEASURES, min_size=1, max_size=3).map(tuple),
)
# What a peer may sign, though it has no meaning.
NONSENSE = st.builds(
    Constant,
    SCALARS,
    st.sampled_from(["integer", "decimal", "string", "date", "boolean", "null"]),
    st.integers(-(10**9), 10**9),
)
SMALL: st.SearchStrategy[Expr] = st.sampled_from(
    [ColumnRef("age"), ColumnRef("a b"), ColumnRef("NULL"), Constant(None, "null")]
    + [Constant(v, "integer") for v in (0, 1, -1)]
    + [Constant(v, "decimal", d) for v in (0, 1, 10) for d in (1, 2)]
    + [Constant(v, "string") for v in ("", "1", "age", "'", "\\x1b", "\x1b", "\u202e", "\n")]
    + [Constant(v, "date") for v in (0, 1, 10**12)]
    + [Constant(v, "boolean") for v in (True, False)]
)
NESTED = st.recursive(
    SMALL,
    lambda inner: (
        st.builds(Arith, st.sampled_from(["+", "-", "*"]), inner, inner)
        | st.builds(Compare, st.sampled_from(["=", "<"]), inner, inner)
        | st.builds(lambda a, b: Function("coalesce", (a, b)), inner, inner)
        | st.builds(Like, inner, st.sampled_from(["%", "'%"]))
    ),
    max_leaves=4,
)


@given(AGGREGATES)
def test_every_aggregate_has_a_printable_text(aggregate: Aggregate) -> None:
    assert aggregate_text(aggregate, COLUMNS).isprintable()
    assert aggregate_text(aggregate, {}).isprintable()


@given(NONSENSE, st.integers(-(10**6), 10**6), st.text(max_size=5))
def test_nonsense_has_a_text_too(value: Constant, offset: int, name: str) -> None:
    measures = (Measure("sum", value, offset), Measure("rows", value), Measure("sum"))
    aggregate = Aggregate(name, Arith("*", ColumnRef(name), value), (Key(value, ()),), measures)
    assert aggregate_text(aggregate, COLUMNS).isprintable()


@given(AGGREGATES, AGGREGATES)
def test_different_aggregates_read_differently(one: Aggregate, other: Aggregate) -> None:
    same = aggregate_text(one, COLUMNS) == aggregate_text(other, COLUMNS)
    assert same == (repr(one) == repr(other))  # not ==, for which True is 1


@given(NESTED, NESTED)
def test_different_expressions_read_differently(one: Expr, other: Expr) -> None:
    assert (expr_text(one) == expr_text(other)) == (one == other)


def test_units_are_the_written_ones() -> None:
    aggregate = Aggregate(
        "visits",
        Compare(">", ColumnRef("cost"), Constant(1250, "decimal", 2)),
        (
            Key(ColumnRef("day"), (20028, 20029, 20030, None)),
            Key(ColumnRef("rate"), (0, 1, 10)),
            Key(ColumnRef("age"), (1, 2, 3, 9)),
        ),
        (Measure("rows"), Measure("sum", ColumnRef("cost"), 245000)),
    )
    assert aggregate_text(aggregate, COLUMNS) == (
        "SELECT day, rate, age, COUNT(*), SUM(cost - 2450.00) FROM visits WHERE cost > 12.50 "
        "GROUP BY day {DATE '2024-11-01' to DATE '2024-11-03', NULL}, rate {0.0, 0.1, 1.0}, "
        "age {1 to 3, 9}"
    )
