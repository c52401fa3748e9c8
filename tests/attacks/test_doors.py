"""Attacks on a server's doors: silence, drops, more connections than there is room for."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from catalog.web.doorkeeper import DoorLimits
from catalog.web.server import HttpServer

ROOM = 20


@contextlib.contextmanager
def serving(connection_s: float) -> Iterator[HttpServer]:
    """Plain HTTP: on one's own machine, or behind a proxy."""
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"))])
    made = HttpServer(app, "127.0.0.1:0", limits=DoorLimits(connection_s, connections=ROOM))
    made.start()
    try:
        yield made
    finally:
        made.stop()


def connected(server: HttpServer, source: str = "127.0.0.1") -> socket.socket:
    made = socket.create_connection(
        ("127.0.0.1", server.port), timeout=10, source_address=(source, 0)
    )
    made.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    return made


def hung_up(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_slow_request_is_cut_off_without_tls_too() -> None:
    with serving(1.0) as server, connected(server) as silent, connected(server) as dripping:
        with contextlib.suppress(OSError):
            for _ in range(600):
                dripping.sendall(b"X-A: b\r\n")
                time.sleep(0.02)
            pytest.fail("it was never cut off")
        assert hung_up(silent, 5)


def test_whoever_opens_hundreds_ends_nobody_else_s_connection() -> None:
    with serving(300.0) as server, contextlib.ExitStack() as held:
        honest = held.enter_context(connected(server, "127.0.0.2"))
        crowd = [held.enter_context(connected(server)) for _ in range(3 * ROOM)]
        assert sum(hung_up(each, 0.01) for each in crowd) >= 2 * ROOM
        honest.sendall(b"\r\n")
        honest.settimeout(10)
        assert honest.recv(15) == b"HTTP/1.1 200 OK"
        assert httpx2.get(server.url).text == "here"
