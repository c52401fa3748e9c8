"""Binding: which measures come out, which groups, and what is refused where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.algebra import Case, ColumnRef, Constant, Measure
from catalog.plan import Mode
from catalog.sql_gate import parse
from exchange.planner.bind import Bound, bind
from exchange.planner.bound import Output
from protos.faults import SqlError
from tests.sql_world import DATASET


def bound(sql: str, mode: Mode = "adhoc") -> Bound:
    return bind(parse(sql), {"visits": DATASET}, mode=mode)


def refused(sql: str) -> SqlError:
    with pytest.raises(SqlError) as caught:
        bound(sql)
    return caught.value


def test_functions_of_one_value_share_their_measures():
    found = bound("SELECT SUM(cost), AVG(cost), VAR_POP(cost), COUNT(cost) FROM visits")
    cost = ColumnRef("cost")
    assert found.aggregate.measures == (
        Measure("sum", cost, 245_000),
        Measure("count", cost),
        Measure("sum_squares", cost, 245_000),
    )
    assert found.outputs[0] == Output("a0", "sum", 1, 0, None, 2, 245_000, "decimal")
    assert found.outputs[2] == Output("a2", "var_pop", 1, 0, 2, 2, 245_000, "double")
    assert found.outputs[3] == Output("a3", "count", 1, None, None, 0, 0, "integer")


def test_a_sum_alone_is_one_measure_when_ad_hoc_and_two_when_exact():
    cost = ColumnRef("cost")
    assert bound("SELECT SUM(cost) FROM visits").aggregate.measures == (Measure("sum", cost),)
    exact = bound("SELECT SUM(cost), AVG(days) FROM visits", "exact")
    assert exact.aggregate.measures == (
        Measure("sum", cost),
        Measure("count", cost),
        Measure("sum", ColumnRef("days")),
        Measure("rows"),
    )
    assert {o.offset for o in exact.outputs} == {0}


def test_counts_of_what_is_never_null_count_rows():
    found = bound("SELECT COUNT(*), COUNT(days), COUNT(1), COUNT(DAYS + 1) FROM visits")
    assert found.aggregate.measures == (Measure("rows"),)
    assert len(found.outputs) == 1


def test_a_filter_becomes_a_case():
    found = bound("SELECT COUNT(*) FILTER (WHERE insured), COUNT_IF(insured) FROM visits")
    case = Case(((ColumnRef("insured"), Constant(1, "integer")),), Constant(None, "null"))
    assert found.aggregate.measures == (Measure("count", case),)


@pytest.mark.parametrize(
    ("key", "where", "domain"),
    [
        ("sex", "TRUE", ("F", "M", None)),
        ("district", "TRUE", ("440103", "440104", "440305")),
        ("district", "district <> '440104'", ("440103", "440305")),
        ("insured", "TRUE", (False, True, None)),
        ("insured", "insured", (True,)),
        ("sex", "sex IS NOT NULL AND age > 3", ("F", "M")),
        ("sex", "sex IS NULL", (None,)),
        ("age", "age BETWEEN 30 AND 32", (30, 31, 32)),
        ("rate", "rate < 0.25", (0, 1, 2)),
        ("day", "day >= '2025-02-27'", (20146, 20147)),
        ("month(day)", "TRUE", (11, 12, 1, 2, None)),
        ("year(day)", "day < DATE '2025-01-01'", (2024,)),
        ("substr(district, 1, 4)", "TRUE", ("4401", "4403")),
        ("lower(sex)", "TRUE", ("f", "m", None)),
        ("coalesce(sex, '?')", "TRUE", ("F", "M", "?")),
        ("age > 18", "TRUE", (False, True, None)),
        ("CASE WHEN age < 18 THEN 'b' WHEN age < 65 THEN 'a' ELSE 'c' END", "TRUE",
         ("b", "a", "c")),
        ("CASE WHEN age < 18 THEN 'b' WHEN age < 65 THEN 'a' ELSE 'c' END", "age < 20",
         ("b", "a")),
        ("CASE WHEN age < 18 THEN 'b' END", "TRUE", ("b", None)),
        ("CASE WHEN cost < 100 THEN sex ELSE 'x' END", "TRUE", ("F", "M", "x", None)),
        ("CASE WHEN insured THEN 1 ELSE 2.5 END", "TRUE", (10, 25)),
        ("age * 7", "age < 3", (0, 7, 14)),
        ("days - 3", "days IN (1, 4)", (-2, 1)),
    ],
)  # fmt: skip
def test_groups_follow_from_declarations_and_the_where(
    key: str, where: str, domain: tuple[object, ...]
):
    found = bound(f"SELECT {key} k, COUNT(*) FROM visits WHERE {where} GROUP BY k")  # noqa: S608
    assert found.aggregate.keys[0].domain == domain


@pytest.mark.parametrize(
    ("sql", "place", "says", "remedy"),
    [
        ("SELECT * FROM visits", "*", "rows themselves never leave", "COUNT(*)"),
        ("SELECT age, cost FROM visits LIMIT 5", "age", "aggregates nothing", "GROUP BY"),
        ("SELECT age, sex, COUNT(*) FROM visits GROUP BY age", "sex", "neither grouped",
         "GROUP BY"),
        ("SELECT district FROM visits GROUP BY district", "district", "no aggregate", "COUNT(*)"),
        ("SELECT DISTINCT sex FROM visits", "sex", "aggregates nothing", "COUNT(*)"),
        ("SELECT COUNT(*) FROM vists", "vists", "no dataset 'vists'", "did you mean visits"),
        ("SELECT COUNT(*) FROM x", "x", "no dataset 'x'", "datasets: visits"),
        ("SELECT 1", "SELECT 1", "reads no dataset", "visits"),
        ("SELECT SUM(coast) FROM visits", "coast", "no column 'coast'", "did you mean cost"),
        ('SELECT COUNT(*) FROM visits WHERE sex = "F"', '"F"', "no column 'F'", "single quotes"),
        ("SELECT COUNT(*) FROM visits v WHERE visits.sex = 'F'", "visits.sex", "is not read", ""),
        ("SELECT MIN(age) FROM visits", "MIN(age)", "one person's value", "bands"),
        ("SELECT MAX(age + 1) m FROM visits", "MAX(age + 1)", "one person's value", "bands"),
        ("SELECT MEDIAN(age) FROM visits", "MEDIAN(age)", "not supported yet", "bands"),
        ("SELECT QUANTILE_CONT(age, 0.5) FROM visits", "QUANTILE_CONT(age, 0.5)", "quantiles", ""),
        ("SELECT COUNT(DISTINCT age) FROM visits", "COUNT(DISTINCT age)", "DISTINCT", "GROUP BY"),
        ("SELECT SUM(DISTINCT age) FROM visits", "SUM(DISTINCT age)", "DISTINCT", "GROUP BY"),
        ("SELECT APPROX_COUNT_DISTINCT(age) FROM visits", "APPROX_COUNT_DISTINCT(age)", "distinct",
         ""),
        ("SELECT SUM(cost / days) FROM visits", "cost / days", "division", "SUM(a) / SUM(b)"),
        ("SELECT SUM(age % 10) FROM visits", "age % 10", "%", "CASE"),
        ("SELECT COUNT(*) FROM visits GROUP BY age // 10", "age // 10", "division", "bands"),
        ("SELECT SUM(free) FROM visits", "SUM(free)", "only numbers can be summed", ""),
        ("SELECT SUM(ROUND(cost)) FROM visits", "ROUND(cost)", "ROUND", "round the aggregate"),
        ("SELECT SUM(SQRT(cost)) FROM visits", "SQRT(cost)", "SQRT", "above it"),
        ("SELECT AVG(CAST(age AS DOUBLE)) FROM visits", "CAST(age AS DOUBLE)", "CAST", "exact"),
        ("SELECT AVG(age::DOUBLE) FROM visits", "age::DOUBLE", "CAST", "exact"),
        ("SELECT COUNT(*) FROM visits WHERE age > 'x'", "age > 'x'", "cannot be compared", ""),
        ("SELECT COUNT(*) FROM visits WHERE age", "age", "needs a condition", ""),
        ("SELECT COUNT(*) FROM visits WHERE day = '2025-13-01'", "'2025-13-01'", "not a date",
         "2025-01-31"),
        ("SELECT COUNT(*) FROM visits WHERE day > DATE 'x'", "DATE 'x'", "not a date", ""),
        ("SELECT COUNT(*) FROM visits WHERE age IN (1, days)", "days", "constants only", "="),
        ("SELECT COUNT(*) FROM visits WHERE age IN (SELECT 1)", "SELECT 1", "subquery", "WITH"),
        ("SELECT COUNT(*) FROM visits WHERE free ILIKE 'a%'", "free ILIKE 'a%'", "ILIKE", "LOWER"),
        ("SELECT COUNT(*) FROM visits WHERE free LIKE sex", "sex", "constant pattern", ""),
        ("SELECT COUNT(*) FROM visits WHERE COUNT(*) > 3", "COUNT(*)", "aggregate cannot",
         "HAVING"),
        ("SELECT SUM(COUNT(*)) FROM visits", "COUNT(*)", "aggregate cannot", ""),
        ("SELECT SUM(RANK() OVER (ORDER BY age)) FROM visits", "RANK() OVER (ORDER BY age)",
         "window over single rows", "aggregate first"),
        ("SELECT COUNT(*) FROM visits WHERE age > 1234567890123456789", "1234567890123456789",
         "digits", ""),
        ("SELECT free, COUNT(*) FROM visits GROUP BY free", "free", "nothing declares",
         "code list"),
        ("SELECT cost, COUNT(*) FROM visits GROUP BY cost", "cost", "nothing declares", "bands"),
        ("SELECT sex, COUNT(*) FROM visits WHERE sex = 'X' GROUP BY sex", "sex", "leaves no group",
         "code list"),
        ("SELECT sex, COUNT(*) FROM visits GROUP BY 3", "3", "2 columns to choose", ""),
        ("SELECT sex, COUNT(*) FROM visits GROUP BY 2", "COUNT(*)", "aggregate cannot", ""),
        ("SELECT COUNT(*) FROM visits JOIN visits b ON TRUE", "visits b", "joins", "one dataset"),
        ("SELECT COUNT(*) FROM visits, (SELECT 1) x", "(SELECT 1) x", "joins", "WITH"),
        ("SELECT COUNT(*) FROM (SELECT age FROM visits) x", "age", "aggregates nothing", "WHERE"),
        ("SELECT COUNT(*) FROM visits UNION ALL SELECT COUNT(*) FROM visits", "visits",
         "read once", "WITH"),
        ("WITH visits AS (SELECT 1) SELECT COUNT(*) FROM visits", "visits", "taken", "another"),
        ("SELECT COUNT(*) n FROM visits ORDER BY nn", "nn", "no column 'nn'", "did you mean n"),
        ("SELECT nn FROM (SELECT COUNT(*) n FROM visits)", "nn", "does not run", "nothing was"),
        ("SELECT SUM(cost) a0, COUNT(*), a0 + 1 FROM visits", "SUM(cost) a0", "meaning of its own",
         "another name"),
    ],
)  # fmt: skip
def test_what_is_refused_is_underlined_and_explained(sql: str, place: str, says: str, remedy: str):
    error = refused(sql)
    assert sql[error.start : error.end] == place, (error.message, sql[error.start : error.end])
    assert says in error.message
    assert remedy in error.remedy


def test_places_hold_on_the_second_line():
    sql = "SELECT sex,\n       SUM(coast) AS 费用\nFROM visits\nGROUP BY sex"
    assert refused(sql).underlined() == "       SUM(coast) AS 费用\n           ^^^^^"


def test_numbers_with_too_many_values_need_bands():
    wide = replace(DATASET, columns={
        **DATASET.columns, "age": replace(DATASET.columns["age"], bounds=(0, 300))})  # fmt: skip
    with pytest.raises(SqlError, match="302 groups, at most 200"):
        bind(parse("SELECT age, COUNT(*) FROM visits GROUP BY age"), {"visits": wide})
    narrowed = "SELECT age, COUNT(*) FROM visits WHERE age < 100 GROUP BY age"
    assert bind(parse(narrowed), {"visits": wide}).aggregate.cells == 100


def test_too_many_combinations_are_refused():
    with pytest.raises(SqlError, match="1,000,000 combinations"):
        bound("SELECT COUNT(*) FROM visits GROUP BY age, days, day, rate")


def test_result_columns_are_named_as_written():
    found = bound("SELECT sex, COUNT( * ), AVG(cost)  AS m,\n SUM(days)  /  COUNT(*) FROM visits"
                  " GROUP BY sex")  # fmt: skip
    for name in ('"sex"', '"COUNT( * )"', '"m"', '"SUM(days) / COUNT(*)"'):
        assert f"AS {name}" in found.post_sql


def test_nothing_of_the_where_reaches_post_sql():
    found = bound("SELECT COUNT(*) FROM visits WHERE free = 'secret' AND age > 71 -- secret")
    assert "secret" not in found.post_sql
    assert "71" not in found.post_sql
    assert "visits" not in found.post_sql
