"""Random statements over random rows: the engine and a plain evaluator must agree exactly."""

# ruff: noqa: ANN401 - values and the engine fixture are of any type

from __future__ import annotations

import re
from datetime import date, timedelta
from fractions import Fraction
from itertools import product
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

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
    InList,
    IsNull,
    Key,
    Like,
    Measure,
    Not,
)
from catalog.typing_rules import type_of
from compute_nodes.engines.render import (
    dominance_sql,
    dominance_vetoes,
    render,
    subject_counts,
    to_vector,
)
from desensitize.column import Column
from protos.faults import InputError

EPOCH = date(1970, 1, 1)
COLUMNS = {
    "age": Column("age", "integer", bounds=(0, 120)),
    "k0": Column("k0", "integer", bounds=(-5, 5)),  # named like an alias of the statement
    "cost": Column("cost", "decimal", decimals=2, bounds=(-100_000, 5_000_000)),
    "big": Column("big", "integer", bounds=(-(2**40), 2**40)),
    "free": Column("free", "integer"),  # no bounds: may be filtered by, not summed
    "city": Column("city", "string"),
    "day": Column("day", "date", bounds=(0, 30_000)),
    "flag": Column("flag", "boolean"),
    "bit": Column("bit", "integer", bounds=(3, 4)),
}
TYPES = {
    "age": pa.int64(), "k0": pa.int64(), "cost": pa.int64(), "big": pa.int64(),
    "free": pa.int64(), "city": pa.string(), "day": pa.int32(), "flag": pa.bool_(),
    "bit": pa.int64(),
    "who": pa.string(), "__veil_rank": pa.int64(),
}  # fmt: skip
CITIES = ("", "a", "B", "中文", "a_b", "50%", "it's", "\\", "éa")
INSIDE = {
    "age": st.integers(0, 120),
    "k0": st.integers(-5, 5),
    "cost": st.integers(-100_000, 5_000_000),
    "big": st.integers(-(2**40), 2**40),
    "free": st.integers(-(2**63), 2**63 - 1),
    "city": st.sampled_from(CITIES),
    "day": st.integers(0, 30_000),
    "flag": st.booleans(),
    "bit": st.sampled_from([3, 4]),
    "who": st.sampled_from(("p", "q", "r", "s")),
    "__veil_rank": st.integers(1, 4),
}
OUTSIDE = INSIDE | {
    "age": st.integers(-50, 200),
    "k0": st.integers(-9, 9),
    "cost": st.integers(-(10**9), 10**9),
    "big": st.integers(-(2**60), 2**60),
    "day": st.integers(-5000, 60_000),
}


def rows_of(values: dict[str, st.SearchStrategy]) -> st.SearchStrategy[list[dict]]:
    """Rows with NULL about once in six places; few rows would rarely meet a declared cell."""
    row = st.fixed_dictionaries(
        {
            n: v if n == "__veil_rank" else st.one_of(v, v, v, v, v, st.none())
            for n, v in values.items()
        }
    )
    return st.lists(row, min_size=3, max_size=12) | st.just([])


def integers(low: int = -200, high: int = 200) -> st.SearchStrategy[Expr]:
    return st.integers(low, high).map(lambda v: Constant(v, "integer"))


