"""Makes a desensitized copy of one foreign file, in a limited process without network.

Forked by the `nursery` for ``desensitize.run``, with an empty directory as its working directory.
The keys come with the task on standard input; they are in no argument, no environment, no file and
no statement.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

from dataclasses import dataclass, field
from pathlib import Path

from desensitize.engines.child import Task, serve, tell_progress
from desensitize.engines.foreign_file import blamed, engine_for, open_file
from desensitize.engines.take import take
from desensitize.keys import TokenKey, TokenKeys
from desensitize.masking.apply import Written, write_masked
from desensitize.policy_file import parse_policy


@dataclass(frozen=True)
class ReleaseTask(Task):
    """What to release.

    Attributes:
        policy: Text of the policy.
        folder: Where the files lie that the policy names.
        population: File with everybody from whom the rows were drawn; empty if no model asks.
        keys: Domain, id and secret (hexadecimal) of the keys that the policy needs.
        order: Seed of the order of the rows, hexadecimal.
        out: The Parquet file to write.
    """

    policy: str
    folder: str
    population: str
    keys: list[tuple[str, str, str]] = field(repr=False)
    order: str = field(repr=False)
    out: str


def run(task: ReleaseTask) -> Written:
    """Reads the file and writes the released rows.

    Raises:
        InputError: The file is wrong, or policy and file do not go together.
        UnavailableError: Memory, disk or time did not suffice.
    """
    policy = parse_policy(task.policy, folder=Path(task.folder))
    keys = TokenKeys(tuple(TokenKey(d, i, "", bytes.fromhex(s)) for d, i, s in task.keys))
    with engine_for(task) as engine:
        table = open_file(task.path, task.sheet, engine)
        population = None
        if task.population:
            population = take("population", Path(task.population), engine)
        with blamed(table):
            return write_masked(
                table, policy, keys, Path(task.out), population=population,
                order=bytes.fromhex(task.order) or None, progress=tell_progress,
            )  # fmt: skip


if __name__ == "__main__":
    serve(ReleaseTask, lambda task: run(task).to_dict())
