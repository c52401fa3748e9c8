"""Reads a table into its combinations, once: see `combinations`.

Labels are computed for every distinct value once, not for every row. A population, where a model
asks for one, is counted beside it: combinations that only the population has are of no rows.
"""

# ruff: noqa: S608 - own SQL: names are made here

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from desensitize.engines.tables import make_table
from desensitize.generalise.combinations import LINES, VALUES, Combinations, Value, marginals
from desensitize.generalise.domains import FINEST, Tell, domain
from desensitize.generalise.groups import DATES
from desensitize.generalise.levels import Hierarchy
from desensitize.masking.base import NUMBERS, Workshop
from protos.faults import InputError
from protos.language import Text

BASE: Final = "veil_base"


def combine(
    engine: duckdb.DuckDBPyConnection,
    select: str,
    hierarchies: Sequence[Hierarchy],
    sensitive: Sequence[str],
    shop: Workshop,
    tell: Tell,
    *,
    everybody: str = "",
) -> Combinations:
    """Reads a table into combinations; to be dropped by who asked for them.

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
    quasi = [f"q{i}" for i in range(len(hierarchies))]
    values = [f"s{i}" for i in range(len(sensitive))]
    make_table(
        engine, BASE,
        f"SELECT {', '.join((*quasi, *values))}, count(*) AS n, 0 AS p FROM ({select}) "
        "GROUP BY ALL",
    )  # fmt: skip
    stored = dict(
        engine.execute(f"SELECT column_name, column_type FROM (DESCRIBE {BASE})").fetchall()
    )
    told = tuple(
        Value(name, _ranked(engine, place), _has_order(stored[f"s{place}"]))
        for place, name in enumerate(sensitive)
    )
    if everybody:
        _beside(engine, everybody, {name: stored[name] for name in quasi})
    domains = tuple(
        domain(engine, BASE, place, each, shop, tell) for place, each in enumerate(hierarchies)
    )
    codes = [f"f{i}.code AS q{i}" for i in range(len(quasi))]
    codes += [f"v{i}.code AS s{i}" for i in range(len(values))]
    joins = [f"JOIN {FINEST}{i} f{i} ON b.q{i} IS NOT DISTINCT FROM f{i}.raw"
             for i in range(len(quasi))]  # fmt: skip
    joins += [f"LEFT JOIN {VALUES}{i} v{i} ON b.s{i} IS NOT DISTINCT FROM v{i}.s"
              for i in range(len(values))]  # fmt: skip
    make_table(
        engine, LINES,
        f"SELECT {', '.join(codes)}, sum(n)::BIGINT AS n, sum(p)::BIGINT AS p "
        f"FROM {BASE} b {' '.join(joins)} GROUP BY ALL",
    )  # fmt: skip
    for name in (BASE, *(f"{FINEST}{i}" for i in range(len(quasi)))):
        engine.execute(f"DROP TABLE {name}")
    [(rows, lines)] = engine.sql(
        f"SELECT coalesce(sum(n), 0)::BIGINT, count(*) FROM {LINES}"
    ).fetchall()
    if everybody:
        _check_population(engine, quasi)
    return Combinations(
        engine, domains, told, marginals(engine, LINES, domains), rows, lines, bool(everybody)
    )


def _ranked(engine: duckdb.DuckDBPyConnection, place: int) -> int:
    """Numbers the values of a sensitive column in their order; returns how many there are."""
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {VALUES}{place} AS SELECT s, sum(n)::BIGINT AS total, "
        f"(row_number() OVER (ORDER BY s) - 1)::INTEGER AS code "
        f"FROM (SELECT s{place} AS s, n FROM {BASE}) GROUP BY s"
    )
    return int(engine.sql(f"SELECT count(*) FROM {VALUES}{place}").fetchall()[0][0])


def _has_order(stored: str) -> bool:
    kind = stored.partition("(")[0]
    return kind in NUMBERS or kind in DATES


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


def _check_population(engine: duckdb.DuckDBPyConnection, quasi: Sequence[str]) -> None:
    """Refuses a population that some rows are not in: nothing would follow from its figures."""
    counted = f"SELECT sum(n) AS n, sum(p) AS p FROM {LINES} GROUP BY {', '.join(quasi)}"
    [(outside,)] = engine.sql(f"SELECT sum(greatest(n - p, 0))::BIGINT FROM ({counted})").fetchall()
    if outside:
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
