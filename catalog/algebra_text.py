"""The algebra in words that an owner can read: what will be computed, not what was written.

The SQL text beside a plan is the analyst's own claim. This text is made from what nodes compute,
and different computations get different texts. It never fails, whatever a peer has signed: what
has no meaning is shown raw, and refused elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
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
    Key,
    Like,
    Measure,
    Not,
    Scalar,
)
from catalog.typing_rules import EPOCH, MAX_DECIMALS, ExprType, type_of
from desensitize.column import Column
from protos.faults import InputError

_PLAIN_NAME: Final = re.compile(r"[^\W\d]\w*")
_RESERVED: Final = frozenset({"NULL", "TRUE", "FALSE"})
_RAW: Final = ExprType("null")
_SHOWN: Final = 200  # values of one key; more are counted


def aggregate_text(aggregate: Aggregate, columns: Mapping[str, Column]) -> str:
    """Writes an aggregate as ``SELECT keys, measures FROM dataset WHERE … GROUP BY …``.

    Args:
        aggregate: Anything that the codec reads.
        columns: Declared columns, for the units of group values; without them these stay scaled.

    Returns:
        One line. Each key names the values that are released: ``sex {'F', 'M'}``.
    """
    shown = [expr_text(key.expr) for key in aggregate.keys]
    shown += [_measure(measure, columns) for measure in aggregate.measures]
    text = f"SELECT {', '.join(shown)} FROM {_name(aggregate.dataset)}"  # noqa: S608 - to be read
    if aggregate.predicate is not None:
        text += f" WHERE {expr_text(aggregate.predicate)}"
    if aggregate.keys:
        text += f" GROUP BY {', '.join(_key(key, columns) for key in aggregate.keys)}"
    return text


def expr_text(expr: Expr) -> str:
    """Writes an expression as SQL; numbers in written units, dates as dates."""
    match expr:
        case ColumnRef(name=name):
            return _name(name)
        case Constant(value=value, type=kind, decimals=decimals):
            return _value(value, kind, decimals)
        case Arith(op=op, left=left, right=right):
            return f"{_operand(left)} {op} {_operand(right)}"
        case Case(whens=whens, default=default):
            parts = [f"WHEN {expr_text(test)} THEN {expr_text(value)}" for test, value in whens]
            return f"CASE {' '.join(parts)} ELSE {expr_text(default)} END"
        case Function(name=name, args=args):
            return f"{name.upper()}({', '.join(map(expr_text, args))})"
    return _condition(expr)


def _condition(expr: Compare | BoolOp | Not | IsNull | InList | Like) -> str:
    match expr:
        case Compare(op=op, left=left, right=right):
            return f"{_operand(left)} {op} {_operand(right)}"
        case BoolOp(op=op, args=args):
            return f" {op.upper()} ".join(
                f"({expr_text(arg)})" if isinstance(arg, BoolOp) else expr_text(arg) for arg in args
            )
        case Not(arg=arg):
            return f"NOT ({expr_text(arg)})"
        case IsNull(arg=arg):
            return f"{_operand(arg)} IS NULL"
        case InList(arg=arg, items=items):
            return f"{_operand(arg)} IN ({', '.join(map(expr_text, items))})"
        case Like(arg=arg, pattern=pattern):
            return f"{_operand(arg)} LIKE {_quoted(pattern)}"


def _measure(measure: Measure, columns: Mapping[str, Column]) -> str:
    inner = "*" if measure.value is None else expr_text(measure.value)
    if measure.offset and measure.value is not None:
        found = _type(measure.value, columns)
        inner = f"{_operand(measure.value)} - {_value(measure.offset, 'decimal', found.decimals)}"
    match measure.kind:
        case "rows" | "count":
            return f"COUNT({inner})"
        case "sum":
            return f"SUM({inner})"
        case "sum_squares":
            return f"SUM(({inner})^2)"


def _key(key: Key, columns: Mapping[str, Column]) -> str:
    found = _type(key.expr, columns)
    return f"{_operand(key.expr)} {{{', '.join(_domain(key.domain, found))}}}"


def _domain(values: Sequence[Scalar], found: ExprType) -> list[str]:
    """The values of a key; three or more whole numbers or days in a row as ``1 to 3``."""
    texts: list[str] = []
    at = 0
    while at < len(values) and len(texts) < _SHOWN:
        end = at + 1
        while end < len(values) and _follows(values[end - 1], values[end]):
            end += 1
        first = _value(values[at], found.type, found.decimals)
        if end - at > 2 and found.decimals == 0:
            texts.append(f"{first} to {_value(values[end - 1], found.type, 0)}")
            at = end
        else:
            texts.append(first)
            at += 1
    return texts if at == len(values) else [*texts, f"and {len(values) - at} more"]


def _follows(one: Scalar, other: Scalar) -> bool:
    return type(one) is int and type(other) is int and other == one + 1


def _type(expr: Expr, columns: Mapping[str, Column]) -> ExprType:
    try:
        return type_of(expr, columns)
    except InputError:
        return _RAW


def _operand(expr: Expr) -> str:
    text = expr_text(expr)
    return text if isinstance(expr, ColumnRef | Constant | Function | Case) else f"({text})"


def _value(value: Scalar, kind: str, decimals: int) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case str():
            return _quoted(value)
    if kind == "date":
        return _date(value)
    if decimals == 0:
        return str(value)
    if not 0 < decimals <= MAX_DECIMALS:
        return f"{value} / 10^{decimals}"
    digits = str(abs(value)).rjust(decimals + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def _date(days: int) -> str:
    try:
        return f"DATE '{EPOCH + timedelta(days=days)}'"
    except OverflowError:
        return f"DATE {days}"


def _name(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name) and name.upper() not in _RESERVED:
        return name
    return '"' + _escaped(name).replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + _escaped(text).replace("'", "''") + "'"


def _escaped(text: str) -> str:
    r"""Shows what a screen would not as ``\x1b`` or ``\u202e``, so that texts stay different."""
    return "".join(
        c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in text
    )
