"""Runs every benchmark, one after the other, and prints one table: ``make bench``.

Each is a process of its own, so that one's memory and threads do not slow the next. Every ratio
compares with a peer that ran on the same work in the same run.
"""

from __future__ import annotations

import subprocess
import sys
import time

BENCHMARKS = (
    ("masked_sum", "secure aggregation beside Flower's"),
    ("he_sum", "homomorphic sums beside phe"),
    ("partial", "a node's own part beside plain DuckDB"),
    ("end_to_end", "a whole answer on a real cluster"),
    ("recognition", "how well personal data is recognised"),
    ("scan", "a full scan beside Presidio's, cell by cell"),
)


def main() -> int:
    """Runs them all; returns 1 if one failed."""
    failed = []
    for name, what in BENCHMARKS:
        print(f"\n== {name}: {what}", flush=True)
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)  # noqa: S603
        print(f"   ({time.perf_counter() - start:.0f} s)", flush=True)
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
