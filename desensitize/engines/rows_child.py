"""The reader of workbooks: a limited child process that turns one sheet into rows of text.

Forked by the `nursery` for ``rows_file``. A workbook is a zip archive full of XML, so a small one
can hold more than a machine; here that ends this process.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

from typing import Any, Final

import pyarrow as pa

from desensitize.engines.child import Task, serve
from desensitize.engines.foreign_file import exhausted
from desensitize.engines.workbook import read_workbook

ROWS: Final = "rows.arrow"


def run(task: Task) -> dict[str, Any]:
    """Reads the sheet, leaves its rows in the working directory and returns its headers."""
    try:
        header, table, _ = read_workbook(task.path, task.path.name, task.sheet, errors=True)
        with pa.ipc.new_file(ROWS, table.schema) as out:
            out.write_table(table)
    except (MemoryError, OSError, pa.ArrowException) as error:
        raise exhausted(task.path.name, error) from error
    return {"header": header}


if __name__ == "__main__":
    serve(Task, run)
