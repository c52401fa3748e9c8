"""One limited child process for one foreign file: both ends of what is said to it and by it.

The task goes in as JSON on standard input (keys too: neither arguments nor environment show
them); lines of JSON come out: ``{"progress": [rows, all or null]}``, then one ``{"answer": …}`` or
``{"fault": …}``. A file that was made to harm its reader ends the child and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from desensitize.engines import nursery
from desensitize.engines.limits import bind, without_pandas
from desensitize.engines.nursery import Child
from desensitize.engines.snapshot import LoadLimits
from protos.faults import InputError, UnavailableError, VeilError, from_public
from protos.language import Text

_LAST_WORDS: Final = 4000
_MOST_THREADS: Final = 8

Progress = Callable[[int, int | None], None]
Told = TypeVar("Told", bound="Task")


# ---- in the parent -----------------------------------------------------------------------------


def no_file(path: Path) -> InputError:
    """Returns what is said of a path at which no file is."""
    if path.exists():
        what = Text(f"{path} is no file", f"{path} 不是文件")
    else:
        what = Text(f"there is no file {path}", f"没有文件 {path}")
    return InputError(what, remedy=Text("check the path", "请检查路径"), code="source.not_found")


def call(
    module: str,
    source: Path,
    task: Mapping[str, Any],
    *,
    scratch: Path,
    limits: LoadLimits,
    program: Text,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Runs a module as a limited child process, forked by the `nursery`; returns what it answers.

    Args:
        module: Run as ``__main__``; takes its task from standard input.
        source: The file that it reads; added to the task.
        task: JSON types.
        scratch: Its working directory, empty.
        limits: What it may use; added to the task, but for the deadline, which is kept here.
        program: What to call it in messages.
        progress: Told about rows that are done.

    Raises:
        InputError: There is no such file, or it is wrong.
        UnavailableError: Memory, disk or time did not suffice.
    """
    if not source.is_file():
        raise no_file(source)
    body = {
        **task,
        "source": str(source.resolve()),
        "memory_bytes": limits.memory_bytes,
        "disk_bytes": limits.disk_bytes,
        "cpu_s": limits.cpu_s,
    }
    ends, threads = time.monotonic() + limits.deadline_s, min(os.cpu_count() or 1, _MOST_THREADS)
    while True:
        left_s = max(ends - time.monotonic(), 0.0)
        said, words = _ask(module, scratch, left_s, body | {"threads": threads}, progress)
        if said is None:
            raise _lost(source.name, program, words)
        if "fault" not in said:
            answered: dict[str, Any] = said["answer"]
            return answered
        if not said["short"] or threads == 1:
            error = from_public(said["fault"])
            error.detail = said["fault"]["detail"]
            raise error
        # Each thread of the engine has groups of its own, and all of them together grow towards the
        # rows: 100 million rows in 4 million groups did not fit 1 GiB with two, and took 0.6 GiB
        # with one. In a new process: memory that was given back is in pieces.
        threads = 1
        for left in scratch.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _ask(
    module: str, scratch: Path, deadline_s: float, task: dict[str, Any], progress: Progress | None
) -> tuple[dict[str, Any] | None, bytes]:
    """Returns what a child process answers, if it does, and else its last words."""
    with tempfile.TemporaryFile() as words:
        with nursery.fork(module, scratch, words) as child:
            timer = threading.Timer(deadline_s, child.kill)
            timer.start()
            try:
                said = _listen(child, task, progress)
            finally:
                timer.cancel()
                timer.join()  # else it may end who gets the child's number next
        words.seek(0)
        return said, b"" if said else words.read()[-_LAST_WORDS:]


def _listen(child: Child, task: dict[str, Any], progress: Progress | None) -> dict[str, Any] | None:
    """Hands over the task; returns the last message, None if the process ended without one."""
    child.tell(json.dumps(task).encode())
    for line in child.says():
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            return None  # it was killed while it wrote
        if "progress" not in message:
            return message
        if progress is not None:
            progress(*message["progress"])
    return None


def _lost(name: str, program: Text, last_words: bytes) -> UnavailableError:
    return UnavailableError(
        Text(
            f"the {program.en} ended before {name} was read: a limit on memory or time",
            f"{program.zh}在读完 {name} 之前已终止：超出内存或时间限额",
        ),
        remedy=Text(
            f"raise the {program.en}'s limits, or split the file",
            f"请提高{program.zh}的限额，或拆分文件",
        ),
        code="source.limits",
        detail=last_words.decode("utf-8", "replace"),
    )


# ---- in the child ------------------------------------------------------------------------------


class ShortOfMemoryError(UnavailableError):
    """The engine had not enough memory for all of its threads; one alone may have."""


@dataclass(frozen=True)
class Task:
    """What every child is told.

    Attributes:
        source: The file; its suffix says what it is, anything unknown is read as CSV.
        sheet: Sheet of a workbook; empty for the first.
        memory_bytes: Address space of this process beyond what it has at its start.
        disk_bytes: Largest file that it may write.
        cpu_s: CPU seconds.
        threads: Of the engine.
    """

    source: str
    sheet: str
    memory_bytes: int
    disk_bytes: int
    cpu_s: int
    threads: int

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.source)


def serve(
    kind: type[Told], run: Callable[[Told], dict[str, Any]], *, pandas: bool = False
) -> NoReturn:
    """Takes a task from standard input, runs it within its limits, answers, and ends the process.

    Args:
        kind: Of the task.
        run: Returns JSON types.
        pandas: Whether the work needs it.
    """
    if not pandas:
        without_pandas()
    task = kind(**json.load(sys.stdin))
    bind(task.memory_bytes, task.disk_bytes, task.cpu_s)
    try:
        _tell({"answer": run(task)})
    except VeilError as error:
        short = isinstance(error, ShortOfMemoryError)
        _tell({"fault": error.public() | {"detail": error.detail}, "short": short})
    sys.stdout.flush()
    os._exit(0)  # the engine's extension module complains at an orderly exit


def tell_progress(rows: int, total: int | None) -> None:
    """Says how far it is."""
    _tell({"progress": [rows, total]})


def _tell(message: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
