"""A table as the search sees it: distinct combinations of values, as integers, with how often.

The source is read once, into a temporary table of the combinations that occur; labels are
computed for every distinct value once, not for every row. A population, where a model asks for one,
is counted beside it: combinations that only the population has are groups of no rows.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
        people: Of the population, by combination; None without one.
    """

    domains: tuple[Domain, ...]
    codes: Ints
    counts: Ints
    sensitive: tuple[Sensitive, ...] = ()
    people: Ints | None = None

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
    *,
    everybody: str = "",
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
        everybody: Table of the population, with the same ``q0``, ``q1``, … and how many ``n``.

    Raises:
        InputError: A file names not all values, levels are no hierarchy, or rows are not in the
            population.
    """
    names = [f"q{i}" for i in range(len(hierarchies))] + [f"s{i}" for i in range(len(sensitive))]
    listed = ", ".join(names)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {BASE} AS "
        f"SELECT {listed}, count(*) AS n, 0 AS p FROM ({select}) GROUP BY ALL"
    )
    stored = dict(
        engine.execute(f"SELECT column_name, column_type FROM (DESCRIBE {BASE})").fetchall()
    )
    if everybody:
        _beside(engine, everybody, {name: stored[name] for name in names if name[0] == "q"})
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
        f"SELECT {listed}, sum(n)::BIGINT AS n, sum(p)::BIGINT AS p "
        f"FROM (SELECT {codes}{ranked}, n, p FROM {BASE} b {joins}) GROUP BY ALL ORDER BY ALL"
    ).to_arrow_table()
    for name in (BASE, *(f"{DOMAIN}{i}" for i in range(len(hierarchies)))):
        engine.execute(f"DROP TABLE {name}")
    columns = [ints(lines.column(name)) for name in (*names, "n", "p")]
    found = _grouped(tuple(domains), columns, sensitive, stored)
    if not everybody:
        return replace(found, people=None)
    _check_population(found)
    return found


def _beside(engine: duckdb.DuckDBPyConnection, everybody: str, stored: Mapping[str, str]) -> None:
    """Adds the population, in the types of the table: 21 and 21.0 are one age.

    A value that the type does not have is nobody's in the table: its people count for nothing.
    """
    casts = ", ".join(f"TRY_CAST({name} AS {kind}) AS {name}" for name, kind in stored.items())
    lost = " OR ".join(
        f"({name} IS NOT NULL AND TRY_CAST({name} AS {kind}) IS NULL)"
        for name, kind in stored.items()
    )
    engine.execute(
        f"INSERT INTO {BASE} BY NAME SELECT {casts}, 0 AS n, n AS p FROM {everybody} "
        f"WHERE NOT ({lost})"
    )


def _check_population(groups: Groups) -> None:
    """Refuses a population that some rows are not in: nothing would follow from its figures."""
    people = groups.counts if groups.people is None else groups.people
    if outside := int(np.maximum(groups.counts - people, 0).sum()):
        raise InputError(
            Text(
                f"{outside:,} rows of the table are not in the population, at the finest levels",
                f"按最细层级，表中有 {outside:,} 行不在总体数据中",
            ),
            remedy=Text(
                "give everybody from whom the rows were drawn, with the same columns, values "
                "written alike",
                "请提供这些行所取自的全部人员，列相同，取值写法一致",
            ),
            code="delta.population",
        )


def _grouped(
    domains: tuple[Domain, ...],
    columns: list[Ints],
    sensitive: Sequence[str],
    stored: dict[str, str],
) -> Groups:
    width = len(domains)
    codes, rest = np.stack(columns[:width]), columns[width:-2]
    counts, people = columns[-2:]
    if not rest:
        return Groups(domains, codes, counts, people=people)
    # Lines stand in the order of the codes, so equal ones are neighbours.
    new = np.ones(len(counts), bool)
    new[1:] = (codes[:, 1:] != codes[:, :-1]).any(0)
    starts = np.flatnonzero(new)
    member = np.cumsum(new) - 1
    real = counts > 0  # else lines of the population, which has no such values
    beside = []
    for place, name in enumerate(sensitive):
        code = rest[place][real]
        kind = stored[f"s{place}"].partition("(")[0]
        ordered = kind in NUMBERS or kind in DATES
        width = int(code.max(initial=-1)) + 1
        beside.append(Sensitive(name, width, ordered, member[real], code, counts[real]))
    totals, people = (
        (np.add.reduceat(each, starts) if len(each) else each) for each in (counts, people)
    )
    return Groups(domains, codes[:, starts], totals, tuple(beside), people)


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
