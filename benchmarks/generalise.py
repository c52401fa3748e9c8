"""Searches for the levels of least loss, and counts equivalence classes, beside pandas.

    python -m benchmarks.generalise [--data ../shared/data] [--rows 1000000] [--check-rows 10000000]

Adult: UCI's census extract with nine quasi-identifiers and ARX's hierarchies, k = 5, at most 5 %
suppressed, if a directory with both is there. What ARX needed is recorded, not measured here. A
generated table of five quasi-identifiers: the search at a million rows, the risk at ten million.
pandas runs in the same process on the same rows: it measures one node of the search, which a search
over rows pays for every node it tries, and counts the classes of the ten million.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from benchmarks.summary import record
from desensitize.divisions import divisions
from desensitize.generalise import Chosen, choose
from desensitize.keys import TokenKeys
from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy
from desensitize.risks import measure
from desensitize.sources import open_object

ADULT = (
    "sex", "age", "race", "marital-status", "education", "native-country", "workclass",
    "occupation", "salary-class",
)  # fmt: skip
ARX_NODE = (0, 3, 0, 0, 2, 1, 1, 2, 0)
ARX_S = 0.96
"""Recorded: ARX in a warm JVM on a machine like this one, the same input and models."""
LEVELS = {
    "sex": ("value", "*"),
    "age": ("value", "5", "10", "20", "*"),
    "district": ("district", "city", "province", "*"),
    "education": ("value", "*"),
    "marital": ("value", "*"),
}
DATA = Path(os.environ.get("VEIL_PUBLIC_DATA", Path(__file__).parents[2] / "shared" / "data"))


def best(repeat: int, work: Callable[[], object]) -> float:
    """Seconds of the quickest of several runs: other work on the machine only ever adds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def policy(levels: dict[str, str], models: str, folder: Path, sensitive: str = "") -> PublishPolicy:
    """Makes a policy of quasi-identifiers; ``levels`` in TOML, by column."""
    roles = "".join(f'[columns."{name}"]\nrole = "quasi"\n' for name in levels)
    lines = "".join(f'"{name}" = {written}\n' for name, written in levels.items())
    kept = ""
    if sensitive:
        roles += f'[columns."{sensitive}"]\nrole = "sensitive"\n'
        kept = f'methods = {{ "{sensitive}" = "keep" }}\n'
    text = (
        f'dataset = "bench"\n{roles}[publish]\nmodels = {models}\n{kept}'
        f"[publish.hierarchies]\n{lines}"
    )
    return parse_policy(text, folder=folder)


def people(rows: int) -> pa.Table:
    """Makes a table; districts are drawn by Zipf's law, as people live in them."""
    rng = np.random.default_rng(5)
    codes = np.array([code for code in divisions() if not code.endswith("00")])
    share = 1 / np.arange(1, len(codes) + 1)
    drawn = rng.choice(len(codes), rows, p=share / share.sum())
    return pa.table(
        {
            "sex": pa.DictionaryArray.from_arrays(
                pa.array(rng.integers(0, 2, rows, np.int8)), ["F", "M"]
            ).cast(pa.string()),
            "age": np.clip(rng.normal(45, 18, rows), 18, 90).astype(np.int64),
            "district": pa.array(codes).take(pa.array(drawn)),
            "education": pa.array([f"e{i}" for i in range(7)]).take(
                pa.array(np.minimum(rng.geometric(0.35, rows) - 1, 6))
            ),
            "marital": pa.array(["single", "married", "divorced", "widowed"]).take(
                pa.array(rng.choice(4, rows, p=[0.3, 0.6, 0.06, 0.04]))
            ),
        }
    )


def found(data: pa.Table, rules: PublishPolicy) -> Chosen:
    """Chooses levels: reads, groups, searches."""
    table = open_object(data)
    try:
        chosen = choose(table, rules, TokenKeys())
    finally:
        table.engine.close()
    if chosen is None:
        raise SystemExit("nothing was asked")
    return chosen


