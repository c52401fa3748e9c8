"""Synthesises UCI Adult beside DataSynthesizer, and a generated table of a million rows.

    python -m benchmarks.synthesis [--data ../shared/data] [--rows 1000000] [--repeat 3]

**How like the data** (Adult, nine columns, ages in bands of five years, epsilon 1): the distance of
the two-way marginals, total variation, mean over all 36 pairs and over the repetitions. The peer is
DataSynthesizer 0.1.13 (PrivBayes: Zhang et al. 2014), with a tree (one parent) as ours is and with
two parents. Beside both: independent columns without any noise, which no tree may be worse than if
it is worth its budget. Not alike: the peer's epsilon is pure, ours comes with delta 10**-6; the
peer's neighbours differ in one row's values, and it takes the domains from the data.

**How fast**: a million rows of twelve columns, from a Parquet file to a whole release in a process
of its own; peak memory, and that of a tenth of the rows.

DataSynthesizer lives in an environment of its own: ``DATASYNTHESIZER_PYTHON`` names its Python.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import desensitize
from benchmarks.summary import record
from desensitize.policy import PublishPolicy
from desensitize.policy_file import parse_policy

DATA = Path(os.environ.get("VEIL_PUBLIC_DATA", Path(__file__).parents[2] / "shared" / "data"))
EPSILON: Final = 1.0
HERE: Final = Path(__file__).resolve().parent


def main() -> None:
    """Prints both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        likeness(options.data, Path(folder), options.repeat)
        speed(Path(folder), options.rows)


# ---- how like the data -------------------------------------------------------------------------


