"""The inbox: at least once, in order, and never twice within one session."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from exchange.serving.inbox import Inbox
from protos.faults import ProtocolError
from tests.exchange_world import eventually, message


def yes() -> bool:
    return True


def test_messages_come_in_order_and_once_per_session():
    inbox = Inbox()
    sent = [message("shenzhen", round_=f"values/{i}") for i in range(5)]
    for one in sent:
        inbox.put(one)
    assert [inbox.take("shenzhen", 0, yes, "s1") for _ in sent] == sent
    assert inbox.take("shenzhen", 0, yes, "s1") is None
    assert inbox.take("guangzhou", 0, yes, "s1") is None


def test_a_new_session_is_offered_all_that_is_unanswered():
    inbox = Inbox()
    sent = [message("shenzhen", round_=f"values/{i}") for i in range(3)]
    for one in sent:
        inbox.put(one)
        inbox.take("shenzhen", 0, yes, "s1")
    assert inbox.settle(sent[1].job, sent[1].round, "shenzhen")
    assert not inbox.settle(sent[1].job, sent[1].round, "shenzhen")
    assert [inbox.take("shenzhen", 0, yes, "s2") for _ in range(2)] == [sent[0], sent[2]]
    assert inbox.waiting("shenzhen") == (sent[0], sent[2])


def test_a_superseded_session_gets_nothing():
    inbox = Inbox()
    inbox.take("shenzhen", 0, yes, "s1")
    inbox.take("shenzhen", 0, yes, "s2")
    inbox.put(message("shenzhen"))
    with pytest.raises(ProtocolError, match="taken over"):
        inbox.take("shenzhen", 0, yes, "s1")
    assert inbox.take("shenzhen", 0, yes, "s2") is not None


def test_a_running_wait_ends_when_another_session_takes_over():
    inbox = Inbox()
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(inbox.take, "shenzhen", 30, yes, "s1")
        assert eventually(lambda: inbox.online("shenzhen", 0))
        inbox.take("shenzhen", 0, yes, "s2")
        assert old.result(2) is None


def test_the_same_message_again_changes_nothing_and_another_is_refused():
    inbox = Inbox()
    inbox.put(message("shenzhen"))
    inbox.put(message("shenzhen"))
    assert len(inbox.waiting("shenzhen")) == 1
    with pytest.raises(ProtocolError):
        inbox.put(message("shenzhen", body=b"other"))


def test_a_job_that_ended_leaves_nothing():
    inbox = Inbox()
    inbox.put(message("shenzhen"))
    inbox.put(message("guangzhou"))
    inbox.drop("ab" * 16)
    assert inbox.waiting("shenzhen") == inbox.waiting("guangzhou") == ()


def test_a_wait_ends_when_nobody_wants_it():
    inbox, wanted = Inbox(), threading.Event()
    wanted.set()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(inbox.take, "shenzhen", 30, wanted.is_set, "s1")
        wanted.clear()
        assert waiting.result(2) is None


def test_close_ends_every_wait_at_once():
    inbox = Inbox()
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(inbox.take, f"d{i}", 30, yes, "s") for i in range(4)]
        assert eventually(lambda: all(inbox.online(f"d{i}", 0) for i in range(4)))
        start = time.monotonic()
        inbox.close()
        assert [wait.result(2) for wait in waits] == [None] * 4
        assert time.monotonic() - start < 0.4


def test_many_pullers_of_one_session_share_without_repetition():
    inbox, count = Inbox(), 400
    got: list[str] = []

    def puller() -> None:
        while (found := inbox.take("shenzhen", 0.2, yes, "s")) is not None:
            got.append(found.round)

    with ThreadPoolExecutor(6) as pool:
        pullers = [pool.submit(puller) for _ in range(6)]
        for number in range(count):
            inbox.put(message("shenzhen", round_=str(number)))
        for each in pullers:
            each.result(10)
    assert sorted(got, key=int) == [str(number) for number in range(count)]


def test_waking_takes_little():
    inbox = Inbox()
    delays = []
    with ThreadPoolExecutor(1) as pool:
        for number in range(30):
            waiting = pool.submit(inbox.take, "shenzhen", 5, yes, "s")
            eventually(lambda: inbox.online("shenzhen", 0))
            start = time.perf_counter()
            inbox.put(message("shenzhen", round_=str(number)))
            assert waiting.result(5) is not None
            delays.append(time.perf_counter() - start)
    assert sorted(delays)[15] < 0.02


def test_online_remembers_for_a_while():
    now = 100.0
    inbox = Inbox(clock=lambda: now)
    assert not inbox.online("shenzhen")
    inbox.take("shenzhen", 0, yes, "s")
    assert inbox.online("shenzhen")
    now += 60
    assert not inbox.online("shenzhen")