NUMBERS: st.SearchStrategy[Expr] = st.deferred(
    lambda: (
        st.sampled_from([ColumnRef(n) for n in ("age", "k0", "cost", "big")])
        | integers()
        | st.builds(
            lambda v, d: Constant(v, "decimal", d), st.integers(-999, 999), st.integers(0, 3)
        )
        | st.builds(Arith, st.sampled_from(["+", "-", "*"]), NUMBERS, NUMBERS)
        | st.builds(lambda a: Function("abs", (a,)), NUMBERS)
        | st.builds(
            lambda name, args: Function(name, tuple(args)),
            st.sampled_from(["coalesce", "greatest", "least"]),
            st.lists(NUMBERS, min_size=1, max_size=3),
        )
        | st.builds(lambda n, d: Function(n, (d,)), st.sampled_from(["year", "month"]), DATES)
        | st.builds(
            lambda whens, default: Case(tuple(whens), default),
            st.lists(st.tuples(CONDITIONS, NUMBERS), min_size=1, max_size=2),
            NUMBERS | st.just(Constant(None, "null")),
        )
    )
)
TEXTS: st.SearchStrategy[Expr] = st.deferred(
    lambda: (
        st.just(ColumnRef("city"))
        | st.sampled_from(CITIES).map(lambda v: Constant(v, "string"))
        | st.builds(lambda n, a: Function(n, (a,)), st.sampled_from(["upper", "lower"]), TEXTS)
        | st.builds(
            lambda a, at, size: Function("substr", (a, at, *size)),
            TEXTS,
            integers(1, 3),
            st.lists(integers(1, 2), max_size=1),
        )
    )
)
DATES: st.SearchStrategy[Expr] = st.just(ColumnRef("day")) | st.builds(
    lambda d: Constant(d, "date"), st.integers(0, 25_000)
)
CONDITIONS: st.SearchStrategy[Expr] = st.deferred(
    lambda: (
        st.just(ColumnRef("flag"))
        | st.builds(Compare, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), NUMBERS, NUMBERS)
        | st.builds(Compare, st.sampled_from(["=", "<>", "<", ">="]), TEXTS, TEXTS)
        | st.builds(Compare, st.sampled_from(["=", "<", ">="]), DATES, DATES)
        | st.builds(
            lambda c, n: Compare("<", ColumnRef("free"), Arith("*", ColumnRef("free"), n)),
            st.none(),
            integers(-3, 3),
        )
        | st.builds(
            lambda op, args: BoolOp(op, tuple(args)),
            st.sampled_from(["and", "or"]),
            st.lists(CONDITIONS, min_size=2, max_size=3),
        )
        | st.builds(Not, CONDITIONS)
        | st.builds(IsNull, NUMBERS | TEXTS | CONDITIONS)
        | st.builds(
            lambda a, items: InList(a, tuple(items)),
            NUMBERS,
            st.lists(integers() | st.just(Constant(None, "null")), min_size=1, max_size=3),
        )
        | st.builds(Like, TEXTS, st.sampled_from(["%", "a%", "_", "%b", "", "中_", "50\\%", "%'%"]))
    )
)
BAND = Case(
    (
        (Compare("<", ColumnRef("age"), Constant(18, "integer")), Constant("young", "string")),
        (Compare("<", ColumnRef("age"), Constant(65, "integer")), Constant("mid", "string")),
    ),
    Constant("old", "string"),
)
KEYS: st.SearchStrategy[Key] = st.sampled_from(
    [
        Key(ColumnRef("city"), (*CITIES[:5], None)),
        Key(ColumnRef("k0"), tuple(range(-5, 6))),
        Key(ColumnRef("flag"), (False, True, None)),
        Key(Function("month", (ColumnRef("day"),)), tuple(range(1, 13))),
        Key(BAND, ("young", "mid", "old")),
        Key(Constant(1, "integer"), (1, 2)),
    ]
)  # fmt: skip
MEASURES: st.SearchStrategy[Measure] = (
    st.just(Measure("rows"))
    | st.builds(lambda v: Measure("count", v), NUMBERS)
    | st.builds(lambda v, o: Measure("sum", v, o), NUMBERS, st.integers(-1000, 1000))
    | st.builds(lambda v, o: Measure("sum_squares", v, o), NUMBERS, st.integers(-1000, 1000))
)
AGGREGATES = st.builds(
    lambda p, k, m: Aggregate("t", p, tuple(k), tuple(m)),
    st.one_of(st.none(), st.none(), CONDITIONS),
    st.lists(KEYS, max_size=2),
    st.lists(MEASURES, min_size=1, max_size=3),
)


# --- the plain evaluator: numbers are exact fractions, None is NULL


