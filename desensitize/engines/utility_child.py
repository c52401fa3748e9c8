"""Compares one release with its original: a limited child process, as ``scan_child``.

Answers with figures only; no value of either file.
"""

from __future__ import annotations

from desensitize.engines.limits import bind, isolate

if __name__ == "__main__":
    isolate()

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from desensitize.engines.child import answer, tell_progress
from desensitize.engines.foreign_file import engine_config, exhausted
from desensitize.engines.take import take
from desensitize.policy_file import parse_policy
from desensitize.usefulness import UtilityReport
from desensitize.usefulness.compare import compare_tables


@dataclass(frozen=True)
class UtilityTask:
    """What to compare.

    Attributes:
        source: The original; its suffix says what it is, anything unknown is read as CSV.
        sheet: Sheet of a workbook; empty for the first.
        release: Parquet file of the release.
        policy: Text of the policy.
        folder: Where its files lie.
        levels: Level of each column that has a hierarchy.
        order: Seed of the release's order of rows, hexadecimal; may be empty.
        target: Column that models tell.
        models: Their names.
        seed: Of the parts and the models.
        memory_bytes: Address space of this process beyond what it has at its start.
        disk_bytes: Largest file that it may write.
        cpu_s: CPU seconds.
    """

    source: str
    sheet: str
    release: str
    policy: str
    folder: str
    levels: dict[str, str]
    order: str
    target: str
    models: list[str]
    seed: int
    memory_bytes: int
    disk_bytes: int
    cpu_s: int


def main() -> None:
    """Runs one task from standard input."""
    task = UtilityTask(**json.load(sys.stdin))
    bind(task.memory_bytes, task.disk_bytes, task.cpu_s)
    answer(lambda: run(task).to_dict())


def run(task: UtilityTask) -> UtilityReport:
    """Compares both.

    Raises:
        InputError: A file is wrong, or does not go with the policy.
        UnavailableError: Memory, disk or time did not suffice.
    """
    source = Path(task.source)
    policy = parse_policy(task.policy, folder=Path(task.folder))
    try:
        with duckdb.connect(config=engine_config(task.memory_bytes)) as engine:
            engine.execute("SET preserve_insertion_order = true")
            original = take("original", source, engine, sheet=task.sheet)
            release = take("release", Path(task.release), engine)
            return compare_tables(
                original, release, policy, levels=task.levels, order=bytes.fromhex(task.order),
                target=task.target, models=task.models, seed=task.seed, progress=tell_progress,
            )  # fmt: skip
    except (duckdb.Error, MemoryError, OSError) as error:
        raise exhausted(source.name, error) from error


if __name__ == "__main__":
    main()
    os._exit(0)  # the engine's extension module complains at an orderly exit
