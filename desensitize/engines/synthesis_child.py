"""Makes synthetic rows of one foreign file, in a limited process without network.

Run as ``python -m desensitize.engines.synthesis_child`` by ``desensitize.synthesise``, with an
empty directory as its working directory. Counts, noise, model and rows are made in here: no row of
the file and no exact count of it goes to the parent but the few figures for the steward.
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
from desensitize.engines.foreign_file import engine_config, exhausted, open_file
from desensitize.policy_file import parse_policy
from desensitize.synthesis.facts import Synthesised
from desensitize.synthesis.spec import asked
from desensitize.synthesis.write import write_synthetic


@dataclass(frozen=True)
class SynthesisTask:
    """What to synthesise.

    Attributes:
        source: The file; its suffix says what it is, anything unknown is read as CSV.
        sheet: Sheet of a workbook; empty for the first.
        policy: Text of the policy.
        folder: Where the files lie that the policy names.
        epsilon: Less than the policy's, or None.
        delta: The same.
        rows: How many to draw; None for what the policy says.
        out: The Parquet file to write.
        memory_bytes: Address space of this process beyond what it has at its start.
        disk_bytes: Largest file that it may write.
        cpu_s: CPU seconds.
    """

    source: str
    sheet: str
    policy: str
    folder: str
    epsilon: float | None
    delta: float | None
    rows: int | None
    out: str
    memory_bytes: int
    disk_bytes: int
    cpu_s: int


def main() -> None:
    """Runs one task from standard input."""
    task = SynthesisTask(**json.load(sys.stdin))
    bind(task.memory_bytes, task.disk_bytes, task.cpu_s)
    answer(lambda: run(task).to_dict())


def run(task: SynthesisTask) -> Synthesised:
    """Reads the file and writes synthetic rows.

    Raises:
        InputError: The file is wrong, or policy and file do not go together.
        UnavailableError: Memory, disk or time did not suffice.
    """
    source = Path(task.source)
    policy = parse_policy(task.policy, folder=Path(task.folder))
    rules = asked(policy.synthesis, task.epsilon, task.delta, task.rows)
    try:
        with duckdb.connect(config=engine_config(task.memory_bytes)) as engine:
            table = open_file(source, task.sheet, engine)
            try:
                return write_synthetic(table, policy, rules, Path(task.out), progress=tell_progress)
            except duckdb.Error as error:
                if table.blame is None:
                    raise
                raise table.blame(error) from error
    except (duckdb.Error, MemoryError, OSError) as error:
        raise exhausted(source.name, error) from error


if __name__ == "__main__":
    main()
    os._exit(0)  # the engine's extension module complains at an orderly exit