def value_of(expr: Expr, row: dict[str, Any]) -> Any:
    match expr:
        case ColumnRef(name):
            stored = row[name]
            if stored is not None and COLUMNS[name].type == "decimal":
                return Fraction(stored, 10 ** COLUMNS[name].decimals)
            return stored
        case Constant(value, kind, decimals):
            return Fraction(value, 10**decimals) if kind == "decimal" else value
        case Arith(op, left, right):
            a, b = value_of(left, row), value_of(right, row)
            if a is None or b is None:
                return None
            return {"+": a + b, "-": a - b, "*": a * b}[op]
        case Compare(op, left, right):
            a, b = value_of(left, row), value_of(right, row)
            if a is None or b is None:
                return None
            if isinstance(a, str):  # the engine compares bytes
                a, b = a.encode(), b.encode()
            return {"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[
                op
            ]
        case BoolOp(op, args):
            found = [value_of(a, row) for a in args]
            decisive = op == "or"
            if any(f is decisive for f in found):
                return decisive
            return None if None in found else not decisive
        case Not(arg):
            found = value_of(arg, row)
            return None if found is None else not found
        case IsNull(arg):
            return value_of(arg, row) is None
        case InList(arg, items):
            found = value_of(arg, row)
            if found is None:
                return None
            listed = [value_of(i, row) for i in items]
            return (
                True
                if found in [v for v in listed if v is not None]
                else (None if None in listed else False)
            )
        case Like(arg, pattern):
            found = value_of(arg, row)
            if found is None:
                return None
            signs = {"%": ".*", "_": "."}
            form = "".join(signs.get(c) or re.escape(c) for c in pattern)
            return re.fullmatch(form, found, re.DOTALL) is not None
        case Case(whens, default):
            for condition, value in whens:
                if value_of(condition, row) is True:
                    return value_of(value, row)
            return value_of(default, row)
        case Function(name, args):
            return function_of(name, [value_of(a, row) for a in args])
    raise AssertionError(expr)


def function_of(name: str, args: list[Any]) -> Any:
    known = [a for a in args if a is not None]
    if name == "coalesce":
        return known[0] if known else None
    if name in {"greatest", "least"}:
        return (max if name == "greatest" else min)(known) if known else None
    if len(known) < len(args):
        return None
    if name == "abs":
        return abs(args[0])
    if name in {"upper", "lower"}:
        return getattr(args[0], name)()
    if name == "substr":
        text, start = args[0], args[1] - 1
        return text[start : start + args[2]] if len(args) > 2 else text[start:]
    return getattr(EPOCH + timedelta(days=args[0]), name)


def clipped(row: dict[str, Any]) -> dict[str, Any]:
    done = dict(row)
    for name, column in COLUMNS.items():
        if column.bounds and row[name] is not None:
            done[name] = min(max(row[name], column.bounds[0]), column.bounds[1])
    return done


def expected(aggregate: Aggregate, rows: list[dict]) -> tuple[list[int], list[int]]:
    """The vector, and the subjects per cell."""
    cells = list(product(*[key.domain for key in aggregate.keys]))
    kept = [
        r for r in rows if aggregate.predicate is None or value_of(aggregate.predicate, r) is True
    ]

    def marked(values: tuple) -> tuple:
        return tuple((type(v), v) for v in values)

    groups: dict[tuple, list[dict]] = {marked(c): [] for c in cells}
    for row in kept:
        key = marked(tuple(value_of(k.expr, row) for k in aggregate.keys))
        if key in groups:
            groups[key].append(row)
    vector: list[int] = []
    fewest = [10**9] * len(cells)
    for measure in aggregate.measures:
        for i, cell in enumerate(cells):
            group = groups[marked(cell)]
            number, people = measured(measure, group)
            vector.append(number)
            fewest[i] = min(fewest[i], people)
    return vector, fewest


def measured(measure: Measure, group: list[dict]) -> tuple[int, int]:
    if measure.value is None:
        return len(group), len({r["who"] for r in group} - {None})
    pairs = [(value_of(measure.value, r), r["who"]) for r in group]
    pairs = [(v, w) for v, w in pairs if v is not None]
    people = {w for _, w in pairs} - {None}
    if measure.kind == "count":
        return len(pairs), len(people)
    scale = 10 ** type_of(measure.value, COLUMNS).decimals
    if has_case(measure.value):
        people = {w for v, w in pairs if v != 0} - {None}
    moved = [v * scale - measure.offset for v, _ in pairs]
    total = sum(moved) if measure.kind == "sum" else sum(m * m for m in moved)
    assert Fraction(total).denominator == 1
    return int(total), len(people)


