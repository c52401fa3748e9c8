"""Runs queries in locked child processes: one worker per query, forked ahead of need."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NewType

from desensitize.engines.zygote import (
    GREETING,
    LENGTH,
    MAX_REASON_BYTES,
    MAX_TASK_BYTES,
    MORE,
    RESULT,
    Limits,
)
from protos.faults import UnavailableError

if TYPE_CHECKING:
    import pyarrow as pa

MIB: Final = 1 << 20
MAX_RESULT_BYTES: Final = 256 * MIB
_BYTES_PER_THREAD: Final = 256 * MIB  # below that, more threads only run out of memory
_FIRST_BYTES: Final = 96 * MIB
"""What the engine may use at first. A fresh process pays for every page that it touches for the
first time; with little memory the engine takes pages again that it has. Over 100 M rows that is a
quarter of the time, and totals of a few groups never need more."""
_LOOK_S: Final = 0.1  # how late a cancelled query is ended, at most
_MOURNING_S: Final = 0.1
_SHORT_QUERY_S: Final = 0.03
_ENVIRONMENT: Final = {
    "PYTHONDONTWRITEBYTECODE": "1",
    # What would start threads in the libraries: none may exist at a fork.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]

RenderedSql = NewType("RenderedSql", str)
"""SQL that this program wrote: from typed algebra, or from a syntax tree of which every node is on
an allow-list and every table is ours. Nothing that came over a wire has this type."""


@dataclass(frozen=True)
class QueryTask:
    """One query over one snapshot.

    Attributes:
        snapshot: Native database file; its table is ``data``.
        sql: Exactly one SELECT over ``data``.
        beside: Further files, under these names: the table of one is ``name.data``.
    """

    snapshot: Path
    sql: RenderedSql
    beside: tuple[tuple[str, Path], ...] = ()


@dataclass
class _Worker:
    """A forked process that waits for its one task."""

    channel: socket.socket
    pidfd: int
    zygote: subprocess.Popen[bytes]  # whose child it is

    def kill(self) -> None:
        """Ends it if it still runs; a pidfd never names another process."""
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has left already, as it should
        finally:
            os.close(self.pidfd)
            self.channel.close()


class _LostError(UnavailableError):
    """The worker ended without an answer."""


class _MemoryError(UnavailableError):
    """The engine needs more memory than it was given."""


@dataclass(frozen=True)
class _Patience:
    """How long one query is waited for: until a deadline, or until nobody wants it any more."""

    until: float  # monotonic
    stop: threading.Event

    @property
    def over(self) -> bool:
        """Whether the deadline has passed.

        Raises:
            UnavailableError: Nobody wants the answer any more.
        """
        if self.stop.is_set():
            raise _failed("the job was cancelled; the worker was killed")
        return time.monotonic() > self.until

    def acquire(self, places: threading.BoundedSemaphore) -> bool:
        """Waits for a place; False at the deadline."""
        while not places.acquire(timeout=_LOOK_S):
            if self.over:
                return False
        return True

    def readable(self, channel: socket.socket, most_s: float = float("inf")) -> bool:
        """Waits for bytes; False at the deadline, or after ``most_s`` seconds."""
        end = min(self.until, time.monotonic() + most_s)
        # poll, not select: a busy node has descriptors above 1024.
        poller = select.poll()
        poller.register(channel, select.POLLIN)
        while not poller.poll(min(_LOOK_S, max(0.0, end - time.monotonic())) * 1000):
            if self.over or time.monotonic() >= end:
                return False
        return True


class QueryPool:
    """Query workers, ``spare`` of them ready.

    Args:
        memory_bytes: Address space that a query may take beyond the loaded engine.
        cpu_s: CPU seconds that a query may take, over all its threads.
        spare: Workers held ready.
        most: Queries that run at once; further callers wait.
        result_bytes: A larger result is refused before it is received.
    """

    def __init__(
        self,
        memory_bytes: int,
        cpu_s: int,
        spare: int = 1,
        most: int = 2,
        result_bytes: int = MAX_RESULT_BYTES,
    ) -> None:
        threads = max(1, min(os.cpu_count() or 1, memory_bytes // _BYTES_PER_THREAD))
        self._limits = Limits(memory_bytes, cpu_s, threads)
        # The engine gives up politely at 80 %; the operating system ends it at 100 %.
        full_bytes = memory_bytes * 8 // 10
        self._memory = (min(_FIRST_BYTES, full_bytes), full_bytes)
        self._spare = max(1, spare)
        self._result_bytes = result_bytes
        self._running = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._waiting: deque[socket.socket] = deque()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = True

    @property
    def zygote_pid(self) -> int | None:
        """Process id of the zygote, or None when there is none; for the operator's view."""
        return None if self._zygote is None else self._zygote.pid

    def start(self) -> None:
        """Starts the zygote and orders the spare workers; does not wait for them."""
        with self._lock:
            self._closed = False
            self._order()

    def close(self) -> None:
        """Ends the zygote and with it every worker; idempotent."""
        with self._lock:
            self._closed = True
            self._stop_zygote()

    def run(
        self, task: QueryTask, deadline_s: float, stop: threading.Event | None = None
    ) -> pa.Table:
        """Runs one query and returns its result.

        Args:
            task: What to run.
            deadline_s: Seconds until the worker is killed, waiting for a place included.
            stop: Set by whoever does not want the answer any more: the worker is killed, and its
                place is free for others.

        Raises:
            UnavailableError: ``engine.failed``. The message is the same whatever happened,
                because what happens may depend on rows; ``detail`` tells the operator.
        """
        first, full = (_encode(task, memory_bytes) for memory_bytes in self._memory)
        patience = _Patience(time.monotonic() + deadline_s, stop or threading.Event())
        if not patience.acquire(self._running):
            raise _failed("no place became free before the deadline")
        try:
            try:
                return self._surely(first, patience)
            except _MemoryError:
                return self._surely(full, patience)
        finally:
            self._running.release()

    def _surely(self, body: bytes, patience: _Patience) -> pa.Table:
        worker = self._take(patience)
        try:
            return self._once(worker, body, patience)
        except _LostError:
            if _lives(worker.zygote):
                raise
        # Not the query's fault: its worker died with the zygote. A query only reads.
        return self._once(self._take(patience), body, patience)

    def _once(self, worker: _Worker, body: bytes, patience: _Patience) -> pa.Table:
        try:
            _send_task(worker.channel, body, patience)
            # The next one comes up while this query runs, but not while a short query, and
            # whatever waits for it, needs the processors.
            patience.readable(worker.channel, _SHORT_QUERY_S)
            with self._lock:
                self._order()
            return _receive(worker.channel, patience, self._result_bytes)
        finally:
            worker.kill()

    def _take(self, patience: _Patience) -> _Worker:
        """Returns a worker that has greeted; a second try if the zygote had died."""
        for _ in range(2):
            with self._lock:
                if not self._waiting or self._zygote is None or self._zygote.poll() is not None:
                    self._order()
                channel, zygote = self._waiting.popleft(), self._zygote
            pidfd = _greeted(channel, patience)
            if pidfd is not None and zygote is not None:
                return _Worker(channel, pidfd, zygote)
        raise _failed("no worker came up before the deadline")

    def _order(self) -> None:
        """Asks for workers until ``spare`` are on their way; needs the lock."""
        if self._closed:
            raise _failed("the pool is closed")
        control = self._control
        if control is None or self._zygote is None or self._zygote.poll() is not None:
            self._stop_zygote()
            control = self._spawn()
        while len(self._waiting) < self._spare:
            try:
                self._waiting.append(_ask(control))
            except (BrokenPipeError, ConnectionResetError):  # it has died, and is not yet reaped
                self._stop_zygote()
                control = self._spawn()
                self._waiting.append(_ask(control))

    def _spawn(self) -> socket.socket:
        limits = json.dumps(asdict(self._limits))
        ours, theirs = socket.socketpair()
        with theirs:
            name = str(theirs.fileno())
            self._zygote = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-P", "-m", "desensitize.engines.zygote", name, limits],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={"PATH": os.defpath, "PYTHONPATH": str(_PACKAGE_ROOT), **_ENVIRONMENT},
            )
        self._control = ours
        return ours

    def _stop_zygote(self) -> None:
        while self._waiting:
            self._waiting.popleft().close()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
            self._zygote = None


