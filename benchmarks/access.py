"""Data calls a second that are authorised by an API key and audited, beside the same without.

    python -m benchmarks.access [--seconds 5] [--connections 64]

A server of its own process answers a hundred rows of JSON over kept connections, as it does in
earnest: HTTP, key looked up in the database at each call, scopes, quota, an entry in the audit
journal on disk before the answer. Beside it the same route with nothing asked, which is what the
web framework costs. Callers are processes of their own, on the same machine: they take processor
time, too, so the time that the server used a call is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from benchmarks import summary
from catalog.access.accounts import Account
from catalog.access.keys import Wish
from catalog.access.principal import Principal
from catalog.registry.registry import create
from catalog.web.app import create_app
from catalog.web.doorkeeper import DOWNLOADS
from catalog.web.guard import May
from catalog.web.server import HttpServer
from catalog.web.services import services

ROWS = json.dumps([{"code": n, "name": f"医院{n}", "beds": n * 7 % 400} for n in range(100)])
TARGET = 1000
router = APIRouter()


@router.get("/audited")
def audited(_: Annotated[Principal, Depends(May("dataset.write"))]) -> Response:
    """A data call."""
    return Response(ROWS, media_type="application/json")


@router.get("/plain")
def plain() -> Response:
    """The same, asked by nobody."""
    return Response(ROWS, media_type="application/json")


def serve(directory: Path, pipe: Connection) -> None:
    """Runs in the server's process; answers how much processor time it has used."""
    with services(directory, public=False) as found:
        if found.gate is None:
            raise AssertionError
        robot = Account("robot", roles=frozenset({"administrator"}))
        maker = found.gate.accounts.add(robot).principal()
        wish = Wish("benchmark", ["dataset.write"], per_minute=1_000_000, per_day=10**9)
        _, key = found.gate.keys.add(maker, wish)
        app = create_app(found)
        app.include_router(router)
        app.router.routes.insert(0, app.router.routes.pop())  # where the data's own routes stand
        server = HttpServer(app, "127.0.0.1:0", limits=DOWNLOADS)
        server.start()
        pipe.send((server.port, key))
        while pipe.recv():
            pipe.send((time.process_time(), found.audit.verify().entries))
        server.stop()


def call(port: int, path: str, key: str, connections: int, seconds: float) -> int:
    """Calls over so many connections at once, and returns how many answers came."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n".encode()

    async def one(end: float) -> int:
        count = 0
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
            except (ConnectionError, asyncio.IncompleteReadError):  # lives ten seconds at most
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            count += 1
        writer.close()
        return count

    async def all_of_them() -> int:
        end = time.monotonic() + seconds
        return sum(await asyncio.gather(*(one(end) for _ in range(connections))))

    return asyncio.run(all_of_them())


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    here, there = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "c"
        create(directory)
        context = multiprocessing.get_context("spawn")
        server = context.Process(target=serve, args=(directory, there))
        server.start()
        port, key = here.recv()
        rates = {}
        with context.Pool(1) as callers:
            for path in ("/plain", "/audited"):
                callers.apply(call, (port, path, key, arguments.connections, 0.5))
                here.send("figures")
                used, entries = here.recv()
                begin = time.perf_counter()
                answered = callers.apply(
                    call, (port, path, key, arguments.connections, arguments.seconds)
                )
                wall = time.perf_counter() - begin
                here.send("figures")
                after, written = here.recv()
                rates[path] = answered / wall
                print(
                    f"{path:9} {rates[path]:8,.0f} calls/s, {1000 * (after - used) / answered:.2f} "
                    f"ms of the server's processor a call, {written - entries:,} entries for "
                    f"{answered:,} answers"
                )
        here.send("")
        server.join()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load average {load:.1f}")
    summary.record(
        "catalog: authorised, audited data calls", rates["/audited"], "a second", least=TARGET
    )


if __name__ == "__main__":
    main()
