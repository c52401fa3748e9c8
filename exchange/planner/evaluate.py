"""The meaning of the typed algebra, row by row, in exact integers and three-valued logic.

Used where a plan needs to know what an expression can come to: the groups that a key has. Nodes
do not use it; their engines compute the same from rendered SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

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
    Scalar,
)
from catalog.typing_rules import EPOCH
from desensitize.column import Column
from protos.faults import InputError
from protos.language import Text

Value = tuple[Scalar, int]  # a number is value x 10**-decimals; decimals is 0 for other types

_NULL: Final[Value] = (None, 0)


def evaluate(expr: Expr, row: Mapping[str, Scalar], columns: Mapping[str, Column]) -> Value:
    """Computes a well-typed ``expr`` for one row of scaled values.

    Returns:
        The value and its decimals; ``(None, 0)`` for NULL.

    Raises:
        InputError: Upper or lower case of a text is not the same in every engine.
    """
    match expr:
        case ColumnRef(name=name):
            return (row[name], columns[name].decimals)
        case Constant(value=value, decimals=decimals):
            return (value, decimals)
        case Arith(op=op):
            return _arith(op, evaluate(expr.left, row, columns), evaluate(expr.right, row, columns))
        case Case(whens=whens, default=default):
            for condition, result in whens:
                if holds(condition, row, columns):
                    return evaluate(result, row, columns)
            return evaluate(default, row, columns)
        case Function(name=name, args=args):
            return _function(name, [evaluate(a, row, columns) for a in args])
    return (holds(expr, row, columns), 0)


def holds(predicate: Expr, row: Mapping[str, Scalar], columns: Mapping[str, Column]) -> bool | None:
    """Returns whether ``predicate`` is true; None is SQL's unknown."""
    match predicate:
        case BoolOp(op=op, args=args):
            found = [holds(a, row, columns) for a in args]
            decisive = op == "or"
            if decisive in found:
                return decisive
            return None if None in found else not decisive
        case Not(arg=arg):
            inner = holds(arg, row, columns)
            return None if inner is None else not inner
        case IsNull(arg=arg):
            return evaluate(arg, row, columns)[0] is None
        case Compare(op=op, left=left, right=right):
            return _compare(op, evaluate(left, row, columns), evaluate(right, row, columns))
        case InList(arg=arg, items=items):
            tested = evaluate(arg, row, columns)
            same = [_compare("=", tested, (item.value, item.decimals)) for item in items]
            return True if True in same else None if None in same else False
        case Like(arg=arg, pattern=pattern):
            text = evaluate(arg, row, columns)[0]
            return None if text is None else _like(str(text), pattern)
    value = evaluate(predicate, row, columns)[0]
    return None if value is None else bool(value)


def _aligned(left: Value, right: Value) -> tuple[int, int, int]:
    decimals = max(left[1], right[1])
    return (
        int(left[0] or 0) * int(10 ** (decimals - left[1])),
        int(right[0] or 0) * int(10 ** (decimals - right[1])),
        decimals,
    )


def _arith(op: str, left: Value, right: Value) -> Value:
    if left[0] is None or right[0] is None:
        return _NULL
    if op == "*":
        return (int(left[0]) * int(right[0]), left[1] + right[1])
    a, b, decimals = _aligned(left, right)
    return (a + b if op == "+" else a - b, decimals)


def _compare(op: str, left: Value, right: Value) -> bool | None:
    if left[0] is None or right[0] is None:
        return None
    if isinstance(left[0], str) or isinstance(right[0], str):
        # Engines sort text by code point (C collation), as Python does.
        x, y = str(left[0]), str(right[0])
        order = (x > y) - (x < y)
    else:
        a, b, _ = _aligned(left, right)
        order = (a > b) - (a < b)
    return {
        "=": order == 0, "<>": order != 0, "<": order < 0,
        "<=": order <= 0, ">": order > 0, ">=": order >= 0,
    }[op]  # fmt: skip


def _function(name: str, args: list[Value]) -> Value:
    present = [a for a in args if a[0] is not None]
    match name:
        case "coalesce":
            return present[0] if present else _NULL
        case "greatest" | "least":
            best = present[0] if present else _NULL
            for other in present[1:]:
                if _compare(">" if name == "greatest" else "<", other, best):
                    best = other
            return best
    value, decimals = args[0]
    if len(present) < len(args) or value is None:
        return _NULL
    match name:
        case "abs":
            return (abs(int(value)), decimals)
        case "upper" | "lower":
            text = str(value)
            changed = text.upper() if name == "upper" else text.lower()
            if len(changed) != len(text):
                raise InputError(
                    Text(
                        f"{name.upper()} of {text!r} differs between engines",
                        f"{name.upper()}({text!r}) 在各引擎中的结果不同",
                    )
                )
            return (changed, 0)
        case "substr":
            start = int(args[1][0] or 1) - 1
            end = start + int(args[2][0] or 0) if len(args) > 2 else None
            return (str(value)[start:end], 0)
    day = EPOCH + timedelta(days=int(value))
    return (day.year if name == "year" else day.month, 0)


def _like(text: str, pattern: str) -> bool:
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
