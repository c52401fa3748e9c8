"""Measures the risk of a table: one GROUP BY over the quasi-identifiers, and what follows from it.

The attackers are those of El Emam, "Guide to the De-Identification of Personal Health
Information" (2013): the prosecutor knows that his target is in the table, the journalist does not,
the marketer wants as many as possible. A missing value is a value like any other: it is what a
reader sees.

Classes, and cells of classes and values, stay in the engine, which writes to disk what does not fit
into its memory; here are counts of sizes and batches of cells.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import duckdb
import numpy as np

from desensitize.generalise.groups import DATES, ints
from desensitize.generalise.spread import Ints, Steps
from desensitize.generalise.stream import told
from desensitize.generalise.streamed import batches
from desensitize.masking.base import NUMBERS
from desensitize.risks.report import PRESENT, Bucket, Presence, RiskReport, SensitiveRisk
from desensitize.sources import Table
from desensitize.spelling import Same, check_texts, plain_sql
from protos.faults import InputError
from protos.language import Text

_CLASSES: Final = "veil_classes"
_CELLS: Final = "veil_cells"
_VALUES: Final = "veil_values"
_EDGES: Final = (1, 2, 3, 5, 10, 20, 50, 100, 1000)


def measure(
    table: Table,
    quasi: Sequence[str],
    sensitive: Sequence[str] = (),
    *,
    population: Table | None = None,
    direct: Sequence[str] = (),
    same: Mapping[str, Same] | None = None,
) -> RiskReport:
    """Measures a table.

    Args:
        table: What would be published.
        quasi: Columns that an attacker is taken to know.
        sensitive: Columns that he wants to know.
        population: Everybody from whom the rows were drawn, with the same columns, in the same
            engine.
        direct: Columns in which direct identifiers were found.
        same: Texts of sensitive columns that mean the same, by column.

    Raises:
        InputError: A column is missing, twice in the lists, or no quasi-identifier is named.
    """
    _check(table, quasi, sensitive)
    engine = table.engine
    raw = {column.name: column.raw for column in table.columns}
    keys = ", ".join(f"{raw[name]} AS q{i}" for i, name in enumerate(quasi))
    named = [f"q{i}" for i in range(len(quasi))]
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {_CLASSES} AS SELECT *, row_number() OVER () - 1 AS class "
        f"FROM (SELECT {keys}, count(*) AS n FROM {table.sql} GROUP BY ALL)"
    )
    found = engine.sql(f"SELECT n, count(*) AS many FROM {_CLASSES} GROUP BY n ORDER BY n")
    sizes, many = (ints(column) for column in found.to_arrow_table().columns)
    rows = int(sizes @ many)
    report = RiskReport(
        rows=rows,
        quasi=tuple(quasi),
        classes=int(many.sum()),
        k=int(sizes.min(initial=rows)),
        unique_rows=int(many[sizes == 1].sum()),
        above_present=int((sizes * many)[sizes * PRESENT < 1].sum()),
        sizes=_buckets(sizes, many),
        sensitive=tuple(
            _sensitive(table, raw, quasi, name, rows, (same or {}).get(name, ()))
            for name in sensitive
        ),
        direct=tuple(direct),
        presence=None if population is None else _presence(table, population, quasi, named),
    )
    engine.execute(f"DROP TABLE {_CLASSES}")
    return report


def _sensitive(
    table: Table,
    raw: dict[str, str],
    quasi: Sequence[str],
    name: str,
    rows: int,
    words: Same,
) -> SensitiveRisk:
    same = " AND ".join(f"c.q{i} IS NOT DISTINCT FROM t.q{i}" for i in range(len(quasi)))
    keys = ", ".join(f"{raw[column]} AS q{i}" for i, column in enumerate(quasi))
    counted = f"SELECT {keys}, {raw[name]} AS s, count(*) AS n FROM {table.sql} GROUP BY ALL"
    if next(column.stored for column in table.columns if column.name == name) == "VARCHAR":
        # What is one value, written in two ways, counts once; as the search for levels does.
        one = f"* REPLACE ({plain_sql('s', words)} AS s, sum(n)::BIGINT AS n)"
        counted = f"SELECT {one} FROM ({counted}) GROUP BY ALL"
    else:
        check_texts(name, words)
    engine = table.engine
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {_CELLS} AS SELECT c.class, c.n AS size, t.n, t.s "
        f"FROM ({counted}) t JOIN {_CLASSES} c ON {same}"
    )
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {_VALUES} AS SELECT s, sum(n)::BIGINT AS total, "
        f"row_number() OVER (ORDER BY s) - 1 AS code FROM {_CELLS} GROUP BY s"
    )
    stored = next(column.stored for column in table.columns if column.name == name)
    ordered = stored.partition("(")[0] in NUMBERS | DATES
    least, entropy, most, alike = rows, math.inf, 0.0, 0
    cells = batches(
        engine,
        f"SELECT class, size, n, code, total FROM {_CELLS} c JOIN {_VALUES} v "
        f"ON c.s IS NOT DISTINCT FROM v.s ORDER BY class, code",
    )
    for some in told(cells, rows, _steps(engine, rows) if ordered else None):
        least = min(least, int(some.distinct.min(initial=rows)))
        entropy = min(entropy, float(some.entropies.min(initial=math.inf)))
        most = max(most, float(some.distances.max(initial=0.0)))
        alike += int(some.sizes[some.distinct == 1].sum())
    for made in (_CELLS, _VALUES):
        engine.execute(f"DROP TABLE {made}")
    return SensitiveRisk(name, least, math.exp(entropy) if rows else 0.0, most, alike)


def _steps(engine: duckdb.DuckDBPyConnection, rows: int) -> Steps:
    """Returns the table's shares added up: 16 bytes for each value, all that is kept of them."""
    [(values,)] = engine.sql(f"SELECT count(*) FROM {_VALUES}").fetchall()
    totals = batches(engine, f"SELECT total FROM {_VALUES} ORDER BY code")
    return Steps.over(values, (part / rows for [part] in totals))


