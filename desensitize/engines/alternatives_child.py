"""Searches what several k would cost on a foreign file: a limited child process.

Answers with figures, names of columns and names of levels; no value of the file.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desensitize.engines.child import Task, serve, tell_progress
from desensitize.engines.foreign_file import blamed, engine_for, open_file
from desensitize.generalise.alternatives import alternatives
from desensitize.policy_file import parse_policy


@dataclass(frozen=True)
class AlternativesTask(Task):
    """What to search.

    Attributes:
        policy: Text of the policy.
        folder: Where the files lie that the policy names.
        ks: To try.
    """

    policy: str
    folder: str
    ks: list[int]


def run(task: AlternativesTask) -> list[dict[str, Any]]:
    """Searches.

    Raises:
        InputError: The file is wrong, or policy and file do not go together.
        UnavailableError: Memory, disk or time did not suffice.
    """
    policy = parse_policy(task.policy, folder=Path(task.folder))
    with engine_for(task, on_disk=True) as engine:
        table = open_file(task.path, task.sheet, engine)
        with blamed(table):
            found = alternatives(table, policy, ks=task.ks, progress=tell_progress)
        return [each.to_dict() for each in found]


if __name__ == "__main__":
    serve(AlternativesTask, lambda task: {"alternatives": run(task)})
