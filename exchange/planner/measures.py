"""From aggregate functions to the fewest integer measures that give them.

COUNT, SUM, AVG, VAR and STDDEV of one value share their measures. In ad hoc mode AVG and VAR
centre the value on the middle of its bounds, which halves what one row can change; the noise
shrinks with it. Exact answers need no centring.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sqlglot import exp

from catalog.algebra import Case, Constant, Expr, Measure, Not
from catalog.plan import Mode
from catalog.sql_gate import Statement
from catalog.typing_rules import ExprType, value_bound
from desensitize.column import Column
from exchange.planner.bound import Output, OutputFunction
from exchange.planner.expressions import NULL, Translator
from protos.faults import InputError
from protos.language import Text

_ONE: Final = Constant(1, "integer")
_ZERO: Final = Constant(0, "integer")
FUNCTIONS: Final[dict[type[exp.Expr], OutputFunction]] = {
    exp.Count: "count",
    exp.CountIf: "count",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Variance: "var_samp",
    exp.VariancePop: "var_pop",
    exp.Stddev: "stddev_samp",
    exp.StddevSamp: "stddev_samp",
    exp.StddevPop: "stddev_pop",
}
_HISTOGRAM: Final = Text(
    "count by bands instead: GROUP BY CASE WHEN x < 10 THEN 'low' … END; the bands show where "
    "the extremes and the middle lie",
    "请分段计数：GROUP BY CASE WHEN x < 10 THEN 'low' … END；由各段可知两端和中间所在",
)
_INSTEAD: Final[dict[type[exp.Expr], tuple[Text, Text]]] = {
    exp.Min: (Text("MIN would be one person's value", "MIN 会是某一个人的值"), _HISTOGRAM),
    exp.Max: (Text("MAX would be one person's value", "MAX 会是某一个人的值"), _HISTOGRAM),
    exp.Median: (Text("MEDIAN is not supported yet", "暂不支持 MEDIAN"), _HISTOGRAM),
    exp.Quantile: (Text("quantiles are not supported yet", "暂不支持分位数"), _HISTOGRAM),
    exp.PercentileCont: (Text("quantiles are not supported yet", "暂不支持分位数"), _HISTOGRAM),
    exp.PercentileDisc: (Text("quantiles are not supported yet", "暂不支持分位数"), _HISTOGRAM),
    exp.ApproxQuantile: (Text("quantiles are not supported yet", "暂不支持分位数"), _HISTOGRAM),
    exp.Mode: (
        Text("MODE is not supported", "不支持 MODE"),
        Text("count by the column's codes and sort", "请按该列的代码计数并排序"),
    ),
    exp.ApproxDistinct: (
        Text("distinct counts are not supported yet", "暂不支持去重计数"),
        Text("count by the column's codes", "请按该列的代码计数"),
    ),
}


@dataclass(frozen=True)
class _Request:
    function: OutputFunction
    value: Expr | None  # None counts rows
    found: ExprType | None


class MeasurePool:
    """Collects the aggregates of one SELECT, then lays out their measures.

    Args:
        statement: For places in errors.
        translator: Of the expressions below the aggregate.
        columns: Declared columns.
    """

    def __init__(
        self, statement: Statement, translator: Translator, columns: dict[str, Column]
    ) -> None:
        self._statement = statement
        self._translator = translator
        self._columns = columns
        self._requests: dict[_Request, str] = {}

    def add(self, node: exp.Expr) -> str:
        """Takes an aggregate, with or without FILTER, and returns its column a0, a1, ….

        Raises:
            SqlError: The aggregate, its argument or its options are not supported.
        """
        condition: Expr | None = None
        inner = node
        if isinstance(node, exp.Filter):
            inner = node.this
            condition = self._translator.expr(node.args["expression"].this)
        request = self._request(inner, condition)
        return self._requests.setdefault(request, f"a{len(self._requests)}")

    def laid_out(self, mode: Mode) -> tuple[tuple[Measure, ...], tuple[Output, ...]]:
        """Returns the measures and the outputs that refer to them by index."""
        centred = {
            r.value: _middle(r)
            for r in self._requests
            if mode == "adhoc" and r.function not in {"count", "sum"}
        }
        measures: dict[Measure, int] = {}
        outputs = []
        for request, column in self._requests.items():
            needed = _measures(request, centred.get(request.value, 0), mode)
            at = {part: measures.setdefault(m, len(measures)) for part, m in needed.items()}
            outputs.append(_output(request, column, at, needed))
        return tuple(measures), tuple(outputs)

    def _request(self, node: exp.Expr, condition: Expr | None) -> _Request:
        function = FUNCTIONS.get(type(node))
        if function is None:
            name = node.sql_names()[0] if isinstance(node, exp.Func) else "this"
            message, remedy = _INSTEAD.get(
                type(node),
                (
                    Text(f"{name} is not supported", f"不支持 {name}"),
                    Text(
                        "use COUNT, SUM, AVG, VAR or STDDEV", "请用 COUNT、SUM、AVG、VAR 或 STDDEV"
                    ),
                ),
            )
            raise self._statement.refuse(node, message, remedy=remedy, code="sql.aggregate")
        self._check_options(node)
        if isinstance(node, exp.Count) and (node.this is None or isinstance(node.this, exp.Star)):
            return self._counted(_ONE if condition is not None else None, condition, node)
        value = self._translator.expr(node.this)
        found = self._translator.type(value, node.this)
        if isinstance(node, exp.CountIf):
            if found.type != "boolean":
                raise self._statement.refuse(
                    node.this, Text("COUNT_IF needs a condition", "COUNT_IF 需要条件")
                )
            return self._counted(Case(((value, _ONE),), NULL), condition, node)
        if function == "count":
            return self._counted(value, condition, node)
        if found.type == "boolean":
            value = _as_number(value, found)
        if condition is not None:
            value = Case(((condition, value),), NULL)
        self._check_bounds(value, node)
        return _Request(function, value, self._translator.type(value, node))

    def _counted(self, value: Expr | None, condition: Expr | None, node: exp.Expr) -> _Request:
        """COUNT of a value that is never NULL counts rows, and shares their measure."""
        if value is not None and condition is not None:
            value = Case(((condition, value),), NULL)
        if value is not None and not self._translator.type(value, node).nullable:
            value = None
        return _Request("count", value, None)

    def _check_options(self, node: exp.Expr) -> None:
        inner = node.this
        if isinstance(inner, exp.Distinct):
            name = node.sql_names()[0] if isinstance(node, exp.Func) else ""
            raise self._statement.refuse(
                node,
                Text(f"{name}(DISTINCT …) is not supported yet", f"暂不支持 {name}(DISTINCT …)"),
                remedy=Text(
                    "GROUP BY the column and count the groups above the aggregate",
                    "请按该列 GROUP BY，再在汇总之后统计分组数",
                ),
                code="sql.aggregate",
            )
        if isinstance(inner, exp.Order) or node.expressions:
            raise self._statement.refuse(
                node,
                Text("an aggregate takes one plain argument", "汇总函数只接受一个普通参数"),
                code="sql.aggregate",
            )

    def _check_bounds(self, value: Expr, node: exp.Expr) -> None:
        try:
            value_bound(Measure("sum", value), self._columns)
        except InputError as error:
            raise self._statement.refuse(
                node, error.said, remedy=error.advice, code=error.code
            ) from error


def _as_number(value: Expr, found: ExprType) -> Expr:
    """True is 1, false is 0, unknown stays NULL."""
    if not found.nullable:
        return Case(((value, _ONE),), _ZERO)
    return Case(((value, _ONE), (Not(value), _ZERO)), NULL)


def _middle(request: _Request) -> int:
    if request.found is None or request.found.bounds is None:
        return 0
    return sum(request.found.bounds) // 2


def _measures(request: _Request, offset: int, mode: Mode) -> dict[str, Measure]:
    rows = Measure("rows")
    if request.value is None:
        return {"rows": rows}
    nullable = request.found is None or request.found.nullable
    count = Measure("count", request.value) if nullable else rows
    if request.function == "count":
        return {"rows": count}
    total = Measure("sum", request.value, offset)
    if request.function == "sum":
        # SUM of nothing is NULL, which an exact answer can and must tell from 0.
        needs_count = mode == "exact" or offset != 0
        return {"sum": total, "rows": count} if needs_count else {"sum": total}
    if request.function == "avg":
        return {"sum": total, "rows": count}
    return {"sum": total, "squares": replace(total, kind="sum_squares"), "rows": count}


def _output(
    request: _Request, column: str, at: dict[str, int], needed: dict[str, Measure]
) -> Output:
    found = request.found
    kind: OutputFunction = request.function
    whole = kind == "count" or (kind == "sum" and found is not None and found.type == "integer")
    return Output(
        column=column,
        function=kind,
        rows=at.get("rows"),
        sum=at.get("sum"),
        squares=at.get("squares"),
        decimals=0 if found is None else found.decimals,
        offset=needed["sum"].offset if "sum" in needed else 0,
        type="integer" if whole else "decimal" if kind == "sum" else "double",
    )
