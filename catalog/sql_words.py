"""The allow-list: every kind of syntax node that may stand in a statement. All else is refused.

These are for the whole statement; below the aggregate far fewer pass (``exchange.planner``). What
is listed runs at the analyst in a locked in-memory DuckDB, and none of it can reach a file, a
network or a setting.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

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
PART_INSTEAD: Final[dict[str, tuple[str, str]]] = {
    "db": ("a dataset has no schema in front", "write the dataset's name alone"),
    "catalog": ("a dataset has no schema in front", "write the dataset's name alone"),
    "locks": ("FOR UPDATE is not supported", "leave it out"),
    "sample": ("sampling is not supported", "leave it out"),
    "laterals": ("LATERAL is not supported", "use a plain subquery over the aggregate"),
    "for_": ("FOR is not supported", "leave it out"),
}

# Kinds of syntax that people do try, with what works instead.
INSTEAD: Final[dict[type[exp.Expr], tuple[str, str]]] = {
    exp.Rollup: ("ROLLUP is not supported", "run one statement per level of grouping"),
    exp.Cube: ("CUBE is not supported", "run one statement per grouping"),
    exp.GroupingSets: ("GROUPING SETS are not supported", "run one statement per grouping"),
    exp.Pivot: ("PIVOT is not supported", "use SUM(CASE WHEN … THEN … END) per column"),
    exp.Lateral: ("LATERAL is not supported", "use a plain subquery over the aggregate"),
    exp.Unnest: ("table functions are not supported", "read a dataset of the catalog"),
    exp.Values: ("VALUES is not supported", "read a dataset of the catalog"),
    exp.TableSample: ("sampling is not supported", "noise already hides single rows"),
    exp.Lambda: ("lambdas are not supported", "write the expression out"),
    exp.Escape: ("LIKE … ESCAPE is not supported", "use % and _ only"),
    exp.Columns: ("COLUMNS(…) is not supported", "name the columns"),
    exp.LimitOptions: ("LIMIT with an option is not supported", "write LIMIT and a number"),
}
