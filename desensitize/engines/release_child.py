"""Makes a desensitized copy of one foreign file, in a limited process without network.

Run as ``python -m desensitize.engines.release_child`` by ``desensitize.run``, with an empty
directory as its working directory. The keys come with the task on standard input; they are in no
argument, no environment, no file and no statement.
"""

from __future__ import annotations

from desensitize.engines.limits import bind, isolate

if __name__ == "__main__":
    isolate()

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from desensitize.engines.child import answer, tell_progress
from desensitize.engines.foreign_file import engine_config, exhausted, open_file
from desensitize.engines.take import take
from desensitize.keys import TokenKey, TokenKeys
from desensitize.masking.apply import Written, write_masked
from desensitize.policy_file import parse_policy


@dataclass(frozen=True)
class ReleaseTask:
    """What to release.

    Attributes:
        source: The file; its suffix says what it is, anything unknown is read as CSV.
        sheet: Sheet of a workbook; empty for the first.
        policy: Text of the policy.
        folder: Where the files lie that the policy names.
        population: File with everybody from whom the rows were drawn; empty if no model asks.
        keys: Domain, id and secret (hexadecimal) of the keys that the policy needs.
        order: Seed of the order of the rows, hexadecimal.
        out: The Parquet file to write.
        memory_bytes: Address space of this process beyond what it has at its start.
        disk_bytes: Largest file that it may write.
        cpu_s: CPU seconds.
    """

    source: str
    sheet: str
    policy: str
    folder: str
    population: str
    keys: list[tuple[str, str, str]] = field(repr=False)
    order: str = field(repr=False)
    out: str
    memory_bytes: int
    disk_bytes: int
    cpu_s: int


def main() -> None:
    """Runs one task from standard input."""
    task = ReleaseTask(**json.load(sys.stdin))
    bind(task.memory_bytes, task.disk_bytes, task.cpu_s)
    answer(lambda: run(task).to_dict())


def run(task: ReleaseTask) -> Written:
    """Reads the file and writes the released rows.

    Raises:
        InputError: The file is wrong, or policy and file do not go together.
        UnavailableError: Memory, disk or time did not suffice.
    """
    source = Path(task.source)
    policy = parse_policy(task.policy, folder=Path(task.folder))
    keys = TokenKeys(tuple(TokenKey(d, i, "", bytes.fromhex(s)) for d, i, s in task.keys))
    try:
        with duckdb.connect(config=engine_config(task.memory_bytes)) as engine:
            table = open_file(source, task.sheet, engine)
            population = None
            if task.population:
                population = take("population", Path(task.population), engine)
            try:
                return write_masked(
                    table, policy, keys, Path(task.out), population=population,
                    order=bytes.fromhex(task.order) or None, progress=tell_progress,
                )  # fmt: skip
            except duckdb.Error as error:
                if table.blame is None:
                    raise
                raise table.blame(error) from error
    except (duckdb.Error, MemoryError, OSError) as error:
        raise exhausted(source.name, error) from error


if __name__ == "__main__":
    main()
    os._exit(0)  # the engine's extension module complains at an orderly exit
