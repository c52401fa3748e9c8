"""From totals to figures: exact answers equal one database over all rows."""

from dataclasses import replace
from decimal import Decimal
from math import sqrt
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from catalog.algebra import Aggregate, ColumnRef, Key, Measure
from catalog.dataset import Dataset
from catalog.sample import CITIES, visits
from desensitize.column import Column
from exchange.analyst.finalise import finalise
from exchange.planner.bound import Bound, Output, OutputFunction
from protos.faults import JobError, ProtocolError

COLUMNS = {
    "sex": Column("sex", "string", codes=("F", "M"), nullable=False),
    "cost": Column("cost", "decimal", decimals=2, bounds=(0, 500_000), nullable=False),
    "day": Column("day", "date", bounds=(20_000, 20_400)),
    "days": Column("days", "integer", bounds=(0, 60)),
}
VISITS = Dataset("visits", "", COLUMNS, ("a", "b"), 10**6, "id")


def output(
    column: str, function: OutputFunction, *, measures: int = 3, decimals: int = 2, offset: int = 0
) -> Output:
    whole, real = function in {"count", "sum"}, "double"
    kind: Any = ("decimal" if decimals and function == "sum" else "integer") if whole else real
    return Output(
        column=column,
        function=function,
        rows=0,
        sum=1 if measures > 1 else None,
        squares=2 if measures > 2 else None,
        decimals=decimals,
        offset=offset,
        type=kind,
    )


def bound(
    outputs: list[Output], measures: int, keys: tuple[Key, ...] = (), offset: int = 0
) -> Bound:
    cost = ColumnRef("cost")
    kinds = (
        Measure("rows"),
        Measure("sum", cost, offset),
        Measure("sum_squares", cost, offset),
    )[:measures]
    aggregate = Aggregate("visits", None, keys, kinds)
    return Bound(VISITS, aggregate, tuple(outputs), "", "", "exact")


EXACT: Any = SimpleNamespace(mode="exact")
ADHOC: Any = SimpleNamespace(mode="adhoc")
ALL = [
    output("a0", "count", measures=1, decimals=0),
    output("a1", "sum", measures=2),
    output("a2", "avg", measures=2),
    output("a3", "var_pop"),
    output("a4", "var_samp"),
    output("a5", "stddev_pop"),
    output("a6", "stddev_samp"),
]
SEX = Key(ColumnRef("sex"), ("F", "M"))


def test_exact_answers_equal_one_database_over_all_rows() -> None:
    everything = pa.concat_tables([visits(city.name, rows=2000) for city in CITIES])
    cents = np.array([int(c.as_py() * 100) for c in everything["cost"]], dtype=object)
    female = np.array(everything["sex"].to_pylist()) == "F"
    totals = [
        int(part.sum())
        for power in (0, 1, 2)
        for part in (cents[female] ** power, cents[~female] ** power)
    ]
    ours = finalise(bound(ALL, 3, (SEX,)), EXACT, totals, (True, True), None, 5)
    theirs = duckdb.sql(
        "SELECT sex, count(*), sum(cost), avg(cost), var_pop(cost), var_samp(cost), "
        "stddev_pop(cost), stddev_samp(cost) FROM everything GROUP BY sex ORDER BY sex"
    ).fetchall()
    assert ours.intervals is None
    for mine, reference in zip(ours.table.to_pylist(), theirs, strict=True):
        found = list(mine.values())
        assert found[:3] == list(reference[:3])
        assert found[3:] == pytest.approx(reference[3:], rel=1e-12)


def test_an_average_is_the_correctly_rounded_quotient() -> None:
    total, rows = 10**25 + 1, 3
    table = finalise(bound(ALL[:3], 2), EXACT, [rows, total], (True,), None, 3).table
    assert table["a1"].to_pylist() == [Decimal("100000000000000000000000.01")]
    assert table["a2"].to_pylist() == [(10**25 + 1) / 300]


