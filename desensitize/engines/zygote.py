"""The zygote: a process that has the engine loaded and forks one locked worker per query.

Run as ``python -m desensitize.engines.zygote FD LIMITS`` by ``QueryPool``. It has no gRPC, no
keys, no network and no second thread, so a fork of it is safe and costs about a millisecond; a
fresh engine costs thirteen.

What a worker may do is limited by the operating system, not by the engine's own settings, which
are no cap (``memory_limit`` is exceeded by one large string):

* address space, CPU seconds, no file of any size written, no core dump (``setrlimit``);
* no network: an empty network namespace where the system allows one, and in any case not one
  more file descriptor once the snapshot is open (``RLIMIT_NOFILE`` = 0), so no socket either;
* it dies with the zygote, and the zygote with the node (end of file on its control socket).

Wire between node and worker, on one stream socket per worker: zygote → node one byte ``g`` with
the worker's pidfd attached; node → worker ``!Q`` length and a JSON task; worker → node one byte
(``+`` result, ``-`` private reason, ``m`` a reason that more memory would do away with), ``!Q``
length, and an Arrow IPC stream or UTF-8 text.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from desensitize.engines.limits import address_space, die_with_parent, isolate, loaded

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

GREETING: Final = b"g"
RESULT: Final = b"+"
REASON: Final = b"-"
MORE: Final = b"m"
LENGTH: Final = struct.Struct("!Q")
MAX_TASK_BYTES: Final = 16 * 1024 * 1024
MAX_REASON_BYTES: Final = 4096

_ENGINE: Final[dict[str, str | bool | int | float | list[str]]] = {
    # One thread and no asynchronous readers until after the fork: threads do not survive it.
    "threads": 1,
    "async_threads": 0,
    "temp_directory": "",
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@dataclass(frozen=True)
class Limits:
    """What one worker may use.

    Attributes:
        memory_bytes: Address space beyond what the loaded engine takes.
        cpu_s: CPU seconds over all threads.
        threads: Threads of the engine.
    """

    memory_bytes: int
    cpu_s: int
    threads: int


def main(control: socket.socket, limits: Limits) -> None:
    """Forks a worker for every channel that arrives, until the node is gone."""
    isolate()
    engine = _warm_engine()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps; nodes watch by pidfd
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the node's to handle
    gc.collect()
    loaded()  # collecting in a child would copy every shared page
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        for descriptor in descriptors:
            with socket.socket(fileno=descriptor) as channel:
                _fork(control, channel, engine, limits)


def _fork(
    control: socket.socket,
    channel: socket.socket,
    engine: duckdb.DuckDBPyConnection,
    limits: Limits,
) -> None:
    zygote = os.getpid()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _die_with(zygote)
            control.close()
            serve(channel, engine, limits)
            status = 0
        finally:
            os._exit(status)  # no clean-up of what is shared with the zygote
    pidfd = os.pidfd_open(child)
    try:
        socket.send_fds(channel, [GREETING], [pidfd])
    except (BrokenPipeError, ConnectionResetError):
        pass  # the node has given this worker up; it sees the end of file and leaves
    finally:
        os.close(pidfd)


def serve(channel: socket.socket, engine: duckdb.DuckDBPyConnection, limits: Limits) -> None:
    """Serves exactly one query: reads the task, locks itself, answers.

    Args:
        channel: Stream socket to the node.
        engine: The engine as it was at the fork, without threads.
        limits: What this worker may use.
    """
    import duckdb
    import pyarrow as pa

    engine.execute(f"SET threads = {limits.threads}")
    task = _task(channel)
    if task is None:
        return  # never needed
    try:
        files = [("snapshot", task["snapshot"]), *task["beside"]]
        _lock(engine, files, task["memory_bytes"], limits)
        reply = _answer(engine, task["sql"])
        mark = RESULT
    except duckdb.OutOfMemoryException as error:
        reply, mark = _reason(error), MORE
    except (duckdb.Error, pa.ArrowException, MemoryError, OSError, ValueError) as error:
        reply, mark = _reason(error), REASON
    channel.sendall(mark + LENGTH.pack(len(reply)))
    channel.sendall(reply)


def _reason(error: BaseException) -> bytes:
    return f"{type(error).__name__}: {error}".encode()[:MAX_REASON_BYTES]


def _task(channel: socket.socket) -> dict[str, Any] | None:
    head = _exactly(channel, LENGTH.size)
    if head is None:
        return None
    (size,) = LENGTH.unpack(head)
    body = _exactly(channel, size) if size <= MAX_TASK_BYTES else None
    return None if body is None else json.loads(body)


def _lock(
    engine: duckdb.DuckDBPyConnection,
    files: Sequence[tuple[str, str]],
    memory_bytes: int,
    limits: Limits,
) -> None:
    """Opens the snapshots, the first of which is the usual one; closes every other way out."""
    # The engine gives up politely at this; the operating system ends it at its own limit.
    engine.execute(f"SET memory_limit = '{memory_bytes // 2**10} KiB'")
    for name, file in files:
        path = file.replace("'", "''")
        engine.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")
    engine.execute("USE snapshot")
    engine.execute("SET enable_external_access = false")
    engine.execute("SET lock_configuration = true")
    for kind, limit in (
        (resource.RLIMIT_AS, address_space() + limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def _answer(engine: duckdb.DuckDBPyConnection, sql: str) -> pa.Buffer:
    import duckdb
    import pyarrow as pa

    statements = engine.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ValueError("the text is not exactly one SELECT")
    table = engine.sql(sql).to_arrow_table()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _die_with(zygote: int) -> None:
    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.getppid() != zygote:  # it died before the line above
        os._exit(1)


def _warm_engine() -> duckdb.DuckDBPyConnection:
    """Opens the engine and runs each step once, so that workers inherit loaded pages."""
    import duckdb

    engine = duckdb.connect(":memory:", config=_ENGINE)
    engine.execute("ATTACH ':memory:' AS snapshot")
    engine.execute("USE snapshot")
    engine.execute("CREATE TABLE data AS SELECT i::VARCHAR AS k, i FROM range(10) t(i)")
    _answer(engine, "SELECT k, COUNT(*) AS m0, SUM(i)::BIGINT AS m1 FROM data GROUP BY k")
    engine.execute("USE memory")
    engine.execute("DETACH snapshot")
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"the zygote has {threads} threads and cannot fork safely")
    return engine


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    """Reads ``size`` bytes; None at an early end of file."""
    received = bytearray()
    while len(received) < size:
        part = channel.recv(min(size - len(received), 1 << 20))
        if not part:
            return None
        received += part
    return bytes(received)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), Limits(**json.loads(sys.argv[2])))
    os._exit(0)  # the engine's extension module complains at an orderly exit