def _ask(control: socket.socket) -> socket.socket:
    """Asks a zygote for a worker; returns our end of the worker's channel."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            socket.send_fds(control, [b"f"], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
    return ours


def _encode(task: QueryTask, memory_bytes: int) -> bytes:
    fields = {
        "snapshot": str(task.snapshot),
        "beside": [[name, str(path)] for name, path in task.beside],
        "sql": task.sql,
        "memory_bytes": memory_bytes,
    }
    body = json.dumps(fields).encode()
    if len(body) > MAX_TASK_BYTES:
        raise _failed(f"the rendered query has {len(body)} bytes")
    return body


def _lives(zygote: subprocess.Popen[bytes]) -> bool:
    try:
        zygote.wait(_MOURNING_S)  # workers learn of its death a moment before we do
    except subprocess.TimeoutExpired:
        return True
    return False


def _greeted(channel: socket.socket, patience: _Patience) -> int | None:
    """Waits for the greeting with the worker's pidfd; None if it never comes."""
    if not patience.readable(channel):
        channel.close()
        return None
    try:
        message, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    except ConnectionResetError:
        channel.close()
        return None
    if message != GREETING or len(descriptors) != 1:
        channel.close()
        return None
    return descriptors[0]


def _send_task(channel: socket.socket, body: bytes, patience: _Patience) -> None:
    channel.settimeout(max(0.001, patience.until - time.monotonic()))
    try:
        channel.sendall(LENGTH.pack(len(body)) + body)
    except OSError as error:
        raise _failed(f"the worker took no task: {error}", _LostError) from error


