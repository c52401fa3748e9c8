"""One department's part at full size: the locked worker beside plain DuckDB, in one run.

    python benchmarks/partial.py [--rows 100000000] [--repeat 3] [--directory DIR]

Generates a table, asks the same question twice: through the node's path (typed algebra, rendered
SQL, a query worker under limits, Arrow back, the vector) and in plain DuckDB over the same file
with SQL as a person would write it. Prints the times and their ratio; what was generated is
deleted. The ratio travels between machines, the seconds do not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb

from catalog.algebra import Aggregate, ColumnRef, Compare, Constant, Key, Measure
from compute_nodes.engines.render import render, to_vector
from desensitize.column import Column
from desensitize.engines.worker import QueryPool, QueryTask

MIB: Final = 1 << 20
CITIES: Final = tuple(f"4401{i:02d}" for i in range(20))
COLUMNS: Final = {
    "age": Column("age", "integer", bounds=(0, 120)),
    "cost": Column("cost", "decimal", decimals=2, bounds=(0, 5_000_000)),
    "city": Column("city", "string", codes=CITIES),
}
AGGREGATE: Final = Aggregate(
    "visits",
    Compare(">=", ColumnRef("age"), Constant(18, "integer")),
    (Key(ColumnRef("city"), CITIES),),
    (
        Measure("rows"),
        Measure("count", ColumnRef("cost")),
        Measure("sum", ColumnRef("cost")),
        Measure("sum", ColumnRef("age")),
    ),
)
PLAIN: Final = (
    "SELECT city, COUNT(*), COUNT(cost), SUM(cost), SUM(age) FROM data WHERE age >= 18 "
    "GROUP BY city"
)


def generate(path: Path, rows: int) -> None:
    """Writes ``rows`` visits, integers as a snapshot holds them; the same rows every time."""
    with duckdb.connect(path) as connection:
        connection.execute(
            "CREATE TABLE data AS SELECT (hash(i) % 121)::BIGINT AS age, "
            "(hash(i + 1) % 5000001)::BIGINT AS cost, "
            f"'4401' || lpad((hash(i + 2) % {len(CITIES)})::VARCHAR, 2, '0') AS city "
            f"FROM range({rows}) t(i)"
        )


def seconds(action: Callable[[], object], repeat: int) -> list[float]:
    """Runs an action once to warm the file cache, then ``repeat`` times."""
    action()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory-mb", type=int, default=2048, help="limit of the worker")
    parser.add_argument("--directory", type=Path, default=None, help="where to generate")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="veil-bench-", dir=options.directory) as directory:
        path = Path(directory) / "data.duckdb"
        start = time.perf_counter()
        generate(path, options.rows)
        size = path.stat().st_size / MIB
        print(
            f"{options.rows:,} rows, {size:,.0f} MiB, made in {time.perf_counter() - start:.1f} s"
        )
        measure(path, options)


def measure(path: Path, options: argparse.Namespace) -> None:
    """Runs both, one after the other, and compares results and times."""
    pool = QueryPool(options.memory_mb * MIB, cpu_s=3600)
    pool.start()
    task = QueryTask(path, render(AGGREGATE, COLUMNS, max_rows=options.rows))
    veil_result: list[int] = []

    def veil() -> None:
        veil_result[:] = to_vector(pool.run(task, 3600), AGGREGATE)

    plain_result: list[tuple[object, ...]] = []
    try:
        ours = seconds(veil, options.repeat)
    finally:
        pool.close()
    with duckdb.connect(path, read_only=True) as connection:
        connection.execute(f"SET threads = {os.cpu_count() or 1}")

        def plain() -> None:
            plain_result[:] = connection.execute(PLAIN).fetchall()

        theirs = seconds(plain, options.repeat)
    by_city = {row[0]: row[1:] for row in plain_result}
    expected = [by_city[city][m] for m in range(len(AGGREGATE.measures)) for city in CITIES]
    if veil_result != expected:
        raise SystemExit("the results differ")
    node, duck = statistics.median(ours), statistics.median(theirs)
    print(f"node's part     {node:8.3f} s  {options.rows / node / 1e6:8.1f} Mrow/s")
    print(f"plain DuckDB    {duck:8.3f} s  {options.rows / duck / 1e6:8.1f} Mrow/s")
    print(f"ratio           {node / duck:8.2f}    (target: at most 1.3)")


if __name__ == "__main__":
    main()
    os._exit(0)  # the engine's extension module complains at an orderly exit
