"""Measures the risk of one foreign file: a limited child process, as ``scan_child``.

Looks for direct identifiers in every cell first, unless that has been done, then groups. Answers
with the report as JSON; figures only, no value of the file.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

from dataclasses import dataclass
from pathlib import Path

import duckdb

from desensitize.engines.child import Task, serve, tell_progress
from desensitize.engines.foreign_file import engine_for, open_file
from desensitize.engines.take import take
from desensitize.generalise.choose import masked_population
from desensitize.generalise.levels import methods_of
from desensitize.keys import TokenKeys
from desensitize.policy_file import parse_policy
from desensitize.risks import RiskReport, measure
from desensitize.scanning.findings import direct_cells
from desensitize.scanning.table_scan import scan_table
from desensitize.sources import Table


@dataclass(frozen=True)
class RiskTask(Task):
    """What to measure.

    Attributes:
        population: Another file, or empty.
        quasi: Quasi-identifiers.
        sensitive: Sensitive columns.
        direct: Columns in which a scan has found direct identifiers; None to scan here.
        policy: Text of the policy that the population has to be masked by; empty if it need not.
        folder: Where its files lie.
        levels: Level of each column that has a hierarchy.
        same: Texts of sensitive columns that mean the same, in groups.
    """

    population: str
    quasi: list[str]
    sensitive: list[str]
    direct: list[str] | None
    policy: str
    folder: str
    levels: dict[str, str]
    same: dict[str, list[list[str]]]


def run(task: RiskTask) -> RiskReport:
    """Measures the file.

    Raises:
        InputError: The file is wrong, or has no such columns.
        UnavailableError: Memory, disk or time did not suffice.
    """
    with engine_for(task) as engine:
        table = open_file(task.path, task.sheet, engine)
        population = _population(task, engine) if task.population else None
        direct = task.direct
        if direct is None:
            direct = list(direct_cells(scan_table(table, full=True, progress=tell_progress)))
        return measure(
            table, task.quasi, task.sensitive, population=population, direct=direct, same=task.same
        )


def _population(task: RiskTask, engine: duckdb.DuckDBPyConnection) -> Table:
    """Takes what is needed of the population into the engine, masked like the release."""
    if not task.policy:
        return take("population", Path(task.population), engine, only=task.quasi)
    policy = parse_policy(task.policy, folder=Path(task.folder))
    methods = {c.name: methods_of(c, policy, task.levels) for c in policy.published if c.quasi}
    everybody = take("population", Path(task.population), engine)
    return masked_population(everybody, policy, TokenKeys(), methods)


if __name__ == "__main__":
    serve(RiskTask, lambda task: run(task).to_dict())