def test_offsets_are_undone() -> None:
    outputs = [replace(one, offset=250) for one in ALL]
    cents = [100, 200, 600]
    totals = [3, sum(c - 250 for c in cents), sum((c - 250) ** 2 for c in cents)]
    row = finalise(bound(outputs, 3, offset=250), EXACT, totals, (True,), None, 3).table
    assert row["a1"].to_pylist() == [Decimal("9.00")]
    assert row["a2"].to_pylist() == [3.0]
    assert row["a4"].to_pylist() == [pytest.approx(7.0)]
    assert row["a6"].to_pylist() == [pytest.approx(sqrt(7))]


def test_suppressed_cells_are_absent() -> None:
    found = finalise(bound(ALL[:1], 1, (SEX,)), EXACT, [7], (False, True), None, 3)
    assert found.table.to_pylist() == [{"k0": "M", "a0": 7}]
    assert (found.cells, found.hidden) == (2, 1)


def test_keys_carry_their_types() -> None:
    keys = (
        Key(ColumnRef("day"), (20_089, None)),
        Key(ColumnRef("cost"), (150, 200)),
        Key(ColumnRef("days"), (1, 2)),
    )
    table = finalise(bound(ALL[:1], 1, keys), EXACT, list(range(8)), None, None, 3).table
    assert table.schema.field("k0").type == pa.date32()
    assert str(table["k0"][0]) == "2025-01-01"
    assert table["k0"][4].as_py() is None
    assert table["k1"].to_pylist()[:4] == [Decimal("1.50")] * 2 + [Decimal("2.00")] * 2
    assert table["k2"].to_pylist() == [1, 2] * 4


def test_nothing_to_average_is_null() -> None:
    row = finalise(bound(ALL, 3), EXACT, [0, 0, 0], (True,), None, 3).table.to_pylist()[0]
    assert row == {"a0": 0, **{f"a{i}": None for i in range(1, 7)}}
    row = finalise(bound(ALL, 3), EXACT, [1, 5, 25], (True,), None, 3).table.to_pylist()[0]
    assert (row["a3"], row["a4"], row["a5"], row["a6"]) == (0.0, None, 0.0, None)


def test_a_noisy_count_below_one_stays_and_its_average_is_null() -> None:
    noise: Any = SimpleNamespace(sigma_node=(3.0, 30.0, 300.0))
    found = finalise(bound(ALL, 3), ADHOC, [-4, 100, 1000], None, noise, 3)
    row, ends = found.table.to_pylist()[0], found.intervals.to_pylist()[0]
    assert row["a0"] == -4
    assert (ends["a0_low"], ends["a0_high"]) == (0, 6)
    assert all(row[f"a{i}"] is None and ends[f"a{i}_low"] is None for i in range(2, 7))


def test_noise_cannot_make_a_variance_negative() -> None:
    noise: Any = SimpleNamespace(sigma_node=(2.0, 2.0, 2.0))
    row = finalise(bound(ALL, 3), ADHOC, [100, 1000, 9990], None, noise, 3).table.to_pylist()[0]
    assert (row["a3"], row["a5"]) == (0.0, 0.0)


def test_wide_sums_stay_exact_and_wider_ones_are_refused() -> None:
    whole = [replace(output("a0", "sum", measures=2, decimals=0), rows=None)]
    table = finalise(bound(whole, 2), EXACT, [1, 10**30], (True,), None, 3).table
    assert table["a0"].to_pylist() == [Decimal(10**30)]
    assert finalise(bound(whole, 2), EXACT, [1, 5], (True,), None, 3).table["a0"].type == pa.int64()
    with pytest.raises(JobError, match="38 digits"):
        finalise(bound(whole, 2), EXACT, [1, 10**38], (True,), None, 3)


@pytest.mark.parametrize("totals", [[], [1], [1, 2, 3]])
def test_totals_that_do_not_fit_the_plan_are_refused(totals: list[int]) -> None:
    with pytest.raises(ProtocolError):
        finalise(bound(ALL[:1], 1, (SEX,)), EXACT, totals, (True, True), None, 3)
    with pytest.raises(ProtocolError):
        finalise(bound(ALL[:1], 1, (SEX,)), EXACT, [1], (True,), None, 3)
