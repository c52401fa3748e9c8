"""What one exact statement may measure: always the same people, each in the same way.

``min_group`` counts the people of a cell. It does not see the difference between two measures of
one cell (a condition on one of them, NULLs in one of them), nor a condition that hides in a value
(``COALESCE``, ``GREATEST``, ``CASE … ELSE 1``, a product with a column that is 0 or 1). So the
measures of an exact statement have one condition, one set of rows with values, and values that
are linear in the columns, or the truth of one boolean column as 1 and 0. A column of two values
splits its cell in two: nodes count the people on either side (``sides_of``), and the smaller side
decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

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
    Not,
)
from catalog.algebra_text import expr_text
from catalog.refusal import Refusal
from catalog.typing_rules import columns_of
from desensitize.column import Code, Column

_ONE: Final = Constant(1, "integer")
_ZERO: Final = Constant(0, "integer")
_ADHOC: Final = "ask in ad hoc mode"
_ELSEWHERE: Final = "put the condition into WHERE, or GROUP BY it"
_PRODUCT: Final = "a product of columns"


def exact_refusals(aggregate: Aggregate, columns: Mapping[str, Column]) -> Iterator[Refusal]:
    """Yields what keeps an aggregate from being answered exactly.

    Args:
        aggregate: Well typed over ``columns``.
        columns: The dataset's columns.
    """
    values = [split_condition(measure.value) for measure in aggregate.measures]
    wrong = {
        value: offence
        for _, value in values
        if value is not None and not _counts_truth(value, columns) and (offence := _offence(value))
    }
    for value, offence in wrong.items():
        product = offence == _PRODUCT
        yield Refusal(
            "", "exact_measure", _first(value),
            f"{expr_text(value)}: {offence} in an exact measure could tell about single people",
            ("ask for the columns one by one" if product else _ELSEWHERE, _ADHOC),
        )  # fmt: skip
    if not wrong:
        yield from _one_condition([condition for condition, _ in values])
        yield from _same_rows(values, aggregate.predicate, columns)


def _one_condition(conditions: list[Expr | None]) -> Iterator[Refusal]:
    distinct = list(dict.fromkeys(conditions))
    if len(distinct) > 1:
        told = next(condition for condition in reversed(distinct) if condition is not None)
        yield Refusal(
            "", "exact_condition", _first(told),
            f"not all measures have the condition {expr_text(told)}: their difference could be "
            "about few people",
            (_ELSEWHERE, _ADHOC),
        )  # fmt: skip


def _same_rows(
    values: list[tuple[Expr | None, Expr | None]],
    predicate: Expr | None,
    columns: Mapping[str, Column],
) -> Iterator[Refusal]:
    """All measures leave out the same rows for their NULLs, or none."""
    behind = []
    for condition, value in values:
        present = _never_null(predicate) | _never_null(condition)
        found = frozenset() if value is None else columns_of(value)
        behind.append(frozenset(n for n in found if columns[n].nullable and n not in present))
    differ = sorted(frozenset().union(*behind).difference(frozenset.intersection(*behind)))
    if not differ:
        return
    names = " and ".join(differ)
    rewrites = [f"add WHERE {' AND '.join(f'{n} IS NOT NULL' for n in differ)}", _ADHOC]
    if len(differ) == 1:
        rewrites.insert(0, f"count with COUNT({names}) instead of COUNT(*)")
    yield Refusal(
        "", "exact_nulls", differ[0],
        f"{names} may be NULL, and measures without it count those rows: the difference tells "
        "how many people have no value",
        tuple(rewrites),
    )  # fmt: skip


def split_condition(value: Expr | None) -> tuple[Expr | None, Expr | None]:
    """Returns the one condition around a value, or None, and the value."""
    match value:
        case Case(whens=((condition, inner),), default=Constant(type="null")):
            return condition, inner
    return None, value


def truth_of(value: Expr | None) -> ColumnRef | None:
    """Returns the boolean column whose truth a value is: 1 if true, 0 if not; else None.

    In both forms that SUM and AVG of a boolean are written in: an unknown truth is 0 in the first
    (for a column without NULLs) and NULL in the second.
    """
    match value:
        case Case(whens=((ColumnRef() as column, one),), default=zero):
            pass
        case Case(
            whens=((ColumnRef() as column, one), (Not(arg=ColumnRef() as same), zero)),
            default=Constant(type="null"),
        ) if column == same:
            pass
        case _:
            return None
    return column if (one, zero) == (_ONE, _ZERO) else None


def sides_of(value: Expr | None, columns: Mapping[str, Column]) -> dict[str, tuple[Code, Code]]:
    """Returns the two-valued columns that a measured value tells about, with their two values.

    Args:
        value: Without the condition around it.
        columns: Declared columns; their bounds or code list say how many values there are.
    """
    truth = truth_of(value)
    if truth is not None:
        return {truth.name: (True, False)}
    names = sorted(columns_of(value)) if value is not None else []
    found = {name: _two_values(columns[name]) for name in names}
    return {name: two for name, two in found.items() if two is not None}


def _two_values(column: Column) -> tuple[Code, Code] | None:
    if column.type not in {"integer", "decimal"}:
        return None
    if column.codes is not None and len(column.codes) == 2:
        return column.codes[0], column.codes[1]
    low, high = column.bounds or (0, 0)
    return (low, high) if high - low == 1 else None


def _counts_truth(value: Expr, columns: Mapping[str, Column]) -> bool:
    """Whether a value is the truth of a boolean column, and nobody's missing one counts as 0."""
    truth = truth_of(value)
    if truth is None:
        return False
    return isinstance(value, Case) and (len(value.whens) == 2 or not columns[truth.name].nullable)


def _offence(value: Expr) -> str:
    """What makes a value other than linear in its columns; "" if nothing."""
    match value:
        case ColumnRef() | Constant():
            return ""
        case Arith(op="*", left=left, right=right) if columns_of(left) and columns_of(right):
            return _PRODUCT
        case Arith(left=left, right=right):
            return _offence(left) or _offence(right)
        case Case():
            return "a CASE other than CASE WHEN … THEN … END around the whole value"
        case Function(name=name):
            return name.upper()
    return "a condition as a value"


def _never_null(condition: Expr | None) -> frozenset[str]:
    """Columns that are not NULL wherever a conjunction holds."""
    match condition:
        case BoolOp(op="and", args=args):
            return frozenset().union(*map(_never_null, args))
        case Not(arg=IsNull(arg=ColumnRef(name=name))) | InList(arg=ColumnRef(name=name)):
            return frozenset({name})
        case Compare(left=left, right=right):
            return frozenset(e.name for e in (left, right) if isinstance(e, ColumnRef))
    return frozenset()


def _first(expr: Expr) -> str:
    return min(columns_of(expr), default="")
