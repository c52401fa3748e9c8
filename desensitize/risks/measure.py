"""Measures the risk of a table: one GROUP BY over the quasi-identifiers, and what follows from it.

The attackers are those of El Emam, "Guide to the De-Identification of Personal Health
Information" (2013): the prosecutor knows that his target is in the table, the journalist does not,
the marketer wants as many as possible. A missing value is a value like any other: it is what a
reader sees.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from desensitize.generalise.groups import DATES, Ints, Sensitive, ints
from desensitize.generalise.spread import spread
from desensitize.masking.base import NUMBERS
from desensitize.risks.report import PRESENT, Bucket, Presence, RiskReport, SensitiveRisk
from desensitize.sources import Table
from desensitize.spelling import plain_sql
from protos.faults import InputError
from protos.language import Text

_CLASSES: Final = "veil_classes"
_EDGES: Final = (1, 2, 3, 5, 10, 20, 50, 100, 1000)


def measure(
    table: Table,
    quasi: Sequence[str],
    sensitive: Sequence[str] = (),
    *,
    population: Table | None = None,
    direct: Sequence[str] = (),
) -> RiskReport:
    """Measures a table.

    Args:
        table: What would be published.
        quasi: Columns that an attacker is taken to know.
        sensitive: Columns that he wants to know.
        population: Everybody from whom the rows were drawn, with the same columns, in the same
            engine.
        direct: Columns in which direct identifiers were found.

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
    sizes = ints(
        engine.sql(f"SELECT n FROM {_CLASSES} ORDER BY class").to_arrow_table().column("n")
    )
    report = RiskReport(
        rows=int(sizes.sum()),
        quasi=tuple(quasi),
        classes=len(sizes),
        k=int(sizes.min()) if len(sizes) else 0,
        unique_rows=int((sizes == 1).sum()),
        above_present=int(sizes[sizes * PRESENT < 1].sum()),
        sizes=_buckets(sizes),
        sensitive=tuple(_sensitive(table, raw, quasi, name, sizes) for name in sensitive),
        direct=tuple(direct),
        presence=None if population is None else _presence(table, population, quasi, named),
    )
    engine.execute(f"DROP TABLE {_CLASSES}")
    return report


def _sensitive(
    table: Table, raw: dict[str, str], quasi: Sequence[str], name: str, sizes: Ints
) -> SensitiveRisk:
    same = " AND ".join(f"c.q{i} IS NOT DISTINCT FROM t.q{i}" for i in range(len(quasi)))
    keys = ", ".join(f"{raw[column]} AS q{i}" for i, column in enumerate(quasi))
    counted = f"SELECT {keys}, {raw[name]} AS s, count(*) AS n FROM {table.sql} GROUP BY ALL"
    if next(column.stored for column in table.columns if column.name == name) == "VARCHAR":
        # What is one value, written in two ways, counts once; as the search for levels does.
        alike = f"* REPLACE ({plain_sql('s')} AS s, sum(n)::BIGINT AS n)"
        counted = f"SELECT {alike} FROM ({counted}) GROUP BY ALL"
    lines = table.engine.sql(
        f"SELECT c.class, dense_rank() OVER (ORDER BY t.s) - 1 AS code, t.n "
        f"FROM ({counted}) t JOIN {_CLASSES} c ON {same}"
    ).to_arrow_table()
    member, code, count = (ints(lines.column(column)) for column in ("class", "code", "n"))
    stored = next(column.stored for column in table.columns if column.name == name)
    kind = stored.partition("(")[0]
    width = int(code.max(initial=-1)) + 1
    column = Sensitive(name, width, kind in NUMBERS or kind in DATES, member, code, count)
    found = spread(column, np.arange(len(sizes)), sizes)
    some = len(sizes) > 0
    return SensitiveRisk(
        name,
        int(found.distinct.min()) if some else 0,
        float(np.exp(found.entropies.min())) if some else 0.0,
        float(found.distances().max()) if some else 0.0,
        int(sizes[found.distinct == 1].sum()),
    )


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
    found = table.engine.sql(
        f"SELECT c.n AS here, p.n AS there FROM {_CLASSES} c LEFT JOIN ({counted}) p ON {same}"
    ).to_arrow_table()
    here = ints(found.column("here"))
    there = ints(found.column("there").fill_null(0))
    [(everybody,)] = table.engine.sql(f"SELECT count(*) FROM {population.sql}").fetchall()
    inside = there > 0
    shares = here[inside] / there[inside]
    return Presence(
        population=everybody,
        smallest=int(there[inside].min()) if inside.any() else 0,
        least=float(min(shares.min(), 1.0)) if inside.any() else 0.0,
        most=float(min(shares.max(), 1.0)) if inside.any() else 0.0,
        # More here than there: the population lacks some of the table's own people.
        outside=int(np.maximum(here - there, 0).sum()),
        absent=int(everybody - there.sum()),
    )


def _buckets(sizes: Ints) -> tuple[Bucket, ...]:
    place = np.searchsorted(_EDGES, sizes, side="right") - 1
    mosts = (*(edge - 1 for edge in _EDGES[1:]), None)
    return tuple(
        Bucket(least, most, int((place == i).sum()), int(sizes[place == i].sum()))
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
