"""Scans a file in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from desensitize.engines.child import call
from desensitize.engines.scratch import scratch
from desensitize.engines.snapshot import LoadLimits
from desensitize.scanning.findings import ScanReport, from_dict
from protos.language import Text


def scan_file(
    source: Path,
    *,
    full: bool,
    sample_rows: int,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> ScanReport:
    """Scans a file in a process of its own.

    Args:
        source: CSV (UTF-8 or GB18030), Parquet, Excel or OpenDocument.
        full: Every row, or a sample.
        sample_rows: Size of the sample.
        sheet: Sheet of a workbook; empty for the first.
        limits: What the process may use.
        progress: Told about rows that are done.

    Raises:
        InputError: There is no such file, or it is wrong.
        UnavailableError: Memory, disk or time did not suffice.
    """
    task = {"sheet": sheet, "full": full, "sample_rows": sample_rows}
    with scratch("scan") as place:
        return from_dict(
            call(
                "desensitize.engines.scan_child",
                source,
                task,
                scratch=place,
                limits=limits or LoadLimits(),
                program=Text("scanner", "扫描程序"),
                progress=progress,
            )
        )
