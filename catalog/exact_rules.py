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
from protos.language import Text, both

_ONE: Final = Constant(1, "integer")
_ZERO: Final = Constant(0, "integer")
_ADHOC: Final = Text("ask in ad hoc mode", "请改用带噪查询")
_ELSEWHERE: Final = Text(
    "put the condition into WHERE, or GROUP BY it", "请把条件放入 WHERE，或按它 GROUP BY"
)
_PRODUCT: Final = Text("a product of columns", "列的乘积")


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
            "",
            "exact_measure",
            _first(value),
            Text(
                f"{expr_text(value)}: {offence.en} in an exact measure could tell about single "
                "people",
                f"{expr_text(value)}：精确度量中的{offence.zh}可能透露个人情况",
            ),
            (
                Text("ask for the columns one by one", "请逐列查询") if product else _ELSEWHERE,
                _ADHOC,
            ),
        )
    if not wrong:
        yield from _one_condition([condition for condition, _ in values])
        yield from _same_rows(values, aggregate.predicate, columns)


def _one_condition(conditions: list[Expr | None]) -> Iterator[Refusal]:
    distinct = list(dict.fromkeys(conditions))
    if len(distinct) > 1:
        told = next(condition for condition in reversed(distinct) if condition is not None)
        yield Refusal(
            "",
            "exact_condition",
            _first(told),
            Text(
                f"not all measures have the condition {expr_text(told)}: their difference could be "
                "about few people",
                f"并非所有度量都带有条件 {expr_text(told)}：它们之差可能只涉及少数人",
            ),
            (_ELSEWHERE, _ADHOC),
        )


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
    where = " AND ".join(f"{n} IS NOT NULL" for n in differ)
    rewrites = [Text(f"add WHERE {where}", f"请加 WHERE {where}"), _ADHOC]
    if len(differ) == 1:
        count = f"COUNT({names})"
        rewrites.insert(
            0,
            Text(f"count with {count} instead of COUNT(*)", f"请用 {count} 代替 COUNT(*) 计数"),
        )
    yield Refusal(
        "", "exact_nulls", differ[0],
        Text(f"{names} may be NULL, and measures without it count those rows: the difference tells "
        "how many people have no value", f"{' 和 '.join(differ)} 可能为空（NULL），"
        "而不涉及它的度量会计入这些行：两者之差会透露有多少人没有值"),
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


def _offence(value: Expr) -> Text | None:
    """What makes a value other than linear in its columns; None if nothing."""
    match value:
        case ColumnRef() | Constant():
            return None
        case Arith(op="*", left=left, right=right) if columns_of(left) and columns_of(right):
            return _PRODUCT
        case Arith(left=left, right=right):
            return _offence(left) or _offence(right)
        case Case():
            return Text(
                "a CASE other than CASE WHEN … THEN … END around the whole value",
                "并非包住整个值的 CASE WHEN … THEN … END",
            )
        case Function(name=name):
            return both(name.upper())
    return Text("a condition as a value", "作为值的条件")


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
