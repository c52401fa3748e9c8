"""The nursery: a process that has the libraries loaded and forks the limited children of another.

A release takes six children one after another, and each took half a second of a processor to load
the same libraries; a fork of a process that has them takes milliseconds. Run as ``python -P -m
desensitize.engines.nursery FD`` by the first `fork` of a process, and ends with it, or when nobody
has asked for a while. It never sees a task, a key or a file: those go straight to the child.

Wire on one sequenced-packet socket, one question at a time: JSON (module and working directory)
with the child's standard input, output and errors attached; back, ``g`` with the child's pidfd.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, NoReturn, Self

from desensitize.engines.limits import die_with_parent

_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]
_IDLE_S: Final = 60
_START_S: Final = 60
_MOST_BYTES: Final = 65536
_LOADED: Final = (
    "duckdb", "numpy", "pyarrow.compute", "pyarrow.parquet", "desensitize.attacks",
    "desensitize.engines.child", "desensitize.generalise.choose", "desensitize.masking.apply",
    "desensitize.policy_file", "desensitize.risks.measure", "desensitize.scanning.table_scan",
)  # fmt: skip
"""What most children need. Pandas is not among it: most do not, and it is 33 MB."""
_ENVIRONMENT: Final = {
    "PATH": os.defpath,
    "PYTHONPATH": str(_PACKAGE_ROOT),
    # Address space is limited: allocators that reserve it in advance are left out, and
    # the engine's gives back what it does not use. (It kept a gigabyte of it after the
    # search for levels, and 20 million rows could not be put in order within the rest.)
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # threads do not survive a fork
    "MALLOC_ARENA_MAX": "2",
    "DUCKDB_JE_MALLOC_CONF": "retain:false",
    "OPENBLAS_NUM_THREADS": "1",  # a user namespace needs a single thread
    # On a busy machine a loop in parallel waits for the thread that was put aside,
    # at each of thousands of steps: models took twenty times as long.
    "OMP_NUM_THREADS": "1",
}


# ---- in the parent -----------------------------------------------------------------------------


class Child:
    """A child that was forked: its pipes, and its end.

    Attributes:
        stdin: To it.
        stdout: From it.
    """

    def __init__(self, pidfd: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._pidfd, self.stdin, self.stdout = pidfd, stdin, stdout

    def kill(self) -> None:
        """Ends it, if it has not ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def __enter__(self) -> Self:
        """Leaves it to `__exit__` to wait."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Waits for its end."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        self.stdout.close()
        select.select([self._pidfd], [], [])
        os.close(self._pidfd)


class _Nursery:
    """The one of this process; it starts when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, module: str, directory: Path, errors: IO[bytes]) -> Child:
        asked = json.dumps({"module": module, "directory": str(directory)}).encode()
        from_us, to_us = os.pipe(), os.pipe()
        try:
            with self._lock:
                pidfd = self._ask(asked, [from_us[0], to_us[1], errors.fileno()])
        except BaseException:
            os.close(from_us[1])
            os.close(to_us[0])
            raise
        finally:
            os.close(from_us[0])
            os.close(to_us[1])
        return Child(pidfd, os.fdopen(from_us[1], "wb"), os.fdopen(to_us[0], "rb"))

    def _ask(self, asked: bytes, pipes: list[int]) -> int:
        for last in (False, True):
            control = self._control or self._start()
            try:
                socket.send_fds(control, [asked], pipes)
                _, found, _, _ = socket.recv_fds(control, 1, 1)
            except (BrokenPipeError, ConnectionResetError, TimeoutError):
                found = []
            if found:
                return found[0]
            self.end()  # it had been idle for long, or the system ended it
            if last:
                break
        raise ChildProcessError("the nursery ends as soon as it is asked")

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - a module of our own
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                cwd="/", env=_ENVIRONMENT, pass_fds=(theirs.fileno(),),
            )  # fmt: skip
        ours.settimeout(_START_S)
        self._control = ours
        return ours

    def end(self) -> None:
        """Lets it go; it ends at the end of file."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.wait()
        self._control = self._process = None

    def forget(self) -> None:
        """After a fork of this process: the nursery is the parent's, and so is its lock."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.returncode = 0  # not ours to wait for
        self.__init__()  # type: ignore[misc]


_NURSERY: Final = _Nursery()
fork: Final = _NURSERY.fork
"""Starts a module as a child in a directory; what it says of its end goes to a file."""
atexit.register(_NURSERY.end)
os.register_at_fork(after_in_child=_NURSERY.forget)


# ---- in the nursery ----------------------------------------------------------------------------


def _serve(control: socket.socket) -> None:
    for name in _LOADED:
        __import__(name)
    gc.freeze()  # collecting in a child would copy every shared page
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"the nursery has {threads} threads and cannot fork safely")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    control.settimeout(_IDLE_S)
    while True:
        try:
            asked, pipes, _, _ = socket.recv_fds(control, _MOST_BYTES, 3)
        except TimeoutError:
            if _empty():
                return
            continue
        if not asked:
            return
        _empty()
        ours = os.getpid()
        child = os.fork()
        if child == 0:
            try:
                control.close()
                _become(ours, pipes, **json.loads(asked))
            finally:
                os._exit(1)
        pidfd = os.pidfd_open(child)
        socket.send_fds(control, [b"g"], [pidfd])
        for each in (pidfd, *pipes):
            os.close(each)


def _empty() -> bool:
    """Buries the children that have ended; says whether there are no others: they die with us."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _become(nursery: int, pipes: list[int], module: str, directory: str) -> NoReturn:
    die_with_parent()
    if os.getppid() != nursery:  # it ended before the line above
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number, each in enumerate(pipes):
        os.dup2(each, number)
        os.close(each)
    os.chdir(directory)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        raise
    os._exit(0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)  # the engine's extension module complains at an orderly exit
