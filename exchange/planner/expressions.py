"""Translates SQL expressions below the aggregate into the typed algebra, one rule per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from sqlglot import exp

from catalog.algebra import (
    Arith,
    ArithOp,
    BoolOp,
    Case,
    ColumnRef,
    Compare,
    CompareOp,
    Constant,
    Expr,
    Function,
    FunctionName,
    InList,
    IsNull,
    Like,
    Not,
)
from catalog.sql_gate import Statement, nearest
from catalog.sql_words import AGGREGATES, WINDOW_ONLY
from catalog.typing_rules import EPOCH, ExprType, type_of
from desensitize.column import Column
from protos.faults import InputError, SqlError

MAX_DIGITS: Final = 18
NULL: Final = Constant(None, "null")
TRUE: Final = Constant(True, "boolean")  # noqa: FBT003 - a constant's value
FALSE: Final = Constant(False, "boolean")  # noqa: FBT003

_COMPARE: Final[dict[type[exp.Expr], CompareOp]] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_ARITH: Final[dict[type[exp.Expr], ArithOp]] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}
_UNARY: Final[dict[type[exp.Expr], FunctionName]] = {
    exp.Abs: "abs", exp.Upper: "upper", exp.Lower: "lower", exp.Year: "year",
    exp.Month: "month",
}  # fmt: skip
_MANY: Final[dict[type[exp.Expr], FunctionName]] = {
    exp.Coalesce: "coalesce", exp.Greatest: "greatest", exp.Least: "least",
}  # fmt: skip
_INSTEAD: Final[dict[type[exp.Expr], tuple[str, str]]] = {
    exp.Div: (
        "division below the aggregate is not exact",
        "divide above it, for example SUM(a) / SUM(b) or AVG(a)",
    ),
    exp.IntDiv: (
        "division below the aggregate is not supported",
        "use bands: CASE WHEN age < 18 THEN 'child' … END",
    ),
    exp.Mod: ("% below the aggregate is not supported", "use CASE"),
    exp.ILike: ("ILIKE below the aggregate is not supported", "write LOWER(x) LIKE 'abc%'"),
    exp.DPipe: ("|| below the aggregate is not supported", "group by both columns"),
    exp.Concat: ("CONCAT below the aggregate is not supported", "group by both columns"),
    exp.Interval: ("INTERVAL below the aggregate is not supported", "write the date itself"),
    exp.TimestampTrunc: (
        "DATE_TRUNC below the aggregate is not supported", "group by YEAR(d), MONTH(d)",
    ),
    exp.Subquery: (
        "a subquery below the aggregate is not supported",
        "write the condition out; a subquery may only read aggregated results",
    ),
    exp.Exists: ("EXISTS below the aggregate is not supported", "write the condition out"),
    exp.Round: ("ROUND below the aggregate is not supported", "round the aggregate"),
    exp.Tuple: ("a row of values is not supported here", "compare the columns one by one"),
}  # fmt: skip


class Translator:
    """Translates expressions over one dataset.

    Args:
        statement: For places in errors.
        columns: Declared columns.
        names: What the dataset may be called in front of a column (lower case).
    """

    def __init__(
        self, statement: Statement, columns: Mapping[str, Column], names: frozenset[str]
    ) -> None:
        self._statement = statement
        self._columns = columns
        self._folded = {name.casefold(): name for name in columns}
        self._names = names
        self._rules: dict[type[exp.Expr], Callable[[exp.Expr], Expr]] = {
            exp.Paren: lambda node: self.expr(node.this),
            exp.Column: self._column,
            exp.Literal: self._literal,
            exp.Boolean: lambda node: TRUE if node.this else FALSE,
            exp.Null: lambda _: NULL,
            exp.Neg: self._negative,
            exp.And: self._connected,
            exp.Or: self._connected,
            exp.Not: lambda node: Not(self.expr(node.this)),
            exp.Is: self._is,
            exp.In: self._in,
            exp.Between: self._between,
            exp.Like: self._like,
            exp.Case: self._case,
            exp.If: self._if,
            exp.Nullif: self._nullif,
            exp.Cast: self._cast,
            exp.Substring: self._substring,
            exp.Extract: self._extract,
            **dict.fromkeys(_COMPARE, self._compare),
            **dict.fromkeys(_ARITH, self._arith),
            **dict.fromkeys(_UNARY, self._unary),
            **dict.fromkeys(_MANY, self._many),
        }

    def expr(self, node: exp.Expr) -> Expr:
        """Translates ``node`` and checks its types.

        Raises:
            SqlError: Something in it is unknown, does not fit together, or is not supported
                below the aggregate; the place is underlined.
        """
        rule = self._rules.get(type(node))
        if rule is None:
            raise self._unsupported(node)
        found = rule(node)
        self.type(found, node)
        return found

    def type(self, expr: Expr, node: exp.Expr) -> ExprType:
        """Returns the type of ``expr``; an error underlines ``node``."""
        try:
            return type_of(expr, self._columns)
        except InputError as error:
            raise self._statement.refuse(
                node, error.message, remedy=error.remedy, code=error.code
            ) from error

    def resolve(self, node: exp.Column) -> str | None:
        """Returns the declared name that ``node`` means, or None if it is none of the dataset's.

        Raises:
            SqlError: The column is qualified with another table's name.
        """
        if node.table and node.table.casefold() not in self._names:
            raise self._statement.refuse(
                node, f"{node.table!r} is not read by this SELECT", code="sql.column",
                remedy=nearest(node.table, sorted(self._names)),
            )  # fmt: skip
        return self._folded.get(node.name.casefold())

    def unknown(self, node: exp.Column, aliases: tuple[str, ...] = ()) -> SqlError:
        """Returns the error for a name that is no column, with the nearest ones."""
        if isinstance(node.this, exp.Star):
            return self._statement.refuse(
                node, "rows themselves never leave a department",
                remedy="name aggregates: COUNT(*), SUM(x), AVG(x)", code="sql.rows",
            )  # fmt: skip
        remedy = nearest(node.name, (*self._columns, *aliases))
        if not remedy and isinstance(node.this, exp.Identifier) and node.this.quoted:
            remedy = "text is written in single quotes: 'text'"
        return self._statement.refuse(
            node,
            f"there is no column {node.name!r}",
            remedy=remedy or f"columns: {', '.join(self._columns)}",
            code="sql.column",
        )

    def _unsupported(self, node: exp.Expr) -> SqlError:
        refuse = self._statement.refuse
        if type(node) in _INSTEAD:
            message, remedy = _INSTEAD[type(node)]
            return refuse(node, message, remedy=remedy)
        if isinstance(node, exp.Window) or type(node) in WINDOW_ONLY:
            return refuse(
                node, "a window over single rows is not supported",
                remedy="aggregate first, then put the window over the aggregate",
            )  # fmt: skip
        if type(node) in AGGREGATES or isinstance(node, exp.Filter):
            return refuse(
                node, "an aggregate cannot stand here",
                remedy="use HAVING for conditions on aggregates; do not nest them",
            )  # fmt: skip
        what = node.sql_names()[0] if isinstance(node, exp.Func) else "this"
        return refuse(
            node,
            f"{what} is not supported below the aggregate",
            remedy="above it, on the aggregated figures, it may be used",
            code="sql.function" if isinstance(node, exp.Func) else "sql.unsupported",
        )

    def _column(self, node: exp.Expr) -> Expr:
        assert isinstance(node, exp.Column)  # noqa: S101 - by the rules' table
        name = self.resolve(node)
        if name is None:
            raise self.unknown(node)
        return ColumnRef(name)

    def _literal(self, node: exp.Expr) -> Expr:
        if node.args["is_string"]:
            return Constant(node.name, "string")
        try:
            sign, digits, exponent = Decimal(node.name).as_tuple()
        except InvalidOperation as error:
            raise self._statement.refuse(node, "this is not a number") from error
        if not isinstance(exponent, int) or sign:
            raise self._statement.refuse(node, "this is not a number")
        value = int("".join(map(str, digits)))
        if len(digits) > MAX_DIGITS or not -MAX_DIGITS <= exponent <= MAX_DIGITS:
            raise self._statement.refuse(
                node, f"a number may have {MAX_DIGITS} digits", remedy="round it"
            )
        if exponent >= 0:
            return Constant(value * int(10**exponent), "integer")
        return Constant(value, "decimal", -exponent)

    def _negative(self, node: exp.Expr) -> Expr:
        inner = self.expr(node.this)
        if isinstance(inner, Constant) and inner.type in {"integer", "decimal"}:
            return Constant(-int(inner.value or 0), inner.type, inner.decimals)
        return Arith("-", Constant(0, "integer"), inner)

    def _connected(self, node: exp.Expr) -> Expr:
        """A chain of ANDs (or of ORs) becomes one flat node, however long."""
        kind, parts, stack = type(node), list[Expr](), [node]
        while stack:
            top = stack.pop()
            if type(top) is kind:
                stack += [top.args["expression"], top.this]
            else:
                parts.append(self.expr(top))
        return BoolOp("and" if kind is exp.And else "or", tuple(parts))

    def _is(self, node: exp.Expr) -> Expr:
        arg, right = self.expr(node.this), node.args["expression"]
        if isinstance(right, exp.Null):
            return IsNull(arg)
        if isinstance(right, exp.Boolean):
            return Function("coalesce", (arg if right.this else Not(arg), FALSE))
        raise self._statement.refuse(node, "IS is for NULL, TRUE and FALSE", remedy="use =")

    def _in(self, node: exp.Expr) -> Expr:
        if node.args.get("query") or not node.expressions:
            raise self._statement.refuse(
                node, "IN (SELECT …) is not supported", remedy="list the values: IN (1, 2)"
            )
        arg = self.expr(node.this)
        items: list[Constant] = []
        for item_node in node.expressions:
            item = self._like_date(arg, node.this, self.expr(item_node), item_node)
            if not isinstance(item, Constant):
                raise self._statement.refuse(
                    item_node, "IN takes constants only", remedy="compare with ="
                )
            items.append(item)
        return InList(arg, tuple(items))

    def _between(self, node: exp.Expr) -> Expr:
        if node.args.get("symmetric"):
            raise self._statement.refuse(node, "SYMMETRIC is not supported", remedy="leave it out")
        return BoolOp("and", (
            self._compared(">=", node, node.this, node.args["low"]),
            self._compared("<=", node, node.this, node.args["high"]),
        ))  # fmt: skip

    def _compare(self, node: exp.Expr) -> Expr:
        return self._compared(_COMPARE[type(node)], node, node.this, node.args["expression"])

    def _compared(
        self, op: CompareOp, node: exp.Expr, left_node: exp.Expr, right_node: exp.Expr
    ) -> Expr:
        left, right = self.expr(left_node), self.expr(right_node)
        left, right = (
            self._like_date(right, right_node, left, left_node),
            self._like_date(left, left_node, right, right_node),
        )
        found = Compare(op, left, right)
        self.type(found, node)
        return found

    def _like_date(self, other: Expr, other_node: exp.Expr, value: Expr, node: exp.Expr) -> Expr:
        """Reads a text that stands beside a date as a date, as DuckDB does."""
        if not isinstance(value, Constant) or not isinstance(value.value, str):
            return value
        dated = self.type(other, other_node).type == "date"
        return self._date(value.value, node) if dated else value

    def _date(self, text: str, node: exp.Expr) -> Constant:
        try:
            if len(text) != len("YYYY-MM-DD"):
                raise ValueError(text)
            return Constant((date.fromisoformat(text) - EPOCH).days, "date")
        except ValueError as error:
            raise self._statement.refuse(
                node, f"{text[:40]!r} is not a date", remedy="write it as '2025-01-31'"
            ) from error

    def _arith(self, node: exp.Expr) -> Expr:
        left, right = self.expr(node.this), self.expr(node.args["expression"])
        return Arith(_ARITH[type(node)], left, right)

    def _like(self, node: exp.Expr) -> Expr:
        pattern = node.args["expression"]
        if not isinstance(pattern, exp.Literal) or not pattern.args["is_string"]:
            raise self._statement.refuse(pattern, "LIKE needs a constant pattern in quotes")
        if "\\" in pattern.name:
            # Engines differ on whether a backslash escapes.
            raise self._statement.refuse(pattern, "a backslash in LIKE is not supported")
        return Like(self.expr(node.this), pattern.name)

    def _case(self, node: exp.Expr) -> Expr:
        whens: list[tuple[Expr, Expr]] = []
        for branch in node.args["ifs"]:
            if node.this is None:
                condition = self.expr(branch.this)
            else:
                condition = self._compared("=", branch.this, node.this, branch.this)
            whens.append((condition, self.expr(branch.args["true"])))
        default = node.args.get("default")
        return Case(tuple(whens), NULL if default is None else self.expr(default))

    def _if(self, node: exp.Expr) -> Expr:
        otherwise = node.args.get("false")
        return Case(
            ((self.expr(node.this), self.expr(node.args["true"])),),
            NULL if otherwise is None else self.expr(otherwise),
        )

    def _nullif(self, node: exp.Expr) -> Expr:
        same = self._compared("=", node, node.this, node.args["expression"])
        return Case(((same, NULL),), self.expr(node.this))

    def _cast(self, node: exp.Expr) -> Expr:
        target = node.args["to"]
        if target.is_type("date"):
            if isinstance(node.this, exp.Literal) and node.this.args["is_string"]:
                return self._date(node.this.name, node)
            inner = self.expr(node.this)
            if self.type(inner, node.this).type == "date":
                return inner
        raise self._statement.refuse(
            node, "CAST below the aggregate is not supported",
            remedy="numbers are exact without it; cast the aggregate instead",
        )  # fmt: skip

    def _substring(self, node: exp.Expr) -> Expr:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return Function("substr", tuple(self.expr(p) for p in parts if p is not None))

    def _extract(self, node: exp.Expr) -> Expr:
        names: dict[str, FunctionName] = {"YEAR": "year", "MONTH": "month"}
        name = names.get(node.name.upper())
        if name is None:
            raise self._statement.refuse(
                node, "only YEAR and MONTH can be taken from a date", remedy="use YEAR(d), MONTH(d)"
            )
        return Function(name, (self.expr(node.args["expression"]),))

    def _unary(self, node: exp.Expr) -> Expr:
        return Function(_UNARY[type(node)], (self.expr(node.this),))

    def _many(self, node: exp.Expr) -> Expr:
        args = [self.expr(part) for part in (node.this, *node.expressions)]
        return Function(_MANY[type(node)], tuple(args))