def adult(folder: Path, repeat: int) -> None:
    """Shows ARX's own example; a wrong optimum ends the benchmark."""
    if not (folder / "adult.csv").is_file():
        print(f"Adult: not run, no adult.csv in {folder}")
        return
    data = pyarrow.csv.read_csv(
        folder / "adult.csv", parse_options=pyarrow.csv.ParseOptions(delimiter=";")
    )
    files = {name: f'{{ file = "adult_hierarchy_{name}.csv" }}' for name in ADULT}
    rules = policy(files, "{ k = 5, max_suppressed = 0.05 }", folder)
    result = found(data, rules).found
    if result.node != ARX_NODE:
        raise SystemExit(f"not ARX's optimum: {result.node}")
    seconds = best(repeat, lambda: found(data, rules))
    print(
        f"Adult, 9 columns, k = 5, 5 %: {result.tried:,} of {result.nodes:,} nodes, "
        f"{seconds:.2f} s; ARX's optimum, recorded at {ARX_S} s"
    )
    record("least loss, Adult, 9 quasi-identifiers", seconds, "s", most=1)
    per_node(data.to_pandas(), list(ADULT), result.tried)
    del files["occupation"]
    rules = policy(files, "{ k = 5, l = 3, t = 0.3, max_suppressed = 0.05 }", folder, "occupation")
    result = found(data, rules).found
    seconds = best(repeat, lambda: found(data, rules))
    print(
        f"Adult, 8 columns, occupation within t = 0.3, l = 3, k = 5, 5 %: {result.tried:,} of "
        f"{result.nodes:,} nodes, {seconds:.2f} s"
    )
    record("least loss, Adult, 8 quasi-identifiers, l and t", seconds, "s", most=1)


def per_node(frame: pd.DataFrame, names: list[str], tried: int) -> None:
    """Shows what pandas needs to measure one node over the rows, columns as categories."""
    for name in names:
        frame[name] = frame[name].astype("category")
    seconds = best(3, lambda: frame.groupby(names, observed=True, sort=False).size().min())
    print(
        f"  pandas, class sizes of one node: {seconds * 1000:.0f} ms; "
        f"{tried:,} of them {seconds * tried:.1f} s"
    )


def generated(rows: int, repeat: int) -> None:
    """Shows the search over a generated table."""
    data = people(rows)
    levels = {
        name: "[" + ", ".join(f'"{level}"' for level in named) + "]"
        for name, named in LEVELS.items()
    }
    rules = policy(levels, "{ k = 20, max_suppressed = 0.02 }", Path())
    chosen = found(data, rules)
    seconds = best(repeat, lambda: found(data, rules))
    result = chosen.found
    print(
        f"generated, {rows:,} rows x 5, k = 20, 2 %: {result.tried} of {result.nodes} nodes, "
        f"{seconds:.2f} s, {chosen.levels}, loss {result.loss:.3f}"
    )
    record(f"least loss, {rows:,} rows x 5", seconds, "s", most=1)
    per_node(data.to_pandas(), list(LEVELS), result.tried)


def check(rows: int, repeat: int) -> None:
    """Shows how long it takes to measure what would be published."""
    data = people(rows)
    table = open_object(data)
    names = list(LEVELS)
    report = measure(table, names)
    seconds = best(repeat, lambda: measure(table, names))
    table.engine.close()
    frame = data.to_pandas(strings_to_categorical=True)
    peer = best(1, lambda: frame.groupby(names, observed=True, sort=False).size())
    sizes = frame.groupby(names, observed=True, sort=False).size()
    if (len(sizes), int(sizes.min())) != (report.classes, report.k):
        raise SystemExit("pandas finds other classes")
    print(
        f"risk, {rows:,} rows x 5: {report.classes:,} classes, {seconds:.2f} s; "
        f"pandas, categories, class sizes alone: {peer:.2f} s"
    )
    record(f"risk of {rows:,} rows x 5", seconds, "s", most=3)


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--check-rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    adult(options.data, options.repeat)
    generated(options.rows, options.repeat)
    check(options.check_rows, options.repeat)


if __name__ == "__main__":
    main()
