"""Hostile SQL is refused quickly, clearly, and without ever reaching an engine."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.sql_gate import MAX_BYTES, parse
from exchange.planner.bind import bind
from protos.faults import SqlError
from tests.sql_world import DATASET

WORDS = """
SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT COUNT ( ) * , ; . 'a' "b" 1 2.5 visits age sex cost
CASE WHEN THEN ELSE END AND OR NOT IN LIKE BETWEEN NULL IS WITH AS t UNION ALL OVER PARTITION
FILTER SUM AVG MIN DISTINCT INTERVAL CAST DATE :: [ ] { } $ ? @ - + / % || -> := EXTRACT YEAR
read_csv VALUES UNNEST PIVOT QUALIFY WINDOW -- /* */
""".split()  # noqa: SIM905 - words read better as text


def answer(sql: str) -> SqlError | None:
    """Returns the refusal, or None if the statement is allowed; anything else fails the test."""
    try:
        bind(parse(sql), {"visits": DATASET})
    except SqlError as error:
        return error
    return None


def check(error: SqlError | None, sql: str) -> None:
    if error is not None:
        assert error.message
        assert -1 <= error.start <= error.end <= len(sql)
        error.underlined()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT " + "(" * 100 + "1" + ")" * 100 + " FROM visits",
        "SELECT " + "NOT " * 1900 + "TRUE",
        "SELECT " + "-" + " -" * 900 + "1",
        "SELECT " + "CASE WHEN " * 600,
        "SELECT COUNT(*) FROM visits WHERE " + " AND ".join(["age = 1"] * 3000),  # noqa: S608
        "SELECT COUNT(*) FROM visits WHERE " + " AND ".join(["age = 1"] * 400),  # noqa: S608
        "SELECT SUM(age" + " + age" * 900 + ") FROM visits",
        "SELECT " + "f(" * 300 + ")" * 300,
        "SELECT " + "x::int" + "::int" * 600 + " FROM visits",
        "SELECT 1 " + "UNION SELECT 1 " * 500,
        "SELECT " + "interval " * 900 + "1",
        "SELECT a" + ".a" * 900,
        "SELECT a" + "[1]" * 400,
        "WITH " + ", ".join(f"t{i} AS (SELECT 1)" for i in range(150)) + " SELECT 1",
        "SELECT x -> " * 300 + "1",
        "x" * 1_000_000,
        "SELECT '" + "a" * 1_000_000 + "'",
        "(" * 1_000_000,
        "SELECT 1 FROM visits WHERE sex IN (" + "'a'," * 300_000 + "'a')",
        "\ud800",
        "\x00SELECT 1",
    ],
)
def test_huge_and_deep_statements_end_quickly(sql: str):
    began = time.thread_time()
    error = answer(sql)
    assert error is not None
    check(error, sql)
    assert time.thread_time() - began < 2.0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM '/etc/passwd'",
        'SELECT COUNT(*) FROM "/etc/passwd"',
        "SELECT COUNT(*) FROM read_csv('/etc/passwd')",
        "SELECT COUNT(*) FROM glob('/*')",
        "SELECT COUNT(*) FROM duckdb_settings()",
        "SELECT COUNT(*) FROM information_schema.tables",
        "SELECT COUNT(*) FROM visits, '/etc/passwd'",
        "WITH t AS (SELECT COUNT(*) n FROM visits) SELECT * FROM t, '/etc/passwd'",
        "WITH t AS (SELECT COUNT(*) n FROM visits) SELECT getenv('HOME') FROM t",
        "WITH t AS (SELECT COUNT(*) n FROM visits) SELECT read_text('/etc/passwd') FROM t",
        "WITH t AS (SELECT COUNT(*) n FROM visits) SELECT current_setting('x') FROM t",
        "WITH t AS (SELECT COUNT(*) n FROM visits) SELECT * FROM query('select 1')",
        "SELECT COUNT(*) FROM released",
        "WITH released AS (SELECT 1) SELECT COUNT(*) FROM visits",
        "WITH visits AS (SELECT 1 AS age) SELECT SUM(age) FROM visits",
        "ATTACH 'x'",
        "PRAGMA database_list",
        "SET memory_limit = '1GB'",
        "CREATE MACRO f(x) AS x",
        "SELECT COUNT(*) FROM visits; ATTACH 'x'",
        "EXPLAIN ANALYZE SELECT 1",
        "SUMMARIZE visits",
        "DESCRIBE visits",
        "CALL pragma_version()",
        "PIVOT visits ON sex USING COUNT(*)",
        "SELECT nextval('s') FROM visits",
        "SELECT random() FROM visits",
        "SELECT error('x') FROM visits",
        "SELECT COUNT(*) FROM (VALUES (1)) v",
        "SELECT UNNEST([1, 2]) FROM visits",
        "SELECT * FROM visits",
        "SELECT v.* FROM visits v",
        "SELECT visits FROM visits",
        "SELECT id, COUNT(*) FROM visits GROUP BY id",
        "SELECT rowid, COUNT(*) FROM visits GROUP BY 1",
        "SELECT LIST(age) FROM visits",
        "SELECT ANY_VALUE(age) FROM visits",
        "SELECT STRING_AGG(free, ',') FROM visits",
        "SELECT ARG_MAX(free, age) FROM visits",
        "SELECT FIRST(age) FROM visits",
        "SELECT age FROM visits ORDER BY COUNT(*)",
        "SELECT COUNT(*) FROM visits QUALIFY age > 3",
        "SELECT COUNT(*) FROM visits ORDER BY age",
        "SELECT COUNT(*), SUM(age) OVER () FROM visits",
        "SELECT COUNT(*) FILTER (WHERE COUNT(*) > 1) FROM visits",
        "SELECT SUM(SUM(age)) FROM visits",
        "SELECT COUNT(*) FROM visits WHERE age = (SELECT MAX(age) FROM visits)",
        "SELECT COUNT(*) FROM visits WHERE EXISTS (SELECT 1)",
        "SELECT (SELECT COUNT(*) FROM visits), COUNT(*) FROM visits",
        "SELECT COUNT(*) FROM visits a, visits b",
        "SELECT COUNT(*) FROM visits TABLESAMPLE 1 ROWS",
        "SELECT COUNT(*) FROM visits AS v(x, y)",
        "SELECT COUNT(*) FROM visits UNION SELECT age FROM visits",
        "FROM visits",
    ],
)
def test_a_way_around_is_refused(sql: str):
    error = answer(sql)
    assert error is not None
    check(error, sql)


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
@example("SELECT COUNT ( * ) FROM visits WHERE age = 1 --")
def test_word_salad_is_answered_or_refused(sql: str):
    check(answer(sql), sql)


@given(st.text(max_size=200))
def test_any_text_is_answered_or_refused(sql: str):
    check(answer(sql), sql)


def test_the_limit_counts_bytes_not_characters():
    sql = "SELECT '" + "汉" * (MAX_BYTES // 3) + "'"
    assert len(sql) < MAX_BYTES
    error = answer(sql)
    assert error is not None
    assert error.code == "sql.too_long"
