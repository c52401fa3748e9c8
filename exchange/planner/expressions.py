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
from catalog.sql_gate import Statement
from catalog.sql_hints import nearest
from catalog.sql_words import AGGREGATES, WINDOW_ONLY
from catalog.typing_rules import EPOCH, ExprType, type_of
from desensitize.column import Column
from protos.faults import InputError, SqlError
from protos.language import Text

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
_INSTEAD: Final[dict[type[exp.Expr], tuple[Text, Text]]] = {
    exp.Div: (
        Text("division below the aggregate is not exact", "汇总之前的除法不精确"),
        Text(
            "divide above it, for example SUM(a) / SUM(b) or AVG(a)",
            "请在汇总之后相除，例如 SUM(a) / SUM(b) 或 AVG(a)",
        ),
    ),
    exp.IntDiv: (
        Text("division below the aggregate is not supported", "汇总之前不支持除法"),
        Text(
            "use bands: CASE WHEN age < 18 THEN 'child' … END",
            "请分段：CASE WHEN age < 18 THEN 'child' … END",
        ),
    ),
    exp.Mod: (
        Text("% below the aggregate is not supported", "汇总之前不支持 %"),
        Text("use CASE", "请用 CASE"),
    ),
    exp.ILike: (
        Text("ILIKE below the aggregate is not supported", "汇总之前不支持 ILIKE"),
        Text("write LOWER(x) LIKE 'abc%'", "请写成 LOWER(x) LIKE 'abc%'"),
    ),
    exp.DPipe: (
        Text("|| below the aggregate is not supported", "汇总之前不支持 ||"),
        Text("group by both columns", "请按两列分组"),
    ),
    exp.Concat: (
        Text("CONCAT below the aggregate is not supported", "汇总之前不支持 CONCAT"),
        Text("group by both columns", "请按两列分组"),
    ),
    exp.Interval: (
        Text("INTERVAL below the aggregate is not supported", "汇总之前不支持 INTERVAL"),
        Text("write the date itself", "请直接写日期"),
    ),
    exp.TimestampTrunc: (
        Text("DATE_TRUNC below the aggregate is not supported", "汇总之前不支持 DATE_TRUNC"),
        Text("group by YEAR(d), MONTH(d)", "请按 YEAR(d)、MONTH(d) 分组"),
    ),
    exp.Subquery: (
        Text("a subquery below the aggregate is not supported", "汇总之前不支持子查询"),
        Text(
            "write the condition out; a subquery may only read aggregated results",
            "请把条件写出来；子查询只能读取汇总结果",
        ),
    ),
    exp.Exists: (
        Text("EXISTS below the aggregate is not supported", "汇总之前不支持 EXISTS"),
        Text("write the condition out", "请把条件写出来"),
    ),
    exp.Round: (
        Text("ROUND below the aggregate is not supported", "汇总之前不支持 ROUND"),
        Text("round the aggregate", "请对汇总数取整"),
    ),
    exp.Tuple: (
        Text("a row of values is not supported here", "此处不支持值的组合"),
        Text("compare the columns one by one", "请逐列比较"),
    ),
}


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
                node, error.said, remedy=error.advice, code=error.code
            ) from error

    def resolve(self, node: exp.Column) -> str | None:
        """Returns the declared name that ``node`` means, or None if it is none of the dataset's.

        Raises:
            SqlError: The column is qualified with another table's name.
        """
        if node.table and node.table.casefold() not in self._names:
            raise self._statement.refuse(
                node,
                Text(
                    f"{node.table!r} is not read by this SELECT",
                    f"此 SELECT 没有读取 {node.table!r}",
                ),
                code="sql.column",
                remedy=nearest(node.table, sorted(self._names)),
            )
        return self._folded.get(node.name.casefold())

    def unknown(self, node: exp.Column, aliases: tuple[str, ...] = ()) -> SqlError:
        """Returns the error for a name that is no column, with the nearest ones."""
        if isinstance(node.this, exp.Star):
            return self._statement.refuse(
                node,
                Text("rows themselves never leave a department", "明细行不出域"),
                remedy=Text(
                    "name aggregates: COUNT(*), SUM(x), AVG(x)",
                    "请写出汇总：COUNT(*)、SUM(x)、AVG(x)",
                ),
                code="sql.rows",
            )
        remedy = nearest(node.name, (*self._columns, *aliases))
        if not remedy and isinstance(node.this, exp.Identifier) and node.this.quoted:
            remedy = Text("text is written in single quotes: 'text'", "文本请用单引号括起：'文本'")
        return self._statement.refuse(
            node,
            Text(f"there is no column {node.name!r}", f"没有名为 {node.name!r} 的列"),
            remedy=remedy
            or Text(f"columns: {', '.join(self._columns)}", f"列：{'、'.join(self._columns)}"),
            code="sql.column",
        )

    def _unsupported(self, node: exp.Expr) -> SqlError:
        refuse = self._statement.refuse
        if type(node) in _INSTEAD:
            message, remedy = _INSTEAD[type(node)]
            return refuse(node, message, remedy=remedy)
        if isinstance(node, exp.Window) or type(node) in WINDOW_ONLY:
            return refuse(
                node,
                Text("a window over single rows is not supported", "不支持对明细行使用窗口函数"),
                remedy=Text(
                    "aggregate first, then put the window over the aggregate",
                    "请先汇总，再对汇总数使用窗口函数",
                ),
            )
        if type(node) in AGGREGATES or isinstance(node, exp.Filter):
            return refuse(
                node,
                Text("an aggregate cannot stand here", "此处不能使用汇总函数"),
                remedy=Text(
                    "use HAVING for conditions on aggregates; do not nest them",
                    "对汇总数的条件请用 HAVING；不要嵌套汇总函数",
                ),
            )
        what = node.sql_names()[0] if isinstance(node, exp.Func) else "this"
        return refuse(
            node,
            Text(f"{what} is not supported below the aggregate", f"汇总之前不支持 {what}"),
            remedy=Text(
                "above it, on the aggregated figures, it may be used", "在汇总之后，可对汇总数使用"
            ),
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
            raise self._statement.refuse(
                node, Text("this is not a number", "这不是数字")
            ) from error
        if not isinstance(exponent, int) or sign:
            raise self._statement.refuse(node, Text("this is not a number", "这不是数字"))
        value = int("".join(map(str, digits)))
        if len(digits) > MAX_DIGITS or not -MAX_DIGITS <= exponent <= MAX_DIGITS:
            raise self._statement.refuse(
                node,
                Text(f"a number may have {MAX_DIGITS} digits", f"数字最多 {MAX_DIGITS} 位"),
                remedy=Text("round it", "请舍入"),
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
        raise self._statement.refuse(
            node,
            Text("IS is for NULL, TRUE and FALSE", "IS 只用于 NULL、TRUE 和 FALSE"),
            remedy=Text("use =", "请用 ="),
        )

    def _in(self, node: exp.Expr) -> Expr:
        if node.args.get("query") or not node.expressions:
            raise self._statement.refuse(
                node,
                Text("IN (SELECT …) is not supported", "不支持 IN (SELECT …)"),
                remedy=Text("list the values: IN (1, 2)", "请列出取值：IN (1, 2)"),
            )
        arg = self.expr(node.this)
        items: list[Constant] = []
        for item_node in node.expressions:
            item = self._like_date(arg, node.this, self.expr(item_node), item_node)
            if not isinstance(item, Constant):
                raise self._statement.refuse(
                    item_node,
                    Text("IN takes constants only", "IN 中只能写常量"),
                    remedy=Text("compare with =", "请用 = 比较"),
                )
            items.append(item)
        return InList(arg, tuple(items))

    def _between(self, node: exp.Expr) -> Expr:
        if node.args.get("symmetric"):
            raise self._statement.refuse(
                node,
                Text("SYMMETRIC is not supported", "不支持 SYMMETRIC"),
                remedy=Text("leave it out", "请去掉"),
            )
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
                node,
                Text(f"{text[:40]!r} is not a date", f"{text[:40]!r} 不是日期"),
                remedy=Text("write it as '2025-01-31'", "请写成 '2025-01-31' 的形式"),
            ) from error

    def _arith(self, node: exp.Expr) -> Expr:
        left, right = self.expr(node.this), self.expr(node.args["expression"])
        return Arith(_ARITH[type(node)], left, right)

    def _like(self, node: exp.Expr) -> Expr:
        pattern = node.args["expression"]
        if not isinstance(pattern, exp.Literal) or not pattern.args["is_string"]:
            raise self._statement.refuse(
                pattern,
                Text("LIKE needs a constant pattern in quotes", "LIKE 需要用引号括起的常量模式"),
                remedy=Text("write it in one piece: 'abc%'", "请写成一个整体：'abc%'"),
            )
        if "\\" in pattern.name:
            # Engines differ on whether a backslash escapes.
            raise self._statement.refuse(
                pattern,
                Text("a backslash in LIKE is not supported", "LIKE 中不支持反斜杠"),
                remedy=Text("use % and _ only", "请只用 % 和 _"),
            )
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
            node,
            Text("CAST below the aggregate is not supported", "汇总之前不支持 CAST"),
            remedy=Text(
                "numbers are exact without it; cast the aggregate instead",
                "数值本身是精确的，无需转换；可对汇总数使用 CAST",
            ),
        )

    def _substring(self, node: exp.Expr) -> Expr:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return Function("substr", tuple(self.expr(p) for p in parts if p is not None))

    def _extract(self, node: exp.Expr) -> Expr:
        names: dict[str, FunctionName] = {"YEAR": "year", "MONTH": "month"}
        name = names.get(node.name.upper())
        if name is None:
            raise self._statement.refuse(
                node,
                Text("only YEAR and MONTH can be taken from a date", "日期只能取 YEAR 和 MONTH"),
                remedy=Text("use YEAR(d), MONTH(d)", "请用 YEAR(d)、MONTH(d)"),
            )
        return Function(name, (self.expr(node.args["expression"]),))

    def _unary(self, node: exp.Expr) -> Expr:
        return Function(_UNARY[type(node)], (self.expr(node.this),))

    def _many(self, node: exp.Expr) -> Expr:
        args = [self.expr(part) for part in (node.this, *node.expressions)]
        return Function(_MANY[type(node)], tuple(args))
