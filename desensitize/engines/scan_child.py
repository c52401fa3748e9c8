"""The scanner of files: a limited child process that reads one foreign file and reports.

Forked by the `nursery` for ``scan_file``, with an empty directory as its working directory. Reads
its task as JSON on standard input; writes lines of JSON:
``{"progress": [rows, all or null]}``, then one ``{"answer": …}`` or ``{"fault": …}``. It has no
network, and no value of the file leaves it but masked.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

from dataclasses import dataclass

from desensitize.engines.child import Task, serve, tell_progress
from desensitize.engines.foreign_file import engine_for, open_file
from desensitize.scanning.findings import ScanReport
from desensitize.scanning.table_scan import scan_table


@dataclass(frozen=True)
class ScanTask(Task):
    """What to scan.

    Attributes:
        full: Every row, or a sample.
        sample_rows: Size of the sample.
    """

    full: bool
    sample_rows: int


def run(task: ScanTask) -> ScanReport:
    """Scans the file.

    Raises:
        InputError: The file is wrong; says where.
        UnavailableError: Memory, disk or time did not suffice.
    """
    with engine_for(task) as engine:
        return scan_table(
            open_file(task.path, task.sheet, engine),
            full=task.full,
            sample_rows=task.sample_rows,
            progress=tell_progress,
        )


if __name__ == "__main__":
    serve(ScanTask, lambda task: run(task).to_dict())
