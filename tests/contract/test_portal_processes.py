"""A portal in several processes on one port: who dies is replaced, nobody outlives the parent."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import httpx2
import pyarrow as pa
import pytest
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from catalog.registry.registry import create, opened
from catalog.web.doorkeeper import DoorLimits
from catalog.web.server import HttpServer, Tls
from tests.catalog_world import record
from tests.datastore_world import make_public
from tests.openid_provider import certificate


def siblings(parent: int) -> set[int]:
    """Processes that Python's `multiprocessing` has started for it."""
    found = set()
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        for pid in task.read_text("ascii").split():
            command = Path(f"/proc/{pid}/cmdline")
            if command.exists() and b"spawn_main" in command.read_bytes():
                found.add(int(pid))
    return found


def listens(pid: int, port: int) -> bool:
    """Whether a process has a socket that listens on a port."""
    mine = set()
    for each in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            mine.add(os.readlink(each))  # noqa: PTH115 - of a socket, which is no path
        except OSError:
            continue
    for line in Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]:
        fields = line.split()
        there = fields[3] == "0A" and int(fields[1].partition(":")[2], 16) == port
        if there and f"socket:[{fields[9]}]" in mine:
            return True
    return False


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_processes_share_a_port_and_a_fate(tmp_path: Path) -> None:
    create(tmp_path / "c")
    with opened(tmp_path / "c") as registry:
        registry.register([record("A/1")])
        make_public(registry, pa.table({"k": [1, 2, 3]}), "A/1")
    program = Path(sys.executable).with_name("veil")
    command = [program, "portal", "serve", "--dir", tmp_path / "c", "--address", "127.0.0.1:0",
               "--processes", "2"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as portal:
        try:
            assert portal.stdout is not None
            url = portal.stdout.readline().split()[-1]
            port = int(url.rpartition(":")[2])

            def one() -> int:
                eventually(lambda: len(siblings(portal.pid)) == 1)
                [found] = siblings(portal.pid)
                eventually(lambda: listens(found, port))
                return found

            def all_answer() -> None:
                name = httpx2.get(f"{url}/api/3/action/package_list").json()["result"][0]
                sql = {"sql": f'SELECT max(k) AS k FROM "{name}"'}  # noqa: S608
                for _ in range(8):  # connections of their own: both processes get some
                    assert httpx2.get(f"{url}/api/sql", params=sql).json()["records"] == [{"k": 3}]

            first = one()
            all_answer()
            os.kill(first, signal.SIGKILL)
            eventually(lambda: first not in siblings(portal.pid))
            second = one()
            all_answer()
            os.kill(portal.pid, signal.SIGKILL)
            portal.wait()
            eventually(lambda: not Path(f"/proc/{second}").exists())
        finally:
            portal.kill()


async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
    """A download that takes longer than a handshake may."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b"x" * 10
            await anyio.sleep(0.1)

    await StreamingResponse(pieces())(scope, receive, send)


def test_over_tls_a_download_outlives_a_handshake_and_silence_does_not(tmp_path: Path) -> None:
    file, key = certificate(tmp_path)
    limits = DoorLimits(connection_s=30.0, handshake_s=0.3)
    server = HttpServer(slowly, "127.0.0.1:0", tls=Tls(key, file), limits=limits)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as silent:
            context = ssl.create_default_context(cafile=str(file))
            with httpx2.Client(verify=context) as http:
                assert http.get(f"https://localhost:{server.port}/").content == b"x" * 60
            with contextlib.suppress(ConnectionResetError):
                assert silent.recv(1) == b"", "it was hung up on"
    finally:
        server.stop()
