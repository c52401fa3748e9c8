"""Masks a small table in memory, as the release of a file does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from desensitize.keys import TokenKey, TokenKeys
from desensitize.masking.statement import Statement, forget, prepare
from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.proposing.proposal import quoted_key
from desensitize.sources import (
    ENGINE,
    Table,
    columns_of,
    distinct_names,
    open_object,
)

SECRET = bytes(range(7, 71))
KEYS = TokenKeys(
    (
        TokenKey("ids", "0001", "2026-01-01T00:00:00+00:00", SECRET[:32]),
        TokenKey("visits", "0002", "2026-01-01T00:00:00+00:00", SECRET[32:]),
    )
)


def policy_of(
    methods: Mapping[str, str], columns: Mapping[str, str] | None = None
) -> PublishPolicy:
    """A policy with one method (TOML) for each column, and what else is said of columns."""
    lines = ['dataset = "t"']
    for name in {**methods, **(columns or {})}:
        lines += [f"[columns.{quoted_key(name)}]", (columns or {}).get(name, "")]
    lines += ["[publish.methods]", *(f"{quoted_key(n)} = {how}" for n, how in methods.items())]
    return parse_policy("\n".join(lines))


def masked(
    table: Mapping[str, Sequence[Any]] | pa.Table,
    methods: Mapping[str, str],
    columns: Mapping[str, str] | None = None,
    keys: TokenKeys = KEYS,
) -> dict[str, list[Any]]:
    """The released values by column, and under ``lost`` how many were lost in each."""
    data = table if isinstance(table, pa.Table) else pa.table(dict(table))
    source = _opened(data)
    try:
        statement = prepare(source, policy_of(methods, columns), keys)
        rows = source.engine.sql(statement.sql).to_arrow_table()
    except BaseException:
        _database.cache_clear()  # what was told to it is not known
        raise
    forget(source.engine, statement.workshop)
    names = statement.names
    result = {name: rows.column(i).to_pylist() for i, name in enumerate(names)}
    flags = rows.columns[len(names) :][: len(statement.counted)]
    result["lost"] = [sum(flag.to_pylist()) for flag in flags]
    return result


def _opened(data: pa.Table) -> Table:
    """As `open_object`, in an engine that all tests share: to make one takes 26 ms, most use 5.

    All that masking makes in an engine belongs to one cursor, but for its functions.
    """
    engine = _database().cursor()
    named = data.rename_columns(distinct_names(data.column_names)[0])
    engine.register("given", named)
    return Table("Arrow", engine, "given", columns_of(engine, "given"), named.num_rows)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={**ENGINE, "preserve_insertion_order": True})


def statement_of(
    table: Mapping[str, Sequence[Any]], methods: Mapping[str, str], keys: TokenKeys = KEYS
) -> Statement:
    """The statement of a policy."""
    return prepare(open_object(pa.table(dict(table))), policy_of(methods), keys)


def tells(text: str, value: str) -> bool:
    """Whether the text says the value; short digits inside a random digest say nothing."""
    return re.search(rf"(?<![0-9a-f]){re.escape(value)}(?![0-9a-f])", text) is not None
