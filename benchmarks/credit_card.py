"""A real table, split by rows over five departments: exact equals pandas, ad hoc keeps its word.

    python -m benchmarks.credit_card PATH/TO/uci_credit_card.csv [--repeats 40]

The table is UCI "Default of Credit Card Clients" (30,000 rows, CC BY 4.0). It starts a real
cluster, asks for counts, sums, means and deviations by education and marriage under grants of all
five owners and compares every figure with pandas; then asks ad hoc many times and counts how many
of the true values lie within their stated 95 % intervals.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd

from compute_nodes.approval import approve
from compute_nodes.store import NodeStore
from exchange.analyst.client import Veil, connect
from exchange.cluster.cluster import Cluster
from exchange.cluster.config import load_cluster_config

DEPARTMENTS = ("north", "east", "south", "west", "centre")
EXACT = """
SELECT EDUCATION, MARRIAGE, COUNT(*) AS n, SUM(LIMIT_BAL) AS total, AVG(LIMIT_BAL) AS mean,
       STDDEV_SAMP(LIMIT_BAL) AS deviation, SUM(BILL_AMT1) AS bills, AVG(AGE) AS age
FROM credit GROUP BY EDUCATION, MARRIAGE ORDER BY EDUCATION, MARRIAGE"""
ADHOC = """
SELECT EDUCATION, COUNT(*) AS n, SUM(LIMIT_BAL) AS total, AVG(LIMIT_BAL) AS mean,
       STDDEV_SAMP(LIMIT_BAL) AS deviation
