"""The oracle: nodes' integers + post_sql give what one database over all rows would give."""

from __future__ import annotations

import functools
import itertools
import math
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pytest

from catalog.algebra import Aggregate, Key, Measure, Scalar
from catalog.plan import Mode
from catalog.sql_gate import parse
from catalog.typing_rules import type_of
from compute_nodes.engines.render import render, to_vector
from exchange.analyst.finalise import finalise
from exchange.planner.bind import Bound, Output, bind
from tests.sql_world import COLUMNS, DATASET, EPOCH, Row, planned, random_rows, value_of

EXACT = planned("SELECT COUNT(*) FROM visits", mode="exact")
Cell = tuple[Scalar, ...]

# --- a node and the analyst in a few lines


def _measure(measure: Measure, rows: list[Row]) -> int:
    if measure.kind == "rows":
        return len(rows)
    values = [v for v in (value_of(measure.value, r) for r in rows) if v is not None]
    if measure.kind == "count":
        return len(values)
    scale = 10 ** type_of(measure.value, COLUMNS).decimals
    scaled = [v * scale - measure.offset for v in values]
    assert all(v.denominator == 1 for v in scaled)
    low, high = type_of(measure.value, COLUMNS).bounds
    assert all(low - measure.offset <= v <= high - measure.offset for v in scaled)
    return int(sum(v * v if measure.kind == "sum_squares" else v for v in scaled))


def _key(key: Key, row: Row) -> Scalar:
    value = value_of(key.expr, row)
    if isinstance(value, date):
        return (value - EPOCH).days
    if isinstance(value, Fraction):
        scaled = value * 10 ** type_of(key.expr, COLUMNS).decimals
        assert scaled.denominator == 1
        return int(scaled)
    return value


def _cells(aggregate: Aggregate, rows: list[Row]) -> dict[Cell, list[int]]:
    kept = [r for r in rows if aggregate.predicate is None or value_of(aggregate.predicate, r)]
    groups: dict[Cell, list[Row]] = {
        cell: [] for cell in itertools.product(*(k.domain for k in aggregate.keys))
    }
    for row in kept:
        groups[tuple(_key(k, row) for k in aggregate.keys)].append(
            row
        )  # KeyError: domain too small
    shown = {c: g for c, g in groups.items() if g or not aggregate.keys}
    return {c: [_measure(m, g) for m in aggregate.measures] for c, g in shown.items()}


def _output(output: Output, totals: list[int]) -> int | float | Decimal | None:
    n = None if output.rows is None else totals[output.rows]
    if output.function == "count":
        return n
    if n == 0:
        return None
    scale = 10**output.decimals
    s = totals[output.sum]
    if output.function == "sum":
        return Decimal(s + output.offset * (n or 0)).scaleb(-output.decimals)
    if output.function == "avg":
        return float((Fraction(s, n) + output.offset) / scale)
    ddof = 1 if output.function.endswith("samp") else 0
    if n - ddof <= 0:
        return None
    variance = Fraction(n * totals[output.squares] - s * s, n * (n - ddof) * scale**2)
    return float(variance) if output.function.startswith("var") else math.sqrt(variance)


def _shown(key: Key, value: Scalar) -> Scalar | date | Decimal:
    found = type_of(key.expr, COLUMNS)
    if found.type == "date" and value is not None:
        return EPOCH + timedelta(days=int(value))
    if found.type == "decimal" and value is not None:
        return Decimal(value).scaleb(-found.decimals)
    return value


def _released(bound: Bound, rows: list[Row], connection: duckdb.DuckDBPyConnection) -> None:
    aggregate = bound.aggregate
    kinds = []
    for i, key in enumerate(aggregate.keys):
        found = type_of(key.expr, COLUMNS)
        plain = {"integer": "BIGINT", "string": "VARCHAR", "date": "DATE", "boolean": "BOOLEAN",
                 "null": "INTEGER"}  # fmt: skip
        kinds.append(f"k{i} {plain.get(found.type, f'DECIMAL(38,{found.decimals})')}")
    kinds += [
        f"{o.column} "
        + {"integer": "BIGINT", "double": "DOUBLE"}.get(o.type, f"DECIMAL(38,{o.decimals})")
        for o in bound.outputs
    ]
    connection.execute(f"CREATE OR REPLACE TABLE released ({', '.join(kinds)})")
    table = []
    for cell, totals in _cells(aggregate, rows).items():
        keys = [_shown(key, v) for key, v in zip(aggregate.keys, cell, strict=True)]
        table.append([*keys, *(_output(o, totals) for o in bound.outputs)])
    _insert(connection, "released", table)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[list[Any]]) -> None:
    if rows:
        one = f"({', '.join('?' * len(rows[0]))})"
        connection.execute(
            f"INSERT INTO {table} VALUES {', '.join([one] * len(rows))}",  # noqa: S608
            [value for row in rows for value in row],
        )


