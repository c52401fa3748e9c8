"""Statements from SQL text to answer, over real rows: exactly what one database would say.

Only the nodes and the protocol are left out: totals are summed over all rows in one place.
"""

import tomllib
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from catalog.algebra import Aggregate, Scalar
from catalog.config import load_dataset
from catalog.dataset import Dataset
from catalog.sample import CITIES, visits
from catalog.sample_files import dataset_toml
from catalog.sql_gate import parse
from exchange.analyst.answer import Answer, make_answer
from exchange.planner.bind import bind
from exchange.planner.evaluate import evaluate, holds

EPOCH = date(1970, 1, 1)
ROWS = 500
NAMES = tuple(city.name for city in CITIES)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset(tomllib.loads(dataset_toml()))


@pytest.fixture(scope="module")
def visits_table() -> pa.Table:
    return pa.concat_tables([visits(name, rows=ROWS) for name in NAMES])


@pytest.fixture(scope="module")
def scaled(visits_table: pa.Table, dataset: Dataset) -> list[dict[str, Scalar]]:
    """The rows as nodes see them: scaled integers and days."""

    def scale(value: Any, decimals: int) -> Scalar:  # noqa: ANN401 - whatever Arrow gives
        if isinstance(value, Decimal):
            return int(value.scaleb(decimals))
        return (value - EPOCH).days if isinstance(value, date) else value

    columns = dataset.columns
    return [
        {name: scale(row[name], columns[name].decimals) for name in columns}
        for row in visits_table.to_pylist()
    ]


def totals_of(
    aggregate: Aggregate, rows: list[dict[str, Scalar]], dataset: Dataset
) -> list[list[int]]:
    """Adds the measures up, one list of cells per measure."""
    columns, shape = dataset.columns, tuple(len(key.domain) for key in aggregate.keys)
    totals = [[0] * aggregate.cells for _ in aggregate.measures]
    places = [{value: i for i, value in enumerate(key.domain)} for key in aggregate.keys]
    for row in rows:
        if aggregate.predicate is not None and not holds(aggregate.predicate, row, columns):
            continue
        at = [
            place.get(evaluate(key.expr, row, columns)[0])
            for key, place in zip(aggregate.keys, places, strict=True)
        ]
        if any(i is None for i in at):
            continue
        cell = int(np.ravel_multi_index(at, shape)) if shape else 0
        for number, measure in enumerate(aggregate.measures):
            value = None if measure.value is None else evaluate(measure.value, row, columns)[0]
            if measure.kind == "rows":
                totals[number][cell] += 1
            elif value is not None:
                moved = int(value) - measure.offset
                power = {"count": 0, "sum": 1, "sum_squares": 2}[measure.kind]
                totals[number][cell] += moved**power
    return totals


def ask(sql: str, rows: list[dict[str, Scalar]], dataset: Dataset, mode: Any) -> Answer:  # noqa: ANN401
    bound = bind(parse(sql), {"visits": dataset}, mode=mode)
    totals = totals_of(bound.aggregate, rows, dataset)
    present = totals_of(
        Aggregate("visits", bound.aggregate.predicate, bound.aggregate.keys, (ROW,)), rows, dataset
    )[0]
    visible = tuple(n > 0 for n in present)
    sent = [
        value
        for measure in totals
        for value, shown in zip(measure, visible, strict=True)
        if shown or mode == "adhoc"
    ]
    roster = tuple(SimpleNamespace(name=name) for name in NAMES)
    plan: Any = SimpleNamespace(mode=mode, roster=roster, epsilon=0.5, delta=1e-6)
    noise: Any = SimpleNamespace(sigma_node=(0.0,) * len(totals)) if mode == "adhoc" else None
    return make_answer(
        bound,
        plan,
        sent,
        visible=visible if mode == "exact" else None,
        calibration=noise,
        survivors=NAMES,
        receipt={},
    )


ROW = next(
    m
    for m in bind(
        parse("SELECT COUNT(*) FROM visits"),
        {"visits": load_dataset(tomllib.loads(dataset_toml()))},
        mode="exact",
    ).aggregate.measures
    if m.kind == "rows"
)

STATEMENTS = [
    "SELECT COUNT(*) FROM visits",
    "SELECT COUNT(days) AS n, SUM(days) AS s, AVG(days) AS m FROM visits WHERE days > 3",
    "SELECT sex, SUM(cost) AS s, AVG(cost) AS m FROM visits GROUP BY sex ORDER BY sex",
    (
        "SELECT district, COUNT(*) AS n, STDDEV(cost) AS d FROM visits GROUP BY district "
        "HAVING COUNT(*) > 20 ORDER BY n DESC, district LIMIT 7"
    ),
    (
        "SELECT department, VAR_POP(days) AS v, VAR_SAMP(cost) AS w, STDDEV_POP(age) AS d "
        "FROM visits GROUP BY department ORDER BY department"
    ),
    (
        "SELECT sex, department, COUNT(*) AS n FROM visits WHERE age BETWEEN 18 AND 64 "
        "GROUP BY sex, department ORDER BY 1, 2"
    ),
    "SELECT insured, SUM(cost) / COUNT(*) AS q FROM visits GROUP BY insured ORDER BY insured",
    (
        "SELECT MONTH(visit_date) AS m, COUNT(*) AS n, SUM(COUNT(*)) OVER (ORDER BY "
        "MONTH(visit_date)) AS running FROM visits GROUP BY MONTH(visit_date) ORDER BY m"
    ),
    (
        "SELECT CASE WHEN age < 18 THEN 'child' ELSE 'adult' END AS who, AVG(cost) AS c "
        "FROM visits GROUP BY CASE WHEN age < 18 THEN 'child' ELSE 'adult' END ORDER BY who"
    ),
    "SELECT AVG(CASE WHEN insured THEN cost ELSE 0 END) AS a, SUM(cost * days) AS p FROM visits",
    "SELECT MAX(n) AS most FROM (SELECT district, COUNT(*) AS n FROM visits GROUP BY district) t",
    "SELECT ROUND(AVG(cost), 2) AS c FROM visits WHERE diagnosis IN ('I10', 'E11') AND sex = 'F'",
]


@pytest.mark.parametrize("mode", ["exact", "adhoc"])
@pytest.mark.parametrize("sql", STATEMENTS)
def test_the_answer_is_what_one_database_would_say(
    sql: str,
    mode: str,
    scaled: list[dict[str, Scalar]],
    visits_table: pa.Table,
    dataset: Dataset,
) -> None:
    answer = ask(sql, scaled, dataset, mode)
    with duckdb.connect() as reference:
        reference.register("visits", visits_table)
        expected = reference.sql(sql).to_arrow_table().to_pylist()
    found = answer.to_arrow().to_pylist()
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        for ours, reference_value in zip(mine.values(), theirs.values(), strict=True):
            if isinstance(ours, float):
                assert ours == pytest.approx(float(reference_value), rel=1e-12, abs=1e-12)
            else:
                assert ours == reference_value


def test_intervals_of_an_answer_without_noise_have_no_width(
    scaled: list[dict[str, Scalar]], dataset: Dataset
) -> None:
    answer = ask("SELECT sex, AVG(cost) AS m FROM visits GROUP BY sex", scaled, dataset, "adhoc")
    assert answer.intervals is not None
    for row, ends in zip(answer.to_arrow().to_pylist(), answer.intervals.to_pylist(), strict=True):
        assert ends["m_low"] == pytest.approx(row["m"], rel=1e-12)
        assert ends["m_high"] == pytest.approx(row["m"], rel=1e-12)
