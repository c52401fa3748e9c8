"""A warm federated aggregate from SQL text to checked answer, on a real cluster of processes.

    python -m benchmarks.end_to_end [--nodes 3 21] [--repeats 30] [--write]

Prints p50 and p95; where the time goes (the stages of one answer, by this machine's clock); what
every process costs (processor time of an answer, memory), which says the same on a busy machine;
and how long ``veil up`` takes. There is no peer that installs here; platforms that start a
container per task take 10 s and more for the same. ``--write`` puts it into docs/performance.md.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import summary
from benchmarks.processes import Cost, costs
from catalog import sample_files
from catalog.sample import visits
from exchange.analyst.client import Veil, connect
from exchange.cluster.cluster import Cluster
from exchange.cluster.config import load_cluster_config
from exchange.ports import Progress

STATEMENT: Final = (
    "SELECT department, COUNT(*) AS n, AVG(cost) AS cost FROM visits GROUP BY department"
)
ROWS: Final = 2_000
WARM: Final = 5  # answers that are not counted
TARGETS_MS: Final = {3: 150.0}
PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN: Final = "<!-- end to end: begin -->"
END: Final = "<!-- end to end: end -->"
STAGES: Final = {
    "plan": "parse, bind, draft, judge, sign; until the exchange has the plan",
    "main/advertise": "nodes judge, reserve budget, start the query, advertise keys",
    "main/shares": "keys are checked and agreed on, shares go round",
    "main/masked": "the rest of the query; noise, mask; reply on the 50 ms grid",
    "main/consistency": "nodes sign the set of survivors",
    "main/unmask": "signatures are checked, masks come off",
    "receipt": "nodes sign what they did; receipt",
    "open": "fetch, check the receipt, open, post-process",
}


@dataclass(frozen=True)
class Measured:
    """One size of cluster.

    Attributes:
        nodes: Departments.
        up_s: Seconds that ``veil up`` took.
        totals_ms: Each run, sorted.
        stages_ms: Median of each stage.
        costs: Of each kind of process.
        load: Load average before and after.
    """

    nodes: int
    up_s: float
    totals_ms: tuple[float, ...]
    stages_ms: dict[str, float]
    costs: tuple[Cost, ...]
    load: tuple[float, float]

    def quantile(self, share: float) -> float:
        """Milliseconds that this share of the runs stayed within."""
        return self.totals_ms[min(len(self.totals_ms) - 1, int(len(self.totals_ms) * share))]


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[3, 21])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--write", action="store_true", help="fill docs/performance.md, too")
    options = parser.parse_args()
    found = []
    for nodes in options.nodes:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(Path(folder), nodes, options.repeats))
        print(report(found[-1]))
        summary.record(
            f"a whole answer, {nodes} nodes on this machine, p50",
            found[-1].quantile(0.5),
            "ms",
            most=TARGETS_MS.get(nodes, 0.0),
        )
    if options.write:
        write_page("\n".join(map(report, found)))


def measure(folder: Path, nodes: int, repeats: int) -> Measured:
    """Measures one size of cluster."""
    cluster = Cluster(folder / "cluster")
    load = os.getloadavg()[0]
    started = time.perf_counter()
    cluster.up(load_cluster_config(write(folder, nodes)), lambda _: None)
    up_s = time.perf_counter() - started
    try:
        with connect(cluster.profile) as veil:
            for _ in range(WARM):
                ask(veil)
            look = costs(cluster.processes())
            runs = [ask(veil) for _ in range(repeats)]
            spent = look(repeats)
    finally:
        cluster.down()
    return Measured(
        nodes,
        up_s,
        tuple(sorted(sum(run.values()) for run in runs)),
        {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]},
        spent,
        (load, os.getloadavg()[0]),
    )


def ask(veil: Veil) -> dict[str, float]:
    """Asks once and returns milliseconds by stage; all clocks are this machine's."""
    marks: list[tuple[str, float]] = [("plan", time.time())]

    def watch(step: Progress) -> None:
        if step.what == "round":
            marks.append((step.text, step.at))
        elif step.what == "done":
            marks.append(("open", step.at))

    veil.sql(STATEMENT, watch=watch, fresh=True, epsilon=0.01)
    marks.append(("", time.time()))
    stages: dict[str, float] = defaultdict(float)
    for (stage, begin), (_, end) in itertools.pairwise(marks):
        stages[stage] += (end - begin) * 1e3
    return dict(stages)


def report(found: Measured) -> str:
    """The measurement as Markdown."""
    before, after = found.load
    circumstances = (
        f"p50 **{found.quantile(0.5):.0f} ms**, p95 {found.quantile(0.95):.0f} ms "
        f"({len(found.totals_ms)} answers). {time.strftime('%Y-%m-%d')}, {os.cpu_count()} "
        f"processors, Python {platform.python_version()}, load average {before:.1f} before and "
        f"{after:.1f} after. `veil up`: {found.up_s:.1f} s."
    )
    lines = [
        f"### {found.nodes} nodes",
        "",
        circumstances,
        "",
        *_table(
            ("stage", "median", "what happens"),
            [
                (stage.removeprefix("main/"), f"{ms:.1f} ms", STAGES.get(stage, ""))
                for stage, ms in found.stages_ms.items()
            ],
        ),
        *_table(
            ("processes", "processor time of one answer", "of each", "memory of each (PSS)"),
            [cost.row() for cost in found.costs],
        ),
    ]
    return "\n".join(lines)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *rows]
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]


def write_page(text: str, page: Path = PAGE) -> None:
    """Replaces the marked block of docs/performance.md."""
    head, rest = page.read_text("utf-8").split(BEGIN)
    tail = rest.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n{text}{END}{tail}", "utf-8")


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