def likeness(data: Path, folder: Path, repeat: int) -> None:
    """Compares two-way marginals on Adult."""
    if not (data / "adult.csv").is_file():
        print(f"Adult: not run, no adult.csv in {data}")
        return
    frame = pd.read_csv(data / "adult.csv", sep=";", dtype=str)
    frame["age"] = (frame["age"].astype(int) // 5 * 5).astype(str)
    print(f"Adult, {len(frame):,} rows, {len(frame.columns)} columns, epsilon {EPSILON:g}, "
          f"{repeat} runs: distance of two-way marginals, mean (worst pair)")  # fmt: skip
    ours, seconds = with_veil(frame, folder, repeat)
    error = shown("ours, delta 1e-6", frame, ours, seconds)
    rng = np.random.default_rng(1)
    apart = frame.apply(lambda column: rng.permutation(column.to_numpy()))
    alone = shown("independent columns, no noise", frame, [apart], [])
    for parents, runs in ((1, repeat), (2, 1)):  # with two parents a run takes a minute
        theirs, seconds_theirs = with_datasynthesizer(frame, folder, runs, parents)
        if not theirs:
            return
        peer = shown(f"DataSynthesizer, {parents} parent(s)", frame, theirs, seconds_theirs)
        what = f"synthesis, Adult, error beside DataSynthesizer's, {parents} parents"
        record(what, error / peer, "x DataSynthesizer", most=1)
        record(f"… seconds, {parents} parents", mean(seconds) / mean(seconds_theirs), "x its time")
    record("synthesis, Adult, error beside independent columns", error / alone, "x", most=1)


def shown(
    name: str, frame: pd.DataFrame, made: Sequence[pd.DataFrame], seconds: list[float]
) -> float:
    """Prints a line; returns the mean distance."""
    found = [distances(frame, each) for each in made]
    error, worst = mean(map(mean, found)), mean(map(max, found))
    took = f"{mean(seconds):7.2f} s" if seconds else ""
    print(f"  {name:32}{error:8.4f} ({worst:.3f}) {took}")
    return error


def distances(frame: pd.DataFrame, made: pd.DataFrame) -> list[float]:
    """Total variation of every pair of columns."""
    result = []
    for pair in combinations(frame.columns, 2):
        one, other = (table.value_counts(list(pair), normalize=True) for table in (frame, made))
        result.append(float(one.sub(other, fill_value=0).abs().sum() / 2))
    return result


def with_veil(
    frame: pd.DataFrame, folder: Path, repeat: int
) -> tuple[list[pd.DataFrame], list[float]]:
    """Makes releases; values come from code lists, as a department would write them."""
    lines, domains = [], []
    for name in frame.columns:
        # Adult's code book is public; ages are those that there can be, not those that there are.
        listed = [str(age) for age in range(15, 95, 5)] if name == "age" else frame[name].unique()
        codes = json.dumps(sorted(listed))
        lines.append(f'[columns."{name}"]\ncodes = {codes}\nnullable = false')
        domains.append(f'"{name}" = "codes"')
    policy = parse_policy(
        'dataset = "adult"\n' + "\n".join(lines)
        + f"\n[publish.synthesis]\nepsilon = {EPSILON}\nrow_is_subject = true\n"
        "[publish.synthesis.domains]\n" + "\n".join(domains)
    )  # fmt: skip
    source = folder / "adult.csv"
    frame.to_csv(source, index=False)
    made, seconds = [], []
    for number in range(repeat):
        out, start = folder / f"adult{number}", time.perf_counter()
        desensitize.synthesise(source, policy=policy, out=out)
        seconds.append(time.perf_counter() - start)
        made.append(pq.read_table(out / "adult.synthetic.parquet").to_pandas())
    return made, seconds


def with_datasynthesizer(
    frame: pd.DataFrame, folder: Path, repeat: int, parents: int
) -> tuple[list[pd.DataFrame], list[float]]:
    """Has the peer do the same, if it is there."""
    python = os.environ.get("DATASYNTHESIZER_PYTHON")
    if not python:
        print("  DataSynthesizer: not run; make bench installs it")
        return [], []
    tasks = [
        {"source": str(folder / "adult.csv"), "out": str(folder / f"theirs{parents}{i}.csv"),
         "epsilon": EPSILON, "parents": parents, "seed": i}
        for i in range(repeat)
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - its own interpreter, our own file
        [python, str(HERE / "datasynthesizer_peer.py")],
        input=json.dumps(tasks), capture_output=True, text=True, check=True,
    )  # fmt: skip
    made = [pd.read_csv(task["out"], dtype=str)[list(frame.columns)] for task in tasks]
    return made, json.loads(done.stdout)


# ---- how fast ----------------------------------------------------------------------------------


def table(rows: int) -> pa.Table:
    """Makes twelve columns that hang together: six numbers, four codes, a day and a place."""
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=rows)
    columns: dict[str, object] = {
        f"n{i}": np.clip(50 + 10 * (hidden * 0.8**i + rng.normal(size=rows)), 0, 99).astype(int)
        for i in range(6)
    }
    first = np.clip(50 + 10 * hidden, 0, 99).astype(int)
    codes = pa.array([f"v{i}" for i in range(20)])
    columns |= {
        f"c{i}": codes.take(pa.array(np.clip(first // 5 + rng.integers(0, 3, rows), 0, 19)))
        for i in range(4)
    }
    columns["day"] = pa.array((19_000 + first * 10).astype(np.int32)).cast(pa.date32())
    places = pa.array(["440106", "440103", "110105", "310115", "330106"])
    columns["place"] = places.take(pa.array(rng.integers(0, 5, rows)))
    return pa.table(columns)


def twelve() -> PublishPolicy:
    """The policy of the table."""
    numbers = "".join(
        f'[columns.n{i}]\ntype = "integer"\nbounds = [0, 99]\n' for i in range(6)
    )  # fmt: skip
    codes = json.dumps([f"v{i}" for i in range(20)])
    lists = "".join(f"[columns.c{i}]\ncodes = {codes}\n" for i in range(4))
    domains = "".join(f"n{i} = {{ band = 5 }}\n" for i in range(6))
    domains += "".join(f'c{i} = "codes"\n' for i in range(4))
    return parse_policy(
        f'dataset = "twelve"\n{numbers}{lists}[columns.day]\nbounds = [2020-01-01, 2025-12-31]\n'
        f"[columns.place]\n[publish.synthesis]\nepsilon = {EPSILON}\nrow_is_subject = true\n"
        f'[publish.synthesis.domains]\n{domains}day = {{ date = "month" }}\n'
        'place = { district = "city" }\n'
    )


def speed(folder: Path, rows: int) -> None:
    """Times a whole release, and compares its memory with that of a tenth."""
    for part in (rows // 10, rows):
        source = folder / f"twelve{part}.parquet"
        pq.write_table(table(part), source)
        seconds, peak = timed(source, folder / f"out{part}")
        print(f"12 columns, {part:11,} rows, file to release: {seconds:6.2f} s "
              f"{part / seconds:10,.0f} rows/s, peak {peak:.0f} MiB")  # fmt: skip
    record(f"synthesis, {rows:,} rows x 12 columns, a whole release", seconds, "s", most=15)


def timed(source: Path, out: Path) -> tuple[float, float]:
    """Seconds of a release, and peak memory of the process that read the file."""
    code = (
        "import sys, time, resource, desensitize\n"
        "from benchmarks.synthesis import twelve\n"
        "policy, start = twelve(), time.perf_counter()\n"
        "desensitize.synthesise(sys.argv[1], policy=policy, out=sys.argv[2])\n"
        "print(time.perf_counter() - start)\n"
        "from desensitize.engines import nursery\nnursery.end()\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter, our own file
        [sys.executable, "-c", code, str(source), str(out)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak


if __name__ == "__main__":
    main()
