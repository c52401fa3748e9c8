"""Strangers and members who do not behave: refused, and honest work goes on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from catalog.identity.authority import CertificateAuthority, TlsKey
from compute_nodes.rpc.membership import TlsFiles
from exchange.serving.admission import Limits
from protos.faults import JobError, ProtocolError, TrustError, UnavailableError, VeilError
from protos.frames import SMALL_BYTES
from protos.grpc_faults import to_fault
from protos.v1 import veil_pb2
from tests.exchange_world import World, eventually, message

NOW = time.time()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def call(channel: grpc.Channel, method: str, request: bytes) -> VeilError | bytes:
    """Any method with any bytes; returns the reply or the error."""
    try:
        reply: bytes = channel.unary_unary(f"/veil.v1.Exchange/{method}")(request, timeout=5)
    except grpc.RpcError as error:
        return to_fault(error)
    return reply


def upload(channel: grpc.Channel, parts: Iterable[bytes]) -> VeilError | bytes:
    try:
        reply: bytes = channel.stream_unary("/veil.v1.Exchange/Push")(iter(parts), timeout=10)
    except grpc.RpcError as error:
        return to_fault(error)
    return reply


def header(body: bytes, sender: str = "shenzhen", **changes: object) -> bytes:
    fields = {
        "job": "ab" * 16,
        "round": "values/masked",
        "attempt": 1,
        "sender": sender,
        "kind": "message",
        "size": len(body),
        "sha256": hashlib.sha256(body).digest(),
    }
    return veil_pb2.Frame(header=veil_pb2.Header(**(fields | changes))).SerializeToString()


def chunk(body: bytes) -> bytes:
    return veil_pb2.Frame(chunk=body).SerializeToString()


# --- who may connect


def write_member(
    home: Path, authority: CertificateAuthority, name: str, at: float, trusted_ca: bytes
) -> Path:
    home.mkdir()
    key = TlsKey.generate()
    key.save(home / "tls.key")
    pem = authority.certify_member("department", name, key.request(), at)
    (home / "tls.crt").write_bytes(pem)
    (home / "ca.crt").write_bytes(trusted_ca)
    return home


def test_another_cas_certificate_gets_no_connection(world: World, tmp_path: Path):
    other = CertificateAuthority.generate("evil", NOW)
    home = write_member(tmp_path / "x", other, "shenzhen", NOW, world.identity.ca_pem)
    with pytest.raises((UnavailableError, TrustError)):
        world.link(home).directory()
    with world.channel(home) as channel:
        assert isinstance(call(channel, "Directory", b""), VeilError)
    assert not world.server._admission._certificates  # it never got as far as a method


def test_a_man_in_the_middle_is_noticed_by_the_node(world: World, tmp_path: Path):
    """The node believes the CA of its invitation and no other."""
    home = world.member("department", "shenzhen")
    (home / "ca.crt").write_bytes(CertificateAuthority.generate("evil", NOW).certificate_pem)
    with pytest.raises(TrustError, match="do not accept each other's certificates"):
        world.link(home).directory()


def test_without_a_certificate_there_is_no_connection(world: World):
    with world.channel(None) as channel:
        fault = call(channel, "Directory", b"")
    assert isinstance(fault, VeilError)
    assert not world.server._admission._certificates


def test_an_expired_certificate_gets_no_connection(world: World, tmp_path: Path):
    authority = world.identity._authority
    home = write_member(
        tmp_path / "x", authority, "shenzhen", NOW - 91 * 86_400, world.identity.ca_pem
    )
    with world.channel(home) as channel:
        assert isinstance(call(channel, "Directory", b""), VeilError)
    with pytest.raises(TrustError, match="has expired"):
        world.link(home)  # an honest node says so before it dials


def test_a_certificate_that_the_registry_does_not_know_is_refused(world: World, tmp_path: Path):
    """Somebody who stole the CA's key still admits nobody."""
    home = write_member(
        tmp_path / "x", world.identity._authority, "sybil", NOW, world.identity.ca_pem
    )
    with pytest.raises(TrustError, match="no record"):
        world.link(home).directory()


