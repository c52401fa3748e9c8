"""The nursery: a process that has the libraries loaded and forks the limited children of another.

A release and its gate take six children one after another, and each took half a second of a
processor to load the same libraries; a fork of a process that has them takes milliseconds. Run as
``python -P -m desensitize.engines.nursery FD`` by the first `fork` of a process, and ends with it,
or when nobody has asked for a while. It never sees a task, a key or a file: those go straight to
the child (decision 61).

Wire, on one sequenced-packet socket from the parent: JSON (`_Asked`), with two descriptors: the
child's end of a stream socket of its own, and the file for what it says of its end. On the stream:
nursery → parent one byte, ``g`` with the child's pidfd or ``n`` if there can be no further process;
then it is the child's standard input and output.
"""

from __future__ import annotations

from desensitize.engines.limits import isolate

if __name__ == "__main__":
    isolate()

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, NoReturn, Self, TypedDict

from desensitize.engines.limits import die_with_parent
from protos.faults import UnavailableError
from protos.language import Text

_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]
_IDLE_S: Final = 60
_START_S: Final = 60
_END_S: Final = 2
_MOST_BYTES: Final = 65536
_LAST_WORDS: Final = 4000
_NOT_HERE: Final = ("opendp",)
"""Whatever draws secret noise: two children that are forked from one state could draw the same."""
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


class _Asked(TypedDict):
    module: str
    directory: str
    umask: int


# ---- in the parent -----------------------------------------------------------------------------


class Child:
    """A child that was forked: what is said to it and by it, and its end."""

    def __init__(self, pidfd: int, stream: socket.socket) -> None:
        self._pidfd, self._stream, self._lines = pidfd, stream, stream.makefile("rb")

    def tell(self, task: bytes) -> None:
        """Writes its whole standard input."""
        with suppress(ConnectionError):  # it ended at once: it has nothing to say either
            self._stream.sendall(task)
            self._stream.shutdown(socket.SHUT_WR)

    def says(self) -> Iterator[bytes]:
        """Yields the lines of its standard output until it ends."""
        with suppress(ConnectionError):  # it ended before it had read everything
            yield from self._lines

    def kill(self) -> None:
        """Ends it, if it has not ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def __enter__(self) -> Self:
        """Leaves it to `__exit__` to end it."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Ends it, and waits until it has: nobody writes to its directory any more."""
        self.kill()
        ended = select.poll()  # not `select`, which knows no descriptor above 1023
        ended.register(self._pidfd, select.POLLIN)
        ended.poll()
        self._lines.close()
        self._stream.close()
        os.close(self._pidfd)


class _Nursery:
    """The one of this process; it starts when it is first needed."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begins anew, also after a fork of this process: what there was is the parent's."""
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._words: IO[bytes] | None = None
        self._owner: object = None

    def forked(self) -> None:
        """Lets go of the parent's, so that it ends when the parent does."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.returncode = 0  # not ours to wait for
        if self._words is not None:
            self._words.close()
        self.forget()

    def fork(self, module: str, directory: Path, errors: IO[bytes]) -> Child:
        """Starts a child; see `fork` below."""
        there = str(directory.absolute())  # of this process, whose working directory may be another
        asked: _Asked = {"module": module, "directory": there, "umask": _umask()}
        words = b""
        for _ in range(2):  # the first may have been idle for long, or the system ended it
            # A stream for each: an answer that was not waited for (Ctrl-C) is nobody else's.
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    control = self._send(asked, theirs, errors)
                ours.settimeout(_START_S)
                said, found, _, _ = socket.recv_fds(ours, 1, 1, socket.MSG_CMSG_CLOEXEC)
                ours.settimeout(None)
                if found:
                    return Child(found[0], ours)
            except (ConnectionError, TimeoutError):
                said = b""
            except BaseException:
                ours.close()
                raise
            ours.close()
            if said:
                break
            words = self._end(control)
        raise UnavailableError(
            Text(
                "the system lets no further process start",
                "系统无法再启动进程",
            ),
            remedy=Text(
                "free memory or raise the limit on processes",
                "请释放内存或提高进程数上限",
            ),
            code="source.limits",
            detail=words.decode("utf-8", "replace"),
        )

    def _send(self, asked: _Asked, stream: socket.socket, errors: IO[bytes]) -> socket.socket:
        with self._lock:
            if self._control is not None and self._owner != _owner():
                self._stop()  # this process has given up privileges: its children have none either
            control = self._control or self._start()
            with suppress(ConnectionError):  # it ended: so has the stream
                body = json.dumps(asked).encode()
                socket.send_fds(control, [body], [stream.fileno(), errors.fileno()])
            return control

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_stop`
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - a module of our own
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._words,
                cwd="/", env=_ENVIRONMENT, pass_fds=(theirs.fileno(),),
            )  # fmt: skip
        ours.settimeout(_START_S)
        self._control, self._owner = ours, _owner()
        return ours

    def _end(self, control: socket.socket) -> bytes:
        """Ends this one, unless somebody else has begun another; returns its last words."""
        with self._lock:
            return self._stop() if self._control is control else b""

    def _stop(self) -> bytes:
        if self._control is None or self._process is None or self._words is None:
            return b""
        self._control.close()  # at which it counts what its children used, and ends
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._words as words:
            words.seek(0)
            said = words.read()[-_LAST_WORDS:]
        self._control = self._process = self._words = None
        return said

    def end(self) -> None:
        """Ends it, and with it every child."""
        self._stop()


def _owner() -> object:
    return os.getresuid(), os.getresgid(), os.getgroups()


def _umask() -> int:
    """Returns this process's, which `os.umask` can only say by changing it."""
    status = Path("/proc/self/status").read_text("ascii", "replace")
    return int(status.partition("Umask:")[2].split(maxsplit=1)[0], 8)


