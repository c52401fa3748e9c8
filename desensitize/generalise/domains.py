"""What the values of a column become at each level: labels, made once for every distinct value."""

# ruff: noqa: S608 - own SQL: names and expressions are made here

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from desensitize.generalise.groups import Domain, ints
from desensitize.generalise.levels import Hierarchy
from desensitize.generalise.spread import Ints
from desensitize.masking.base import Cell, Workshop
from protos.faults import InputError
from protos.language import Text

FINEST: Final = "veil_finest"
LEVELS: Final = "veil_levels"

Tell = Callable[[duckdb.DuckDBPyConnection, Workshop], None]


def domain(
    engine: duckdb.DuckDBPyConnection,
    base: str,
    place: int,
    each: Hierarchy,
    shop: Workshop,
    tell: Tell,
) -> Domain:
    """Makes the labels of a column; leaves two tables in the engine.

    ``FINEST`` and its place has the code of each value's finest label (``raw``, ``code``),
    ``LEVELS`` and its place the label of each code at each level (``code``, ``l0``, ``l1``, …).

    Args:
        engine: With a table ``base``.
        base: Its column ``q`` and the place has the values.
        place: Of the column.
        each: Its hierarchy.
        shop: For what the methods need.
        tell: Called with engine and shop before the engine meets what they made.

    Raises:
        InputError: A file names not all values, or levels are no hierarchy.
    """
    [(stored,)] = engine.execute(
        f"SELECT column_type FROM (DESCRIBE {base}) WHERE column_name = 'q{place}'"
    ).fetchall()
    cell = Cell(f"q{place}", stored)
    shop.column, shop.bounds = each.column, None
    listed = ", ".join(
        f"({method.apply(cell, shop).sql})::VARCHAR AS e{level}"
        for level, method in enumerate(each.methods)
    )
    tell(engine, shop)
    values = engine.sql(
        f"SELECT q{place} AS raw, {listed} FROM (SELECT DISTINCT q{place} FROM {base}) ORDER BY 1"
    ).to_arrow_table()
    codes, labels = [], []
    for level in range(len(each.methods)):
        coded = pc.dictionary_encode(values.column(f"e{level}"), null_encoding="encode")
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        codes.append(ints(coded.indices))
        labels.append(tuple(coded.dictionary.to_pylist()))
    _check(each, values, codes)
    _keep(engine, f"{FINEST}{place}", raw=values.column("raw"), code=_small(codes[0]))
    # From values to their finest labels.
    _, first = np.unique(codes[0], return_index=True)
    table = np.stack([code[first] for code in codes])
    levels = {f"l{level}": _small(code) for level, code in enumerate(table)}
    _keep(engine, f"{LEVELS}{place}", code=_small(np.arange(table.shape[1])), **levels)
    return Domain(each.names, table, tuple(labels), _shares(each, table, labels))


def _small(codes: Ints) -> pa.Array:
    return pa.array(codes, pa.int32())


def _keep(engine: duckdb.DuckDBPyConnection, name: str, **columns: pa.Array) -> None:
    engine.register("veil_kept", pa.table(columns))
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM veil_kept")
    engine.unregister("veil_kept")


def _check(each: Hierarchy, values: pa.Table, codes: list[Ints]) -> None:
    if each.leaves:  # from a file: a value that it does not name has no label
        unnamed = pc.sum(pc.and_(pc.is_valid(values["raw"]), pc.is_null(values["e0"]))).as_py() or 0
        if unnamed:
            raise InputError(
                Text(
                    f"{unnamed} values of {each.column!r} do not stand in its hierarchy file",
                    f"“{each.column}”有 {unnamed} 个值不在层级文件中",
                ),
                remedy=Text("add a line for each of them", "请为这些值各加一行"),
                code="hierarchy.value",
            )
    for level in range(1, len(codes)):
        pairs = np.unique(np.stack([codes[level - 1], codes[level]]), axis=1).shape[1]
        if pairs != len(np.unique(codes[level - 1])):
            fine, coarse = each.names[level - 1], each.names[level]
            raise InputError(
                Text(
                    f"{each.column!r}: {coarse!r} is no coarser level of {fine!r}: values that are "
                    "equal at one differ at the other",
                    f"“{each.column}”：{coarse!r} 不是 {fine!r} 的上级：下级相同的值在上级不同",
                ),
                remedy=Text(
                    "order levels from fine to coarse; widths of bands must divide the next ones",
                    "请由细到粗排列；分段宽度须能整除下一级",
                ),
                code="hierarchy.order",
            )


def _shares(
    each: Hierarchy, table: Ints, labels: list[tuple[str | None, ...]]
) -> tuple[NDArray[np.float64], ...]:
    if each.leaves:
        domain = max(sum(each.leaves[0].values()), 2)
        return tuple(
            np.array([(named.get(label or "", 1) - 1) / (domain - 1) for label in known])
            for named, known in zip(each.leaves, labels, strict=True)
        )
    domain = max(table.shape[1], 2)
    return tuple((np.bincount(codes, minlength=len(known)) - 1) / (domain - 1)
                 for codes, known in zip(table, labels, strict=True))  # fmt: skip
