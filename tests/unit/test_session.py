"""The exchange's session: rounds, drop-outs, refusals and time, over real departments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compute_nodes.jobs.runs import CANCEL_ROUND, PLAN_ROUND, RECEIPT_ROUND
from compute_nodes.rpc.delivery import Delivery
from exchange.coordinator.session import Clocks
from protos.canonical import canonical
from protos.faults import JobError, PolicyError, ProtocolError, TrustError
from protos.language import Text
from tests.job_world import COUNT, JOB, Play, World

ROUNDS = ("main/advertise", "main/shares", "main/masked", "main/consistency", "main/unmask")
QUICK = Clocks(round_s=30.0, absent_s=2.0, receipt_s=5.0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def play(world: World) -> Play:
    return world.session(world.plan(), clocks=QUICK).start()


def public_fault(code: str = "policy.epsilon", message: str = "no") -> bytes:
    fields = {"kind": "policy", "code": code, "message": message, "remedy": "ask for less"}
    return json.dumps(fields).encode()


def test_every_round_is_opened_once_and_in_order(world: World) -> None:
    run = play(world).run()
    opened = [text for what, _, text in run.log if what == "round"]
    assert opened == [*ROUNDS, RECEIPT_ROUND]
    assert run.session.state == "done"
    assert set(run.session.statements) == set(world.towns)
    assert [what for what, *_ in run.log].count("accepted") == len(world.towns)


@pytest.mark.parametrize("round_", ROUNDS)
def test_one_goes_away_in_any_round_and_the_others_answer(world: World, round_: str) -> None:
    run = play(world).until(round_).away({"south"})
    if round_ in ("main/consistency", "main/unmask"):  # its value is in the total
        run.tick(QUICK.receipt_s)
    # The last round needs no more than the threshold, so nobody is waited for in vain.
    assert run.dropped() == (set() if round_ == "main/unmask" else {"south"})
    assert run.finished == 1, run.errors
    assert run.session.result is not None
    inside = "south" in run.session.result.survivors
    assert inside == (round_ in ("main/consistency", "main/unmask"))
    assert ("south" in run.session.statements) is False
    assert world.towns["south"].budget() == ("released" if inside else "reserved")
    for name in set(world.towns) - {"south"}:
        assert world.towns[name].budget() == "released"


@pytest.mark.parametrize("round_", ROUNDS)
def test_too_few_are_a_clear_end_and_what_never_left_is_given_back(
    world: World, round_: str
) -> None:
    run = play(world).until(round_).away({"south", "west"})
    (error,) = run.errors
    assert error.kind == "job"
    assert "3" in error.message
    assert "4" in error.message
    assert run.session.state == "failed"
    assert run.finished == 0
    for name in ("east", "mid", "north"):
        sent = any("masked" in step for step in world.towns[name].left())
        assert world.towns[name].budget() == ("released" if sent else "undone")
        assert world.towns[name].store.state(JOB) == "cancelled"


def test_a_round_has_a_deadline_also_for_who_stays_connected(world: World) -> None:
    run = play(world).until("main/shares")
    kept = [delivery for delivery in run.waiting if delivery.recipient == "mid"]
    for delivery in kept:
        run.waiting.remove(delivery)  # it is connected, and silent
    run.run()
    assert not run.dropped()
    run.tick(QUICK.round_s - 0.1)
    assert not run.dropped()
    run.tick(0.2)
    assert run.dropped() == {"mid"}
    assert run.finished == 1


def test_who_waits_for_one_does_not_give_up_on_another(world: World) -> None:
    """One absent and one slow department: the round stays open for the slow one."""
    run = play(world).until("main/shares")
    slow = next(d for d in run.waiting if d.recipient == "mid")
    run.waiting.remove(slow)
    run.away({"south"})
    assert not run.dropped()
    run.waiting.append(slow)
    run.run().away(())
    assert run.dropped() == {"south"}
    assert run.finished == 1
    assert run.session.result is not None
    assert "mid" in run.session.result.survivors


def test_a_late_answer_to_an_earlier_round_changes_nothing(world: World) -> None:
    run = play(world).until("main/masked")
    late = next(d for d in run.waiting if d.recipient == "mid")
    run.waiting.remove(late)
    run.offline = {"mid"}
    run.run()
    run.session.tick(run.now)
    run.offline = set()
    answer = world.towns["mid"].answer(late)
    assert answer is not None
    with pytest.raises(ProtocolError):
        run.push(answer)
    assert run.run().finished == 1
    assert run.session.result is not None
    assert "mid" not in run.session.result.survivors
    run.push(answer)  # and after the end it is only ignored


def test_a_refusal_ends_the_job_and_names_who_and_why(world: World) -> None:
    world.towns["mid"].figures.base = 0
    run = play(world)
    run.push(Delivery(JOB, PLAN_ROUND, 1, "mid", "", "fault", public_fault()))
    (error,) = run.errors
    assert (error.kind, error.code, error.remedy) == ("policy", "policy.epsilon", "ask for less")
    assert error.message == "mid: no"
    assert run.run().session.state == "failed"
    assert {town.budget() for town in world.towns.values()} <= {"", "undone"}
    sent = [d for d in run.answers if d[0].round == CANCEL_ROUND]
    assert len(sent) == len(world.towns)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"code": 1}', b"\xff", b'{"message": {}}'])
def test_a_malformed_fault_is_refused_and_ends_nothing(world: World, body: bytes) -> None:
    run = play(world)
    with pytest.raises(ProtocolError):
        run.push(Delivery(JOB, PLAN_ROUND, 1, "mid", "", "fault", body))
    assert run.run().finished == 1


def test_a_long_fault_is_cut(world: World) -> None:
    run = play(world)
    body = public_fault(message="x" * 1_000_000)
    run.push(Delivery(JOB, PLAN_ROUND, 1, "mid", "", "fault", body))
    assert len(run.errors[0].message) < 3000


def test_a_stranger_has_no_part(world: World) -> None:
    run = play(world)
    with pytest.raises(ProtocolError, match="no part"):
        run.push(Delivery(JOB, PLAN_ROUND, 1, "elsewhere", "", "accepted", b""))
    assert run.run().finished == 1


def test_rubbish_from_one_department_does_not_count_as_its_answer(world: World) -> None:
    run = play(world).until("main/shares")
    with pytest.raises(ProtocolError):
        run.push(Delivery(JOB, "main/shares", 1, "mid", "", "message", b"rubbish"))
    assert run.run().finished == 1  # its good answer came afterwards


def test_a_statement_too_early(world: World) -> None:
    run = play(world).until("main/shares")
    with pytest.raises(ProtocolError):
        run.push(Delivery(JOB, RECEIPT_ROUND, 1, "mid", "", "statement", b"x"))
    assert run.run().finished == 1


def test_who_refuses_to_sign_leaves_only_its_signature_out(world: World) -> None:
    run = play(world).until(RECEIPT_ROUND)
    refused = next(d for d in run.waiting if d.recipient == "mid")
    run.waiting.remove(refused)
    run.push(Delivery(JOB, RECEIPT_ROUND, 1, "mid", "", "fault", public_fault()))
    run.run()
    assert run.finished == 1
    assert not run.errors
    assert "mid" not in run.session.statements


@pytest.mark.parametrize("rubbish", [b"rubbish", b"\xff"])
def test_a_statement_that_does_not_fit_is_as_good_as_none(world: World, rubbish: bytes) -> None:
    run = play(world).until(RECEIPT_ROUND)
    held = next(d for d in run.waiting if d.recipient == "mid")
    run.waiting.remove(held)
    others = run.run().session.statements["east"].encode("ascii")
    for body in (rubbish, others):  # of nobody, and of somebody else
        with pytest.raises(TrustError):
            run.push(Delivery(JOB, RECEIPT_ROUND, 1, "mid", "", "statement", body))
    assert run.finished == 0
    assert run.tick(QUICK.receipt_s).finished == 1
    assert set(run.session.statements) == set(world.towns) - {"mid"}


def test_who_is_needed_to_sign_is_waited_for_longer(world: World) -> None:
    """Without enough signatures the answer, already paid for, would be worth nothing."""
    run = play(world).until(RECEIPT_ROUND)
    held = [d for d in run.waiting if d.recipient in {"mid", "west"}]
    for delivery in held:
        run.waiting.remove(delivery)
    assert run.run().tick(QUICK.round_s - 0.1).finished == 0
    run.waiting.append(held[0])
    assert run.run().finished == 0
    assert run.tick(0).finished == 1  # four of five are enough, and the fifth had its time
    assert len(run.session.statements) == 4


def test_a_receipt_that_too_few_sign_comes_to_an_end(world: World) -> None:
    run = play(world).until(RECEIPT_ROUND).away({"mid", "west"})
    assert run.tick(QUICK.receipt_s).finished == 0
    assert run.tick(QUICK.round_s).finished == 1
    assert len(run.session.statements) == 3


def test_cancelling_in_the_middle_and_after_the_end(world: World) -> None:
    run = play(world).until("main/masked")
    run.session.cancel(JobError("cancelled"))
    run.session.cancel(JobError("cancelled again"))
    assert [error.message for error in run.errors] == ["cancelled"]
    run.run()
    assert {town.budget() for town in world.towns.values()} == {"undone"}
    assert run.session.state == "failed"
    assert run.tick(1000).finished == 0


def test_exact_goes_through_two_runs_and_hides_small_groups(world: World) -> None:
    run = world.session(world.exact(), clocks=QUICK).start().run()
    assert run.finished == 1, run.errors
    opened = [text for what, _, text in run.log if what == "round"]
    assert opened[0] == "counts/advertise"
    assert opened[5] == "values/advertise"
    assert run.session.hidden_cells == 0  # 9 subjects in each of 5 departments
    assert run.session.result is not None
    assert run.session.result.bitmap


@pytest.mark.parametrize("round_", ["counts/masked", "values/masked"])
def test_an_exact_answer_without_one_owner_is_none(world: World, round_: str) -> None:
    run = world.session(world.exact(), clocks=QUICK).start().until(round_).away({"south"})
    (error,) = run.errors
    assert error.kind == "job"
    assert run.finished == 0


def test_one_department_alone_answers_sealed(world: World) -> None:
    others = frozenset(set(world.towns) - {"mid"})
    run = world.session(world.plan(COUNT, without=others), clocks=QUICK).start().run()
    assert run.finished == 1, run.errors
    assert run.session.result is not None
    assert run.session.result.survivors == ("mid",)


def test_one_department_alone_that_goes_away(world: World) -> None:
    others = frozenset(set(world.towns) - {"mid"})
    run = world.session(world.plan(COUNT, without=others), clocks=QUICK)
    run.start().away({"mid"})
    (error,) = run.errors
    assert error.kind == "job"


def test_a_refusal_reaches_the_analyst_in_both_languages(world: World) -> None:
    run = play(world)
    refused = PolicyError(Text("no", "不行"), remedy=Text("wait", "等待"), code="policy.x")
    body = canonical(refused.public())
    run.push(Delivery(JOB, PLAN_ROUND, 1, "mid", "", "fault", body))
    (error,) = run.errors
    assert error.said == Text("mid: no", "mid：不行")
    assert error.advice == Text("wait", "等待")
