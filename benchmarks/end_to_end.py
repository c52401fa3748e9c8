"""A warm federated aggregate from SQL text to checked answer, on a real cluster of processes.

    python -m benchmarks.end_to_end [--nodes 3 21] [--repeats 30]

Prints p50 and p95, and the median of each stretch: planning, each round, opening. There is no peer
that installs here; platforms that start a container per task take 10 s and more for the same.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from catalog import sample_files
from catalog.sample import visits
from exchange.client import Veil, connect
from exchange.cluster import Cluster
from exchange.cluster_config import load_cluster_config
from exchange.ports import Progress

STATEMENT = "SELECT department, COUNT(*) AS n, AVG(cost) AS cost FROM visits GROUP BY department"
ROWS = 2_000


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[3, 21])
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    for nodes in options.nodes:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), nodes, options.repeats)


def measure(folder: Path, nodes: int, repeats: int) -> None:
    """Measures one size of cluster."""
    cluster = Cluster(folder / "cluster")
    cluster.up(load_cluster_config(write(folder, nodes)), lambda _: None)
    try:
        with connect(cluster.profile) as veil:
            for _ in range(3):
                veil.sql(STATEMENT, fresh=True, epsilon=0.01)
            runs = [ask(veil) for _ in range(repeats)]
    finally:
        cluster.down()
    totals = sorted(run["whole"] for run in runs)
    p50, p95 = totals[len(totals) // 2], totals[int(len(totals) * 0.95)]
    print(f"{nodes} nodes, warm: p50 {p50 * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms ({repeats} runs)")
    for stretch in runs[0]:
        if stretch != "whole":
            median = statistics.median(run.get(stretch, 0.0) for run in runs)
            print(f"    {stretch:24} {median * 1e3:6.1f} ms")


def ask(veil: Veil) -> dict[str, float]:
    """Asks once and returns seconds by stretch."""
    stretches: dict[str, float] = defaultdict(float)
    start = last = time.perf_counter()
    stretch = "plan and submit"

    def watch(step: Progress) -> None:
        nonlocal last, stretch
        now = time.perf_counter()
        if step.what in ("submitted", "round", "done"):
            stretches[stretch] += now - last
            last = now
            stretch = {"submitted": "start", "done": "fetch, check, open"}.get(step.what, step.text)

    veil.sql(STATEMENT, watch=watch, fresh=True, epsilon=0.01)
    end = time.perf_counter()
    stretches[stretch] += end - last
    stretches["whole"] = end - start
    return dict(stretches)


def write(folder: Path, nodes: int) -> Path:
    """Writes a federation of so many departments with the sample's table."""
    import pyarrow.parquet as pq

    table = visits("guangzhou", rows=ROWS)
    pq.write_table(table, folder / "visits.parquet")
    names = [f"city{number:02}" for number in range(nodes)]
    declared = sample_files.dataset_toml()
    line = next(row for row in declared.splitlines() if row.startswith("members"))
    members = ", ".join(f'"{name}"' for name in names)
    (folder / "visits.toml").write_text(declared.replace(line, f"members = [{members}]"), "utf-8")
    (folder / "policy.toml").write_text(sample_files.policy_toml("guangzhou"), "utf-8")
    parts = ['datasets = ["visits.toml"]']
    parts += [
        f'[[department]]\nname = "{name}"\n[[department.data]]\ndataset = "visits"\n'
        'file = "visits.parquet"\npolicy = "policy.toml"'
        for name in names
    ]
    config = folder / "cluster.toml"
    config.write_text("\n".join(parts), "utf-8")
    return config


if __name__ == "__main__":
    main()
