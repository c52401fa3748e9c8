"""Starts the scanner of files, listens to it, and ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from desensitize.engines.snapshot import LoadLimits
from desensitize.findings import ScanReport, from_dict
from protos.faults import InputError, UnavailableError, from_public
from protos.language import Text

_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]


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
    if not source.is_file():
        raise InputError(
            Text(f"{source} is no file", f"{source} 不是文件"), code="source.not_found"
        )
    limits = limits or LoadLimits()
    task = {
        "source": str(source.resolve()),
        "sheet": sheet,
        "full": full,
        "sample_rows": sample_rows,
        "memory_bytes": limits.memory_bytes,
        "disk_bytes": limits.disk_bytes,
        "cpu_s": limits.cpu_s,
    }
    with (
        tempfile.TemporaryDirectory(prefix="veil-scan-") as scratch,
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "desensitize.engines.scan_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            cwd=scratch,
            env={
                "PATH": os.defpath,
                "PYTHONPATH": str(_PACKAGE_ROOT),
                # Address space is limited: allocators that reserve it in advance are left out.
                "ARROW_DEFAULT_MEMORY_POOL": "system",
                "MALLOC_ARENA_MAX": "2",
                "OPENBLAS_NUM_THREADS": "1",  # a user namespace needs a single thread
            },
        ) as child,
    ):
        timer = threading.Timer(limits.deadline_s, child.kill)
        timer.start()
        try:
            answer = _listen(child, task, progress)
        finally:
            timer.cancel()
            child.kill()
        if answer is None:
            words.seek(0)
            raise UnavailableError(
                Text(
                    f"the scanner ended before {source.name} was read: a limit on memory or time",
                    f"扫描程序在读完 {source.name} 之前已终止：超出内存或时间限额",
                ),
                remedy=Text(
                    "raise the scanner's limits, or split the file",
                    "请提高扫描程序的限额，或拆分文件",
                ),
                code="source.limits",
                detail=words.read()[-4000:].decode("utf-8", "replace"),
            )
    if "fault" in answer:
        error = from_public(answer["fault"])
        error.detail = answer["fault"]["detail"]
        raise error
    return from_dict(answer["report"])


def _listen(
    child: subprocess.Popen[bytes],
    task: dict[str, Any],
    progress: Callable[[int, int | None], None] | None,
) -> dict[str, Any] | None:
    """Hands over the task; returns the last message, None if the process ended without one."""
    to_child, from_child = _pipes(child)
    with suppress(BrokenPipeError), to_child:  # it ended at once: it has nothing to say either
        to_child.write(json.dumps(task).encode())
    for line in from_child:
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            return None  # it was killed while it wrote
        if "progress" not in message:
            return message
        if progress is not None:
            progress(*message["progress"])
    return None


def _pipes(child: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the scanner was started without pipes")
    return child.stdin, child.stdout