_NURSERY: Final = _Nursery()
fork: Final = _NURSERY.fork
"""Starts a module as a child in a directory; what it says of its end goes to a file."""
end: Final = _NURSERY.end
"""Ends it, and with it every child; only then are they among what this process has used."""
atexit.register(end)
os.register_at_fork(after_in_child=_NURSERY.forked)


# ---- in the nursery ----------------------------------------------------------------------------


def _serve(control: socket.socket) -> None:
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    control.settimeout(_IDLE_S)
    while True:
        try:
            body, files, _, _ = socket.recv_fds(control, _MOST_BYTES, 2, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError:
            if _empty():
                return
            continue
        if not body:
            _empty()
            return
        _empty()
        asked: _Asked = json.loads(body)
        _load(asked["module"])
        ours = os.getpid()
        with socket.socket(fileno=files[0]) as stream:
            try:
                child = os.fork()
            except OSError:
                child = -1
            if child == 0:
                try:
                    control.close()
                    signal.signal(signal.SIGINT, interrupted)
                    _become(ours, files, asked)
                finally:
                    os._exit(1)
            _answer(stream, child)
        os.close(files[1])


def _load(module: str) -> None:
    """Loads what a module needs, once; its own text is run by each child.

    Raises:
        RuntimeError: That makes the process unfit to be forked.
    """
    if module in sys.modules:
        return
    with suppress(ImportError):  # the child says so
        importlib.import_module(module)
    gc.freeze()  # collecting in a child would copy every shared page
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"{module} starts {threads - 1} threads: no fork of that is safe")
    if found := [name for name in _NOT_HERE if name in sys.modules]:
        raise RuntimeError(f"{module} loads {found}, which its children must load themselves")


def _answer(stream: socket.socket, child: int) -> None:
    with suppress(ConnectionError):  # nobody waits for it: the child finds its input at an end
        if child < 0:
            stream.send(b"n")
            return
        pidfd = os.pidfd_open(child)
        try:
            socket.send_fds(stream, [b"g"], [pidfd])
        finally:
            os.close(pidfd)


def _empty() -> bool:
    """Buries the children that have ended; says whether there are no others: they die with us."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _become(nursery: int, files: list[int], asked: _Asked) -> NoReturn:
    die_with_parent()
    if os.getppid() != nursery:  # it ended before the line above
        os._exit(1)
    stream, errors = files
    for given, number in ((stream, 0), (stream, 1), (errors, 2)):
        os.dup2(given, number)
    for given in files:
        os.close(given)
    os.umask(asked["umask"])
    sys.modules.pop(asked["module"], None)
    try:
        os.chdir(asked["directory"])
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        raise
    os._exit(0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)  # the engine's extension module complains at an orderly exit
