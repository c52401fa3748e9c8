"""Typed algebra to DuckDB expressions: never text, only sqlglot's expression objects.

Stored forms (``desensitize.engines.stored_values``): numbers are scaled BIGINT, dates INTEGER
days, so everything here is integer arithmetic. Where declared bounds do not prove that 64 bits
suffice, an operand is widened to HUGEINT; what even 127 bits cannot hold is refused, from
declarations alone, so no row can make a query overflow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlglot import expressions as exp

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
from catalog.expression_types import DATE_RANGE
from catalog.typing_rules import ExprType, type_of, unified
from desensitize.column import Column
from protos.faults import InputError
from protos.language import Text

_NUMBERS: Final = frozenset({"integer", "decimal"})
_BIGINT: Final = 1 << 63
_HUGEINT: Final = 1 << 127
_UNKNOWN: Final = 1 << 64  # of a column without bounds: what 64 bits can hold

_COMPARISONS: Final[dict[str, type[exp.Binary]]] = {
    "=": exp.EQ,
    "<>": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_ARITHMETIC: Final[dict[str, type[exp.Binary]]] = {"+": exp.Add, "-": exp.Sub, "*": exp.Mul}


@dataclass(frozen=True)
class Rendered:
    """An expression with a bound on the absolute value of what it yields.

    Attributes:
        sql: The expression.
        most: Greatest absolute value of a number, in its own decimals; 0 for other types.
        wide: Whether the engine computes it as HUGEINT.
    """

    sql: exp.Expr
    most: int = 0
    wide: bool = False


class ExpressionRenderer:
    """Renders expressions over one table.

    Args:
        columns: The declared columns.
        clip: Names of the columns whose data leave their declared bounds; clipped to them.
    """

    def __init__(self, columns: Mapping[str, Column], clip: Collection[str] = ()) -> None:
        self._columns = columns
        self._clip = frozenset(clip)

    def type_of(self, expr: Expr) -> ExprType:
        """Types an expression; see `catalog.typing_rules.type_of`."""
        return type_of(expr, self._columns)

    def render(self, expr: Expr) -> Rendered:
        """Renders an expression.

        Raises:
            InputError: It does not type, or could overflow 127 bits.
        """
        match expr:
            case ColumnRef():
                return self._column(expr)
            case Constant():
                return constant(expr.value, expr.type)
            case Arith():
                return self._arith(expr)
            case Case():
                return self._case(expr)
            case Function():
                return self._function(expr)
        return Rendered(_paren(self._predicate(expr)))

    def _predicate(self, expr: Compare | BoolOp | Not | IsNull | InList | Like) -> exp.Expr:
        match expr:
            case Compare(op=op, left=left, right=right):
                one, other = self._aligned([left, right])
                return _COMPARISONS[op](this=one.sql, expression=other.sql)
            case BoolOp(op=op, args=args):
                parts = [self.render(arg).sql for arg in args]
                return exp.and_(*parts) if op == "and" else exp.or_(*parts)
            case Not(arg=arg):
                return exp.Not(this=_paren(self.render(arg).sql))
            case IsNull(arg=arg):
                return exp.Is(this=_paren(self.render(arg).sql), expression=exp.null())
            case InList(arg=arg, items=items):
                sought, *found = self._aligned([arg, *items])
                return exp.In(this=sought.sql, expressions=[f.sql for f in found])
            case Like(arg=arg, pattern=pattern):
                text = self.render(arg).sql
                return exp.Like(this=text, expression=constant(pattern, "string").sql)

    def _column(self, expr: ColumnRef) -> Rendered:
        found = self.type_of(expr)
        sql = column(expr.name)
        if found.type not in _NUMBERS and found.type != "date":
            return Rendered(sql)
        if found.bounds is None:
            return Rendered(sql, _UNKNOWN)
        low, high = found.bounds
        if expr.name in self._clip:
            # Not GREATEST and LEAST: those would turn NULL into a bound.
            least, most = constant(low, "integer").sql, constant(high, "integer").sql
            sql = exp.Case(
                ifs=[
                    exp.If(this=exp.LT(this=sql.copy(), expression=least), true=least.copy()),
                    exp.If(this=exp.GT(this=sql.copy(), expression=most), true=most.copy()),
                ],
                default=sql,
            )
        return Rendered(sql, max(abs(low), abs(high)))

    def _arith(self, expr: Arith) -> Rendered:
        if expr.op == "*":
            left, right = self.render(expr.left), self.render(expr.right)
            most = left.most * right.most
        else:
            left, right = self._aligned([expr.left, expr.right])
            most = left.most + right.most
        known = self.type_of(expr).bounds
        if known is not None:
            most = min(most, max(abs(known[0]), abs(known[1])))
        if most >= _BIGINT:
            left = widened(left)
        return _checked(_ARITHMETIC[expr.op](this=left.sql, expression=right.sql), most, left)

    def _case(self, expr: Case) -> Rendered:
        values = self._aligned([value for _, value in expr.whens] + [expr.default])
        ifs = [
            exp.If(this=self.render(condition).sql, true=value.sql)
            for (condition, _), value in zip(expr.whens, values, strict=False)
        ]
        return Rendered(
            exp.Case(ifs=ifs, default=values[-1].sql),
            max(v.most for v in values),
            any(v.wide for v in values),
        )

    def _function(self, expr: Function) -> Rendered:
        if expr.name in {"year", "month"}:
            epoch = exp.cast(exp.Literal.string("1970-01-01"), "DATE")
            days = exp.cast(self.render(expr.args[0]).sql, "INTEGER")
            date = _paren(exp.Add(this=epoch, expression=days))
            part = exp.Anonymous(this=expr.name, expressions=[date])
            # Outside the years 1 to 9999 there is no date: NULL, never an error or a wide number.
            low, high = (exp.Literal.number(day) for day in DATE_RANGE)
            known = exp.Between(this=days.copy(), low=low, high=high)
            return Rendered(exp.Case(ifs=[exp.If(this=known, true=part)]), 9999)
        args = self._aligned(expr.args) if expr.name not in {"substr", "abs"} else [
            self.render(arg) for arg in expr.args
        ]  # fmt: skip
        most, wide = max(a.most for a in args), any(a.wide for a in args)
        if expr.name == "abs" and most >= _BIGINT:
            args, wide = [widened(args[0])], True
        return Rendered(
            exp.Anonymous(this=expr.name, expressions=[a.sql for a in args]), most, wide
        )

    def _aligned(self, parts: Collection[Expr]) -> list[Rendered]:
        """Renders parts in one scale: numbers get the most decimals of any."""
        types = [self.type_of(part) for part in parts]
        rendered = [self.render(part) for part in parts]
        if not any(t.type in _NUMBERS for t in types) or any(t.type == "date" for t in types):
            return rendered
        decimals = unified(types).decimals
        return [
            rescaled(r, decimals - t.decimals) if t.type in _NUMBERS else r
            for r, t in zip(rendered, types, strict=True)
        ]


def column(name: str) -> exp.Expr:
    """Names a column of the table, and never an alias of the statement."""
    return exp.column(exp.to_identifier(name, quoted=True), table="data")


def rescaled(value: Rendered, more: int) -> Rendered:
    """Multiplies by ``10**more``, widening where 64 bits may not hold the product."""
    if more == 0:
        return value
    most = value.most * 10**more
    if most >= _BIGINT:
        value = widened(value)
    factor = constant(10**more, "integer").sql
    return _checked(exp.Mul(this=value.sql, expression=factor), most, value)


def widened(value: Rendered) -> Rendered:
    """Makes the engine compute with 128 bits from here on."""
    if value.wide:
        return value
    return Rendered(exp.cast(value.sql, "HUGEINT"), value.most, wide=True)


def constant(value: Scalar, kind: str) -> Rendered:
    """Renders a constant; numbers and days as BIGINT, so that no literal is narrower."""
    if value is None:
        return Rendered(exp.null())
    if kind == "string":
        if "\0" in str(value):
            raise InputError(
                Text("text constants may not hold a NUL character", "文本常量不能含 NUL 字符"),
                code="plan.constant",
            )
        return Rendered(exp.Literal.string(str(value)))
    if kind == "boolean":
        return Rendered(exp.Boolean(this=bool(value)))
    number = int(value)
    wide = abs(number) >= _BIGINT
    literal: exp.Expr = exp.Literal.number(abs(number))
    if number < 0:
        literal = exp.Neg(this=literal)
    _within(abs(number))
    return Rendered(exp.cast(literal, "HUGEINT" if wide else "BIGINT"), abs(number), wide)


def _checked(sql: exp.Expr, most: int, operand: Rendered) -> Rendered:
    _within(most)
    return Rendered(_paren(sql), most, operand.wide)


def _within(most: int) -> None:
    if most >= _HUGEINT:
        raise InputError(
            Text(
                "a value of this statement could need more than 127 bits",
                "此语句中的某个值可能超过 127 位",
            ),
            remedy=Text(
                "multiply fewer columns, or ask the owners to declare narrower bounds",
                "请减少相乘的列，或请数据方声明更窄的范围",
            ),
            code="bounds.too_wide",
        )


def _paren(sql: exp.Expr) -> exp.Paren:
    return exp.Paren(this=sql)
