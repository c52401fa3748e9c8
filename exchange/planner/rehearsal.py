"""Runs the upper part over an empty table before anything is asked of anybody.

DuckDB's own checks (types, names, functions of the outer SELECTs) then fail at once and cost no
budget, instead of failing after the figures were paid for.
"""

from __future__ import annotations

import re
from typing import Final

from catalog.algebra import Key
from catalog.typing_rules import type_of
from exchange.planner.bound import Bound, Output
from exchange.planner.local_engine import TABLE, local_engine
from protos.faults import SqlError
from protos.language import Text

_KEY_TYPES: Final = {
    "integer": "BIGINT", "string": "VARCHAR", "date": "DATE", "boolean": "BOOLEAN",
    "null": "INTEGER",
}  # fmt: skip
_OUTPUT_TYPES: Final = {"integer": "BIGINT", "double": "DOUBLE"}


def rehearse(bound: Bound) -> None:
    """Runs ``bound.post_sql`` over an empty ``released``.

    Raises:
        SqlError: DuckDB refuses it.
    """
    import duckdb

    columns = [f"k{i} {_key_type(k, bound)}" for i, k in enumerate(bound.aggregate.keys)]
    columns += [f"{o.column} {_output_type(o)}" for o in bound.outputs]
    try:
        with local_engine() as engine:
            engine.execute(f"CREATE TABLE {TABLE} ({', '.join(columns)})")
            engine.execute(bound.post_sql).fetchall()
    except duckdb.Error as error:
        reason = str(error).split("\n\n")[0].removeprefix("Binder Error: ").split("\n")[0]
        start, end = _place(bound.sql, reason)
        raise SqlError(
            Text(
                f"the part above the aggregate does not run: {reason}",
                f"汇总之后的部分无法运行：{reason}",
            ),
            sql=bound.sql,
            start=start,
            end=end,
            remedy=Text(
                "mend the outer SELECT; nothing was asked and nothing was spent",
                "请改正外层 SELECT；尚未提问，也未消耗预算",
            ),
            code="sql.post",
        ) from error


def _place(sql: str, reason: str) -> tuple[int, int]:
    """Where the name that DuckDB complains about stands, as far as its message says."""
    for name in re.findall(r'"([^"]+)"', reason):
        if found := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE):
            return found.span()
    return (-1, -1)


def _key_type(key: Key, bound: Bound) -> str:
    found = type_of(key.expr, bound.dataset.columns)
    return _KEY_TYPES.get(found.type, f"DECIMAL(38, {found.decimals})")


def _output_type(output: Output) -> str:
    return _OUTPUT_TYPES.get(output.type, f"DECIMAL(38, {output.decimals})")
