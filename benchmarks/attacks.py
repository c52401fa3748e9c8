"""Attacks a release of a generated Chinese table: all attacks, in the limited process.

    python -m benchmarks.attacks [--rows 1000000]

The release keeps the usual masks of ids and mobile numbers, the month of birth, sex and income:
the worst case for the attacks, for every row is different. No peer does the same.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import desensitize
from benchmarks import summary
from desensitize.attacks import mask_reversal, resident_space
from desensitize.engines import nursery
from tests.attack_world import TODAY, people, policy_for

METHODS = {
    "name": '"drop"',
    "id": "{ keep_first = 6, keep_last = 4 }",
    "phone": "{ keep_first = 3, keep_last = 4 }",
    "birth": '{ date = "month" }',
    "sex": '"keep"',
    "income": "{ round = 1000 }",
}


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    data = people(rows)
    with tempfile.TemporaryDirectory() as folder:
        original, out = Path(folder) / "o.parquet", Path(folder) / "release"
        pq.write_table(pa.table({name: data[name] for name in METHODS}), original)
        policy = policy_for(
            METHODS, "mask_candidates_min = 1000", more='gate = { rescan = "report" }'
        )
        desensitize.run(original, policy=policy, out=out, attack=False)
        begin = time.perf_counter()
        last = [begin]

        def told(done: int, _: int | None) -> None:
            now = time.perf_counter()
            print(f"  {done // rows}: {now - last[0]:6.2f} s")
            last[0] = now

        report = desensitize.attack(original, out, progress=told)
        seconds = time.perf_counter() - begin
    nursery.end()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    for finding in report.findings:
        print(f"{finding.attack:15} {finding.figure:12,.4f}  {finding.verdict}")
    print(f"{rows:,} rows, {len(report.findings)} findings: {seconds:.1f} s, {peak:,.0f} MB")
    summary.record(f"all attacks, {rows:,} rows", seconds, "s", most=60)
    _counting(rows, data["id"])


def _counting(rows: int, ids: list[str]) -> None:
    """How long the candidates of all masks take."""
    cells = np.frombuffer("".join(ids).encode(), dtype=np.uint8).reshape(-1, 18).copy()
    cells[:, 6:14] = resident_space.HIDDEN
    births = mask_reversal.births_until(TODAY)
    begin = time.perf_counter()
    resident_space.count(cells, resident_space.nothing_beside(rows, births), births)
    seconds = time.perf_counter() - begin
    print(f"candidates of {rows:,} masks: {seconds:.2f} s, {rows / seconds:,.0f} masks/s")
    summary.record("candidates of masked ids", rows / seconds, "masks/s", least=200_000)


if __name__ == "__main__":
    main()
