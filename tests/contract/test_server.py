"""The exchange's server with real certificates on a free port: what honest callers see."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exchange.ports import Progress
from exchange.serving.admission import Limits
from exchange.serving.server import ExchangeServer
from protos.faults import InputError, JobError, TrustError, UnavailableError, VeilError
from protos.frames import SMALL_BYTES, messages
from protos.v1 import veil_pb2
from tests.exchange_world import World, eventually, message

JOB = "ab" * 16


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_a_message_goes_there_and_the_answer_comes_back(world: World):
    shenzhen = world.department("shenzhen")
    sent = message("shenzhen", body=b"\x00" * 3_000_000)
    world.hub.inbox.put(sent)
    assert shenzhen.pull(5) == sent
    answer = message(sender="shenzhen", body=bytes(5_000_000))
    assert shenzhen.push(answer) is False
    assert shenzhen.push(answer) is True
    assert world.hub.pushed == [answer, answer]
    assert world.hub.inbox.waiting("shenzhen") == ()


def test_a_poll_without_news_ends_in_time(world: World):
    shenzhen = world.department("shenzhen")
    start = time.monotonic()
    assert shenzhen.pull(0.3) is None
    assert 0.25 < time.monotonic() - start < 2


def test_registration_tells_the_difference_of_the_clocks(world: World):
    home = world.member("department", "shenzhen")
    card = (home / "card.jwt").read_text()
    ahead = world.link(home).register(card, [{"dataset": "visits"}], [{"id": "s1"}], "0.1")
    assert abs(ahead) < 2
    known = world.hub.registered["shenzhen"]
    assert (known.policies, known.snapshots) == ([{"dataset": "visits"}], [{"id": "s1"}])
    assert world.link(home).directory() == {"caller": "department shenzhen"}


def test_somebody_elses_card_is_refused(world: World):
    shenzhen = world.department("shenzhen")
    other = (world.member("department", "zhuhai") / "card.jwt").read_text()
    with pytest.raises(TrustError, match="is for department zhuhai"):
        shenzhen.register(other, [], [], "0.1")
    assert world.hub.registered == {}


def test_an_analysts_whole_way(world: World):
    ana = world.analyst()
    assert ana.directory() == {"caller": "analyst ana"}
    assert ana.submit("plan.body.signature") == JOB
    assert world.hub.plans == {"plan.body.signature": "ana"}
    with pytest.raises(JobError, match="no answer yet") as caught:
        ana.fetch(JOB)
    assert caught.value.detail == ""  # private, so it stays there
    steps = [Progress(1.0, "joined", "深圳", "加入"), Progress(2.0, "done")]
    world.hub.events.extend(steps)
    world.hub.ended.set()
    assert list(ana.watch(JOB)) == steps
    world.hub.outcome = bytes(range(256)) * 10_000
    assert ana.fetch(JOB) == world.hub.outcome
    assert ana.cancel(JOB) is False
    assert ana.request_grant("abc") == "cba"
    assert ana.grants("id") == [{"id": "id", "analyst": "ana"}]


def test_a_lost_reply_is_offered_again(world: World):
    """The node hung up while a message was on its way: its next poll gets it."""
    home = world.member("department", "shenzhen")
    shenzhen = world.link(home)
    world.hub.inbox.put(message("shenzhen"))
    assert shenzhen.pull(1) is not None
    assert shenzhen.pull(0) is None  # same session: not again
    shenzhen.start()  # restarted
    assert shenzhen.pull(1) is not None
    assert world.link(home).pull(1) is not None  # another process


def test_one_call_brings_many_messages_each_when_it_is_there(world: World):
    home = world.member("department", "shenzhen")
    request = veil_pb2.PullRequest(wait_ms=10_000, messages=3).SerializeToString()
    with world.channel(home) as channel:
        frames = channel.unary_stream("/veil.v1.Exchange/Pull")(request, timeout=20)
        arriving = messages(map(veil_pb2.Frame.FromString, frames))
        for number, size in enumerate((0, 3_000_000, 3)):
            world.hub.inbox.put(message("shenzhen", round_=str(number), body=bytes(size)))
            header, body = next(arriving)
            assert (header.round, body) == (str(number), bytes(size))
            assert world.link(home).push(message(sender="shenzhen", round_=str(number))) is False
        assert next(arriving, None) is None  # as many as were asked for


def test_small_and_large_answers_arrive_alike(world: World):
    shenzhen = world.department("shenzhen")
    sizes = (0, 1, SMALL_BYTES, SMALL_BYTES + 1)
    answers = [message(sender="shenzhen", round_=str(n), body=bytes(n)) for n in sizes]
    for answer in answers:
        shenzhen.push(answer)
    assert world.hub.pushed == answers


def test_the_node_comes_back_after_the_exchange_did(world: World):
    shenzhen = world.department("shenzhen")
    stop, got, trouble = threading.Event(), [], []

    def loop() -> None:
        got.extend(
            delivery
            for delivery in shenzhen.deliveries(
                stop.is_set, wait_s=0.5, trouble=lambda e: trouble.append(e and e.code)
            )
        )

    thread = threading.Thread(target=loop)
    thread.start()
    world.hub.inbox.put(message("shenzhen", round_="a"))
    assert eventually(lambda: world.hub.inbox.online("shenzhen"))
    world.server.stop()
    assert eventually(lambda: len(trouble) > 0)
    world.server.start()
    assert eventually(lambda: None in trouble)
    world.hub.inbox.put(message("shenzhen", round_="b"))
    time.sleep(0.2)
    stop.set()
    shenzhen.close()
    thread.join(5)
    assert [one.round for one in got][-1] == "b"
    assert {one.round for one in got} == {"a", "b"}


def test_an_answer_waits_for_the_exchange_to_return(world: World):
    shenzhen = world.department("shenzhen")
    world.server.stop()
    result: list[bool] = []
    thread = threading.Thread(
        target=lambda: result.append(shenzhen.push(message(sender="shenzhen"), patience_s=20))
    )
    thread.start()
    time.sleep(0.3)
    world.server.start()
    thread.join(10)
    assert len(result) == 1


def test_many_answers_at_once_all_arrive(world: World):
    """More than the exchange takes at once: the rest wait at the node instead of failing."""
    shenzhen = world.department("shenzhen")
    answers = [message(sender="shenzhen", round_=str(i), body=bytes(400_000)) for i in range(24)]
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda one: shenzhen.push(one, patience_s=0), answers))
    assert {one.round for one in world.hub.pushed} == {one.round for one in answers}


def test_a_link_can_be_renewed_under_load(world: World):
    """`start` again, while other threads call: they fail in words or not at all."""
    shenzhen = world.department("shenzhen")
    stop, unexpected = threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            try:
                shenzhen.directory(patience_s=5)
            except UnavailableError:
                continue
            except (ValueError, RuntimeError) as error:
                unexpected.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        shenzhen.start()
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert unexpected == []
    assert shenzhen.directory()


def test_a_broken_watch_is_taken_up_without_repetition(world: World):
    ana = world.analyst()
    steps = [Progress(float(i), f"step{i}") for i in range(6)]
    world.hub.events.extend(steps[:3])
    seen: list[Progress] = []

    def watch() -> None:
        seen.extend(iter(ana.watch(JOB)))

    thread = threading.Thread(target=watch)
    thread.start()
    assert eventually(lambda: world.hub.watches == 1)
    time.sleep(0.1)
    world.server.restart()
    world.hub.events.extend(steps[3:])
    world.hub.ended.set()
    thread.join(10)
    assert seen == steps


def test_nothing_there_is_said_with_the_address(world: World):
    shenzhen = world.department("shenzhen")
    world.server.stop()
    with pytest.raises(UnavailableError, match=world.server.address) as caught:
        shenzhen.directory()
    assert "nothing listens there" in caught.value.message
    assert caught.value.remedy


def test_a_closed_link_says_so(world: World):
    shenzhen = world.department("shenzhen")
    shenzhen.close()
    with pytest.raises(UnavailableError, match="is closed"):
        shenzhen.pull(1)


def test_closing_ends_a_running_poll(world: World):
    shenzhen = world.department("shenzhen")
    failed: list[VeilError] = []

    def poll() -> None:
        try:
            shenzhen.pull(30)
        except VeilError as error:
            failed.append(error)

    thread = threading.Thread(target=poll)
    thread.start()
    assert eventually(lambda: world.hub.inbox.online("shenzhen", 0))
    shenzhen.close()
    thread.join(3)
    assert len(failed) == 1


def test_after_stop_no_thread_remains(tmp_path: Path):
    before = {thread.ident for thread in threading.enumerate()}
    world = World(tmp_path)
    shenzhen = world.department("shenzhen")

    def wait() -> None:
        with contextlib.suppress(UnavailableError):
            shenzhen.pull(30)

    poll = threading.Thread(target=wait)
    poll.start()
    assert eventually(lambda: world.hub.inbox.online("shenzhen", 0))
    start = time.monotonic()
    world.server.stop()
    world.door.stop()
    assert time.monotonic() - start < 3
    poll.join(3)
    world.close()

    def left() -> list[str]:
        return [t.name for t in threading.enumerate() if t.ident not in before]

    assert eventually(lambda: not left()), left()


def test_two_servers_do_not_share_a_port(world: World):
    second = ExchangeServer(world.hub, world.identity, world.server.address)
    with pytest.raises(UnavailableError, match="cannot listen"):
        second.start()


def test_a_new_server_certificate_is_taken_up_by_a_restart(world: World):
    shenzhen = world.department("shenzhen")
    shenzhen.pull(0)
    before = world.identity.server_tls().certificate_pem
    assert world.identity.refresh_server(("localhost", "127.0.0.1"))
    assert world.identity.server_tls().certificate_pem != before
    port = world.server.port
    world.server.restart()
    assert world.server.port == port
    assert shenzhen.register(
        (world.directory / "department-shenzhen" / "card.jwt").read_text(),
        [],
        [],
        "0.1",
        patience_s=5,
    ) == pytest.approx(0, abs=2)


def test_our_own_mistakes_do_not_travel(world: World, caplog: pytest.LogCaptureFixture):
    shenzhen = world.department("shenzhen")
    world.hub.mistake = True
    with (
        caplog.at_level(logging.ERROR, "veil.exchange"),
        pytest.raises(VeilError) as caught,
    ):
        shenzhen.directory()
    assert caught.value.code == "exchange.internal"
    assert "Zhang" not in f"{caught.value.public()} {caught.value.__cause__}"
    assert "Zhang" in caplog.text


def test_a_member_has_a_limited_number_of_calls(tmp_path: Path):
    world = World(tmp_path, limits=Limits(calls_per_member=3))
    try:
        shenzhen, zhuhai = world.department("shenzhen"), world.department("zhuhai")
        polls = [threading.Thread(target=shenzhen.pull, args=(2.0,)) for _ in range(3)]
        for poll in polls:
            poll.start()
        assert eventually(lambda: len(world.server._admission._live) == 3)
        with pytest.raises(UnavailableError, match="more than 3 calls"):
            shenzhen.directory()
        assert zhuhai.directory()  # others are not touched
        for poll in polls:
            poll.join(5)
        assert shenzhen.directory()
        assert not world.server._admission._calls
    finally:
        world.close()


def test_an_analyst_has_a_limited_rate_of_plans(tmp_path: Path):
    world = World(tmp_path, limits=Limits(submits_per_minute=60, submit_burst=5))
    try:
        ana = world.analyst()
        ana._patience_s = 0.0
        for _ in range(5):
            ana.submit("plan")
        with pytest.raises(UnavailableError, match="too many requests"):
            ana.submit("plan")
        time.sleep(1.1)
        assert ana.submit("plan") == JOB
    finally:
        world.close()


def test_a_directory_enrols_once(world: World):
    home = world.member("department", "shenzhen")
    from compute_nodes.rpc.enrol import enroll

    token = world.identity.invite("department", "zhuhai", url=world.door.url)
    with pytest.raises(InputError, match="enrolled already"):
        enroll(token, home, "department")
