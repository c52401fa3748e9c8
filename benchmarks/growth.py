"""How time and memory grow with the rows: every verb of the pipeline on a generated Chinese table.

    python -m benchmarks.growth [--least 10000] [--most 1000000] [--verbs scan plan run attack …]

From 10 thousand rows, ten times as many each time, up to 100 million with ``--most 100000000``
(some 60 GB of disk). Eight columns: an id that becomes a token, a day of birth and a division code
with hierarchies and k = 20, sex, diagnosis, amount, day of treatment, ethnic group. Each verb runs
in a process of its own, so that the peak memory of its limited child is known; all limits are the
default ones. No peer does the same.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

import desensitize
from benchmarks.summary import record
from desensitize.divisions import divisions
from desensitize.engines import nursery
from desensitize.keys import TokenKey, TokenKeys
from desensitize.policy_file import parse_policy
from protos.language import Text

VERBS = ("scan", "plan", "run", "risk", "attack", "gate")
KEYS = TokenKeys((TokenKey("people", "0001", "", bytes(range(32))),))
POLICY = parse_policy("""
dataset = "visits"
[columns."人员编号"]
role = "direct"
[columns."出生日期"]
role = "quasi"
type = "date"
[columns."区划"]
role = "quasi"
[columns."性别"]
role = "quasi"
[columns."诊断"]
role = "sensitive"
[columns."金额"]
type = "decimal"
bounds = [0, 1000000]
[columns."就诊日期"]
type = "date"
[columns."民族"]
[publish]
hierarchies = { "出生日期" = ["year", "5y", "10y", "*"], "区划" = ["district", "city", "province", "*"] }
models = { k = 20, max_suppressed = 0.02 }
attacks = { linkage_correct_max = 0.01, unique_share_max = 0.01 }
[publish.methods]
"人员编号" = { token = "people" }
"性别" = "keep"
"诊断" = "keep"
"金额" = { top_code = 50000, round = 100 }
"就诊日期" = { date = "month" }
"民族" = "drop"
""")  # noqa: E501
_ILLNESSES = (
    "高血压",
    "糖尿病",
    "冠心病",
    "肺炎",
    "胃炎",
    "骨折",
    "白内障",
    "哮喘",
    "肝炎",
    "肾结石",
)
_PEOPLES = ("汉族", "汉族", "汉族", "汉族", "壮族", "满族", "回族", "苗族")


def make(rows: int, path: Path) -> None:
    """Writes the table; the same each time."""

    def one_of(values: tuple[str, ...], salt: int) -> str:
        listed = ", ".join(f"'{value}'" for value in values)
        return f"[{listed}][1 + (hash(i, {salt}) % {len(values)})::BIGINT]"

    codes = tuple(code for code in sorted(divisions()) if not code.endswith("00"))
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE codes AS SELECT unnest($1) AS code", [list(codes)])
        engine.execute(
            f"COPY (SELECT printf('P%010d', (i * 2654435761) % 10000000019) AS 人员编号, "  # noqa: S608
            "(DATE '1940-01-01' + (hash(i, 1) % 27000)::INTEGER)::VARCHAR AS 出生日期, "
            f"c.code AS 区划, {one_of(('男', '女'), 3)} AS 性别, {one_of(_ILLNESSES, 4)} AS 诊断, "
            "(hash(i, 5) % 6000000 / 100)::DECIMAL(12, 2) AS 金额, "
            "(DATE '2024-01-01' + (hash(i, 6) % 366)::INTEGER)::VARCHAR AS 就诊日期, "
            f"{one_of(_PEOPLES, 7)} AS 民族 FROM range({rows}) r(i) "
            f"JOIN codes c ON c.rowid = (hash(i, 2) % {len(codes)})::BIGINT) "
            f"TO '{path}' (FORMAT parquet)"
        )


def work(verb: str, folder: Path) -> dict[str, float]:
    """Does one verb; returns seconds of each of its parts, in order."""
    source, out = folder / "visits.parquet", folder / "release"
    marks: list[tuple[str, float]] = [(verb, time.perf_counter())]

    def begins(stage: Text) -> None:
        marks.append((f"{verb}: {stage.en.lower()}", time.perf_counter()))

    match verb:
        case "scan":
            desensitize.scan(source)
        case "plan":
            desensitize.plan(source)
        case "run":
            marks[0] = ("run: masking", marks[0][1])
            desensitize.run(source, policy=POLICY, out=out, token_keys=KEYS, stages=begins)
        case "risk":
            quasi = [column.name for column in POLICY.published if column.quasi]
            desensitize.risk(out / "visits.parquet", quasi, ["诊断"])
        case "attack":
            desensitize.attack(source, out)
        case "gate":
            marks[0] = ("gate: digests", marks[0][1])
            desensitize.gate(out, original=source, stages=begins)
    ends = [begin for _, begin in marks[1:]] + [time.perf_counter()]
    return {name: end - begin for (name, begin), end in zip(marks, ends, strict=True)}


def apart(verb: str, folder: Path) -> tuple[dict[str, float], float]:
    """Does one verb in a process of its own; returns seconds of its parts, and MiB."""
    done = subprocess.run(  # noqa: S603 - this interpreter, our own file
        [sys.executable, "-m", "benchmarks.growth", "--work", verb, str(folder)],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return {}, 0.0
    said = json.loads(done.stdout)
    return said["seconds"], said["mib"]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least", type=int, default=10_000)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=VERBS)
    parser.add_argument("--folder", type=Path, help="where there is room")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        seconds = work(options.work[0], Path(options.work[1]))
        nursery.end()
        mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        sys.stdout.write(json.dumps({"seconds": seconds, "mib": mib}))
        return
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load average {load:.1f}")
    print(f"{'rows':>11}  {'what':34}{'seconds':>9}{'rows/s':>12}{'MiB':>7}")
    rows = options.least
    while rows <= options.most:
        folder = Path(tempfile.mkdtemp(prefix="veil-growth-", dir=options.folder))
        try:
            make(rows, folder / "visits.parquet")
            for verb in options.verbs:
                show(rows, verb, *apart(verb, folder))
        finally:
            shutil.rmtree(folder)
        rows *= 10


def show(rows: int, verb: str, parts: dict[str, float], mib: float) -> None:
    """Prints one verb's lines, the whole last."""
    lines = dict(parts)
    if not lines:
        print(f"{rows:11,}  {verb:34}   failed", flush=True)
        return
    if len(lines) > 1:
        lines[f"{verb}, all together"] = sum(parts.values())
    for name, seconds in lines.items():
        peak = f"{mib:7,.0f}" if name == list(lines)[-1] else ""
        print(f"{rows:11,}  {name:34}{seconds:9.2f}{rows / seconds:12,.0f}{peak}", flush=True)
    if verb in {"attack", "gate"}:
        record(f"{verb} of {rows:,} rows, peak memory", mib, "MiB", most=2048)


if __name__ == "__main__":
    main()
