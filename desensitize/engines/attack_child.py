"""Attacks one release of a foreign file: a limited child process, as ``scan_child``.

Answers with figures only; no value of either file.
"""

from __future__ import annotations

from desensitize.engines.limits import bind, isolate

if __name__ == "__main__":
    isolate()

import datetime as dt
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from desensitize.attacks import AttackReport, Earlier, attack_tables
from desensitize.engines.child import answer, tell_progress
from desensitize.engines.foreign_file import engine_config, exhausted
from desensitize.engines.take import take
from desensitize.policy_file import parse_policy


@dataclass(frozen=True)
class AttackTask:
    """What to attack.

    Attributes:
        source: The original; its suffix says what it is, anything unknown is read as CSV.
        sheet: Sheet of a workbook; empty for the first.
        release: Parquet file of the release, or any table.
        policy: Text of the policy.
        folder: Where its files lie.
        levels: Level of each column that has a hierarchy.
        today: ISO date; last possible day of birth.
        order: Seed of the release's order of rows, hexadecimal; may be empty.
        auxiliary: What an attacker has; empty for the original itself.
        earlier: Names, tables and levels of earlier releases.
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
    today: str
    order: str
    auxiliary: str
    earlier: list[tuple[str, str, dict[str, str]]]
    memory_bytes: int
    disk_bytes: int
    cpu_s: int


def main() -> None:
    """Runs one task from standard input."""
    task = AttackTask(**json.load(sys.stdin))
    bind(task.memory_bytes, task.disk_bytes, task.cpu_s)
    answer(lambda: run(task).to_dict())


def run(task: AttackTask) -> AttackReport:
    """Attacks the release.

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
            auxiliary = None
            if task.auxiliary:
                auxiliary = take("auxiliary", Path(task.auxiliary), engine)
            earlier = [
                Earlier(name, take(f"earlier{place}", Path(path), engine), before)
                for place, (name, path, before) in enumerate(task.earlier)
            ]
            return attack_tables(
                original, release, policy, levels=task.levels,
                today=dt.date.fromisoformat(task.today), order=bytes.fromhex(task.order),
                auxiliary=auxiliary, earlier=earlier, progress=tell_progress,
            )  # fmt: skip
    except (duckdb.Error, MemoryError, OSError) as error:
        raise exhausted(source.name, error) from error


if __name__ == "__main__":
    main()
    os._exit(0)  # the engine's extension module complains at an orderly exit