def test_a_members_certificate_is_no_servers(world: World):
    """A department cannot pose as the exchange: its certificate is for clients only."""
    home = world.member("department", "shenzhen")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "tls.crt", home / "tls.key")
    listener = socket.create_server(("127.0.0.1", 0))

    def pose() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                return

    thread = threading.Thread(target=pose)
    thread.start()
    victim = world.tls(world.member("department", "zhuhai"))
    with (
        socket.create_connection(listener.getsockname()) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        victim.wrap_socket(plain, server_hostname="127.0.0.1")
    thread.join(5)
    listener.close()


# --- what a member may call


@pytest.mark.parametrize("method", ["Pull", "Push", "PushSmall", "Register"])
def test_an_analyst_cannot_act_as_a_department(world: World, method: str):
    with world.channel(world.member("analyst", "ana")) as channel:
        fault = call(channel, method, b"")
    assert isinstance(fault, TrustError)
    assert "not for the role analyst" in fault.message


@pytest.mark.parametrize(
    "method", ["Submit", "Watch", "Fetch", "Certificate", "Cancel", "RequestGrant", "Grants"]
)
def test_a_department_cannot_act_as_an_analyst(world: World, method: str):
    with world.channel(world.member("department", "shenzhen")) as channel:
        fault = call(channel, method, b"")
    assert isinstance(fault, TrustError)
    assert "not for the role department" in fault.message


def test_an_auditor_may_only_look(world: World):
    with world.channel(world.member("auditor", "court")) as channel:
        assert isinstance(call(channel, "Directory", b""), bytes)
        assert isinstance(call(channel, "Submit", b""), TrustError)
        assert isinstance(call(channel, "Pull", b""), TrustError)


def test_the_server_certificate_is_no_member(world: World):
    with world.channel(world.directory / "exchange") as channel:
        assert isinstance(call(channel, "Directory", b""), VeilError)


# --- revocation


def test_a_revoked_member_is_out_within_five_seconds_also_in_the_middle(world: World):
    shenzhen, ana = world.department("shenzhen"), world.analyst()
    ended: dict[str, tuple[float, VeilError]] = {}

    def until_refused(name: str, act: Callable[[], object]) -> None:
        try:
            act()
        except VeilError as error:
            ended[name] = (time.monotonic(), error)

    drip_home = world.directory / "department-shenzhen"
    stop_drip = threading.Event()

    def drip() -> None:
        def parts() -> Iterator[bytes]:
            yield header(bytes(1000))
            while not stop_drip.wait(0.05):
                yield chunk(b"x")

        with world.channel(drip_home) as channel:
            fault = upload(channel, parts())
            if isinstance(fault, VeilError):
                ended["upload"] = (time.monotonic(), fault)

    threads = [
        threading.Thread(target=until_refused, args=("poll", lambda: shenzhen.pull(30))),
        threading.Thread(target=until_refused, args=("watch", lambda: list(ana.watch("j")))),
        threading.Thread(target=drip),
    ]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(world.server._admission._live) == 3)
    start = time.monotonic()
    world.identity.revoke("department", "shenzhen")
    world.identity.revoke("analyst", "ana")
    for thread in threads:
        thread.join(6)
    stop_drip.set()
    assert set(ended) == {"poll", "watch", "upload"}
    for name, (at, fault) in ended.items():
        assert at - start < 5, name
        if name != "upload":
            assert isinstance(fault, TrustError)
            assert fault.code == "certificate.revoked"
    with pytest.raises(TrustError, match="revoked") as caught:
        shenzhen.directory()
    assert caught.value.remedy


# --- what is sent


def test_a_spoofed_sender_is_refused_before_its_body(world: World):
    home = world.member("department", "shenzhen")
    world.member("department", "zhuhai")
    read: list[int] = []

    def parts() -> Iterator[bytes]:
        yield header(bytes(64 << 20), sender="zhuhai")
        for number in range(64):
            read.append(number)
            yield chunk(bytes(1 << 20))

    with world.channel(home) as channel:
        fault = upload(channel, parts())
    assert isinstance(fault, TrustError)
    assert fault.code == "sender.spoofed"
    assert len(read) < 64
    assert world.hub.pushed == []
    with pytest.raises(TrustError, match="another sender"):
        world.link(home).push(message(sender=""))


@pytest.mark.parametrize(
    "change", [{"sender": "zhuhai"}, {"sender": ""}, {"size": 2**63}, {"sha256": bytes(32)}]
)
def test_a_bad_answer_in_one_piece_is_refused(world: World, change: dict[str, Any]):
    body = b"small"
    frame = veil_pb2.Frame.FromString(header(body, **change))
    whole = veil_pb2.Whole(header=frame.header, body=body)
    with world.channel(world.member("department", "shenzhen")) as channel:
        fault = call(channel, "PushSmall", whole.SerializeToString())
        assert isinstance(fault, TrustError if "sender" in change else ProtocolError), fault
        big = veil_pb2.Whole(header=frame.header, body=bytes(SMALL_BYTES + 1))
        assert isinstance(call(channel, "PushSmall", big.SerializeToString()), VeilError)
    assert world.hub.pushed == []


BODY = b"honest" * 100


