"""The scanner of files: a limited child process that reads one foreign file and reports.

Run as ``python -m desensitize.engines.scan_child`` by ``scan_file``, with an empty directory as
its working directory. Reads its task as JSON on standard input; writes lines of JSON:
``{"progress": [rows, all or null]}``, then one ``{"answer": …}`` or ``{"fault": …}``. It has no
network, and no value of the file leaves it but masked.
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
from desensitize.scanning.findings import ScanReport
from desensitize.scanning.table_scan import scan_table


@dataclass(frozen=True)
class ScanTask:
    """What to scan.

    Attributes:
        source: The file; its suffix says what it is, anything unknown is read as CSV.
        sheet: Sheet of a workbook; empty for the first.
        full: Every row, or a sample.
        sample_rows: Size of the sample.
        memory_bytes: Address space of this process beyond what it has at its start.
        disk_bytes: Largest file that it may write.
        cpu_s: CPU seconds.
    """

    source: str
    sheet: str
    full: bool
    sample_rows: int
    memory_bytes: int
    disk_bytes: int
    cpu_s: int


def main() -> None:
    """Runs one task from standard input."""
    task = ScanTask(**json.load(sys.stdin))
    bind(task.memory_bytes, task.disk_bytes, task.cpu_s)
    answer(lambda: run(task).to_dict())


def run(task: ScanTask) -> ScanReport:
    """Scans the file.

    Raises:
        InputError: The file is wrong; says where.
        UnavailableError: Memory, disk or time did not suffice.
    """
    source = Path(task.source)
    try:
        with duckdb.connect(config=engine_config(task.memory_bytes)) as engine:
            return scan_table(
                open_file(source, task.sheet, engine),
                full=task.full,
                sample_rows=task.sample_rows,
                progress=tell_progress,
            )
    except (duckdb.Error, MemoryError, OSError) as error:
        raise exhausted(source.name, error) from error


if __name__ == "__main__":
    main()
    os._exit(0)  # the engine's extension module complains at an orderly exit
