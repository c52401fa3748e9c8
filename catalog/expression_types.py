"""Types of expressions, from declarations alone: one rule per kind of node.

Every numeric expression has an inclusive range in scaled integers. Nothing here looks at a row,
so that every party derives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal

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
from catalog.intervals import Interval, absolute, add, hull, multiply, subtract
from desensitize.column import Column
from protos.faults import InputError
from protos.language import Text, Words

ValueType = Literal["integer", "decimal", "string", "date", "boolean", "null"]

MAX_DECIMALS: Final = 18
MAX_TEXT: Final = 65_536  # positions in a text
EPOCH: Final = date(1970, 1, 1)
NUMBERS: Final = frozenset({"integer", "decimal"})
DATE_RANGE: Final[Interval] = ((date.min - EPOCH).days, (date.max - EPOCH).days)


@dataclass(frozen=True)
class ExprType:
    """What is known of an expression before any row is seen.

    Attributes:
        type: Logical type; ``null`` for the bare NULL.
        decimals: Digits after the point of its scaled integers.
        bounds: Inclusive range in scaled integers (dates: days since 1970-01-01); None where the
            type has none or a column declares none.
        nullable: Whether NULL may come out.
    """

    type: ValueType
    decimals: int = 0
    bounds: Interval | None = None
    nullable: bool = False


def type_of(expr: Expr, columns: Mapping[str, Column]) -> ExprType:
    """Types ``expr`` over the declared ``columns``.

    Raises:
        InputError: An unknown column (code ``column.unknown``), operands that do not go
            together (``type.mismatch``), or more than 18 decimals (``type.decimals``).
    """
    return _RULES[type(expr)](expr, columns)


def columns_of(expr: Expr) -> frozenset[str]:
    """Returns the names of all columns in ``expr``."""
    if isinstance(expr, ColumnRef):
        return frozenset({expr.name})
    found: frozenset[str] = frozenset()
    for child in children(expr):
        found |= columns_of(child)
    return found


def children(expr: Expr) -> tuple[Expr, ...]:
    """Returns the direct operands of ``expr``."""
    match expr:
        case ColumnRef() | Constant():
            return ()
        case Arith(left=left, right=right) | Compare(left=left, right=right):
            return (left, right)
        case BoolOp(args=args) | Function(args=args):
            return args
        case Not(arg=arg) | IsNull(arg=arg) | Like(arg=arg):
            return (arg,)
        case InList(arg=arg, items=items):
            return (arg, *items)
        case Case(whens=whens, default=default):
            return (*(part for when in whens for part in when), default)


def unified(types: Sequence[ExprType]) -> ExprType:
    """Returns the one type that holds every value of ``types``, as CASE and COALESCE need it.

    Decimals become the most of any; bounds the hull. Nullable if any is.

    Raises:
        InputError: They are not of one family.
    """
    nullable = any(t.nullable for t in types)
    known = [t for t in types if t.type != "null"]
    if not known:
        return ExprType("null", nullable=True)
    _same_family(known)
    if known[0].type not in NUMBERS:
        return replace(known[0], bounds=hull([t.bounds for t in known]), nullable=nullable)
    decimals = max(t.decimals for t in known)
    kind: ValueType = "decimal" if any(t.type == "decimal" for t in known) else "integer"
    return ExprType(kind, decimals, hull([_aligned(t, decimals) for t in known]), nullable)


def expect_type(found: ExprType, allowed: AbstractSet[str], what: Text, remedy: Words = "") -> None:
    """Raises InputError (``type.mismatch``) unless ``found`` is of an allowed type."""
    if found.type not in allowed:
        raise InputError(
            Text(
                f"{what.en}, not {_ARTICLES[found.type].en}",
                f"{what.zh}，而不是{_ARTICLES[found.type].zh}",
            ),
            remedy=remedy,
            code="type.mismatch",
        )


def _same_family(types: Sequence[ExprType]) -> None:
    families = {"number" if t.type in NUMBERS else t.type for t in types}
    if len(families) > 1:
        one, other = sorted(families)[:2]
        raise InputError(
            Text(
                f"{_ARTICLES[one].en} and {_ARTICLES[other].en} cannot be compared or mixed",
                f"{_ARTICLES[one].zh}与{_ARTICLES[other].zh}不能比较或混用",
            ),
            remedy=Text(
                "write texts and dates in single quotes, numbers without",
                "文本和日期用单引号括起，数字不用",
            ),
            code="type.mismatch",
        )


def _column(expr: ColumnRef, columns: Mapping[str, Column]) -> ExprType:
    column = columns.get(expr.name)
    if column is None:
        raise InputError(
            Text(f"there is no column {expr.name!r}", f"没有名为 {expr.name!r} 的列"),
            code="column.unknown",
        )
    bounds = column.bounds
    if column.codes and all(isinstance(c, int) for c in column.codes):
        numbers = [int(c) for c in column.codes]
        listed = (min(numbers), max(numbers))
        bounds = (
            listed if bounds is None else (max(bounds[0], listed[0]), min(bounds[1], listed[1]))
        )
    if column.type in {"string", "boolean"}:
        bounds = None
    return ExprType(column.type, column.decimals, bounds, column.nullable)


def _constant(expr: Constant, _: Mapping[str, Column]) -> ExprType:
    python: dict[str, type] = {
        "integer": int, "decimal": int, "date": int,
        "string": str, "boolean": bool, "null": type(None),
    }  # fmt: skip
    if type(expr.value) is not python[expr.type] or (expr.decimals and expr.type != "decimal"):
        raise InputError(
            Text(
                f"{expr.value!r} is no {expr.type} constant",
                f"{expr.value!r} 不是 {expr.type} 常量",
            ),
            code="type.constant",
        )
    if not 0 <= expr.decimals <= MAX_DECIMALS:
        raise InputError(
            Text(
                f"at most {MAX_DECIMALS} decimals are supported", f"最多支持 {MAX_DECIMALS} 位小数"
            ),
            code="type.decimals",
        )
    point: Interval | None = None
    if isinstance(expr.value, int) and expr.type != "boolean":
        point = (expr.value, expr.value)
    if expr.type == "date" and not DATE_RANGE[0] <= int(expr.value or 0) <= DATE_RANGE[1]:
        raise InputError(
            Text("the date is outside the years 1 to 9999", "日期超出公元 1 至 9999 年"),
            code="type.date",
        )
    return ExprType(expr.type, expr.decimals, point, nullable=expr.type == "null")


def _arith(expr: Arith, columns: Mapping[str, Column]) -> ExprType:
    left, right = type_of(expr.left, columns), type_of(expr.right, columns)
    nullable = left.nullable or right.nullable
    if "date" in {left.type, right.type}:
        return _date_arith(expr, left, right)
    for side in (left, right):
        expect_type(
            side, {*NUMBERS, "null"}, Text(f"{expr.op} needs numbers", f"{expr.op} 需要数字")
        )
    if expr.op == "*":
        decimals = left.decimals + right.decimals
        if decimals > MAX_DECIMALS:
            raise InputError(
                Text(
                    f"the product has {decimals} decimals, at most {MAX_DECIMALS} are supported",
                    f"乘积有 {decimals} 位小数，最多支持 {MAX_DECIMALS} 位",
                ),
                remedy=Text("multiply fewer decimal columns", "请减少相乘的小数列"),
                code="type.decimals",
            )
        a, b = left.bounds, right.bounds
    else:
        decimals = max(left.decimals, right.decimals)
        a, b = _aligned(left, decimals), _aligned(right, decimals)
    kind: ValueType = "decimal" if "decimal" in {left.type, right.type} else "integer"
    bounds = None if a is None or b is None else _ARITHMETIC[expr.op](a, b)
    return ExprType(kind, decimals, bounds, nullable)


def _date_arith(expr: Arith, left: ExprType, right: ExprType) -> ExprType:
    """``date - date`` is a number of days; ``date + days`` and ``date - days`` are dates."""
    shapes: dict[tuple[str, str, str], ValueType] = {
        ("date", "-", "date"): "integer",
        ("date", "-", "integer"): "date",
        ("date", "+", "integer"): "date",
        ("integer", "+", "date"): "date",
    }
    kind = shapes.get((left.type, expr.op, right.type))
    if kind is None:
        raise InputError(
            Text(
                f"{left.type} {expr.op} {right.type} has no meaning",
                f"{left.type} {expr.op} {right.type} 没有意义",
            ),
            remedy=Text(
                "write date + days, date - days or date - date",
                "请写成：日期 + 天数、日期 - 天数 或 日期 - 日期",
            ),
            code="type.mismatch",
        )
    nullable = left.nullable or right.nullable
    if left.bounds is None or right.bounds is None:
        # An engine fails beyond its range of dates, and only where a row is there to fail on.
        raise InputError(
            Text("date arithmetic needs declared bounds", "日期运算需要已声明的范围"),
            remedy=Text(
                "ask the owners to declare bounds of the date column in the dataset",
                "请数据方在数据集中声明该日期列的范围",
            ),
            code="bounds.missing",
        )
    bounds = _ARITHMETIC[expr.op](left.bounds, right.bounds)
    if kind == "date" and not DATE_RANGE[0] <= bounds[0] <= bounds[1] <= DATE_RANGE[1]:
        raise InputError(
            Text("the date could leave the years 1 to 9999", "日期可能超出公元 1 至 9999 年"),
            code="type.date",
        )
    return ExprType(kind, 0, bounds, nullable)


def _compare(expr: Compare, columns: Mapping[str, Column]) -> ExprType:
    sides = [type_of(expr.left, columns), type_of(expr.right, columns)]
    _same_family([s for s in sides if s.type != "null"])
    return ExprType("boolean", nullable=any(s.nullable for s in sides))


def _logic(expr: BoolOp | Not, columns: Mapping[str, Column]) -> ExprType:
    args = expr.args if isinstance(expr, BoolOp) else (expr.arg,)
    if isinstance(expr, BoolOp) and len(args) < 2:
        raise InputError(
            Text(f"{expr.op.upper()} needs two conditions", f"{expr.op.upper()} 需要两个条件"),
            code="type.arity",
        )
    types = [type_of(arg, columns) for arg in args]
    for found in types:
        expect_type(found, {"boolean", "null"}, Text("a condition is needed here", "此处需要条件"))
    return ExprType("boolean", nullable=any(t.nullable for t in types))


def _is_null(expr: IsNull, columns: Mapping[str, Column]) -> ExprType:
    type_of(expr.arg, columns)
    return ExprType("boolean")


def _in_list(expr: InList, columns: Mapping[str, Column]) -> ExprType:
    if not expr.items:
        raise InputError(
            Text("IN needs at least one value", "IN 至少需要一个值"), code="type.arity"
        )
    types = [type_of(expr.arg, columns), *(type_of(item, columns) for item in expr.items)]
    _same_family([t for t in types if t.type != "null"])
    return ExprType("boolean", nullable=any(t.nullable for t in types))


def _like(expr: Like, columns: Mapping[str, Column]) -> ExprType:
    found = type_of(expr.arg, columns)
    expect_type(found, {"string", "null"}, Text("LIKE needs text", "LIKE 需要文本"))
    return ExprType("boolean", nullable=found.nullable)


def _case(expr: Case, columns: Mapping[str, Column]) -> ExprType:
    if not expr.whens:
        raise InputError(Text("CASE needs a WHEN", "CASE 需要 WHEN"), code="type.arity")
    for condition, _ in expr.whens:
        expect_type(
            type_of(condition, columns),
            {"boolean", "null"},
            Text("WHEN needs a condition", "WHEN 需要条件"),
        )
    return unified([type_of(v, columns) for v in (*(v for _, v in expr.whens), expr.default)])


def _function(expr: Function, columns: Mapping[str, Column]) -> ExprType:
    fewest, most = _ARITY[expr.name]
    if not fewest <= len(expr.args) <= most:
        raise InputError(
            Text(
                f"{expr.name.upper()} has a wrong number of arguments",
                f"{expr.name.upper()} 的参数个数不对",
            ),
            code="type.arity",
        )
    args = [type_of(arg, columns) for arg in expr.args]
    first = args[0]
    match expr.name:
        case "abs":
            expect_type(first, {*NUMBERS}, Text("ABS needs a number", "ABS 需要数字"))
            return replace(first, bounds=None if first.bounds is None else absolute(first.bounds))
        case "upper" | "lower":
            expect_type(
                first,
                {"string"},
                Text(f"{expr.name.upper()} needs text", f"{expr.name.upper()} 需要文本"),
            )
            return first
        case "substr":
            expect_type(first, {"string"}, Text("SUBSTR needs text", "SUBSTR 需要文本"))
            for position in expr.args[1:]:
                if (
                    not isinstance(position, Constant)
                    or position.type != "integer"
                    # An engine fails beyond 32 bits, and only where a row is there to fail on.
                    or not 1 <= int(position.value or 0) <= MAX_TEXT
                ):
                    raise InputError(
                        Text(
                            f"SUBSTR needs constant positions from 1 to {MAX_TEXT}",
                            f"SUBSTR 的位置须为 1 到 {MAX_TEXT} 的常量",
                        ),
                        code="type.mismatch",
                    )
            return first
        case "year" | "month":
            expect_type(
                first,
                {"date"},
                Text(f"{expr.name.upper()} needs a date", f"{expr.name.upper()} 需要日期"),
            )
            return ExprType("integer", 0, _calendar(expr.name, first.bounds), first.nullable)
        case "coalesce":
            return replace(unified(args), nullable=all(a.nullable for a in args))
        case "greatest" | "least":
            return _extreme(expr.name, expr.args, args)


def _extreme(name: str, args: Sequence[Expr], types: Sequence[ExprType]) -> ExprType:
    """GREATEST and LEAST leave NULLs out, in DuckDB, PostgreSQL and Spark alike.

    Only constants narrow the range: a column that is declared never NULL, and is NULL after all,
    must not be able to break a bound that noise is calibrated to.
    """
    whole = replace(unified(types), nullable=all(t.nullable for t in types))
    if whole.bounds is None:
        return whole
    low, high = whole.bounds
    certain = [
        _aligned(found, whole.decimals)
        for arg, found in zip(args, types, strict=True)
        if isinstance(arg, Constant) and not found.nullable
    ]
    if name == "greatest":
        low = max((b[0] for b in certain if b is not None), default=low)
    else:
        high = min((b[1] for b in certain if b is not None), default=high)
    return replace(whole, bounds=(low, high))


def _calendar(part: str, days: Interval | None) -> Interval:
    if days is None:
        return (1, 12) if part == "month" else (1, 9999)
    low, high = (max(DATE_RANGE[0], min(DATE_RANGE[1], d)) for d in days)
    first, last = EPOCH + timedelta(days=low), EPOCH + timedelta(days=high)
    if part == "year":
        return (first.year, last.year)
    return (first.month, last.month) if first.year == last.year else (1, 12)


def _aligned(found: ExprType, decimals: int) -> Interval | None:
    if found.bounds is None:
        return None
    factor = 10 ** (decimals - found.decimals)
    return (found.bounds[0] * factor, found.bounds[1] * factor)


_ARITHMETIC: Final[dict[str, Callable[[Interval, Interval], Interval]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
}
_ARITY: Final = {
    "abs": (1, 1), "upper": (1, 1), "lower": (1, 1), "substr": (2, 3), "year": (1, 1),
    "month": (1, 1), "coalesce": (1, 64), "greatest": (1, 64), "least": (1, 64),
}  # fmt: skip
_ARTICLES: Final = {
    "integer": Text("an integer", "整数"),
    "decimal": Text("a decimal", "小数"),
    "number": Text("a number", "数字"),
    "string": Text("text", "文本"),
    "date": Text("a date", "日期"),
    "boolean": Text("a condition", "条件"),
    "null": Text("NULL", "NULL"),
}
_RULES: Final[dict[type, Callable[..., ExprType]]] = {
    ColumnRef: _column,
    Constant: _constant,
    Arith: _arith,
    Compare: _compare,
    BoolOp: _logic,
    Not: _logic,
    IsNull: _is_null,
    InList: _in_list,
    Like: _like,
    Case: _case,
    Function: _function,
}