def bad_uploads() -> dict[str, list[bytes]]:
    return {
        "nothing": [],
        "no header": [chunk(BODY)],
        "two headers": [header(BODY), header(BODY), chunk(BODY)],
        "header in the middle": [header(BODY), chunk(BODY[:9]), header(BODY), chunk(BODY[9:])],
        "chunk first": [chunk(BODY[:9]), header(BODY), chunk(BODY[9:])],
        "out of order": [header(BODY), chunk(BODY[9:]), chunk(BODY[:9])],
        "too short": [header(BODY), chunk(BODY[:9])],
        "too long": [header(BODY), chunk(BODY), chunk(b"x")],
        "wrong hash": [header(BODY, sha256=bytes(32)), chunk(BODY)],
        "no hash": [header(BODY, sha256=b""), chunk(BODY)],
        "empty frame": [b""],
        "empty chunk": [header(BODY), chunk(b""), chunk(BODY)],
        "over the limit": [header(BODY, size=(256 << 20) + 1), chunk(BODY)],
        "size of 2**63": [header(BODY, size=2**63), chunk(BODY)],
        "long field": [header(BODY, round="r" * 5000), chunk(BODY)],
        "no protobuf": [b"\xff\xff\xff\xff"],
        "bad text": [b"\x0a\x04\x0a\x02\xff\xfe"],
    }


@pytest.mark.parametrize("case", sorted(bad_uploads()))
def test_bad_uploads_are_refused_in_words(world: World, case: str):
    with world.channel(world.member("department", "shenzhen")) as channel:
        fault = upload(channel, bad_uploads()[case])
    assert isinstance(fault, ProtocolError | TrustError), fault
    assert fault.message
    assert world.hub.pushed == []


def test_a_frame_over_four_mebibytes_is_refused(world: World):
    home = world.member("department", "shenzhen")
    with world.channel(home) as channel:
        big = bytes(5 << 20)
        assert isinstance(upload(channel, [header(big), chunk(big)]), VeilError)
        assert isinstance(call(channel, "Register", bytes(5 << 20)), VeilError)
    assert world.link(home).directory()


def test_ten_thousand_malformed_messages(world: World):
    """Of a member with a valid certificate; another member works meanwhile."""
    import random

    rng = random.Random(7)  # noqa: S311 - repeatable garbage
    honest = world.department("zhuhai")
    with world.channel(world.member("department", "shenzhen")) as channel:
        push = channel.stream_unary("/veil.v1.Exchange/Push")
        unary = [
            channel.unary_unary(f"/veil.v1.Exchange/{name}")
            for name in ("Register", "Directory", "Pull", "Submit", "Nothing")
        ]
        sent = 0
        for batch in range(1000):
            waiting = []
            for number in range(2):
                parts = [rng.randbytes(rng.randrange(60)) for _ in range(4)]
                if number == 0:
                    parts[0] = header(b"", sha256=rng.randbytes(32))
                sent += len(parts)
                waiting.append(push.future(iter(parts), timeout=20))
            for method in rng.sample(unary, 2):
                sent += 1
                waiting.append(method.future(rng.randbytes(rng.randrange(200)), timeout=20))
            for future in waiting:
                future.exception()
            if batch % 100 == 0:
                assert honest.directory()
    assert sent >= 10_000
    # What parses by chance (an empty request, say) may be answered; nothing reached the hub.
    assert world.hub.pushed == []
    assert world.hub.plans == {}
    assert honest.directory()
    assert not world.server._admission._live


def test_a_dripping_upload_is_cut_off(tmp_path: Path):
    world = World(tmp_path, limits=Limits(upload_s=0.5, uploads_per_member=2))
    try:
        stop = threading.Event()

        def parts() -> Iterator[bytes]:
            yield header(bytes(100_000))
            while not stop.wait(0.05):
                yield chunk(b"x")

        with world.channel(world.member("department", "shenzhen")) as channel:
            push = channel.stream_unary("/veil.v1.Exchange/Push")
            waiting = [push.future(parts()) for _ in range(2)]
            assert eventually(lambda: len(world.server._admission._live) == 2)
            fault = upload(channel, [header(BODY), chunk(BODY)])
            assert isinstance(fault, UnavailableError)
            assert fault.code == "limit.calls"
            for future in waiting:
                assert future.exception(5) is not None
            stop.set()
            assert eventually(lambda: not world.server._admission._live)
            assert isinstance(upload(channel, [header(BODY), chunk(BODY)]), bytes)
    finally:
        world.close()


def test_polls_that_hang_up_do_not_use_up_the_threads(tmp_path: Path):
    world = World(tmp_path, limits=Limits(workers=24, calls_per_member=12))
    try:
        honest = world.department("zhuhai")
        with world.channel(world.member("department", "shenzhen")) as channel:
            pull = channel.unary_stream("/veil.v1.Exchange/Pull")
            request = veil_pb2.PullRequest(wait_ms=60_000).SerializeToString()
            for _ in range(300):
                pull(request).cancel()
            assert honest.directory()
        assert eventually(lambda: not world.server._admission._live)
    finally:
        world.close()


