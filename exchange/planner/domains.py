"""Which groups a key can have, from declarations and the WHERE alone.

Groups must be known before any row is seen: which groups exist is itself information. So a key's
domain comes from code lists, small ranges, truth values and CASE results; conditions of the WHERE
that speak of the same column only make it smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from catalog.algebra import BoolOp, Case, Constant, Expr, Function, Scalar
from catalog.typing_rules import children, columns_of, type_of
from desensitize.column import Column
from exchange.planner.evaluate import evaluate, holds
from protos.faults import InputError
from protos.language import Text

MAX_RANGE: Final = 200  # values of a number that may each be a group
MAX_DAYS: Final = 366
_MAX_TRIED: Final = 20_000  # values of a column that are tried one by one
_MAX_WORK: Final = 1_000_000  # values x nodes of the expressions that they are tried on


def domain_of(
    expr: Expr, predicate: Expr | None, columns: Mapping[str, Column]
) -> tuple[Scalar, ...]:
    """Returns every value that the key ``expr`` can take, in a natural order; NULL is last.

    Numbers are in the scaled units of ``type_of(expr)``.

    Raises:
        InputError: Code ``group.domain``: nothing declares which groups there are, they are too
            many, or the WHERE leaves none.
    """
    listed = _result_list(expr, columns)
    values = _tried(expr, predicate, columns)
    if values is None:
        values = listed
    elif listed is not None:  # CASE results in the order in which they were written
        values = tuple(sorted(values, key=listed.index))
    if values is None:
        values = _range(expr, columns)
    if values is None:
        raise _undeclared(expr, columns)
    if not values:
        raise InputError(
            Text("the WHERE leaves no group of this key", "WHERE 没有留下此键的任何分组"),
            remedy=Text("compare it with the key's code list", "请与该键的代码表核对"),
            code="group.domain",
        )
    found = type_of(expr, columns)
    counted = found.type in {"integer", "decimal", "date"} and not _coded(expr, columns)
    most = MAX_DAYS if found.type == "date" else MAX_RANGE
    if counted and listed is None and len(values) > most:
        raise InputError(
            Text(
                f"this key could have {len(values)} groups, at most {most} are supported for "
                "numbers",
                f"此键可能有 {len(values)} 个分组，数值最多支持 {most} 个",
            ),
            remedy=Text(
                "group by bands: CASE WHEN x < 10 THEN 'low' … END, or narrow it in WHERE",
                "请分段：CASE WHEN x < 10 THEN 'low' … END，或用 WHERE 缩小范围",
            ),
            code="group.domain",
        )
    present = tuple(v for v in values if v is not None)
    return (*present, None) if len(present) < len(values) else present


def _tried(
    expr: Expr, predicate: Expr | None, columns: Mapping[str, Column]
) -> tuple[Scalar, ...] | None:
    """Evaluates a key of one enumerable column for every value that the WHERE lets through."""
    names = columns_of(expr)
    if len(names) > 1:
        return None
    rows: list[dict[str, Scalar]] = [{}]
    if names:
        (name,) = names
        inputs = _column_values(columns[name])
        if inputs is None:
            return None
        rows = [{name: value} for value in inputs]
        conditions = [c for c in _conjuncts(predicate) if columns_of(c) == names]
        if len(rows) * sum(_size(e) for e in (expr, *conditions)) > _MAX_WORK:
            return None
        rows = [r for r in rows if all(holds(c, r, columns) is True for c in conditions)]
    decimals = type_of(expr, columns).decimals
    results = (evaluate(expr, row, columns) for row in rows)
    return _distinct([_scaled(value, places, decimals) for value, places in results])


def _column_values(column: Column) -> Sequence[Scalar] | None:
    values: Sequence[Scalar] | None = None
    if column.codes is not None:
        values = column.codes
    elif column.type == "boolean":
        values = (False, True)
    elif column.bounds is not None and column.bounds[1] - column.bounds[0] < _MAX_TRIED:
        values = range(column.bounds[0], column.bounds[1] + 1)
    if values is None or not column.nullable:
        return values
    return (*values, None)


def _result_list(expr: Expr, columns: Mapping[str, Column]) -> tuple[Scalar, ...] | None:
    """The constants that a CASE or COALESCE can result in, as written; None for other keys."""
    if isinstance(expr, Constant):
        return (expr.value,)
    if isinstance(expr, Case):
        results = [value for _, value in expr.whens] + [expr.default]
    elif isinstance(expr, Function) and expr.name == "coalesce":
        results = list(expr.args)
    else:
        return None
    decimals = type_of(expr, columns).decimals
    values: list[Scalar] = []
    for result in results:
        part = _result_list(result, columns) or _tried(result, None, columns)
        if part is None:
            return None
        places = type_of(result, columns).decimals
        values += [_scaled(value, places, decimals) for value in part]
    if isinstance(expr, Function) and not type_of(expr, columns).nullable:
        values = [v for v in values if v is not None]
    return _distinct(values)


def _range(expr: Expr, columns: Mapping[str, Column]) -> tuple[Scalar, ...] | None:
    found = type_of(expr, columns)
    values: tuple[Scalar, ...]
    if found.type == "boolean":
        values = (False, True)
    elif found.bounds is not None and found.bounds[1] - found.bounds[0] < _MAX_TRIED:
        values = tuple(range(found.bounds[0], found.bounds[1] + 1))
    else:
        return None
    return (*values, None) if found.nullable else values


def _conjuncts(predicate: Expr | None) -> tuple[Expr, ...]:
    if predicate is None:
        return ()
    if isinstance(predicate, BoolOp) and predicate.op == "and":
        return tuple(part for arg in predicate.args for part in _conjuncts(arg))
    return (predicate,)


def _size(expr: Expr) -> int:
    return 1 + sum(_size(child) for child in children(expr))


def _coded(expr: Expr, columns: Mapping[str, Column]) -> bool:
    names = columns_of(expr)
    return bool(names) and all(columns[name].codes is not None for name in names)


def _distinct(values: Sequence[Scalar]) -> tuple[Scalar, ...]:
    return tuple(dict.fromkeys(values))


def _scaled(value: Scalar, places: int, decimals: int) -> Scalar:
    if value is None or decimals == places or isinstance(value, str | bool):
        return value
    return value * int(10 ** (decimals - places))


def _undeclared(expr: Expr, columns: Mapping[str, Column]) -> InputError:
    names = sorted(columns_of(expr))
    what = (
        Text(f"column {names[0]!r}", f"列 {names[0]!r}")
        if len(names) == 1
        else Text("this key", "此键")
    )
    codes = [n for n, c in columns.items() if c.codes is not None or c.type == "boolean"]
    return InputError(
        Text(f"nothing declares which groups {what.en} has", f"没有声明{what.zh}有哪些分组"),
        remedy=Text(
            "group by a column with a code list"
            + (f" ({', '.join(codes[:8])})" if codes else "")
            + ", or by bands: CASE WHEN x < 10 THEN 'low' … END",
            "请按有代码表的列分组"
            + (f"（{'、'.join(codes[:8])}）" if codes else "")
            + "，或分段：CASE WHEN x < 10 THEN 'low' … END",
        ),
        code="group.domain",
    )
