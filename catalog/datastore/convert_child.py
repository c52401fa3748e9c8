"""The child that turns one public Parquet file into a database: rows in the file's own order.

Forked by the `nursery` for `snapshots`, in an empty directory. The first column of
the table is the row's number, from 1. The bytes are the published ones, but a
signer may have made them to harm who reads them: they are decoded here, within limits, and
nowhere else.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from desensitize.engines.child import Task, serve
from desensitize.engines.stored_values import quoted
from protos.faults import TrustError, UnavailableError
from protos.language import Text

DATABASE: Final = "data.duckdb"
SOURCE: Final = "source.parquet"


@dataclass(frozen=True)
class ConvertTask(Task):
    """What the child is told.

    Attributes:
        rows: How many there are, as was attested.
    """

    rows: int


def convert(task: ConvertTask) -> dict[str, Any]:
    """Writes `DATABASE`.

    Raises:
        TrustError: The file has another number of rows, or is no Parquet file.
        UnavailableError: Memory, disk or time did not suffice.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{task.memory_bytes * 6 // 10 // 2**20} MiB",
        "temp_directory": "spill",
        "threads": 1,  # the order of the file stays without buffering it
        "async_threads": 0,
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        with duckdb.connect(DATABASE, config=config) as engine:
            file = f"read_parquet('{SOURCE}', hive_partitioning = false)"
            described = engine.execute(f"DESCRIBE SELECT * FROM {file}").fetchall()  # noqa: S608
            number = quoted(number_name(str(row[0]) for row in described))
            # One more than there should be is enough to know that there are too many.
            engine.execute(
                f"CREATE TABLE data AS SELECT row_number() OVER () AS {number}, * "  # noqa: S608
                f"FROM {file} LIMIT {task.rows + 1}"
            )
            [(rows,)] = engine.execute("SELECT count(*) FROM data").fetchall()
    except (duckdb.OutOfMemoryException, duckdb.IOException, MemoryError, OSError) as error:
        if "Parquet" in str(error) or "parquet" in str(error):
            raise _unreadable(str(error)) from error
        raise UnavailableError(
            Text(
                "the published file is too large for this server",
                "已发布文件超出本服务器的处理能力",
            ),
            remedy=Text("give the server more memory and disk", "请为服务器增加内存与磁盘"),
            code="datastore.limits",
            detail=str(error),
        ) from error
    except duckdb.Error as error:
        raise _unreadable(str(error)) from error
    if rows != task.rows:
        raise _unreadable(f"{rows} rows instead of {task.rows}")
    return {"rows": rows}


def number_name(columns: Iterable[str]) -> str:
    """Returns what the row's number is called: as in CKAN, unless a column is called so."""
    taken, name = {column.casefold() for column in columns}, "_id"
    while name in taken:
        name += "_"
    return name


def _unreadable(detail: str) -> TrustError:
    return TrustError(
        Text(
            "the published file is not the table that was attested", "已发布文件不是所证明的数据表"
        ),
        remedy=Text("tell who runs this portal", "请告知门户运维人员"),
        code="datastore.unreadable",
        detail=detail,
    )


if __name__ == "__main__":
    serve(ConvertTask, convert)