def has_case(expr: Expr) -> bool:
    return "Case(" in repr(expr)


# --- the comparison


@pytest.fixture(scope="module")
def engine() -> Any:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    yield connection
    connection.close()


def run(engine: duckdb.DuckDBPyConnection, sql: str, rows: list[dict]) -> pa.Table:
    columns = {n: pa.array([r[n] for r in rows], t) for n, t in TYPES.items()}
    table = pa.table(columns)
    engine.register("rows", table)
    engine.execute("CREATE OR REPLACE TABLE data AS SELECT * FROM rows")
    engine.unregister("rows")
    return engine.sql(sql).to_arrow_table()


def rendered(aggregate: Aggregate, **options: Any) -> str:
    """Renders, or gives the example up if its bounds are refused."""
    try:
        return render(aggregate, COLUMNS, max_rows=1000, **options)
    except InputError as error:
        assume(error.code not in {"bounds.too_wide", "type.decimals"})
        raise


@settings(max_examples=150)
@given(aggregate=AGGREGATES, rows=rows_of(INSIDE))
def test_engine_and_reference_agree(engine: Any, aggregate: Aggregate, rows: list[dict]) -> None:
    sql = rendered(aggregate, subject="who")
    table = run(engine, sql, rows)
    vector, people = expected(aggregate, rows)
    assert to_vector(table, aggregate) == vector
    assert subject_counts(table, aggregate) == people


@settings(max_examples=80)
@given(aggregate=AGGREGATES, rows=rows_of(INSIDE), cities=st.sets(st.sampled_from(CITIES)))
def test_rows_that_a_department_does_not_answer_for_are_not_there(
    engine: Any, aggregate: Aggregate, rows: list[dict], cities: set[str]
) -> None:
    only = {"city": (*sorted(cities), "elsewhere"), "flag": (True,)}
    kept = [r for r in rows if r["city"] in {*cities, None} and r["flag"] in {True, None}]
    sql = rendered(aggregate, subject="who", only=only)
    table = run(engine, sql, rows)
    vector, people = expected(aggregate, kept)
    assert to_vector(table, aggregate) == vector
    assert subject_counts(table, aggregate) == people


TRUTH = Case(
    ((ColumnRef("flag"), Constant(1, "integer")), (Not(ColumnRef("flag")), Constant(0, "integer"))),
    Constant(None, "null"),
)
DOUBLED = Arith("-", Arith("*", Constant(2, "integer"), ColumnRef("bit")), ColumnRef("age"))
OLD = Compare(">", ColumnRef("age"), Constant(50, "integer"))


@settings(max_examples=150)
@given(
    rows=rows_of(INSIDE),
    value=st.sampled_from([TRUTH, ColumnRef("bit"), DOUBLED]),
    under_condition=st.booleans(),
    kind=st.sampled_from(["sum", "sum_squares"]),
)
def test_a_column_of_two_values_hides_its_smaller_side(
    engine: Any, rows: list[dict], value: Expr, under_condition: bool, kind: Any
) -> None:
    """What an exact total gives away together with its count: how many people are on each side."""
    whole = Case(((OLD, value),), Constant(None, "null")) if under_condition else value
    cities = ("a", "B")
    aggregate = Aggregate(
        "visits", None, (Key(ColumnRef("city"), cities),),
        (Measure("count", whole), Measure(kind, whole)),
    )  # fmt: skip
    table = run(engine, rendered(aggregate, subject="who"), rows)
    name = "flag" if value is TRUTH else "bit"
    expected_people = []
    for city in cities:
        inside = [r for r in rows if r["city"] == city and value_of(whole, r) is not None]
        sides = [
            {r["who"] for r in inside if r[name] == side} - {None}
            for side in ((True, False) if name == "flag" else (3, 4))
        ]
        expected_people.append(min(map(len, sides)))
    assert subject_counts(table, aggregate) == expected_people
    if value is TRUTH:
        trues = [sum(1 for r in rows if r["city"] == c and value_of(whole, r) == 1) for c in cities]
        assert to_vector(table, aggregate)[2:] == trues


