"""One job at one node: reserved first, stored before it leaves, the same bytes for ever."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.certificates.receipts import read_statement
from compute_nodes.guard import Admitted
from compute_nodes.jobs.job import Job
from compute_nodes.jobs.part import Computed
from compute_nodes.jobs.runs import CANCEL_ROUND, PLAN_ROUND, RECEIPT_ROUND
from compute_nodes.jobs.sizes import predicted_bytes
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.views import show_jobs
from exchange.coordinator.session import Clocks
from protos.faults import UnavailableError
from tests.job_world import JOB, Play, Town, World

ROUNDS = ("main/advertise", "main/shares", "main/masked", "main/consistency", "main/unmask")
EXACT = tuple(f"{run}/{name[5:]}" for run in ("counts", "values") for name in ROUNDS)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def fault(reply: Delivery) -> dict[str, str]:
    assert reply.kind == "fault", reply.kind
    found: dict[str, str] = json.loads(reply.body)
    return found


def plan_to(world: World, town: Town) -> Delivery:
    return town.ask(PLAN_ROUND, "plan", world.opening(world.plan()))


def test_a_job_from_plan_to_statement(world: World) -> None:
    play = world.session(world.plan()).start().run()
    assert play.finished == 1
    assert not play.errors
    result = play.session.result
    assert result is not None
    assert result.survivors == tuple(world.towns)
    for name, town in world.towns.items():
        assert town.figures.asked == 1
        assert town.budget() == "released"
        assert town.store.state(JOB) == "done"
        statement = read_statement(world.people[name].key.public, play.session.statements[name])
        protocol = {step: size for step, size in town.left().items() if "/" in step}
        assert statement.bytes_out == protocol
        assert statement.outcome_digest == result.digest
        assert town.store.value(JOB, "part") is None  # what could open the masks is gone
        with town.store.db.read() as db:
            (seed,) = db.execute("SELECT seed FROM job").fetchone()
            town.store.egress.verify(db)
            town.store.budget.verify(db)
        assert seed == bytes(32)


def test_predicted_bytes_are_the_ledgers_bytes(world: World) -> None:
    plan = world.plan()
    world.session(plan).start().run()
    left = world.towns["west"].left()
    assert {step: left[step] for step in ROUNDS} == predicted_bytes(plan, world.dataset)


def test_predicted_bytes_of_an_exact_answer(world: World) -> None:
    plan = world.exact()
    play = world.session(plan).start().run()
    assert play.finished == 1, play.errors
    left = world.towns["west"].left()
    assert {step: left[step] for step in EXACT} == predicted_bytes(plan, world.dataset)
    assert world.towns["west"].budget() == ""  # exact answers are paid for by their grant


def test_budget_is_reserved_before_anything_is_computed(world: World) -> None:
    town = world.towns["mid"]
    seen: list[str] = []
    begin = town.figures.begin

    def looks(admitted: Admitted) -> Future[Computed]:
        seen.append(town.budget())
        return begin(admitted)

    town.figures.begin = looks  # type: ignore[method-assign]
    assert plan_to(world, town).kind == "accepted"
    assert seen == ["reserved"]


@pytest.mark.parametrize("last", [PLAN_ROUND, *ROUNDS, RECEIPT_ROUND])
def test_killed_before_and_after_every_answer(world: World, last: str) -> None:
    """Restarted around one round: the job ends well, and every stored answer stays as it was."""
    play = world.session(world.plan()).start().until(last)
    town = world.towns["north"]
    town.restart()  # before it answers
    play.run(lambda delivery: delivery.round == last and delivery.recipient == "south")
    town.restart()  # after it has answered
    assert town.budget() == ("released" if last in (*ROUNDS[2:], RECEIPT_ROUND) else "reserved")
    play.run()
    assert play.finished == 1, play.errors
    assert play.session.result is not None
    assert play.session.result.survivors == tuple(world.towns)
    assert town.seeds == 1
    with town.store.db.read() as db:
        assert len(town.store.budget.rows(db)) == 1  # charged once
    given = {}
    for delivery, reply in play.answers:
        if delivery.recipient == "north":
            given[delivery.round] = reply
            town.restart()
            again = town.answer(delivery)
            assert again == reply, delivery.round
    assert set(given) == {PLAN_ROUND, *ROUNDS, RECEIPT_ROUND}


def test_noise_is_drawn_once_although_the_node_dies_between_computing_and_answering(
    world: World,
) -> None:
    play = world.session(world.plan()).start().until("main/masked")
    town = world.towns["east"]
    keep = town.store.keep

    def dies(*args: object, **kwargs: object) -> None:
        raise UnavailableError("killed before it could be written")

    town.store.keep = dies  # type: ignore[method-assign]
    request = play.waiting[0]
    assert request.recipient == "east"
    assert fault(town.ask(request.round, request.kind, request.body))["kind"] == "unavailable"
    town.store.keep = keep  # type: ignore[method-assign]
    first = town.store.value(JOB, "part")
    assert first is not None
    asked = town.figures.asked
    town.restart()
    play.run(lambda delivery: delivery.round == "main/consistency")
    assert town.store.value(JOB, "part") == first
    assert town.figures.asked == asked
    assert play.run().finished == 1


@pytest.mark.parametrize("round_", [PLAN_ROUND, *ROUNDS, RECEIPT_ROUND])
def test_another_message_for_an_answered_round_is_refused(world: World, round_: str) -> None:
    play = world.session(world.plan()).start().run()
    town = world.towns["mid"]
    before = town.left()
    asked = next(d for d, _ in play.answers if (d.round, d.recipient) == (round_, "mid"))
    for restarted in (False, True):
        if restarted:
            town.restart()
        refused = fault(town.ask(round_, asked.kind, asked.body + b" "))
        assert refused["code"] == "job.contradiction"
    assert town.left() == before
    assert town.budget() == "released"


def test_rounds_out_of_order_and_unknown_ones(world: World) -> None:
    town = world.towns["mid"]
    assert fault(town.ask("main/masked", "message", b"x"))["code"] == "job.order"
    plan_to(world, town)
    assert fault(town.ask("main/masked", "message", b"x"))["kind"] == "protocol"
    assert fault(town.ask("other/advertise", "message", b"x"))["kind"] in ("protocol", "input")
    assert fault(town.ask(RECEIPT_ROUND, "receipt", b"[]"))["code"] == "job.receipt"
    assert fault(town.ask("bitmap", "bitmap", b"x"))["kind"] in ("trust", "protocol")
    assert town.budget() == "reserved"


def test_a_cancelled_job_gives_back_what_never_left(world: World) -> None:
    play = world.session(world.plan()).start().until("main/masked")
    town = world.towns["mid"]
    assert town.ask(CANCEL_ROUND, "cancel", b"").kind == "accepted"
    assert (town.budget(), town.store.state(JOB)) == ("undone", "cancelled")
    request = next(d for d in play.waiting if d.recipient == "mid")
    assert fault(town.ask(request.round, "message", request.body))["code"] == "job.ended"
    town.restart()
    assert fault(town.ask(request.round, "message", request.body))["code"] == "job.ended"


def test_a_cancelled_job_keeps_the_charge_for_what_left(world: World) -> None:
    play = world.session(world.plan()).start().until("main/consistency")
    town = world.towns["mid"]
    town.ask(CANCEL_ROUND, "cancel", b"")
    assert town.budget() == "released"
    masked = next((d, r) for d, r in play.answers if (d.round, d.recipient) == ("main/masked", "mid"))  # fmt: skip # noqa: E501
    assert town.answer(masked[0]) == masked[1]


def test_a_cancel_after_the_end_changes_nothing(world: World) -> None:
    world.session(world.plan()).start().run()
    town = world.towns["mid"]
    for restarted in (False, True):
        if restarted:
            town.restart()
        town.ask(CANCEL_ROUND, "cancel", b"")
        assert (town.budget(), town.store.state(JOB)) == ("released", "done")


def test_a_refused_plan_costs_nothing(world: World) -> None:
    town = world.towns["mid"]
    plan = world.plan(epsilon=2.5)
    refused = fault(town.ask(PLAN_ROUND, "plan", world.opening(plan)))
    assert refused["code"] == "policy.epsilon"
    assert "2" in refused["remedy"]
    assert town.budget() == ""
    assert town.figures.asked == 0
    assert town.left() == {}


def failing(town: Town) -> None:
    """Its query dies of its limits, which tells something about the rows."""
    town.figures.fault = UnavailableError("the query failed", code="engine.failed", detail="1e9")


def test_a_failure_that_depends_on_data_costs_what_an_answer_costs(world: World) -> None:
    town = world.towns["mid"]
    failing(town)
    play = world.session(world.plan()).start().run()
    assert town.budget() == "released"
    # Data that no longer fails, and a restart, make no second try of it.
    town.figures.fault = None
    asked = next(d for d in play.sent if (d.round, d.recipient) == ("main/masked", "mid"))
    for _ in range(2):
        assert town.answer(asked) is None
        town.restart()
    assert town.figures.asked == 1
    assert town.ask(CANCEL_ROUND, "cancel", b"").kind == "accepted"
    assert (town.budget(), town.store.state(JOB)) == ("released", "cancelled")
    assert "main/masked" not in town.left()


def test_a_failure_looks_like_a_machine_that_hangs(tmp_path: Path) -> None:
    """The same to the exchange and the analyst, message for message; the owner knows better."""
    seen = []
    for fails in (True, False):
        world = World(tmp_path / str(fails))
        town = world.towns["mid"]
        if fails:
            failing(town)
        play = world.session(world.plan()).start().until("main/masked")
        if not fails:
            play.waiting = deque(d for d in play.waiting if d.recipient != "mid")
        play.run().tick(Clocks().round_s - 1)
        assert not play.dropped()  # it is waited for, as for any other
        play.tick(2)
        assert play.finished == 1, play.errors
        assert play.session.result is not None
        assert play.session.result.survivors == ("east", "north", "south", "west")
        assert set(play.session.statements) == set(play.session.result.survivors)
        seen.append((play.log, [(r.sender, r.round, r.kind) for _, r in play.answers]))
        (row,) = town.store.jobs()
        assert row.failure == ("the query failed 1e9" if fails else "")
        assert (("the query failed", "1e9") in town.logged) == fails
        world.close()
    assert seen[0] == seen[1]


def test_the_owner_reads_what_failed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VEIL_LANG", "en")
    town = world.towns["mid"]
    failing(town)
    world.session(world.plan()).start().run()
    show_jobs(town.path.parent)
    assert "failed here: the query failed 1e9" in " ".join(capsys.readouterr().out.split())


def test_an_exact_answer_without_a_failed_department_is_none(world: World) -> None:
    failing(world.towns["mid"])
    play = world.session(world.exact()).start().run().tick(Clocks().round_s + 1)
    (error,) = play.errors
    assert "no answer came from mid" in error.message
    assert "query" not in error.message
    assert world.towns["mid"].store.jobs()[0].failure


def test_the_budget_says_what_is_left_as_epsilon(tmp_path: Path) -> None:
    budget = {"epsilon": 1.0, "default": 0.5, "ceiling": 1.0, "in_flight": 9}
    world = World(tmp_path, budget=budget)
    town = world.towns["mid"]
    for number in range(9):
        plan = world.plan(epsilon=0.5, job=f"{number:032x}")
        reply = town.ask(PLAN_ROUND, "plan", world.opening(plan), plan.job)
        if reply.kind == "fault":
            break
    refused = fault(reply)
    assert refused["code"] == "budget.exhausted"
    assert "costs epsilon = 0.5" in refused["message"]
    assert "epsilon = 0" in refused["message"].split("costs")[1].split(",")[1]
    assert 2 <= number <= 4  # zCDP: more than two halves fit into 1
    world.close()


def test_a_plan_of_another_job(world: World) -> None:
    town = world.towns["mid"]
    body = world.opening(world.plan())
    other = "cd" * 16
    assert fault(town.ask(PLAN_ROUND, "plan", body, other))["code"] == "job.plan"
    assert town.budget(other) == ""


def test_a_grant_serves_one_release_of_one_snapshot(world: World) -> None:
    assert world.session(world.exact()).start().run().finished == 1
    town = world.towns["mid"]
    town.restart()
    again = world.exact(job="cd" * 16)
    refused = fault(town.ask(PLAN_ROUND, "plan", world.opening(again), again.job))
    assert refused["code"] == "grant.used"
    assert town.figures.asked == 1
    fresh = world.exact(job="ef" * 16, grant="d" * 32)
    assert town.ask(PLAN_ROUND, "plan", world.opening(fresh), fresh.job).kind == "accepted"


def test_one_grant_in_two_jobs_at_once_serves_one(world: World) -> None:
    first = world.session(world.exact()).start().until("values/masked")
    second = world.session(world.exact(job="cd" * 16)).start().until("values/masked")
    assert first.run().finished == 1
    assert second.run().finished == 0
    assert [error.code for error in second.errors] == ["grant.used"]
    assert all("values/masked" not in town.left("cd" * 16) for town in world.towns.values())


def test_a_forged_bitmap_opens_no_values(world: World) -> None:
    play = world.session(world.exact()).start()
    play.run(lambda delivery: delivery.kind == "bitmap")
    town = world.towns["mid"]
    bitmap = next(d for d in play.waiting if d.kind == "bitmap")
    forged = bitmap.body.replace(b".", b".A", 1)
    assert fault(town.ask("bitmap", "bitmap", forged))["kind"] == "trust"
    assert play.run().finished == 1
    assert play.session.result is not None


def test_a_receipt_that_leaves_this_department_out_is_not_signed(world: World) -> None:
    play = world.session(world.plan()).start().until(RECEIPT_ROUND)
    town = world.towns["mid"]
    notice = json.loads(play.waiting[0].body)
    notice["survivors"].remove("mid")
    refused = town.ask(RECEIPT_ROUND, "receipt", json.dumps(notice).encode())
    assert fault(refused)["code"] == "job.receipt"


def test_a_store_whose_journal_is_damaged_takes_up_nothing(world: World) -> None:
    world.session(world.plan()).start().until("main/shares")
    town = world.towns["mid"]
    with town.store.db.write() as db:
        db.execute("DELETE FROM answer WHERE round = ?", (PLAN_ROUND,))
    town.restart()
    job = Job(JOB, town.tools)
    with pytest.raises(Exception, match="no plan"):
        job.open()


def test_plans_that_differ_only_in_their_job_have_other_masks(world: World) -> None:
    plan = world.plan()
    first: Play = world.session(plan).start().run()
    second: Play = world.session(replace(plan, job="cd" * 16)).start().run()

    def masked(play: Play) -> bytes:
        return next(r.body for d, r in play.answers if (d.round, d.recipient) == ("main/masked", "mid"))  # fmt: skip # noqa: E501

    assert masked(first) != masked(second)


def test_a_full_disk_is_said_and_nothing_leaves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the node was about to write down, it says so instead of falling silent."""
    town = world.towns["mid"]
    plan = world.opening(world.plan())

    def full(*_: object, **__: object) -> None:
        raise UnavailableError("the store cannot be read or written", code="store.failed")

    for name in ("begin", "keep", "end"):
        monkeypatch.setattr(town.store, name, full)
    town.jobs.clear()
    for _ in range(2):
        answer = town.ask(PLAN_ROUND, "plan", plan)
        assert (answer.kind, json.loads(answer.body)["code"]) == ("fault", "store.failed")
    monkeypatch.undo()
    for name in ("keep", "end"):  # it opens, and cannot keep the answer
        monkeypatch.setattr(town.store, name, full)
    assert town.ask(PLAN_ROUND, "plan", plan).kind == "fault"
    monkeypatch.undo()
    assert town.left() == {}
    town.restart()  # there is room again
    answer = town.ask(PLAN_ROUND, "plan", plan)
    assert answer.kind == "accepted", answer.body
    assert town.budget() == "reserved"