@functools.cache
def _world(seed: int, n: int) -> tuple[list[Row], duckdb.DuckDBPyConnection]:
    rows = random_rows(seed, n)
    return rows, _database(rows)


def _database(rows: list[Row]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE visits (sex VARCHAR, age BIGINT, days BIGINT, district VARCHAR, day DATE,"
        " cost DECIMAL(18,2), rate DECIMAL(18,1), insured BOOLEAN, free VARCHAR)"
    )
    table = [
        [
            r["sex"], None if r["age"] is None else int(r["age"]), int(r["days"]),
            r["district"], r["day"],
            None if r["cost"] is None else Decimal(int(r["cost"] * 100)).scaleb(-2),
            Decimal(int(r["rate"] * 10)).scaleb(-1), r["insured"], r["free"],
        ]
        for r in rows
    ]  # fmt: skip
    _insert(connection, "visits", table)
    return connection


# One statement per paragraph line; a continuation is indented.
STATEMENTS = re.split(r"\n(?! )", """\
SELECT COUNT(*) FROM visits
SELECT COUNT(*), COUNT(age), COUNT(days), COUNT(1), COUNT() FROM visits
SELECT SUM(cost), AVG(cost), VAR_SAMP(cost), VAR_POP(cost), STDDEV(cost) FROM visits
SELECT STDDEV_POP(age), STDDEV_SAMP(age), VARIANCE(days) FROM visits WHERE age > 90
SELECT district, COUNT(*) FROM visits GROUP BY district
SELECT sex, AVG(age) m, SUM(days) FROM visits GROUP BY sex ORDER BY sex
SELECT V.Sex, avg(v.AGE) FROM Visits AS v GROUP BY v.sex
FROM visits SELECT sex, COUNT(*) GROUP BY ALL
SELECT sex s, insured, COUNT(*) n FROM visits GROUP BY s, 2 HAVING COUNT(*) > 5 ORDER BY n
SELECT district, COUNT(*) n FROM visits GROUP BY 1 HAVING n > 60 ORDER BY district
SELECT COUNT(*) FROM visits WHERE cost > 12.345
SELECT COUNT(*) FROM visits WHERE cost = 12.34
SELECT COUNT(*) FROM visits WHERE cost = 12.340 OR cost >= 1e3
SELECT COUNT(*) FROM visits WHERE cost IN (12.34, 12.35, 7)
SELECT COUNT(*) FROM visits WHERE cost NOT IN (12.34, NULL)
SELECT COUNT(*) FROM visits WHERE NOT (age > 18 AND insured)
SELECT COUNT(*) FROM visits WHERE age <> 18 OR insured OR sex = 'F'
SELECT COUNT(*) FROM visits WHERE age BETWEEN 18 AND 65 AND age NOT BETWEEN 30 AND 40
SELECT COUNT(*) FROM visits WHERE insured IS TRUE AND age IS NOT NULL
SELECT COUNT(*) FROM visits WHERE insured IS NOT TRUE
SELECT COUNT(*) FROM visits WHERE insured = FALSE AND NOT insured
SELECT COUNT(*) FROM visits WHERE free LIKE 'A%' OR free LIKE '_'
SELECT COUNT(*) FROM visits WHERE lower(free) = 'abc' AND upper(sex) IN ('F', 'M')
SELECT COUNT(*) FROM visits WHERE day >= DATE '2025-01-01'
SELECT COUNT(*) FROM visits WHERE '2025-01-01' <= day AND day IN ('2025-01-02',
    '2025-02-03')
SELECT COUNT(*) FROM visits WHERE day BETWEEN '2024-12-01' AND CAST('2025-01-31' AS DATE)
SELECT COUNT(*) FROM visits WHERE day - DATE '2024-12-31' > 3
SELECT COUNT(*) FROM visits WHERE day + 10 > DATE '2025-01-31'
SELECT SUM(CASE WHEN sex = 'F' THEN cost END), SUM(CASE WHEN sex = 'F' THEN 1 ELSE 0 END)
    FROM visits
SELECT SUM(CASE sex WHEN 'F' THEN cost WHEN 'M' THEN -days ELSE 0.5 END) FROM visits
SELECT SUM(IF(insured, cost, 0)), AVG(age * days - 2), SUM(cost * rate) FROM visits
SELECT SUM(-cost), SUM(- days), SUM(ABS(days)), SUM(days * 2 + 1.25) FROM visits
SELECT SUM(GREATEST(age, days)), SUM(LEAST(age, days, 10)), SUM(COALESCE(age, 0)) FROM
    visits
SELECT SUM(NULLIF(age, 18)), COUNT(NULLIF(age, 18)) FROM visits
SELECT SUM(YEAR(day)), AVG(EXTRACT(MONTH FROM day)) FROM visits
SELECT COUNT(*) FILTER (WHERE sex = 'F'), SUM(cost) FILTER (WHERE age > 200), AVG(cost)
    FILTER (WHERE insured), COUNT(age) FILTER (WHERE insured) FROM visits
SELECT COUNT_IF(age > 30), SUM(age > 30) FROM visits
SELECT sex, SUM(cost) / COUNT(*), SUM(cost) / NULLIF(SUM(days), 0) FROM visits GROUP BY sex
SELECT CASE WHEN age < 18 THEN 'child' WHEN age < 65 THEN 'adult' ELSE 'old' END AS band,
    COUNT(*) FROM visits GROUP BY band ORDER BY band
SELECT CASE WHEN age < 18 THEN 'child' WHEN age >= 65 THEN 'old' END, COUNT(*) FROM visits
    GROUP BY 1
SELECT CASE WHEN sex = 'F' AND age > 40 THEN 1 WHEN insured THEN 2.5 ELSE 0 END k, COUNT(*)
    FROM visits GROUP BY k
SELECT CASE WHEN cost < 100 THEN sex ELSE district END k, COUNT(*) FROM visits GROUP BY k
SELECT age > 18 AS grown, insured, COUNT(*) FROM visits GROUP BY ALL
SELECT YEAR(day) y, MONTH(day) m, COUNT(*) FROM visits GROUP BY y, m ORDER BY y, m
SELECT SUBSTR(district, 1, 4) city, COUNT(*) FROM visits GROUP BY city
SELECT COALESCE(sex, '?') s, COUNT(*) FROM visits GROUP BY s
SELECT day, COUNT(*) FROM visits WHERE day < '2024-11-20' GROUP BY day ORDER BY day
SELECT day - DATE '2024-11-01' d, COUNT(*) FROM visits GROUP BY d
SELECT age, COUNT(*) FROM visits WHERE age IN (18, 65) GROUP BY age
SELECT rate, COUNT(*) FROM visits GROUP BY rate ORDER BY rate
SELECT rate * 2 + days * 0 r, COUNT(*) FROM visits WHERE days = 3 GROUP BY r
SELECT (district), COUNT(*) FROM visits GROUP BY (district)
SELECT upper(lower(sex)), COUNT(*) FROM visits GROUP BY lower(sex)
SELECT age + 1, COUNT(*) FROM visits GROUP BY age
SELECT DISTINCT COUNT(*) > 50 FROM visits GROUP BY district
SELECT district, COUNT(*) n, n, n + 1 FROM visits GROUP BY district
SELECT sex, COUNT(*) c, RANK() OVER (ORDER BY COUNT(*) DESC), SUM(COUNT(*)) OVER () FROM
    visits GROUP BY sex
SELECT sex, district, COUNT(*) n, SUM(n) OVER (PARTITION BY sex) t, ROW_NUMBER() OVER w r
    FROM visits GROUP BY 1, 2 WINDOW w AS (ORDER BY sex, district) QUALIFY r <= 4 ORDER BY r
SELECT sex, COUNT(*) FILTER (WHERE COUNT(*) > 1) OVER () FROM visits GROUP BY sex
SELECT district, COUNT(*) n, n * 100.0 / SUM(n) OVER () share FROM visits GROUP BY district
WITH t AS (SELECT district d, COUNT(*) n FROM visits GROUP BY 1) SELECT a.d, a.n * 1.0 / b.s
    FROM t a, (SELECT SUM(n) s FROM t) b
WITH t AS (SELECT district d, sex s, COUNT(*) n FROM visits GROUP BY 1, 2) SELECT d, MAX(n),
    MEDIAN(n), COUNT(*) FROM t GROUP BY d ORDER BY d
SELECT MAX(m) FROM (SELECT AVG(age) m FROM visits GROUP BY district) x
SELECT n FROM (SELECT sex, COUNT(*) AS n FROM visits GROUP BY sex) WHERE n > 10 ORDER BY n
SELECT sex, COUNT(*) n FROM visits GROUP BY sex UNION ALL SELECT 'all', 0 ORDER BY 2, 1
SELECT district AS age, COUNT(*) AS district FROM visits GROUP BY visits.district ORDER BY
    district, 1
SELECT lower(sex) AS sex, COUNT(*) FROM visits GROUP BY visits.sex ORDER BY sex DESC
SELECT sex, COUNT(*) FROM visits GROUP BY sex ORDER BY COUNT(*) DESC, sex LIMIT 1 OFFSET 1
SELECT sex, COUNT(*) FROM visits GROUP BY sex ORDER BY sex NULLS FIRST
SELECT ROUND(AVG(cost), 1), CAST(SUM(cost) AS BIGINT), COALESCE(SUM(age), 0) FROM visits
SELECT COUNT(*) FROM visits HAVING COUNT(*) > 1000000
SELECT 'x', 1 + 1, COUNT(*) FROM visits
SELECT SUM(age), AVG(age) FROM visits WHERE age > 1000
SELECT CONCAT(sex, '-', COUNT(*)) FROM visits GROUP BY sex
SELECT sex, SUM(SUM(cost)) OVER (ORDER BY sex ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT
    ROW) FROM visits GROUP BY sex
SELECT LAG(COUNT(*)) OVER (ORDER BY YEAR(day), MONTH(day)) FROM visits GROUP BY YEAR(day),
    MONTH(day)""")  # fmt: skip


@pytest.mark.parametrize("mode", ["exact", "adhoc"])
@pytest.mark.parametrize("sql", STATEMENTS)
def test_released_and_post_sql_equal_one_database(sql: str, mode: Mode):
    bound = bind(parse(sql), {"visits": DATASET}, mode=mode)
    for seed, size in ((1, 200), (2, 30)):
        rows, connection = _world(seed, size)
        expected = connection.execute(sql).fetchall()
        _released(bound, rows, connection)
        found = connection.execute(bound.post_sql).fetchall()
        if "ORDER BY" not in sql.rsplit("FROM visits", maxsplit=1)[-1]:
            expected, found = (sorted(x, key=repr) for x in (expected, found))
        assert len(found) == len(expected)
        for have, want in zip(found, expected, strict=True):
            for h, w in zip(have, want, strict=True):
                assert _close(h, w, mode), (have, want)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_the_real_engine_and_finalise_agree_with_one_database(sql: str):
    bound = bind(parse(sql), {"visits": DATASET}, mode="exact")
    _, connection = _world(1, 200)
    expected = connection.execute(sql).fetchall()
    aggregate = bound.aggregate
    # A department's snapshot holds scaled integers and days.
    connection.execute(
        "CREATE OR REPLACE VIEW data AS SELECT * REPLACE ((day - DATE '1970-01-01')::INTEGER AS"
        " day, (cost * 100)::BIGINT AS cost, (rate * 10)::BIGINT AS rate) FROM visits"
    )
    counted = replace(aggregate, measures=(*aggregate.measures, Measure("rows")))
    table = connection.sql(render(counted, COLUMNS, max_rows=1000)).to_arrow_table()
    totals = to_vector(table, counted)
    cells, counts = aggregate.cells, totals[-aggregate.cells :]
    visible = [n > 0 or not aggregate.keys for n in counts]
    shown = [t for i, t in enumerate(totals[:-cells]) if visible[i % cells]]
    plan = replace(EXACT, aggregate=aggregate)
    released = finalise(bound, plan, shown, visible, None, survivors=3).table
    found = duckdb.connect().register("released", released).execute(bound.post_sql).fetchall()
    if "ORDER BY" not in sql.rsplit("FROM visits", maxsplit=1)[-1]:
        expected, found = (sorted(x, key=repr) for x in (expected, found))
    assert len(found) == len(expected)
    for have, want in zip(found, expected, strict=True):
        for h, w in zip(have, want, strict=True):
            assert _close(h, w, "exact"), (have, want)


def _close(have: Any, want: Any, mode: Mode) -> bool:  # noqa: ANN401 - any SQL value
    if mode == "adhoc" and want is None and have is not None:
        return have == 0  # SUM of nothing is a noisy 0; only an exact answer can say NULL
    numbers = (int, float, Decimal)
    if isinstance(have, numbers) and isinstance(want, numbers):
        return math.isclose(have, want, rel_tol=1e-9, abs_tol=1e-9)
    return have == want
