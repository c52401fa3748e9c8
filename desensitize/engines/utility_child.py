"""Compares one release with its original: a limited child process, as ``scan_child``.

Answers with figures only; no value of either file.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

from dataclasses import dataclass
from pathlib import Path

from desensitize.engines.child import Task, serve, tell_progress
from desensitize.engines.foreign_file import engine_for
from desensitize.engines.take import take
from desensitize.policy_file import parse_policy
from desensitize.usefulness import UtilityReport
from desensitize.usefulness.compare import compare_tables


@dataclass(frozen=True)
class UtilityTask(Task):
    """What to compare.

    Attributes:
        release: Parquet file of the release.
        policy: Text of the policy.
        folder: Where its files lie.
        levels: Level of each column that has a hierarchy.
        order: Seed of the release's order of rows, hexadecimal; may be empty.
        target: Column that models tell.
        models: Their names.
        seed: Of the parts and the models.
    """

    release: str
    policy: str
    folder: str
    levels: dict[str, str]
    order: str
    target: str
    models: list[str]
    seed: int


def run(task: UtilityTask) -> UtilityReport:
    """Compares both.

    Raises:
        InputError: A file is wrong, or does not go with the policy.
        UnavailableError: Memory, disk or time did not suffice.
    """
    policy = parse_policy(task.policy, folder=Path(task.folder))
    with engine_for(task, on_disk=True) as engine:
        engine.execute("SET preserve_insertion_order = true")
        original = take("original", task.path, engine, sheet=task.sheet)
        release = take("release", Path(task.release), engine)
        return compare_tables(
            original, release, policy, levels=task.levels, order=bytes.fromhex(task.order),
            target=task.target, models=task.models, seed=task.seed, progress=tell_progress,
        )  # fmt: skip


if __name__ == "__main__":
    serve(UtilityTask, lambda task: run(task).to_dict(), pandas=True)
