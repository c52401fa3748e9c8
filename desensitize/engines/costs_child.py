"""Tries what a proposal costs on a foreign file: a limited child process.

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
from desensitize.policy_file import parse_policy
from desensitize.proposing.costs import costs


@dataclass(frozen=True)
class CostsTask(Task):
    """What to search.

    Attributes:
        policy: Text of the policy.
        folder: Where the files lie that the policy names.
        ks: To try.
        facts_max: Greatest share of people whom three facts may find; None not to look.
    """

    policy: str
    folder: str
    ks: list[int]
    facts_max: float | None


def run(task: CostsTask) -> dict[str, Any]:
    """Searches.

    Raises:
        InputError: The file is wrong, or policy and file do not go together.
        UnavailableError: Memory, disk or time did not suffice.
    """
    policy = parse_policy(task.policy, folder=Path(task.folder))
    with engine_for(task, on_disk=True) as engine:
        table = open_file(task.path, task.sheet, engine)
        with blamed(table):
            found = costs(
                table, policy, ks=task.ks, facts_max=task.facts_max, progress=tell_progress
            )
        return found.to_dict()


if __name__ == "__main__":
    serve(CostsTask, run)
