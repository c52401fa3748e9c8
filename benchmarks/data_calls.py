"""Calls for public rows: authorised by an API key, written to the audit journal, over HTTP.

Ours and Datasette (its own environment, outside the lock) serve the same table, and answer the same
calls from the same client in the same run: a page somewhere in the table, and the row of a key.
Datasette knows no accounts and keeps no journal; its calls are anonymous. Every call asks for
something else, so nothing is answered from a cache.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from benchmarks.summary import record as note
from catalog.access.accounts import Account
from catalog.access.keys import Wish
from catalog.access.principal import Principal
from catalog.datastore.datastore import datastore
from catalog.registry.registry import create, opened
from catalog.web.app import create_app
from catalog.web.doorkeeper import DOWNLOADS
from catalog.web.server import HttpServer
from catalog.web.services import services
from catalog.web.siblings import Siblings
from tests.catalog_world import record
from tests.datastore_world import make_public

DATASETTE = "DATASETTE_PYTHON"
DISTRICTS = ("荔湾", "越秀", "海珠", "天河", "白云")


@dataclass(frozen=True)
class Server:
    """Somebody who answers."""

    name: str
    port: int
    process: int
    page: Callable[[int], str]
    row: Callable[[int], str]
    headers: str = ""


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve, "127.0.0.1:0", arguments.processes - 1)
        return
    table = table_of(arguments.rows)
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        with ours(Path(folder) / "catalog", table, arguments.processes) as server:
            found["ours"] = measure(server, arguments)
            sql(server, arguments.calls // 20)
        if python := os.environ.get(DATASETTE):
            with datasette(python, Path(folder) / "public.db", table) as server:
                found["datasette"] = measure(server, arguments)
    for what, rate in found["ours"].items():
        if what == "row of a key":
            note("data calls: authorised and audited, one row", rate, "/s", least=1000)
        if "datasette" in found:
            ratio = rate / found["datasette"][what]
            print(f"{what}: {ratio:.1f} times Datasette's")
            note(f"data calls: {what}, beside Datasette", ratio, "×", least=1)


def table_of(rows: int) -> pa.Table:
    """Made up."""
    draw = np.random.default_rng(7)
    return pa.table({
        "code": np.arange(rows), "name": [f"机构 {number}" for number in range(rows)],
        "beds": draw.integers(0, 2_000, rows), "cost": np.round(draw.random(rows) * 1e4, 2),
        "district": [DISTRICTS[n] for n in draw.integers(0, len(DISTRICTS), rows)],
        "day": [f"2025-{n % 12 + 1:02}-{n % 28 + 1:02}" for n in range(rows)],
    })  # fmt: skip


# ---- ours --------------------------------------------------------------------------------------


@contextmanager
def ours(directory: Path, table: pa.Table, processes: int) -> Iterator[Server]:
    """A catalog with one public table, served to who has a key."""
    create(directory)
    with opened(directory) as registry:
        registry.register([record("A/1")])
        make_public(registry, table, "A/1")
        with datastore(registry) as rows:
            [resource_] = rows.resources.all("open")
            rows.table(resource_)
    with services(directory, public=False) as found:
        if found.gate is None:
            raise RuntimeError("no gate")
        found.gate.accounts.add(Account("li", "Li", frozenset({"analyst"})))
        wish = Wish("bench", ["data.use"], per_minute=1_000_000, per_day=100_000_000)
        _, key = found.gate.keys.add(Principal("li", frozenset({"analyst"})), wish)
    rows_id = resource_.id
    command: list[str | Path] = [
        sys.executable, "-m", "benchmarks.data_calls", "--serve", directory,
        "--processes", str(processes),
    ]  # fmt: skip
    with child(command) as (port, pid):
        time.sleep(2 * processes)  # until all of them listen
        yield Server(
            "ours", port, pid,
            lambda n: f"/api/data/{rows_id}?limit=100&offset={n * 97 % 90_000}",
            lambda n: f"/api/data/{rows_id}?filters={quote(json.dumps({'code': n * 89 % 90_000}))}",
            f"Authorization: {key}\r\n",
        )  # fmt: skip


def serve(directory: Path, address: str, siblings: int = 0) -> None:
    """A server's process, as `veil exchange serve --catalog` has one, and others beside it."""
    with services(directory, public=False) as found:
        server = HttpServer(create_app(found), address, shared=True, limits=DOWNLOADS)
        server.start()
        others = Siblings(siblings, serve, directory, f"127.0.0.1:{server.port}")
        others.start()
        found.datastore.warm()
        print(server.port, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        others.stop()
        server.stop()


def sql(server: Server, calls: int) -> None:
    """Milliseconds of one statement after the other."""
    name = server.page(0).split("/")[3].partition("?")[0]
    times = []
    for number in range(max(calls, 20)):
        text = f'SELECT district, count(*) AS n FROM "{name}" WHERE beds < {number} GROUP BY 1'  # noqa: S608
        path = f"/api/sql?sql={quote(text)}"
        times += asyncio.run(drive(server, [path], 1)).times
    times.sort()
    print(f"ours: a statement of SQL, p50 {1000 * times[len(times) // 2]:.0f} ms, "
          f"p95 {1000 * times[len(times) * 95 // 100]:.0f} ms")  # fmt: skip
    note("data calls: governed SQL, p95", 1000 * times[len(times) * 95 // 100], "ms", most=100)


# ---- Datasette ---------------------------------------------------------------------------------


@contextmanager
def datasette(python: str, path: Path, table: pa.Table) -> Iterator[Server]:
    """The same table in SQLite, with an index on the key, as Datasette serves it."""
    with sqlite3.connect(path) as file:
        names = table.column_names
        file.execute("CREATE TABLE data (_id INTEGER PRIMARY KEY, "
                     + ", ".join(f'"{name}"' for name in names) + ")")  # fmt: skip
        file.executemany(
            f"INSERT INTO data VALUES ({', '.join('?' * (len(names) + 1))})",  # noqa: S608
            ((n, *row) for n, row in enumerate(zip(*table.to_pydict().values(), strict=True), 1)),
        )
        file.execute("CREATE INDEX codes ON data (code)")
    file.close()
    command = [python, "-m", "datasette", "serve", "-i", path, "-h", "127.0.0.1", "-p", "0"]
    with child(command) as (port, pid):
        yield Server(
            "Datasette", port, pid,
            # Its pages go on behind a key: that is its fastest way.
            lambda n: f"/public/data.json?_size=100&_nocount=1&_next={n * 97 % 90_000}",
            lambda n: f"/public/data.json?code={n * 89 % 90_000}&_nocount=1",
        )  # fmt: skip


# ---- the same client ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What came of some calls."""

    seconds: float
    times: list[float]


def measure(server: Server, arguments: argparse.Namespace) -> dict[str, float]:
    """Returns calls a second."""
    found = {}
    for what, path in (("page of 100 rows", server.page), ("row of a key", server.row)):
        paths = [path(number) for number in range(arguments.calls)]
        asyncio.run(drive(server, paths[:100], arguments.callers))
        busy, mine = cpu_of(server.process), own_cpu()
        run = asyncio.run(drive(server, paths, arguments.callers))
        busy, mine = cpu_of(server.process) - busy, own_cpu() - mine
        run.times.sort()
        found[what] = len(paths) / run.seconds
        p50, p95 = (1000 * run.times[len(paths) * part // 100] for part in (50, 95))
        print(
            f"{server.name}: {what}: {found[what]:.0f}/s, p50 {p50:.1f} ms, p95 {p95:.1f} ms; "
            f"processor time a call "
            f"{1000 * busy / len(paths):.2f} ms (client {1000 * mine / len(paths):.2f} ms)"
        )
    return found


async def drive(server: Server, paths: Sequence[str], callers: int) -> Run:
    """Some callers, each with one connection, take calls in turn."""
    waiting, times = iter(paths), []

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for path in waiting:
            begin = time.perf_counter()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{server.headers}\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(head.decode() + (await reader.read(2000)).decode())
            if b"transfer-encoding: chunked" in head:
                while size := int(await reader.readline(), 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            else:
                length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
            times.append(time.perf_counter() - begin)
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return Run(time.perf_counter() - begin, times)


@contextmanager
def child(command: Sequence[str | Path]) -> Iterator[tuple[int, int]]:
    """Starts a server; yields its port and process id."""
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("no output")
            for line in process.stdout:
                text = line.strip().rstrip("/ ").partition(" (Press")[0]
                port = text.rpartition(":")[2] if "running on" in line else text
                if port.isdigit():
                    # Who logs every call must not wait for a reader.
                    threading.Thread(target=process.stdout.read, daemon=True).start()
                    yield int(port), process.pid
                    break
            else:
                raise RuntimeError("the server did not start")
        finally:
            process.terminate()


def cpu_of(process: int) -> float:
    """Processor seconds of a process, its threads, and the processes that it started."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    started = Path(f"/proc/{process}/task").glob("*/children")
    return own + sum(cpu_of(int(pid)) for each in started for pid in each.read_text().split())


def own_cpu() -> float:
    """Processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