def _presence(table: Table, population: Table, quasi: Sequence[str], named: list[str]) -> Presence:
    _check(population, quasi, ())
    raw = {column.name: column.raw for column in population.columns}
    stored = {column.name: column.stored for column in table.columns}
    # In the types of the table: 21 and 21.0 are one age. What they do not have is nobody's here.
    keys = ", ".join(
        f"TRY_CAST({raw[name]} AS {stored[name]}) AS q{i}, "
        f"{raw[name]} IS NOT NULL AND q{i} IS NULL AS lost{i}"
        for i, name in enumerate(quasi)
    )
    lost = " OR ".join(f"lost{i}" for i in range(len(quasi)))
    same = " AND ".join(f"p.{q} IS NOT DISTINCT FROM c.{q}" for q in named)
    counted = (
        f"SELECT {', '.join(named)}, count(*) AS n FROM (SELECT {keys} FROM {population.sql}) "
        f"WHERE NOT ({lost}) GROUP BY ALL"
    )
    [(everybody,)] = table.engine.sql(f"SELECT count(*) FROM {population.sql}").fetchall()
    # More here than there: the population lacks some of the table's own people.
    [(smallest, least, most, outside, inside)] = table.engine.sql(
        "SELECT min(p.n), min(c.n / p.n), max(c.n / p.n), "
        "sum(greatest(c.n - coalesce(p.n, 0), 0))::BIGINT, sum(p.n)::BIGINT "
        f"FROM {_CLASSES} c LEFT JOIN ({counted}) p ON {same}"
    ).fetchall()
    return Presence(
        population=everybody,
        smallest=smallest or 0,
        least=min(least or 0.0, 1.0),
        most=min(most or 0.0, 1.0),
        outside=outside or 0,
        absent=everybody - (inside or 0),
    )


def _buckets(sizes: Ints, many: Ints) -> tuple[Bucket, ...]:
    place = np.searchsorted(_EDGES, sizes, side="right") - 1
    mosts = (*(edge - 1 for edge in _EDGES[1:]), None)
    return tuple(
        Bucket(least, most, int(many[place == i].sum()), int((sizes * many)[place == i].sum()))
        for i, (least, most) in enumerate(zip(_EDGES, mosts, strict=True))
        if (place == i).any()
    )


def _check(table: Table, quasi: Sequence[str], sensitive: Sequence[str]) -> None:
    present = [column.name for column in table.columns]
    if missing := [name for name in (*quasi, *sensitive) if name not in present]:
        raise InputError(
            Text(
                f"{table.name} has no column {', '.join(map(repr, missing))}",
                f"{table.name} 没有这些列：{'、'.join(missing)}",
            ),
            remedy=Text(
                f"it has: {', '.join(present[:30])}", f"现有的列：{'、'.join(present[:30])}"
            ),
            code="risk.column",
        )
    if not quasi:
        raise InputError(
            Text(
                "no quasi-identifier is named: a table does not say what outsiders know of a "
                "person",
                "未指定准标识符：表本身不说明外人可能掌握某人的哪些信息",
            ),
            remedy=Text(
                "name such columns, as in --quasi sex,birth; 'veil desensitize scan' shows which "
                "they may be",
                "请列出这些列，例如 --quasi 性别,出生日期；可先用 veil desensitize scan 查看",
            ),
            code="risk.columns",
        )
    twice = [name for name in sensitive if name in quasi]
    if twice or len(set(quasi)) < len(quasi):
        raise InputError(
            Text(
                "name each quasi-identifier once, and no column as quasi-identifier and sensitive",
                "准标识符须逐一列出，不得重复；同一列不能既是准标识符又是敏感属性",
            ),
            code="risk.columns",
        )
