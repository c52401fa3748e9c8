"""A portal and an exchange as processes of their own, with hostile clients and kills (a minute).

Figures are printed (``-s``): an honest visitor's slowest page meanwhile, memory, files, threads.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pyarrow as pa
import pytest

from catalog.access.audit import Audit
from catalog.registry.registry import create, opened
from tests.catalog_world import record
from tests.datastore_world import make_public

pytestmark = pytest.mark.slow
VEIL = Path(sys.executable).with_name("veil")
CLIENTS = 800  # more than there are doors
HEAD = b"GET /en/ HTTP/1.1\r\nHost: x\r\nX-A: "
BODY = b"POST /en/certificates/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n"
STOPPED = """
import socket, sys, time
port, path = int(sys.argv[1]), sys.argv[2].encode()
held = []
for number in range(60):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.bind((f"127.0.3.{1 + number // 8}", 0))
    one.connect(("127.0.0.1", port))
    one.sendall((b"GET " + path + b" HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n") * 50)
    held.append(one)
print("open", flush=True)
time.sleep(600)
"""


@dataclass
class Served:
    """A server as a process of its own."""

    name: str
    command: list[str | Path]
    trust: ssl.SSLContext | bool = True
    url: str = ""
    process: subprocess.Popen[str] | None = None
    slowest: list[float] = field(default_factory=list)

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        found = None
        while found is None:  # the exchange says first where its members go
            line = self.process.stdout.readline()
            assert line, f"{self.name} did not start"
            found = re.search(r"(?:Portal|Catalog|门户|目录)[:：]\s*(\S+)", line)
        self.url = found.group(1)

    def kill(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str = "/en/") -> int:
        """An honest visitor: a connection of its own."""
        began = time.monotonic()
        status = httpx2.get(self.url + path, verify=self.trust, timeout=10).status_code
        self.slowest.append(time.monotonic() - began)
        return status

    def figures(self) -> tuple[int, int, int]:
        """Returns memory in MiB, open files and threads."""
        assert self.process is not None
        here = Path(f"/proc/{self.process.pid}")
        status = dict(line.split(":", 1) for line in (here / "status").read_text().splitlines())
        files = len(list((here / "fd").iterdir()))
        return int(status["VmRSS"].split()[0]) >> 10, files, int(status["Threads"])

    def say(self, when: str) -> None:
        slowest = max(self.slowest, default=0.0)
        sys.stdout.write(
            f"{self.name:9} {when:18} {slowest:6.3f} s, MiB/files/threads {self.figures()}\n"
        )
        self.slowest.clear()


@contextlib.contextmanager
def crowd(port: int, begun: bytes) -> Iterator[list[socket.socket]]:
    """Clients that say so much, from many addresses, and no more."""
    with contextlib.ExitStack() as held:
        made = []
        for number in range(CLIENTS):
            source = (f"127.0.{1 + number // 200}.{1 + number % 200}", 0)
            one = socket.create_connection(("127.0.0.1", port), 10, source_address=source)
            made.append(held.enter_context(one))
            with contextlib.suppress(OSError):  # it gave way already
                one.sendall(begun)
        yield made


def drip(clients: list[socket.socket]) -> None:
    for each in clients:
        with contextlib.suppress(OSError):
            each.setblocking(False)
            each.send(b"a")


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < end, "it never came back"
        time.sleep(0.5)


@pytest.mark.timeout(400)
def test_honest_visitors_are_served_and_everything_comes_back(tmp_path: Path) -> None:
    catalog = tmp_path / "c"
    create(catalog)
    with opened(catalog) as registry:
        registry.register([record("A/1")])
        make_public(registry, pa.table({"k": range(300_000), "t": ["x" * 40] * 300_000}), "A/1")
    subprocess.run([VEIL, "exchange", "init", "--dir", tmp_path / "e"], check=True)
    trust = ssl.create_default_context(cafile=tmp_path / "e" / "ca.crt")
    portal = Served("portal", [VEIL, "portal", "serve", "--dir", catalog, "--address",
                               "127.0.0.1:0"])  # fmt: skip
    exchange = Served("exchange", [VEIL, "exchange", "serve", "--dir", tmp_path / "e",
                                   "--address", "127.0.0.1:0", "--catalog", catalog,
                                   "--http", "127.0.0.1:0"], trust)  # fmt: skip
    servers = (portal, exchange)
    try:
        for each in servers:
            each.start()
            assert [each.get() for _ in range(5)] == [200] * 5
        [name] = httpx2.get(f"{portal.url}/api/3/action/package_list").json()["result"]
        dump = f"/datastore/dump/{name}?format=csv"
        assert portal.get(dump + "&limit=1") == 200
        files = [each.figures()[1] for each in servers]
        for each in servers:
            each.say("before")
        for what, begun in (("silent", b""), ("headers that drip", HEAD), ("bodies", BODY)):
            if what != "silent":  # to the exchange all of these are a handshake that is none
                servers_now: tuple[Served, ...] = (portal,)
            else:
                servers_now = servers
            for each in servers_now:
                with crowd(each.port, begun) as clients:
                    for _ in range(10):
                        drip(clients)
                        assert each.get() == 200
                    each.say(what)
        _stopped_in_a_download(portal, dump)
        _killed_while_the_other_serves(exchange, portal, dump)
        for each, before in zip(servers, files, strict=True):
            eventually(lambda each=each, most=before + 8: each.figures()[1] <= most)  # type: ignore[misc]
            each.say("after")
        journal = Audit(catalog, lambda: 1)
        journal.open()
        assert journal.verify().entries > 20
        journal.close()
    finally:
        for each in servers:
            each.kill()


def _stopped_in_a_download(portal: Served, dump: str) -> None:
    """All places are taken by clients that are stopped; they come back by themselves."""
    command = [sys.executable, "-c", STOPPED, str(portal.port), dump]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as clients:
        try:
            assert clients.stdout is not None
            clients.stdout.readline()
            os.kill(clients.pid, signal.SIGSTOP)
            eventually(lambda: portal.get(dump + "&limit=1") == 429)
            assert [portal.get() for _ in range(10)] == [200] * 10
            portal.say("stopped downloads")
            eventually(lambda: portal.get(dump + "&limit=1") == 200)
        finally:
            clients.kill()


def _killed_while_the_other_serves(exchange: Served, portal: Served, dump: str) -> None:
    """Both write the same journal and registry; one is killed at any moment."""
    for number in range(3):
        deaths = time.monotonic() + 0.3 + 0.2 * number
        while time.monotonic() < deaths:
            assert exchange.get(dump + "&limit=1") == 200
        exchange.kill()
        assert [portal.get(path) for path in ("/en/", dump + "&limit=1") * 5] == [200] * 10
        exchange.start()
        assert exchange.get() == 200
    portal.say("sibling killed")
