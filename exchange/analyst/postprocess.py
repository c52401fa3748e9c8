"""What stands above the private aggregate: HAVING, ORDER BY, ratios, windows, outer queries.

Runs at the analyst, over released figures only, so it costs no privacy. The SQL is the analyst's
own; it still runs in a locked, in-memory DuckDB that reaches no file, no network and no other
table than ``released``, with a deadline, because a cross join of a large result has no end.

An interval follows its figure where an output column *is* the figure (renamed, rounded or cast)
in a SELECT directly over ``released``. For anything else - a ratio of two columns, a window - the
intervals of the inputs are all that can be said, and ``Processed.unbarred`` names those columns.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.planner.local_engine import TABLE, local_engine
from protos.faults import InputError
from protos.language import Text

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

    from exchange.analyst.finalise import Released


@dataclass(frozen=True)
class Processed:
    """The user's result.

    Attributes:
        table: As the statement asked for it.
        intervals: Columns ``NAME_low`` and ``NAME_high`` for every output column that has an
            interval, aligned with ``table``. None for exact answers, or when none has one.
        unbarred: Output columns that depend on released figures but have no interval.
    """

    table: pa.Table
    intervals: pa.Table | None
    unbarred: tuple[str, ...]


def postprocess(post_sql: str, released: Released, *, deadline_s: float = 60.0) -> Processed:
    """Runs the statement's upper part over the released table.

    Args:
        post_sql: One DuckDB SELECT over the table ``released``.
        released: From ``exchange.analyst.finalise``.
        deadline_s: Seconds after which it is interrupted.

    Raises:
        InputError: DuckDB refuses the SQL, or the deadline passed.
    """
    import pyarrow as pa

    ends = released.intervals
    if ends is None:
        return Processed(_run(post_sql, released.table, deadline_s), None, ())
    source = pa.table(
        {
            **dict(zip(released.table.column_names, released.table.columns, strict=True)),
            **dict(zip(ends.column_names, ends.columns, strict=True)),
        }
    )
    sql, width, barred, unbarred = _with_ends(post_sql, frozenset(_figures(released)))
    result = _run(sql, source, deadline_s)
    if not barred:
        return Processed(result, None, tuple(result.column_names) if unbarred is None else unbarred)
    names = [f"{name}_{end}" for name in barred for end in ("low", "high")]
    table = result.select(list(range(width)))
    return Processed(
        table,
        result.select(list(range(width, result.num_columns))).rename_columns(names),
        unbarred or (),
    )


def _figures(released: Released) -> list[str]:
    return [
        name
        for name in released.table.column_names
        if released.intervals is not None and f"{name}_low" in released.intervals.column_names
    ]


def _with_ends(
    post_sql: str, figures: frozenset[str]
) -> tuple[str, int, list[str], tuple[str, ...] | None]:
    """Adds the interval ends of every plain output column to the outermost SELECT.

    Returns:
        The SQL, the number of the user's own columns, the columns with an interval, and the
        columns that depend on figures but have none (None: it may be any of them).
    """
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(post_sql, read="duckdb")
    if not isinstance(tree, exp.Select) or not _is_direct(tree):
        return post_sql, 0, [], None
    barred: list[str] = []
    unbarred: list[str] = []
    extra: list[exp.Expr] = []
    width = len(tree.expressions)
    for number, projection in enumerate(tree.expressions):
        value = projection.unalias()
        used = {c.name for c in value.find_all(exp.Column)} & figures
        if not used:
            continue
        name = projection.alias_or_name
        if not _follows(value):
            unbarred.append(name)
            continue
        barred.append(name)
        for end in ("low", "high"):
            moved = value.copy().transform(_to_end, end)
            extra.append(exp.alias_(moved, f"_{number}_{end}", quoted=True))
    tree.set("expressions", [*tree.expressions, *extra])
    return tree.sql("duckdb"), width, barred, tuple(unbarred)


def _is_direct(tree: exp.Select) -> bool:
    """A SELECT over ``released`` alone whose rows are rows of it: filtered, sorted or cut."""
    from sqlglot import exp

    source = tree.args.get("from_")
    return (
        source is not None
        and isinstance(source.this, exp.Table)
        and source.this.name == TABLE
        and not tree.find(exp.Star)
        and not any(
            tree.args.get(part)
            for part in ("with_", "joins", "group", "having", "distinct", "laterals")
        )
    )


def _follows(value: exp.Expr) -> bool:
    """Whether the value is one figure under functions that keep order, so that ends map to ends."""
    from sqlglot import exp

    node: exp.Expr = value
    while isinstance(node, exp.Round | exp.Cast | exp.Floor | exp.Ceil | exp.Paren):
        if any(
            argument.find(exp.Column)
            for argument in node.args.values()
            if isinstance(argument, exp.Expr) and argument is not node.this
        ):
            return False
        node = node.this
    return isinstance(node, exp.Column)


def _to_end(node: exp.Expr, end: str) -> exp.Expr:
    from sqlglot import exp

    if isinstance(node, exp.Column):
        return exp.column(f"{node.name}_{end}", table=node.args.get("table"), quoted=True)
    return node


def _run(sql: str, source: pa.Table, deadline_s: float) -> pa.Table:
    """Runs one SELECT in a locked DuckDB that holds ``released`` and nothing else."""
    import duckdb

    with local_engine() as engine:
        engine.register("arrived", source)
        engine.execute(f"CREATE TABLE {TABLE} AS SELECT * FROM arrived")  # noqa: S608 - fixed
        engine.unregister("arrived")
        try:
            statements = engine.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise InputError(
                    Text(
                        "the upper part of the statement is not one SELECT",
                        "语句的上层部分不是单个 SELECT",
                    )
                )
            timer = threading.Timer(deadline_s, engine.interrupt)
            timer.start()
            try:
                return engine.sql(sql).to_arrow_table()
            finally:
                timer.cancel()
        except duckdb.InterruptException as error:
            raise InputError(
                Text(
                    f"the upper part of the statement took longer than {deadline_s:.0f} s",
                    f"语句的上层部分运行超过 {deadline_s:.0f} 秒",
                ),
                remedy=Text(
                    "make it simpler, or work on Answer.to_pandas() of a plain SELECT",
                    "请简化，或先作普通 SELECT 再用 Answer.to_pandas() 处理",
                ),
            ) from error
        except duckdb.Error as error:
            raise InputError(
                Text(
                    f"the upper part of the statement does not run: {error}",
                    f"语句的上层部分无法运行：{error}",
                ),
                remedy=Text(
                    "what stands above the aggregate must be DuckDB SQL",
                    "汇总之后的部分须为 DuckDB SQL",
                ),
            ) from error
