"""A table as the search sees it: distinct combinations of values, as integers, with how often.

The source is read once, into a temporary table of the combinations that occur; labels are
computed for every distinct value once, not for every row.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from desensitize.generalise.levels import Hierarchy
from desensitize.masking.base import NUMBERS, Cell, Workshop
from protos.faults import InputError
from protos.language import Text

BASE: Final = "veil_base"
DOMAIN: Final = "veil_domain"
DATES: Final = frozenset({"DATE", "TIMESTAMP", "TIME"})

Ints = NDArray[np.int64]
Tell = Callable[[duckdb.DuckDBPyConnection, Workshop], None]


@dataclass(frozen=True)
class Domain:
    """The values of one column and what becomes of them.

    Attributes:
        names: Of the levels.
        codes: Label of each value at each level, shape (levels, values).
        labels: The label of each code, by level; None for no value.
        shares: Loss of each code, by level: see ``loss``.
    """

    names: tuple[str, ...]
    codes: Ints
    labels: tuple[tuple[str | None, ...], ...]
    shares: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Sensitive:
    """A sensitive column, beside the groups.

    Attributes:
        name: Of the column.
        values: How many distinct values it has; no value counts as one.
        ordered: Whether its codes stand in the order of its values.
        group: Group of each line.
        code: Value of each line.
        count: Rows of each line.
    """

    name: str
    values: int
    ordered: bool
    group: Ints
    code: Ints
    count: Ints


@dataclass(frozen=True)
class Groups:
    """Distinct combinations of the finest labels.

    Attributes:
        domains: One per quasi-identifier.
        codes: Finest label of each combination, shape (columns, groups).
        counts: Rows of each combination.
        sensitive: What models ask about.
    """

    domains: tuple[Domain, ...]
    codes: Ints
    counts: Ints
    sensitive: tuple[Sensitive, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return int(self.counts.sum())


def group(
    engine: duckdb.DuckDBPyConnection,
    select: str,
    hierarchies: Sequence[Hierarchy],
    sensitive: Sequence[str],
    shop: Workshop,
    tell: Tell,
) -> Groups:
    """Reads a table into groups.

    Args:
        engine: In which ``select`` means something.
        select: SELECT with a column ``q0``, ``q1``, … for each hierarchy, and ``s0``, … for each
            sensitive column.
        hierarchies: Of the quasi-identifiers.
        sensitive: Names of the sensitive columns.
        shop: For what the methods need.
        tell: Called with engine and shop before the engine meets what they made.

    Raises:
        InputError: A file names not all values, or levels are no hierarchy.
    """
    names = [f"q{i}" for i in range(len(hierarchies))] + [f"s{i}" for i in range(len(sensitive))]
    listed = ", ".join(names)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {BASE} AS "
        f"SELECT {listed}, count(*) AS n FROM ({select}) GROUP BY ALL"
    )
    stored = dict(
        engine.execute(f"SELECT column_name, column_type FROM (DESCRIBE {BASE})").fetchall()
    )
    domains = []
    for place, each in enumerate(hierarchies):
        cell = Cell(f"q{place}", stored[f"q{place}"])
        domains.append(_domain(engine, place, each, cell, shop, tell))
    joins = " ".join(
        f"JOIN {DOMAIN}{i} d{i} ON b.q{i} IS NOT DISTINCT FROM d{i}.raw"
        for i in range(len(hierarchies))
    )
    codes = ", ".join(f"d{i}.code AS q{i}" for i in range(len(hierarchies)))
    ranked = "".join(
        f", dense_rank() OVER (ORDER BY b.s{i}) - 1 AS s{i}" for i in range(len(sensitive))
    )
    lines = engine.sql(
        f"SELECT {listed}, sum(n)::BIGINT AS n FROM (SELECT {codes}{ranked}, n FROM {BASE} b "
        f"{joins}) GROUP BY ALL ORDER BY ALL"
    ).to_arrow_table()
    for name in (BASE, *(f"{DOMAIN}{i}" for i in range(len(hierarchies)))):
        engine.execute(f"DROP TABLE {name}")
    columns = [ints(lines.column(name)) for name in (*names, "n")]
    return _grouped(tuple(domains), columns, sensitive, stored)


def _grouped(
    domains: tuple[Domain, ...],
    columns: list[Ints],
    sensitive: Sequence[str],
    stored: dict[str, str],
) -> Groups:
    width = len(domains)
    codes, rest, counts = np.stack(columns[:width]), columns[width:-1], columns[-1]
    if not rest:
        return Groups(domains, codes, counts)
    # Lines stand in the order of the codes, so equal ones are neighbours.
    new = np.ones(len(counts), bool)
    new[1:] = (codes[:, 1:] != codes[:, :-1]).any(0)
    starts = np.flatnonzero(new)
    member = np.cumsum(new) - 1
    beside = []
    for place, name in enumerate(sensitive):
        code = rest[place]
        kind = stored[f"s{place}"].partition("(")[0]
        ordered = kind in NUMBERS or kind in DATES
        beside.append(Sensitive(name, int(code.max(initial=-1)) + 1, ordered, member, code, counts))
    totals = np.add.reduceat(counts, starts) if len(counts) else counts
    return Groups(domains, codes[:, starts], totals, tuple(beside))


def _domain(
    engine: duckdb.DuckDBPyConnection,
    place: int,
    each: Hierarchy,
    cell: Cell,
    shop: Workshop,
    tell: Tell,
) -> Domain:
    shop.column, shop.bounds = each.column, None
    listed = ", ".join(
        f"({method.apply(cell, shop).sql})::VARCHAR AS e{level}"
        for level, method in enumerate(each.methods)
    )
    tell(engine, shop)
    values = engine.sql(
        f"SELECT q{place} AS raw, {listed} FROM (SELECT DISTINCT q{place} FROM {BASE})"
    ).to_arrow_table()
    codes, labels = [], []
    for level in range(len(each.methods)):
        coded = pc.dictionary_encode(values.column(f"e{level}"), null_encoding="encode")
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        codes.append(ints(coded.indices))
        labels.append(tuple(coded.dictionary.to_pylist()))
    _check(each, values, codes)
    finest = pa.table({"raw": values.column("raw"), "code": pa.array(codes[0])})
    engine.register("veil_finest", finest)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {DOMAIN}{place} AS FROM veil_finest")
    engine.unregister("veil_finest")
    # From values to their finest labels.
    _, first = np.unique(codes[0], return_index=True)
    table = np.stack([code[first] for code in codes])
    return Domain(each.names, table, tuple(labels), _shares(each, table, labels))


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


def ints(column: pa.ChunkedArray | pa.Array) -> Ints:
    """Returns an integer column as an array."""
    array: Ints = column.cast(pa.int64()).to_numpy()
    return array
