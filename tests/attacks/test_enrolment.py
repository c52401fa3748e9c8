"""Strangers at the enrolment door: slow ones, many at once, and thieves in a race."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog.web.doorkeeper import DoorLimits
from compute_nodes.rpc.enrol import enroll
from protos.faults import TrustError, VeilError
from tests.exchange_world import World, eventually


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, door=DoorLimits(connection_s=1.0, connections=40))
    yield world
    world.close()


def slow(world: World, first: bytes) -> ssl.SSLSocket:
    """A connection after the handshake that has begun a request."""
    context = ssl.create_default_context(cadata=world.identity.ca_pem.decode())
    plain = socket.create_connection(("127.0.0.1", world.door.port), timeout=5)
    secure = context.wrap_socket(plain, server_hostname="127.0.0.1")
    secure.sendall(first)
    return secure


def hung_up(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


STARTS = [
    b"",
    b"POST /enrol HT",
    b"POST /enrol HTTP/1.1\r\nHost: x\r\n",
    b"POST /enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    b"POST /enrol HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
]


@pytest.mark.parametrize("first", STARTS)
def test_a_slow_request_is_cut_off(world: World, first: bytes):
    start = time.monotonic()
    with slow(world, first) as connection:
        assert hung_up(connection, 4)
    assert time.monotonic() - start < 4


def test_a_dripping_request_is_cut_off(world: World):
    start = time.monotonic()
    with slow(world, STARTS[2]) as connection, contextlib.suppress(OSError):
        while time.monotonic() - start < 5:
            connection.sendall(b"X-A: b\r\n")
            time.sleep(0.05)
    assert time.monotonic() - start < 4


def test_a_silent_handshake_is_cut_off(world: World):
    with socket.create_connection(("127.0.0.1", world.door.port)) as plain:
        assert hung_up(plain, 4)


def test_slow_strangers_do_not_keep_members_out(world: World):
    """More slow connections than there is room for: the oldest give way."""
    held = [slow(world, STARTS[number % len(STARTS)]) for number in range(120)]
    silent = [socket.create_connection(("127.0.0.1", world.door.port)) for _ in range(200)]
    start = time.monotonic()
    assert world.member("department", "shenzhen")
    assert time.monotonic() - start < 5
    for connection in (*held, *silent):
        connection.close()


def test_one_token_in_a_race_admits_one(world: World, tmp_path: Path):
    token = world.identity.invite("department", "shenzhen", url=world.door.url)
    start = threading.Barrier(6)

    def redeem(number: int) -> str:
        start.wait(5)
        try:
            enroll(token, tmp_path / f"race{number}", "department")
        except VeilError as error:
            return error.code
        return "in"

    with ThreadPoolExecutor(6) as pool:
        results = sorted(pool.map(redeem, range(6)))
    assert results.count("in") == 1
    assert set(results) <= {"in", "invite.used", "member.taken"}
    assert len(world.identity.members()) == 1


def test_guessing_says_nothing_about_which_invitations_exist(world: World, tmp_path: Path):
    from catalog.identity.invite import Invite

    world.identity.invite("department", "shenzhen", url=world.door.url)
    faults = []
    for name in ("shenzhen", "zhuhai"):
        guess = Invite(
            world.door.url, world.identity.ca_pem.decode(), "00" * 32, "department", name
        )
        with pytest.raises(TrustError) as caught:
            enroll(guess.encode(), tmp_path / name, "department")
        faults.append(caught.value.public())
    assert faults[0] == faults[1]


def test_the_door_closes_with_strangers_inside(tmp_path: Path):
    world = World(tmp_path)
    held = [slow(world, STARTS[3]) for _ in range(5)]
    start = time.monotonic()
    world.close()
    assert time.monotonic() - start < 6
    assert eventually(lambda: not any(t.name == "enrolment" for t in threading.enumerate()))
    for connection in held:
        connection.close()