FROM credit GROUP BY EDUCATION ORDER BY EDUCATION"""
DATASET = """
name = "credit"
title = "Credit card clients"
members = [{members}]
max_rows = 100_000
subject = "ID"
max_rows_per_subject = 1
subjects_disjoint = true
delta = 1e-6
[columns.EDUCATION]
type = "integer"
bounds = [0, 6]
nullable = false
[columns.MARRIAGE]
type = "integer"
bounds = [0, 3]
nullable = false
[columns.AGE]
type = "integer"
bounds = [18, 100]
nullable = false
[columns.LIMIT_BAL]
type = "integer"
bounds = [0, 1_000_000]
nullable = false
[columns.BILL_AMT1]
type = "integer"
bounds = [-200_000, 1_000_000]
nullable = false
"""
POLICY = """
dataset = "credit"
[columns.EDUCATION]
uses = ["filter", "group"]
[columns.MARRIAGE]
uses = ["filter", "group"]
[columns.AGE]
uses = ["filter", "aggregate"]
[columns.LIMIT_BAL]
uses = ["filter", "aggregate"]
[columns.BILL_AMT1]
uses = ["aggregate"]
[query]
subject = "ID"
max_rows_per_subject = 1
min_group = 5
min_parties = 3
max_cells = 10_000
protocols = ["masked_sum", "he_sum", "sealed"]
audience = ["*"]
[query.budget]
epsilon = 1000.0
default = 1.0
ceiling = 10.0
in_flight = 8
[query.budget.projects]
default = 1.0
"""


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--repeats", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        frame = pd.read_csv(options.table)
        config = write(Path(folder), frame)
        cluster = Cluster(Path(folder) / "cluster")
        cluster.up(load_cluster_config(config), lambda text: print(f"… {text}"))
        try:
            with connect(cluster.profile) as veil:
                compare_exact(veil, cluster, frame)
                count_intervals(veil, frame, options.repeats)
        finally:
            cluster.down()


def write(folder: Path, frame: pd.DataFrame) -> Path:
    """Writes the parts, the declaration, the policies and cluster.toml."""
    members = ", ".join(f'"{name}"' for name in DEPARTMENTS)
    (folder / "credit.toml").write_text(DATASET.format(members=members), "utf-8")
    (folder / "policy.toml").write_text(POLICY, "utf-8")
    parts = ['datasets = ["credit.toml"]']
    for number, name in enumerate(DEPARTMENTS):
        frame.iloc[number :: len(DEPARTMENTS)].to_csv(folder / f"{name}.csv", index=False)
        parts.append(
            f'[[department]]\nname = "{name}"\n[[department.data]]\ndataset = "credit"\n'
            f'file = "{name}.csv"\npolicy = "policy.toml"'
        )
    config = folder / "cluster.toml"
    config.write_text("\n".join(parts), "utf-8")
    return config


def compare_exact(veil: Veil, cluster: Cluster, frame: pd.DataFrame) -> None:
    """Asks under grants and compares with pandas, figure by figure."""
    veil.request_grant(EXACT, "comparison with pandas")
    for name in DEPARTMENTS:
        directory = cluster.directory / "nodes" / name
        approve(directory, waiting(directory))
    start = time.perf_counter()
    found = veil.sql(EXACT, exact=True).to_pandas()
    seconds = time.perf_counter() - start
    groups = frame.groupby(["EDUCATION", "MARRIAGE"])
    truth = groups.agg(
        n=("ID", "size"),
        total=("LIMIT_BAL", "sum"),
        mean=("LIMIT_BAL", "mean"),
        deviation=("LIMIT_BAL", "std"),
        bills=("BILL_AMT1", "sum"),
        age=("AGE", "mean"),
    ).reset_index()
    merged = found.merge(truth, on=["EDUCATION", "MARRIAGE"], suffixes=("", "_pandas"))
    whole = ("n", "total", "bills")
    exact = all((merged[c].astype(int) == merged[f"{c}_pandas"].astype(int)).all() for c in whole)
    worst = max(
        ((merged[c].astype(float) / merged[f"{c}_pandas"]) - 1).abs().max()
        for c in ("mean", "deviation", "age")
    )
    hidden = len(truth) - len(found)
    print(
        f"exact: {len(found)} groups in {seconds:.2f} s, {hidden} hidden "
        f"(sizes {sorted(set(truth.n) - set(found.n))}); counts and sums equal pandas: {exact}; "
        f"largest relative difference of means and deviations: {worst:.1e}"
    )
    if not exact or len(merged) != len(found):
        raise SystemExit("the exact answer differs from pandas")


def waiting(directory: Path) -> str:
    """The one grant request that waits at a node; it may still be on its way."""
    store = NodeStore(directory / "store.sqlite")
    store.open()
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            rows = [row for row in store.requests() if row.state == "waiting"]
            if rows:
                return rows[0].id
            time.sleep(0.05)
    finally:
        store.close()
    raise SystemExit("no grant request has arrived")


def count_intervals(veil: Veil, frame: pd.DataFrame, repeats: int) -> None:
    """Asks ad hoc, afresh every time, and counts true values within their intervals."""
    groups = frame.groupby("EDUCATION")["LIMIT_BAL"]
    truth = {"n": groups.size(), "total": groups.sum(), "mean": groups.mean()}
    truth["deviation"] = groups.std()
    within = dict.fromkeys(truth, 0)
    asked = dict.fromkeys(truth, 0)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        answer = veil.sql(ADHOC, fresh=True)
        times.append(time.perf_counter() - start)
        table, ends = answer.to_arrow().to_pydict(), answer.intervals
        if ends is None:
            raise SystemExit("an ad hoc answer has no intervals")
        bars = ends.to_pydict()
        for row, group in enumerate(table["EDUCATION"]):
            for name, values in truth.items():
                low, high = bars[f"{name}_low"][row], bars[f"{name}_high"][row]
                if low is not None and group in values.index and not pd.isna(values[group]):
                    asked[name] += 1
                    within[name] += float(low) <= values[group] <= float(high)
    times.sort()
    rates = ", ".join(f"{n} {within[n]}/{asked[n]} = {within[n] / asked[n]:.1%}" for n in truth)
    print(f"ad hoc, {repeats} fresh answers, epsilon 1; true value within its interval: {rates}")
    print(f"ad hoc, warm, five nodes: median {times[len(times) // 2]:.3f} s an answer")


if __name__ == "__main__":
    main()