@settings(max_examples=60)
@given(aggregate=AGGREGATES, rows=rows_of(OUTSIDE))
def test_clipping_and_rank(engine: Any, aggregate: Aggregate, rows: list[dict]) -> None:
    sql = rendered(aggregate, clip=frozenset(COLUMNS), rank_limit=2)
    table = run(engine, sql, rows)
    kept = [clipped(r) for r in rows if r["__veil_rank"] <= 2]
    assert to_vector(table, aggregate) == expected(aggregate, kept)[0]


@settings(max_examples=40)
@given(
    rows=rows_of(INSIDE),
    keys=st.lists(KEYS, max_size=2),
    largest=st.integers(1, 3),
    most=st.sampled_from([0.1, 0.5, 0.75, 0.9, 1.0]),
)
def test_dominance(
    engine: Any, rows: list[dict], keys: list[Key], largest: int, most: float
) -> None:
    aggregate = Aggregate(
        "t", None, tuple(keys), (Measure("rows"), Measure("sum", ColumnRef("cost")))
    )
    sql = dominance_sql(aggregate, COLUMNS, subject="who", largest=largest)
    assert sql is not None
    vetoes = dominance_vetoes(run(engine, sql, rows), aggregate, most)
    wanted = []
    for cell in product(*[key.domain for key in keys]):
        shares: dict[Any, int] = {}
        for row in rows:
            key = tuple(value_of(k.expr, row) for k in keys)
            if key == cell and row["cost"] is not None:
                shares[row["who"]] = shares.get(row["who"], 0) + row["cost"]
        sizes = sorted((abs(v) for v in shares.values()), reverse=True)
        wanted.append(Fraction(sum(sizes[:largest])) > Fraction(str(most)) * sum(sizes))
    assert vetoes == wanted


def test_nothing_summed_has_no_dominance() -> None:
    aggregate = Aggregate("t", None, (), (Measure("rows"),))
    assert dominance_sql(aggregate, COLUMNS, subject="who", largest=1) is None


def test_values_too_wide_are_refused_from_declarations() -> None:
    big: Expr = ColumnRef("big")
    for _ in range(3):
        big = Arith("*", big, ColumnRef("big"))
    with pytest.raises(InputError) as caught:
        render(Aggregate("t", None, (), (Measure("sum", big),)), COLUMNS, max_rows=10)
    assert caught.value.code == "bounds.too_wide"
    with pytest.raises(InputError):
        render(
            Aggregate("t", Like(ColumnRef("city"), "a\0"), (), (Measure("rows"),)),
            COLUMNS,
            max_rows=10,
        )


def test_extremes_of_64_bits_do_not_overflow(engine: Any) -> None:
    """A column without bounds may hold anything that 64 bits hold."""
    free: Expr = ColumnRef("free")
    for value in (-(2**63), 2**63 - 1):
        row = dict.fromkeys(TYPES) | {"free": value, "__veil_rank": 1}
        for expr in (Function("abs", (free,)), Arith("-", Constant(0, "integer"), free)):
            aggregate = Aggregate(
                "t", Compare(">", expr, Constant(0, "integer")), (), (Measure("rows"),)
            )
            sql = render(aggregate, COLUMNS, max_rows=10)
            wanted = 1 if "abs" in repr(expr) or value < 0 else 0
            assert to_vector(run(engine, sql, [row]), aggregate) == [wanted]


@pytest.mark.parametrize(
    "text", ["'", "''; DROP TABLE data; --", "\\'", '"', "$$", "\n", "/*", "%", "\U0001f600"]
)
def test_hostile_texts_are_only_texts(engine: Any, text: str) -> None:
    rows = [dict.fromkeys(TYPES) | {"city": text, "__veil_rank": 1}]
    for predicate in (
        Compare("=", ColumnRef("city"), Constant(text, "string")),
        InList(ColumnRef("city"), (Constant(text, "string"), Constant("x", "string"))),
    ):
        aggregate = Aggregate(
            "t", predicate, (Key(ColumnRef("city"), (text,)),), (Measure("rows"),)
        )
        sql = render(aggregate, COLUMNS, max_rows=10, clip={"city"})
        assert len(duckdb.extract_statements(sql)) == 1
        assert to_vector(run(engine, sql, rows), aggregate) == [1]
