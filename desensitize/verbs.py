"""What a program asks of this package: `scan` finds what is personal, `run` makes a release."""

from __future__ import annotations

import os
from pathlib import Path

from desensitize.engines.scan_file import scan_file
from desensitize.engines.snapshot import LoadLimits
from desensitize.findings import ScanReport
from desensitize.releasing import run
from desensitize.sources import open_object
from desensitize.table_scan import SAMPLE_ROWS, Progress, scan_table
from protos.faults import InputError
from protos.language import Text

__all__ = ["run", "scan"]


def scan(
    data: object,
    *,
    full: bool = True,
    sample_rows: int = SAMPLE_ROWS,
    sheet: str = "",
    limits: LoadLimits | None = None,
    progress: Progress | None = None,
) -> ScanReport:
    """Scans a table.

    A file is read in a child process with limits on memory, disk and time and without network;
    an object is scanned in this process. Nothing is changed, nothing is sent.

    Args:
        data: Path of a CSV, Parquet, Excel or OpenDocument file; pandas DataFrame; Arrow table,
            batch or reader; DuckDB relation.
        full: Look at every row. A sample is enough to see what columns are; it misses what is
            rare, so nothing may be released on it: of one leak in 10,000 cells, a sample of
            10,000 sees nothing in 37 of 100 cases.
        sample_rows: Size of the sample.
        sheet: Sheet of a workbook; empty for the first that has cells.
        limits: What the process that reads a file may use.
        progress: Called with the rows that are done and, if known, all there are.

    Raises:
        InputError: The data cannot be read, or is of no known kind.
        UnavailableError: Memory, disk or time did not suffice.
    """
    if not isinstance(data, str | os.PathLike):
        if sheet or limits is not None:
            raise InputError(
                Text("`sheet` and `limits` are for files", "`sheet` 和 `limits` 只用于文件"),
                remedy=Text(
                    "leave them out; what is in memory is scanned in this process",
                    "请去掉这两个参数；内存中的数据在当前进程内扫描",
                ),
                code="scan.kind",
            )
        return scan_table(open_object(data), full=full, sample_rows=sample_rows, progress=progress)
    return scan_file(
        Path(os.fspath(data)),
        full=full,
        sample_rows=sample_rows,
        sheet=sheet,
        limits=limits,
        progress=progress,
    )
