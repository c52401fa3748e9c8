"""From a department's CSV file to the vector, through the loader, the renderer and a worker."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pytest

from catalog.algebra import Aggregate, ColumnRef, Compare, Constant, Key, Measure
from compute_nodes.engines.render import (
    dominance_sql,
    dominance_vetoes,
    render,
    subject_counts,
    to_vector,
)
from desensitize.column import Column
from desensitize.engines.snapshot import Snapshot, load
from desensitize.engines.worker import QueryPool, QueryTask

COLUMNS = {
    "age": Column("age", "integer", bounds=(0, 120)),
    "cost": Column("cost", "decimal", decimals=2, bounds=(0, 5_000_000)),
    "city": Column("city", "string", codes=("gz", "sz")),
    "day": Column("day", "date"),
}
CSV = """\ufeffid,age,cost,city,day,name
1,30,12.34,gz,2025-01-31,not to be kept
1,31,1,gz,2025-02-01,x
1,32,1,gz,2025-02-02,x
2,150,99999.99,gz,2025-01-31,x
3,-5,0.5,sz,2025-03-01,x
4,,,sz,,x
5,40,2.00,elsewhere,2025-01-01,x
"""
GROUPED = Aggregate(
    "visits", None, (Key(ColumnRef("city"), ("gz", "sz", None)),),
    (Measure("rows"), Measure("count", ColumnRef("cost")), Measure("sum", ColumnRef("cost")),
     Measure("sum_squares", ColumnRef("age"), 60)),
)  # fmt: skip


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    directory = tmp_path_factory.mktemp("node")
    source = directory / "visits.csv"
    source.write_text(CSV, "utf-8")
    return load(source, COLUMNS, subject="id", directory=directory / "snapshots")


@pytest.fixture(scope="module")
def pool() -> Iterator[QueryPool]:
    pool = QueryPool(512 * 2**20, cpu_s=20)
    pool.start()
    yield pool
    pool.close()


def test_clipped_and_bounded_per_subject(snapshot: Snapshot, pool: QueryPool) -> None:
    """Ad hoc: one row per subject, 150 and -5 become 120 and 0, 99999.99 becomes 50000."""
    report = snapshot.report
    assert report.ranked
    assert report.most_rows_per_subject == 3
    stray = {n for n, c in report.columns.items() if c.out_of_bounds or c.outside_codes}
    assert stray == {"age", "cost", "city"}
    sql = render(GROUPED, COLUMNS, max_rows=1000, clip=stray, rank_limit=1)
    vector = to_vector(pool.run(QueryTask(snapshot.path, sql), 30), GROUPED)
    assert vector == [
        2, 2, 0,
        2, 1, 0,
        1234 + 5_000_000, 50, 0,
        (30 - 60) ** 2 + (120 - 60) ** 2, (0 - 60) ** 2, 0,
    ]  # fmt: skip


def test_exact_counts_subjects_and_finds_dominance(snapshot: Snapshot, pool: QueryPool) -> None:
    sql = render(GROUPED, COLUMNS, max_rows=1000, subject="id")
    table = pool.run(QueryTask(snapshot.path, sql), 30)
    assert to_vector(table, GROUPED)[:3] == [4, 2, 0]
    assert subject_counts(table, GROUPED) == [2, 1, 0]
    dominance = dominance_sql(GROUPED, COLUMNS, subject="id", largest=1)
    assert dominance is not None
    found = pool.run(QueryTask(snapshot.path, dominance), 30)
    assert dominance_vetoes(found, GROUPED, 0.9) == [True, True, False]


def test_dates_and_no_keys(snapshot: Snapshot, pool: QueryPool) -> None:
    first_of_march = Constant(20_148, "date")
    aggregate = Aggregate(
        "visits", Compare("<", ColumnRef("day"), first_of_march), (), (Measure("rows"),)
    )
    sql = render(aggregate, COLUMNS, max_rows=1000)
    assert to_vector(pool.run(QueryTask(snapshot.path, sql), 30), aggregate) == [5]


def test_nothing_but_the_declared_columns_was_kept(snapshot: Snapshot) -> None:
    assert b"not to be kept" not in snapshot.path.read_bytes()


def test_small_queries_are_quick(snapshot: Snapshot, pool: QueryPool) -> None:
    """A sanity bound, generous for busy machines; the benchmark has the figures."""
    sql = render(GROUPED, COLUMNS, max_rows=1000)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        pool.run(QueryTask(snapshot.path, sql), 30)
        times.append(time.perf_counter() - start)
    assert statistics.median(times) < 0.15
