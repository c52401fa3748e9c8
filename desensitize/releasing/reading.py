"""How a release reads its source: a file in a limited process, an object in this one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from desensitize.engines.child import call, no_file
from desensitize.engines.snapshot import LoadLimits
from desensitize.masking.apply import Progress
from desensitize.sources import Table, open_object
from protos.faults import InputError, UnavailableError
from protos.language import Text


@contextmanager
def unchanged(source: Path) -> Iterator[int]:
    """Yields the size of a file that must stay as it is.

    Raises:
        InputError: There is no such file, or it changed meanwhile.
    """
    if not source.is_file():
        raise no_file(source)
    before = version(source)
    yield before[0]
    if version(source) != before:
        raise InputError(
            Text(f"{source.name} changed while it was read", f"{source.name} 在读取过程中被改动"),
            remedy=Text("run again when the export has ended", "请在导出结束后重新运行"),
            code="source.changed",
        )


def in_child(
    module: str,
    source: Path,
    task: Mapping[str, Any],
    draft: Path,
    limits: LoadLimits,
    program: Text,
    progress: Progress | None,
) -> dict[str, Any]:
    """Has a child process read a file and write into the draft of a release.

    Args:
        module: What the child runs.
        source: The file.
        task: JSON types.
        draft: Directory of the release to be.
        limits: What the child may use.
        program: What to call it.
        progress: Told about rows.

    Raises:
        InputError: The file is wrong.
        UnavailableError: Memory, disk or time did not suffice.
    """
    # On the disk of the output: what spills is as large as the data. It is gone before the
    # release has its name.
    scratch = draft / "scratch"
    scratch.mkdir(mode=0o700)
    body = call(
        module,
        source,
        task,
        scratch=scratch,
        limits=limits,
        program=program,
        progress=progress,
    )
    shutil.rmtree(scratch)
    return body


@contextmanager
def opened(data: object, sheet: str, limits: LoadLimits | None) -> Iterator[Table]:
    """Opens a table in memory, and says what is to say when this process has not enough of it.

    Args:
        data: DataFrame, Arrow object or DuckDB relation.
        sheet: For files only: refused.
        limits: For files only: refused.

    Raises:
        InputError: The object is of no known kind, or options for files were given.
        UnavailableError: Memory did not suffice.
    """
    if sheet or limits is not None:
        raise InputError(
            Text("`sheet` and `limits` are for files", "`sheet` 和 `limits` 只用于文件"),
            remedy=Text(
                "leave them out; what is in memory is read in this process",
                "请去掉这两个参数；内存中的数据在当前进程内读取",
            ),
            code="source.kind",
        )
    table = open_object(data)
    try:
        yield table
    except (duckdb.Error, MemoryError) as error:
        raise UnavailableError(
            Text(
                f"the {table.name} table could not be read in this process",
                f"无法在当前进程内读取 {table.name} 表",
            ),
            remedy=Text(
                "free memory, or write the table to a Parquet file and release that",
                "请释放内存，或先写成 Parquet 文件再发布",
            ),
            code="source.limits",
            detail=f"{type(error).__name__}: {error}",
        ) from error
    finally:
        table.engine.close()


def version(source: Path) -> list[int]:
    """Returns what changes with a file: size, times of the last changes, and which file it is."""
    status = source.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
