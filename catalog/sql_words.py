"""The allow-list: every kind of syntax node that may stand in a statement. All else is refused.

These are for the whole statement; below the aggregate far fewer pass (``exchange.planner``). What
is listed runs at the analyst in a locked in-memory DuckDB, and none of it can reach a file, a
network or a setting.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from protos.language import Text

_STRUCTURE: Final = (
    exp.Select, exp.From, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit,
    exp.Offset, exp.Distinct, exp.With, exp.CTE, exp.Subquery, exp.Union, exp.Except,
    exp.Intersect, exp.Alias, exp.TableAlias, exp.Table, exp.Identifier, exp.Column, exp.Star,
    exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Var, exp.DataType, exp.DataTypeParam,
    exp.Tuple, exp.Join, exp.Qualify, exp.Window, exp.WindowSpec, exp.Filter, exp.IgnoreNulls,
    exp.RespectNulls, exp.Interval,
)  # fmt: skip
_OPERATORS: Final = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.EQ, exp.NEQ, exp.LT,
    exp.LTE, exp.GT, exp.GTE, exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.Like,
    exp.ILike, exp.NullSafeEQ, exp.NullSafeNEQ, exp.DPipe, exp.Case, exp.If, exp.Cast,
    exp.TryCast, exp.Exists,
)  # fmt: skip
_SCALARS: Final = (
    exp.Abs, exp.Ceil, exp.Coalesce, exp.Concat, exp.DateDiff, exp.TimestampTrunc, exp.DateTrunc,
    exp.Day, exp.Exp, exp.Extract, exp.Floor, exp.Greatest, exp.Least, exp.Left, exp.Length,
    exp.Ln, exp.Log, exp.Lower, exp.Month, exp.Nullif, exp.Pow, exp.Quarter, exp.Replace,
    exp.Right, exp.Round, exp.Sign, exp.Sqrt, exp.Substring, exp.Trim, exp.Upper, exp.Year,
)  # fmt: skip
_AGGREGATES: Final = (
    exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Median, exp.Variance,
    exp.VariancePop, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.PercentileCont,
    exp.PercentileDisc, exp.Quantile, exp.ApproxDistinct, exp.ApproxQuantile, exp.Mode, exp.First,
    exp.Last, exp.AnyValue, exp.ArgMax, exp.ArgMin, exp.Corr, exp.CovarPop, exp.CovarSamp,
    exp.GroupConcat, exp.LogicalAnd, exp.LogicalOr, exp.Skewness, exp.Kurtosis,
)  # fmt: skip
_WINDOWED: Final = (
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag,
    exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue,
)  # fmt: skip

AGGREGATES: Final[frozenset[type[exp.Expr]]] = frozenset(_AGGREGATES)
WINDOW_ONLY: Final[frozenset[type[exp.Expr]]] = frozenset(_WINDOWED)
ALLOWED: Final[frozenset[type[exp.Expr]]] = frozenset(
    {*_STRUCTURE, *_OPERATORS, *_SCALARS, *_AGGREGATES, *_WINDOWED}
)
FUNCTIONS: Final[tuple[str, ...]] = tuple(
    sorted(
        name
        for kind in (*_SCALARS, *_AGGREGATES, *_WINDOWED)
        if issubclass(kind, exp.Func)
        for name in kind.sql_names()
    )
)

# A key that is absent here may not be set: TABLESAMPLE, FOR UPDATE, hints, INTO …
PARTS: Final[dict[type[exp.Expr], frozenset[str]]] = {
    exp.Select: frozenset(
        {"with_", "expressions", "distinct", "from_", "joins", "where", "group", "having",
         "qualify", "windows", "order", "limit", "offset"}
    ),
    exp.Table: frozenset({"this", "alias", "joins"}),
    exp.Join: frozenset({"this", "on", "side", "kind", "using"}),
}  # fmt: skip
PART_INSTEAD: Final[dict[str, tuple[Text, Text]]] = {
    "db": (
        Text("a dataset has no schema in front", "数据集名前没有模式名"),
        Text("write the dataset's name alone", "请只写数据集的名称"),
    ),
    "catalog": (
        Text("a dataset has no schema in front", "数据集名前没有模式名"),
        Text("write the dataset's name alone", "请只写数据集的名称"),
    ),
    "locks": (
        Text("FOR UPDATE is not supported", "不支持 FOR UPDATE"),
        Text("leave it out", "请去掉"),
    ),
    "sample": (Text("sampling is not supported", "不支持抽样"), Text("leave it out", "请去掉")),
    "laterals": (
        Text("LATERAL is not supported", "不支持 LATERAL"),
        Text("use a plain subquery over the aggregate", "请对汇总结果使用普通子查询"),
    ),
    "for_": (Text("FOR is not supported", "不支持 FOR"), Text("leave it out", "请去掉")),
}

# Kinds of syntax that people do try, with what works instead.
INSTEAD: Final[dict[type[exp.Expr], tuple[Text, Text]]] = {
    exp.Rollup: (
        Text("ROLLUP is not supported", "不支持 ROLLUP"),
        Text("run one statement per level of grouping", "请对每个分组层级各执行一条语句"),
    ),
    exp.Cube: (
        Text("CUBE is not supported", "不支持 CUBE"),
        Text("run one statement per grouping", "请对每种分组各执行一条语句"),
    ),
    exp.GroupingSets: (
        Text("GROUPING SETS are not supported", "不支持 GROUPING SETS"),
        Text("run one statement per grouping", "请对每种分组各执行一条语句"),
    ),
    exp.Pivot: (
        Text("PIVOT is not supported", "不支持 PIVOT"),
        Text(
            "use SUM(CASE WHEN … THEN … END) per column", "请对每列使用 SUM(CASE WHEN … THEN … END)"
        ),
    ),
    exp.Lateral: (
        Text("LATERAL is not supported", "不支持 LATERAL"),
        Text("use a plain subquery over the aggregate", "请对汇总结果使用普通子查询"),
    ),
    exp.Unnest: (
        Text("table functions are not supported", "不支持表函数"),
        Text("read a dataset of the catalog", "请查询目录中的数据集"),
    ),
    exp.Values: (
        Text("VALUES is not supported", "不支持 VALUES"),
        Text("read a dataset of the catalog", "请查询目录中的数据集"),
    ),
    exp.TableSample: (
        Text("sampling is not supported", "不支持抽样"),
        Text("noise already hides single rows", "噪声已隐藏单行数据，无需抽样"),
    ),
    exp.Lambda: (
        Text("lambdas are not supported", "不支持 lambda"),
        Text("write the expression out", "请把表达式写出来"),
    ),
    exp.Escape: (
        Text("LIKE … ESCAPE is not supported", "不支持 LIKE … ESCAPE"),
        Text("use % and _ only", "请只用 % 和 _"),
    ),
    exp.Columns: (
        Text("COLUMNS(…) is not supported", "不支持 COLUMNS(…)"),
        Text("name the columns", "请写出列名"),
    ),
    exp.LimitOptions: (
        Text("LIMIT with an option is not supported", "不支持带选项的 LIMIT"),
        Text("write LIMIT and a number", "请写 LIMIT 加数字"),
    ),
}
