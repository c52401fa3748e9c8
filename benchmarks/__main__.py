"""Runs every benchmark, one after the other, then prints one table: ``make bench``.

Each is a process of its own, so that one's memory and threads do not slow the next. Every ratio
compares with a peer that ran on the same work in the same run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import summary

BENCHMARKS = (
    ("masked_sum", "secure aggregation beside Flower's"),
    ("he_sum", "homomorphic sums beside phe"),
    ("partial", "a node's own part beside plain DuckDB"),
    ("end_to_end", "a whole answer on a real cluster"),
    ("recognition", "how well personal data is recognised"),
    ("scan", "a full scan beside Presidio's, cell by cell"),
    ("attacks", "every attack on a release of a million rows"),
    ("masking", "a policy of 12 columns beside polars and presidio-anonymizer"),
    ("catalog_search", "search of the catalog beside FTS5's tokenizers and tantivy"),
    ("portal", "pages of the portal over a catalog of a province"),
    ("harvest", "feeds and their harvest beside a plain rdflib loop"),
    ("access", "data calls that are authorised and audited"),
    ("growth", "every verb of the pipeline from ten thousand rows to a million"),
    ("generalise", "levels of least loss beside pandas and ARX's recorded figures"),
    ("synthesis", "synthetic rows beside DataSynthesizer's, and how fast they come"),
    ("data_calls", "authorised, audited calls for public rows beside Datasette"),
    ("certificates", "certificates issued and logged, verified, tampered with"),
)


def main() -> int:
    """Runs them all; returns 1 if one failed. A missed target is shown, and is no failure."""
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "summary"
        lines.touch()
        environment = {**os.environ, summary.FILE: str(lines)}
        for name, what in BENCHMARKS:
            print(f"\n== {name}: {what}", flush=True)
            start = time.perf_counter()
            command = [sys.executable, "-m", f"benchmarks.{name}"]
            done = subprocess.run(command, check=False, env=environment)  # noqa: S603
            print(f"   ({time.perf_counter() - start:.0f} s)", flush=True)
            if done.returncode:
                failed.append(name)
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(f"\n== summary ({os.cpu_count()} processors, load average {load})\n")
        print(summary.table(lines))
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
