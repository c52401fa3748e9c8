"""Reads the rows of a workbook that others made, in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa

from desensitize.engines.child import call
from desensitize.engines.rows_child import ROWS
from desensitize.engines.snapshot import GIB, LoadLimits
from protos.language import Text

Row = tuple[str, ...]
_LIMITS: Final = LoadLimits(memory_bytes=2 * GIB, disk_bytes=4 * GIB, cpu_s=900, deadline_s=1800.0)


@contextmanager
def workbook_rows(
    source: Path, sheet: str = "", limits: LoadLimits = _LIMITS
) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """Lends the headers of a sheet and its rows as text; an empty cell is an empty text.

    Args:
        source: Excel or OpenDocument.
        sheet: Name of the sheet; empty for the first that has cells.
        limits: What the reading process may use.

    Raises:
        InputError: It is no workbook, or has no such sheet.
        UnavailableError: Memory, disk or time did not suffice.
    """
    with tempfile.TemporaryDirectory(prefix="veil-rows-") as scratch:
        said = call(
            "desensitize.engines.rows_child",
            source,
            {"sheet": sheet},
            scratch=Path(scratch),
            limits=limits,
            program=Text("workbook reader", "工作簿读取程序"),
        )
        with pa.memory_map(str(Path(scratch) / ROWS)) as file:
            yield said["header"], _rows(pa.ipc.open_file(file))


def _rows(file: pa.ipc.RecordBatchFileReader) -> Iterator[Row]:
    for number in range(file.num_record_batches):
        columns = [column.to_pylist() for column in file.get_batch(number).columns]
        for row in zip(*columns, strict=True):
            yield tuple(cell or "" for cell in row)
