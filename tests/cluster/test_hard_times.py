"""A whole cluster under garbage, with a full disk, and with clocks an hour off."""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from compute_nodes.rpc.membership import TlsFiles
from exchange.analyst.client import Veil
from exchange.analyst.profile import load_profile
from exchange.analyst.transport import AnalystLink
from exchange.cluster.processes import alive
from exchange.serving.serve import read_addresses
from protos.faults import JobError, TrustError, UnavailableError, VeilError
from tests.attacks.test_server import GARBAGE, header
from tests.cluster.test_drop_outs import near
from tests.cluster_world import COUNT, TestCluster, eventually

VICTIM = "foshan"
HOUR_S = 3600
PARALLEL = 4


def ask(cluster: TestCluster, veil: Veil) -> None:
    assert near(cluster, veil.sql(COUNT, fresh=True, protocol="masked_sum"))


@contextlib.contextmanager
def meanwhile(attack: Callable[[], None]) -> Iterator[threading.Thread]:
    """Runs the attack in a thread; what went wrong in it is raised."""
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            attack()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            wrong.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield thread
    thread.join(120)
    assert not thread.is_alive()
    if wrong:
        raise wrong[0]


def test_two_thousand_garbage_connections_and_honest_answers(
    cluster: TestCluster, veil: Veil
) -> None:
    """Half at the members' port, half at the enrolment door, all open at the same time."""
    addresses = read_addresses(cluster.cluster.directory / "exchange")
    assert addresses is not None
    ports = [int(a.rpartition(":")[2].rstrip("/")) for a in (addresses.grpc, addresses.enrolment)]
    exchange = cluster.process("exchange")
    ask(cluster, veil)
    with contextlib.ExitStack() as held:

        def attack() -> None:
            for number in range(2000):
                connection = socket.create_connection(("127.0.0.1", ports[number % 2]), timeout=10)
                held.enter_context(connection)
                with contextlib.suppress(OSError):  # it may hang up on us, as it should
                    connection.sendall(GARBAGE[number // 2 % len(GARBAGE)])

        with meanwhile(attack) as thread:
            ask(cluster, veil)
            while thread.is_alive():
                ask(cluster, veil)
        ask(cluster, veil)  # while all are open
    ask(cluster, veil)
    assert alive(exchange)


def test_ten_thousand_malformed_frames_and_honest_answers(cluster: TestCluster, veil: Veil) -> None:
    """From a department with a valid certificate, whose node goes on working beside it."""
    home = cluster.node(VICTIM)
    credentials = grpc.ssl_channel_credentials(
        *((home / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
    )
    rng = random.Random(7)  # noqa: S311 - repeatable garbage
    exchange = cluster.process("exchange")
    sent = 0

    def attack() -> None:
        nonlocal sent
        with grpc.secure_channel(cluster.address, credentials) as channel:
            push = channel.stream_unary("/veil.v1.Exchange/Push")
            while sent < 10_000:
                calls = []
                for number in range(PARALLEL):
                    parts = [rng.randbytes(rng.randrange(1, 60)) for _ in range(5)]
                    if number % 2:  # a good header, and then rubbish
                        parts[0] = header(b"x" * 40, sender=VICTIM)
                    sent += len(parts)
                    calls.append(push.future(iter(parts), timeout=20))
                assert all(isinstance(call.exception(), grpc.RpcError) for call in calls)

    ask(cluster, veil)
    with meanwhile(attack) as thread:
        while thread.is_alive():
            ask(cluster, veil)
    ask(cluster, veil)
    assert sent >= 10_000
    assert alive(exchange)
    assert alive(cluster.process(VICTIM))


@contextlib.contextmanager
def full_disk(cluster: TestCluster, name: str) -> Iterator[None]:
    """No file of a running process may grow any more; as unprivileged as it is sudden."""
    pid = cluster.process(name).pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_a_node_with_a_full_disk_says_so_and_releases_nothing(
    cluster: TestCluster, veil: Veil
) -> None:
    ask(cluster, veil)
    node = cluster.process(VICTIM)
    with full_disk(cluster, VICTIM):
        for _ in range(2):
            with pytest.raises(JobError, match=VICTIM) as full:
                veil.sql(COUNT, fresh=True, protocol="masked_sum")
            assert full.value.code == "store.failed"
            assert "disk" in full.value.remedy
    job = cluster.last_job()
    assert cluster.left(VICTIM, job) == {}
    assert cluster.budget(VICTIM, job) is None
    ask(cluster, veil)  # there is room again, and nobody had to help
    assert alive(node)
    assert cluster.budget(VICTIM, cluster.last_job()) is not None


def test_an_exchange_with_a_full_disk_takes_no_job_and_lives(
    cluster: TestCluster, veil: Veil
) -> None:
    before = cluster.last_job()
    veil._link._patience_s = 0.0
    with full_disk(cluster, "exchange"):
        with pytest.raises(UnavailableError) as full:
            veil.sql(COUNT, fresh=True, protocol="masked_sum")
        assert full.value.code == "exchange.store"
    assert cluster.last_job() == before
    ask(cluster, veil)


@contextlib.contextmanager
def clock_off(directory: Path, hours: int) -> Iterator[None]:
    """What is started inside has a clock that is wrong."""
    (directory / "sitecustomize.py").write_text(
        f"import time\nreal = time.time\ntime.time = lambda: real() + {hours * HOUR_S}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(directory))
        yield


def test_a_node_whose_clock_is_an_hour_ahead_is_named(
    cluster: TestCluster, veil: Veil, tmp_path: Path
) -> None:
    cluster.kill(VICTIM)
    with clock_off(tmp_path, 1):
        cluster.start(VICTIM)
    with pytest.raises(VeilError, match=VICTIM) as refused:
        veil.sql(COUNT, fresh=True, protocol="masked_sum")
    assert "clock" in refused.value.remedy
    assert cluster.left(VICTIM, cluster.last_job()) == {}
    log = Path(cluster.process(VICTIM).log).read_text("utf-8")
    assert "clock differs from the exchange's" in log
    cluster.kill(VICTIM)
    cluster.start(VICTIM)
    ask(cluster, veil)


def test_a_node_whose_clock_is_an_hour_behind_says_so_and_does_not_start(
    cluster: TestCluster, tmp_path: Path
) -> None:
    """Its certificate is younger than that."""
    cluster.kill(VICTIM)
    with clock_off(tmp_path, -1), pytest.raises(TrustError, match="not valid yet") as said:
        cluster.start(VICTIM)
    assert "clock is wrong" in said.value.remedy


@pytest.mark.parametrize("hours", [1, -1], ids=["ahead", "behind"])
def test_an_analyst_whose_clock_is_an_hour_off_is_told(cluster: TestCluster, hours: int) -> None:
    profile = load_profile(cluster.profile())
    link = AnalystLink(profile.exchange, TlsFiles.within(profile.directory))
    link.start()
    with Veil(profile, link, clock=lambda: time.time() + hours * HOUR_S) as veil:
        with pytest.raises(VeilError) as refused:
            veil.sql(COUNT, fresh=True, protocol="masked_sum")
        assert "clock" in refused.value.remedy
    job = cluster.last_job()
    assert eventually(
        lambda: all(
            (line := cluster.budget(name, job)) is None or line.state != "reserved"
            for name in cluster.names
        )
    )
    for name in cluster.names:
        line = cluster.budget(name, job)
        assert line is None or line.state == "undone" or hours < 0
