"""Attacks on a server's doors: silence, drops, more connections than there is room for."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from catalog.rest.streams import Stream
from catalog.web.doorkeeper import DoorLimits
from catalog.web.protocol import Pace
from catalog.web.quiet import Quiet
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


# ---- who sends or reads slowly; what two readers would cut differently -----------------------

QUICK = Pace(head_s=0.4, body_s=0.4, body_rate=1 << 20, stalled_s=0.4)


class Door:
    """One server with an endless download, a body that is read whole, and a page."""

    def __init__(self) -> None:
        self.given_back = threading.Semaphore(0)
        app = Starlette(routes=[
            Route("/", lambda _: PlainTextResponse("here")),
            Route("/endless", self._endless),
            Route("/body", self._body, methods=["POST"]),
        ])  # fmt: skip
        limits = DoorLimits(300.0, connections=100)
        self.server = HttpServer(app, "127.0.0.1:0", limits=limits, pace=QUICK)

    def _endless(self, _: Request) -> Response:
        return Stream(iter(lambda: b"x" * (1 << 16), b""), self.given_back.release)

    async def _body(self, request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    made = Door()
    made.server.start()
    yield made
    made.server.stop()


def answered(door: Door, sent: bytes) -> bytes:
    """Returns all that comes back until the server hangs up."""
    found = bytearray()
    with socket.create_connection(("127.0.0.1", door.server.port), timeout=10) as connection:
        connection.sendall(sent)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                found += part
    return bytes(found)


GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST /body HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + GET,
        POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd" + GET,
        POST + b"Content-Length: 4, 5\r\n\r\nabcd" + GET,
        POST + b"Content-Length: +4\r\n\r\nabcd" + GET,
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + GET,
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + GET,
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + GET,
        POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
        GET.replace(b"\r\n", b"\n"),
        GET.replace(b"x\r\n", b"x\nY: z\r\n"),
        GET.replace(b"x\r\n", b"x\rY: z\r\n"),
        GET.replace(b"1.1", b"2.0"),
        GET.replace(b"Host: x", b"Host: x\r\nHost: y"),
        GET.replace(b"Host: x\r\n", b""),
    ],
)
def test_what_a_proxy_might_cut_differently_is_no_request(door: Door, sent: bytes) -> None:
    said = answered(door, sent)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1") == 1  # nothing behind it was taken for a second request


def test_requests_that_are_whole_are_answered(door: Door) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\n\n\r\n0\r\n\r\n"
    said = answered(door, chunked + POST + b"Content-Length: 2\r\n\r\n\n\n" + GET)
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert answered(door, b"GET / HTTP/1.0\r\n\r\n").endswith(b"here")


@pytest.mark.parametrize(
    "begun", [b"GET / HTTP/1.1\r\nX: ", POST + b"Content-Length: 9000000\r\n\r\n"]
)
def test_headers_and_bodies_that_drip_end_long_before_the_connection(
    door: Door, begun: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", door.server.port), timeout=10) as dripping:
        dripping.sendall(begun)
        with pytest.raises(ConnectionError):
            for _ in range(500):
                time.sleep(0.02)
                dripping.sendall(b"a")


def test_who_reads_nothing_gives_the_place_back_and_who_reads_slowly_goes_on(door: Door) -> None:
    def asking() -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        made.settimeout(10)
        made.connect(("127.0.0.1", door.server.port))
        made.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        return made

    with asking(), asking() as slow:
        while not door.given_back.acquire(blocking=False):
            assert slow.recv(1 << 14)
            time.sleep(0.01)
        for _ in range(80):  # twice the time in which the other one was given up
            assert slow.recv(1 << 14)
            time.sleep(0.01)
        assert not door.given_back.acquire(blocking=False)


# ---- what strangers make it log --------------------------------------------------------------


def test_malformed_requests_write_no_lines(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    for sent in (b"x" * 100 + b"\r\n\r\n", GET.replace(b"close", b"upgrade\r\nUpgrade: websocket")):
        with (
            contextlib.suppress(TimeoutError),
            socket.create_connection(("127.0.0.1", door.server.port), timeout=1) as connection,
        ):
            connection.sendall(sent)
            assert connection.recv(100)
    assert not caplog.records


def test_errors_that_strangers_repeat_do_not_fill_the_log() -> None:
    now = 0.0
    quiet = Quiet(lambda: now)

    def lines(times: int) -> list[str]:
        made = [logging.makeLogRecord({"msg": "%s: x", "args": ("a",)}) for _ in range(times)]
        return [each.getMessage() for each in made if quiet.filter(each)]

    assert len(lines(10_000)) == 100
    now = 60.0
    later = lines(10_000)
    assert (len(later), later[0], later[1]) == (10, "(9900 lines were left out) a: x", "a: x")
