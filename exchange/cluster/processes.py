"""Starts, watches and stops the processes of a cluster on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from compute_nodes.config import FAILED
from protos.faults import UnavailableError, VeilError, from_public
from protos.language import Text, Words, both
from protos.whole_file import write_whole


@dataclass(frozen=True)
class Process:
    """One process of the cluster.

    Attributes:
        name: ``exchange`` or the department's name.
        pid: Process id.
        started: Kernel start time (clock ticks since boot), so that a recycled pid is not ours.
        directory: Its own directory.
        log: Where its output goes.
    """

    name: str
    pid: int
    started: int
    directory: str
    log: str


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rsplit(")", 1)[1].split()
    if fields[0] == "Z":
        return None
    return int(fields[19])


def spawn(name: str, arguments: list[str], directory: Path, log: Path) -> Process:
    """Starts ``veil ARGUMENTS`` detached from this terminal, with its output in ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - our own program, with our own arguments
            [sys.executable, "-m", "exchange.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
        )
    child.returncode = 0  # it outlives this object; `stop` ends and reaps it by its number
    return Process(name, child.pid, _start_time(child.pid) or 0, str(directory), str(log))


@contextmanager
def held_back() -> Iterator[None]:
    """Lets the block write down whom it has started: Ctrl-C and SIGTERM come when it is over.

    Between the start of a process and its place in a list nobody would know whom to stop. Children
    do not inherit a handler, as they would a mask or an ignored signal.
    """
    if threading.current_thread() is not threading.main_thread():  # signals are not its business
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for first in came[:1]:
        signal.raise_signal(first)


def alive(process: Process) -> bool:
    """Whether exactly this process still runs (a recycled pid does not count)."""
    return _start_time(process.pid) == process.started


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, for an error message."""
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _own_failure(process: Process) -> VeilError | None:
    """What a process said was wrong when it ended by itself."""
    try:
        fields = json.loads((Path(process.directory) / FAILED).read_bytes())
    except (OSError, ValueError):
        return None
    error = from_public(fields)
    return type(error)(
        Text(f"{process.name}: {error.said.en}", f"{process.name}：{error.said.zh}"),
        remedy=error.advice,
        code=error.code,
    )


def wait_for(
    condition: Callable[[], bool], processes: list[Process], what: Words, seconds: float
) -> None:
    """Waits until ``condition`` holds; fails at once when one of the processes has died.

    Raises:
        UnavailableError: A process died, or the time is over; shows the end of its log.
    """
    end = time.monotonic() + seconds
    while not condition():
        for process in processes:
            if not alive(process):
                raise _own_failure(process) or UnavailableError(
                    Text(
                        f"{process.name} stopped while {both(what).en}:\n{tail(Path(process.log))}",
                        f"{process.name} 在{both(what).zh}时停止：\n{tail(Path(process.log))}",
                    ),
                    remedy=Text(f"read {process.log}", f"请查看 {process.log}"),
                )
        if time.monotonic() > end:
            raise UnavailableError(
                Text(
                    f"not ready after {seconds:.0f} s while {both(what).en}",
                    f"{seconds:.0f} 秒后仍未就绪，当时正在{both(what).zh}",
                ),
                remedy=Text(
                    "read the logs in the cluster's logs/ folder", "请查看集群 logs/ 文件夹中的日志"
                ),
            )
        time.sleep(0.02)


def stop(process: Process, seconds: float = 10.0) -> None:
    """Asks the process to stop (SIGTERM), then makes it (SIGKILL)."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if not alive(process):
            break
        try:
            os.kill(process.pid, sent)
        except ProcessLookupError:
            break
        end = time.monotonic() + seconds
        while alive(process) and time.monotonic() < end:
            time.sleep(0.02)
    _reap(process.pid)


def stop_all(processes: list[Process]) -> None:
    """Asks all of them at once, then waits for each."""
    for process in processes:
        if alive(process):
            with suppress(ProcessLookupError):  # it ended in between
                os.kill(process.pid, signal.SIGTERM)
    for process in processes:
        stop(process)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # it was started by another `veil` command


def save(path: Path, processes: list[Process]) -> None:
    """Writes the cluster's process table, whole or not at all."""
    write_whole(path, json.dumps([asdict(p) for p in processes], indent=1).encode())


def load(path: Path) -> list[Process]:
    """Reads the cluster's process table; an absent file is an empty cluster."""
    if not path.exists():
        return []
    return [Process(**entry) for entry in json.loads(path.read_text("utf-8"))]