def test_a_private_detail_stays_at_the_exchange(world: World):
    with pytest.raises(JobError) as caught:
        world.analyst().fetch("ab" * 16)
    assert "private" not in str(caught.value.__cause__)


def test_a_key_file_that_others_can_read_opens_no_link(world: World):
    home = world.member("department", "shenzhen")
    (home / "tls.key").chmod(0o644)
    with pytest.raises(TrustError, match="mode 0644"):
        world.link(home)
    assert TlsFiles.within(home).key.exists()


# --- raw garbage, against a server in a process of its own

_SERVER = """
import sys, time
from pathlib import Path
from tests.exchange_world import World
world = World(Path(sys.argv[1]))
homes = [world.member("department", name) for name in ("shenzhen", "zhuhai")]
print(world.server.port, world.door.port, flush=True)
sys.stdin.read()
world.close()
print("closed", flush=True)
"""


class Outside:
    """An exchange in another process, so that its death would be seen."""

    def __init__(self, root: Path, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(directory)],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "GRPC_VERBOSITY": "ERROR"},  # as in production: no line a stranger
        )
        assert self.process.stdout is not None
        self.port, self.door = map(int, self.process.stdout.readline().split())
        self.directory = directory

    @property
    def memory_mib(self) -> int:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") >> 20

    def check(self) -> None:
        """It lives, and a member's call is answered at once."""
        assert self.process.poll() is None
        from compute_nodes.rpc.link import ExchangeLink

        link = ExchangeLink(
            f"127.0.0.1:{self.port}",
            TlsFiles.within(self.directory / "department-zhuhai"),
            session=lambda: "s",
        )
        link.start()
        start = time.monotonic()
        assert link.directory() == {"caller": "department zhuhai"}
        assert time.monotonic() - start < 3
        link.close()

    def close(self) -> None:
        out, _ = self.process.communicate("", timeout=20)
        assert out.strip() == "closed"
        assert self.process.returncode == 0


@pytest.fixture
def outside(root: Path, tmp_path: Path) -> Iterator[Outside]:
    outside = Outside(root, tmp_path)
    yield outside
    outside.close()


GARBAGE = (
    b"",
    b"\x00" * 64,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\xff\xff" + b"\x01" * 600,
    b"\x16\x03\x01\x00\x05\x01\x00",
    b"SSH-2.0-x\r\n",
)


@pytest.mark.parametrize("door", [False, True])
def test_two_thousand_garbage_connections(outside: Outside, *, door: bool):
    port = outside.door if door else outside.port
    held: list[socket.socket] = []
    before = outside.memory_mib
    for number in range(2000):
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        with contextlib.suppress(OSError):  # it may hang up on us, as it should
            connection.sendall(GARBAGE[number % len(GARBAGE)])
        held.append(connection)
        if number % 500 == 250:
            outside.check()
    outside.check()  # while all 2,000 are open
    assert outside.memory_mib - before < 200
    for connection in held:
        connection.close()
    outside.check()


def http2_garbage() -> list[bytes]:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"

    def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
        head = len(body).to_bytes(3, "big") + bytes([kind, flags])
        return head + stream.to_bytes(4, "big") + body

    return [
        b"\x00" * 100,
        preface[:10],
        preface + b"\xff" * 200,
        preface + settings + frame(1, 4, 1, b"\x82\x86\xff\xff\xff"),  # broken HPACK
        preface + settings + frame(0, 0, 7, b"data on an idle stream"),
        preface + settings + frame(9, 4, 1, b"continuation of nothing"),
        preface + settings + frame(8, 0, 0, b"\x00\x00\x00\x00"),  # window update of zero
        preface + settings + frame(6, 0, 0, b"short"),  # ping of five bytes
        preface + settings + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",  # 16 MiB frame
        preface + settings + frame(3, 0, 1, b"\x00\x00\x00\x08") * 50,  # resets of nothing
        preface + frame(4, 0, 0, b"\x00\x04\xff\xff\xff\xff"),  # window beyond 2**31
        preface + settings + frame(5, 4, 1, b"\x00\x00\x00\x02"),  # push promise from a client
    ]


def test_http2_garbage_inside_tls_with_a_valid_certificate(outside: Outside):
    home = outside.directory / "department-shenzhen"
    context = ssl.create_default_context(cafile=str(home / "ca.crt"))
    context.load_cert_chain(home / "tls.crt", home / "tls.key")
    context.set_alpn_protocols(["h2"])
    cases = http2_garbage()
    for number in range(300):
        with socket.create_connection(("127.0.0.1", outside.port), timeout=5) as plain:
            try:
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                    secure.sendall(cases[number % len(cases)])
                    secure.settimeout(0.005)
                    secure.recv(100)
            except (OSError, ssl.SSLError):
                continue  # it hung up on us, as it should
    outside.check()
