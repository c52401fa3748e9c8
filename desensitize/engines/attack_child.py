"""Attacks one release of a foreign file: a limited child process, as ``scan_child``.

Answers with figures only; no value of either file.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from desensitize.attacks import AttackReport, Earlier, attack_tables
from desensitize.engines.child import Task, serve, tell_progress
from desensitize.engines.foreign_file import engine_for
from desensitize.engines.take import take
from desensitize.policy_file import parse_policy


@dataclass(frozen=True)
class AttackTask(Task):
    """What to attack.

    Attributes:
        release: Parquet file of the release, or any table.
        policy: Text of the policy.
        folder: Where its files lie.
        levels: Level of each column that has a hierarchy.
        today: ISO date; last possible day of birth.
        order: Seed of the release's order of rows, hexadecimal; may be empty.
        auxiliary: What an attacker has; empty for the original itself.
        earlier: Names, tables and levels of earlier releases.
    """

    release: str
    policy: str
    folder: str
    levels: dict[str, str]
    today: str
    order: str
    auxiliary: str
    earlier: list[tuple[str, str, dict[str, str]]]


def run(task: AttackTask) -> AttackReport:
    """Attacks the release.

    Raises:
        InputError: A file is wrong, or does not go with the policy.
        UnavailableError: Memory, disk or time did not suffice.
    """
    policy = parse_policy(task.policy, folder=Path(task.folder))
    with engine_for(task, on_disk=True) as engine:
        engine.execute("SET preserve_insertion_order = true")
        original = take("original", task.path, engine, sheet=task.sheet)
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


if __name__ == "__main__":
    serve(AttackTask, lambda task: run(task).to_dict(), pandas=True)
