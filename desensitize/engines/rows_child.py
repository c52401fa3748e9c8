"""The reader of workbooks: a limited child process that turns one sheet into rows of text.

Run as ``python -m desensitize.engines.rows_child`` by ``rows_file``. A workbook is a zip archive
full of XML, so a small one can hold more than a machine; here that ends this process.
"""

from __future__ import annotations

from desensitize.engines.limits import bind, isolate

if __name__ == "__main__":
    isolate()

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from desensitize.engines.child import answer
from desensitize.engines.foreign_file import exhausted
from desensitize.engines.workbook import read_workbook

ROWS: Final = "rows.arrow"


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Reads the sheet, leaves its rows in the working directory and returns its headers."""
    source = Path(task["source"])
    try:
        header, table, _ = read_workbook(source, source.name, task["sheet"])
        with pa.ipc.new_file(ROWS, table.schema) as out:
            out.write_table(table)
    except (MemoryError, OSError, pa.ArrowException) as error:
        raise exhausted(source.name, error) from error
    return {"header": header}


def main() -> None:
    """Runs one task from standard input."""
    task = json.load(sys.stdin)
    bind(task["memory_bytes"], task["disk_bytes"], task["cpu_s"])
    answer(lambda: run(task))


if __name__ == "__main__":
    main()
    os._exit(0)
