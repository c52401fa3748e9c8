"""One declared dataset, random rows, and a reference evaluator that shares no code with us."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from typing import Any

from hypothesis import strategies as st

from catalog.algebra import (
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
    Like,
    Not,
)
from catalog.config import load_dataset, load_policy
from catalog.plan import Mode, Plan
from catalog.sql_gate import parse
from exchange.planner.bind import bind
from exchange.planner.draft import DirectoryView, draft
from protos.signing import Card, IdentityKey, SealingKey

Row = Mapping[str, Any]

EPOCH = date(1970, 1, 1)
DATASET = load_dataset(
    {
        "name": "visits",
        "title": "t",
        "members": ["a", "b", "c"],
        "max_rows": 1000,
        "subject": "id",
        "columns": {
            "sex": {"type": "string", "codes": ["F", "M"]},
            "age": {"type": "integer", "bounds": [0, 120]},
            "days": {"type": "integer", "bounds": [-5, 60], "nullable": False},
            "district": {"type": "string", "codes": ["440103", "440104", "440305"],
                         "nullable": False},
            "day": {"type": "date", "bounds": ["2024-11-01", "2025-02-28"]},
            "cost": {"type": "decimal", "decimals": 2, "bounds": [-100, 5000]},
            "rate": {"type": "decimal", "decimals": 1, "bounds": [0, 1], "nullable": False},
            "insured": {"type": "boolean"},
            "free": {"type": "string"},
        },
    }
)  # fmt: skip
COLUMNS = DATASET.columns


# --- a tiny reference evaluator: exact fractions, dates as dates, None as NULL


def value_of(expr: Expr, row: Row) -> Any:  # noqa: ANN401 - any SQL value
    match expr:
        case ColumnRef(name=name):
            return row[name]
        case Constant(value=value, type=kind, decimals=decimals):
            if kind == "date":
                return EPOCH + timedelta(days=value)
            number = kind in {"integer", "decimal"}
            return Fraction(value, 10**decimals) if number else value
        case Arith(op=op, left=left, right=right):
            a, b = value_of(left, row), value_of(right, row)
            if a is None or b is None:
                return None
            if isinstance(a, date) and isinstance(b, date):
                return Fraction((a - b).days)
            if isinstance(a, date):
                return a + timedelta(days=int(b) if op == "+" else -int(b))
            return {"+": a + b, "-": a - b, "*": a * b}[op]
        case Compare(op=op, left=left, right=right):
            a, b = value_of(left, row), value_of(right, row)
            if a is None or b is None:
                return None
            return {"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[
                op
            ]
        case BoolOp(op=op, args=args):
            found = [value_of(a, row) for a in args]
            if (op == "or") in found:
                return op == "or"
            return None if None in found else op == "and"
        case Not(arg=arg):
            inner = value_of(arg, row)
            return None if inner is None else not inner
        case IsNull(arg=arg):
            return value_of(arg, row) is None
        case InList(arg=arg, items=items):
            a, found = value_of(arg, row), [value_of(i, row) for i in items]
            if a is None:
                return None
            return True if a in found else None if None in found else False
        case Like(arg=arg, pattern=pattern):
            a = value_of(arg, row)
            regex = re.escape(pattern).replace("%", ".*").replace("_", ".")
            return None if a is None else re.fullmatch(regex, a, re.DOTALL) is not None
        case Case(whens=whens, default=default):
            for condition, value in whens:
                if value_of(condition, row):
                    return value_of(value, row)
            return value_of(default, row)
        case Function(name=name, args=args):
            return _call(name, [value_of(a, row) for a in args])


def _call(name: str, args: list[Any]) -> Any:  # noqa: ANN401
    present = [a for a in args if a is not None]
    if name == "coalesce":
        return next(iter(present), None)
    if name in {"greatest", "least"}:
        return (max if name == "greatest" else min)(present, default=None)
    if args[0] is None:
        return None
    if name == "substr":
        start = int(args[1]) - 1
        return args[0][start : start + int(args[2])] if len(args) > 2 else args[0][start:]
    return {
        "abs": abs, "upper": str.upper, "lower": str.lower,
        "year": lambda v: Fraction(v.year), "month": lambda v: Fraction(v.month),
    }[name](args[0])  # fmt: skip


def random_rows(seed: int, n: int) -> list[Row]:
    """Rows within the declared bounds; numbers as exact fractions."""
    draw = random.Random(seed)  # noqa: S311 - test data

    def some(value: Any, share: float = 0.1) -> Any:  # noqa: ANN401
        return None if draw.random() < share else value

    return [
        {
            "sex": some(draw.choice("FM")),
            "age": some(Fraction(draw.choice([draw.randint(0, 120), 18, 65]))),
            "days": Fraction(draw.randint(-5, 60)),
            "district": draw.choice(["440103", "440104", "440305"]),
            "day": some(date(2024, 11, 1) + timedelta(days=draw.randint(0, 119))),
            "cost": some(Fraction(draw.choice([draw.randint(-10000, 500000), 1234, 1235]), 100)),
            "rate": Fraction(draw.randint(0, 10), 10),
            "insured": some(draw.random() < 0.7),
            "free": some(draw.choice(["x", "yy", "Abc"])),
        }
        for _ in range(n)
    ]


# --- random well-typed expressions

INTEGERS = st.integers(-(10**6), 10**6).map(lambda v: Constant(v, "integer"))
DECIMALS = st.builds(
    lambda v, d: Constant(v, "decimal", d), st.integers(-(10**6), 10**6), st.integers(1, 3)
)
NULLS = st.just(Constant(None, "null"))
DAYS = st.integers(19000, 21000).map(lambda v: Constant(v, "date"))
TEXTS = st.sampled_from(["F", "M", "440103", "x", "Abc"]).map(lambda v: Constant(v, "string"))


def _column(*names: str) -> st.SearchStrategy[Expr]:
    return st.sampled_from(names).map(ColumnRef)


def numbers(depth: int = 3) -> st.SearchStrategy[Expr]:
    """Numeric expressions over the dataset."""
    leaf = _column("age", "days", "cost", "rate") | INTEGERS | DECIMALS
    if depth == 0:
        return leaf
    inner, condition = numbers(depth - 1), conditions(depth - 1)
    nullable = inner | NULLS
    return (
        leaf
        | st.builds(Arith, st.sampled_from(["+", "-"]), inner, inner)
        | st.builds(Arith, st.just("*"), _column("age", "cost", "days"), leaf)
        | st.builds(Arith, st.just("-"), dates(), dates())
        | st.builds(
            lambda whens, default: Case(tuple(whens), default),
            st.lists(st.tuples(condition, nullable), min_size=1, max_size=3),
            nullable,
        ).filter(lambda case: any(value != Constant(None, "null") for _, value in case.whens))
        | st.builds(
            lambda name, args: Function(name, tuple(args)),
            st.sampled_from(["coalesce", "greatest", "least"]),
            st.lists(inner, min_size=1, max_size=3),
        )
        | inner.map(lambda e: Function("abs", (e,)))
        | st.builds(lambda n, d: Function(n, (d,)), st.sampled_from(["year", "month"]), dates())
    )


def dates() -> st.SearchStrategy[Expr]:
    """Date expressions over the dataset."""
    shifted = st.integers(-400, 400).map(
        lambda n: Arith("+", ColumnRef("day"), Constant(n, "integer"))
    )
    return _column("day") | DAYS | shifted


def texts() -> st.SearchStrategy[Expr]:
    """Text expressions over the dataset."""
    leaf = _column("sex", "district", "free") | TEXTS
    return (
        leaf
        | st.builds(lambda n, e: Function(n, (e,)), st.sampled_from(["upper", "lower"]), leaf)
        | st.builds(
            lambda e, start, n: Function(
                "substr", (e, Constant(start, "integer"), Constant(n, "integer"))
            ),
            leaf,
            st.integers(1, 4),
            st.integers(1, 4),
        )
    )


def conditions(depth: int = 2) -> st.SearchStrategy[Expr]:
    """Predicates over the dataset."""
    operator = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
    below = max(depth - 1, 0)
    leaf = (
        st.builds(Compare, operator, numbers(below), numbers(below))
        | st.builds(Compare, operator, dates(), dates())
        | st.builds(Compare, operator, texts(), texts())
        | numbers(below).map(IsNull)
        | _column("insured")
        | st.builds(Like, texts(), st.sampled_from(["%", "A%", "_", "4401__", "%1%"]))
        | st.builds(
            lambda e, items: InList(e, tuple(items)),
            numbers(below),
            st.lists(INTEGERS | DECIMALS | NULLS, min_size=1, max_size=4),
        )
    )
    if depth == 0:
        return leaf
    inner = conditions(depth - 1)
    return (
        leaf
        | inner.map(Not)
        | st.builds(
            lambda op, args: BoolOp(op, tuple(args)),
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=2, max_size=3),
        )
    )


# --- a federation around it

POLICY = {
    "dataset": "visits",
    "columns": {
        **{n: {"uses": ["filter", "group"]} for n in ("sex", "district", "day", "insured")},
        **{n: {"uses": ["filter", "group", "aggregate"]} for n in ("age", "days")},
        "cost": {"uses": ["filter", "aggregate"]},
    },
    "query": {
        "subject": "id",
        "max_cells": 1000,
        "protocols": ["masked_sum", "he_sum", "sealed"],
        "audience": ["*"],
        "budget": {"epsilon": 10.0, "default": 0.5, "ceiling": 2.0},
    },
}
FINGERPRINTS = {name: (name * 64)[:64] for name in DATASET.members}


def directory(**changes: Any) -> DirectoryView:  # noqa: ANN401 - fields of the view
    """The federation of DATASET with POLICY everywhere, all online."""
    policies = {name: load_policy(POLICY, DATASET, name) for name in DATASET.members}
    view = DirectoryView(
        {"visits": DATASET}, {"visits": policies}, FINGERPRINTS, frozenset(DATASET.members)
    )
    return replace(view, **changes)


@cache
def analyst() -> Card:
    """Somebody who asks."""
    key = IdentityKey.generate()
    return Card("li", "analyst", key.public, SealingKey.generate().public_hex)


def planned(sql: str, *, mode: Mode = "adhoc", **options: Any) -> Plan:  # noqa: ANN401
    """The plan for a statement, drafted at time 1000."""
    bound = bind(parse(sql), {"visits": DATASET}, mode=mode)
    fixed: dict[str, Any] = {
        "analyst": analyst(), "project": "default", "purpose": "test", "now": 1000,
        "job": "0" * 32,
    }  # fmt: skip
    return draft(bound, options.pop("view", directory()), **(fixed | options))