def _receive(channel: socket.socket, patience: _Patience, most: int) -> pa.Table:
    import pyarrow as pa

    head = _exactly(channel, 1 + LENGTH.size, patience)
    mark, (size,) = head[:1], LENGTH.unpack(head[1:])
    if size > (most if mark == RESULT else MAX_REASON_BYTES):
        raise _failed(f"the worker announced {size} bytes")
    body = _exactly(channel, size, patience)
    if mark != RESULT:
        kind = _MemoryError if mark == MORE else UnavailableError
        raise _failed(body.decode("utf-8", "replace"), kind)
    try:
        # The worker has read foreign files, so its bytes are checked like a stranger's.
        with pa.ipc.open_stream(pa.py_buffer(body)) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise _failed(f"the worker's result is malformed: {error}") from error
    return table


def _exactly(channel: socket.socket, size: int, patience: _Patience) -> bytearray:
    received = bytearray(size)
    view, have = memoryview(received), 0
    while have < size:
        # Late is late, also if the answer lies there because this thread was late itself.
        if patience.over or not patience.readable(channel):
            raise _failed("the deadline passed; the worker was killed")
        try:
            count = channel.recv_into(view[have:])
        except OSError as error:
            raise _failed(f"the worker was lost: {error}", _LostError) from error
        if count == 0:
            raise _failed("the worker ended without an answer: a limit or a signal", _LostError)
        have += count
    return received


def _failed(detail: str, kind: type[UnavailableError] = UnavailableError) -> UnavailableError:
    return kind(
        "the department's engine could not run this query",
        remedy="the department's operator finds the reason in the node's log",
        code="engine.failed",
        detail=detail,
    )
