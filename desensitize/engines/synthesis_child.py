"""Makes synthetic rows of one foreign file, in a limited process without network.

Forked by the `nursery` for ``desensitize.synthesise``, with an empty directory as its working
directory. Counts, noise, model and rows are made in here: no row of
the file and no exact count of it goes to the parent but the few figures for the steward.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

from dataclasses import dataclass
from pathlib import Path

from desensitize.engines.child import Task, serve, tell_progress
from desensitize.engines.foreign_file import blamed, engine_for, open_file
from desensitize.policy_file import parse_policy
from desensitize.synthesis.facts import Synthesised
from desensitize.synthesis.spec import asked
from desensitize.synthesis.write import write_synthetic


@dataclass(frozen=True)
class SynthesisTask(Task):
    """What to synthesise.

    Attributes:
        policy: Text of the policy.
        folder: Where the files lie that the policy names.
        epsilon: Less than the policy's, or None.
        delta: The same.
        rows: How many to draw; None for what the policy says.
        out: The Parquet file to write.
    """

    policy: str
    folder: str
    epsilon: float | None
    delta: float | None
    rows: int | None
    out: str


def run(task: SynthesisTask) -> Synthesised:
    """Reads the file and writes synthetic rows.

    Raises:
        InputError: The file is wrong, or policy and file do not go together.
        UnavailableError: Memory, disk or time did not suffice.
    """
    policy = parse_policy(task.policy, folder=Path(task.folder))
    rules = asked(policy.synthesis, task.epsilon, task.delta, task.rows)
    with engine_for(task) as engine:
        table = open_file(task.path, task.sheet, engine)
        with blamed(table):
            return write_synthetic(table, policy, rules, Path(task.out), progress=tell_progress)


if __name__ == "__main__":
    serve(SynthesisTask, lambda task: run(task).to_dict())
