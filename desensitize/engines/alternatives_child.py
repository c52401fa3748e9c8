"""Searches what several k would cost on a foreign file: a limited child process.

Answers with figures, names of columns and names of levels; no value of the file.
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
from typing import Any

import duckdb

from desensitize.engines.child import answer, tell_progress
from desensitize.engines.foreign_file import engine_config, exhausted, open_file
from desensitize.generalise.alternatives import alternatives
from desensitize.policy_file import parse_policy


@dataclass(frozen=True)
class AlternativesTask:
    """What to search.

    Attributes:
        source: The file; its suffix says what it is, anything unknown is read as CSV.
        sheet: Sheet of a workbook; empty for the first.
        policy: Text of the policy.
        folder: Where the files lie that the policy names.
        ks: To try.
        memory_bytes: Address space of this process beyond what it has at its start.
        disk_bytes: Largest file that it may write.
        cpu_s: CPU seconds.
    """

    source: str
    sheet: str
    policy: str
    folder: str
    ks: list[int]
    memory_bytes: int
    disk_bytes: int
    cpu_s: int


def main() -> None:
    """Runs one task from standard input."""
    task = AlternativesTask(**json.load(sys.stdin))
    bind(task.memory_bytes, task.disk_bytes, task.cpu_s)
    answer(lambda: {"alternatives": run(task)})


def run(task: AlternativesTask) -> list[dict[str, Any]]:
    """Searches.

    Raises:
        InputError: The file is wrong, or policy and file do not go together.
        UnavailableError: Memory, disk or time did not suffice.
    """
    source = Path(task.source)
    policy = parse_policy(task.policy, folder=Path(task.folder))
    try:
        with duckdb.connect(config=engine_config(task.memory_bytes)) as engine:
            table = open_file(source, task.sheet, engine)
            try:
                found = alternatives(table, policy, ks=task.ks, progress=tell_progress)
            except duckdb.Error as error:
                if table.blame is None:
                    raise
                raise table.blame(error) from error
            return [each.to_dict() for each in found]
    except (duckdb.Error, MemoryError, OSError) as error:
        raise exhausted(source.name, error) from error


if __name__ == "__main__":
    main()
    os._exit(0)  # the engine's extension module complains at an orderly exit
