"""A killed exchange goes on with its jobs from their journals, or ends them with a clear error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.plan import Plan
from compute_nodes.rpc.delivery import Delivery
from exchange.outcome import read_aggregate, read_outcome
from exchange.proof.receipt import make_document, verify_receipt
from exchange.submission import Submission
from protos.faults import InputError, JobError, UnavailableError
from tests.he_sum_world import bfv_key
from tests.job_world import JOB, World
from tests.unit.test_hub import ANA, Exchange, refused
from tests.unit.test_session import ROUNDS

COUNTS = tuple(round_.replace("main", "counts") for round_ in ROUNDS)
VALUES = ("bitmap", *(round_.replace("main", "values") for round_ in ROUNDS))


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    world = World(tmp_path / "nodes", protocols=["masked_sum", "he_sum", "sealed"])
    exchange = Exchange(world, tmp_path)
    yield exchange
    exchange.close()
    world.close()


def step(exchange: Exchange, until: Callable[[Delivery], bool]) -> None:
    """Departments answer one message each in turn, until one for which ``until`` holds is next."""
    moved = True
    while moved:
        moved = False
        for name, town in exchange.world.towns.items():
            waiting = exchange.inbox.waiting(name)
            if not waiting:
                continue
            if until(waiting[0]):
                return
            exchange.inbox.take(name, 0, lambda: True)
            moved = True
            reply = town.answer(waiting[0])
            if reply is not None:
                exchange.hub.push(exchange.department(name), reply)


def check_ended_well(exchange: Exchange, plan: Plan) -> None:
    """One answer with every department in it, one charge each, one receipt that holds."""
    world = exchange.world
    outcome = read_outcome(exchange.hub.fetch(ANA, plan.job))
    aggregate = read_aggregate(outcome.aggregate)
    assert aggregate.survivors == tuple(world.towns)
    document = make_document(outcome.receipt, outcome.statements, world.sign(plan), outcome.cards)
    report = verify_receipt(document, world.pins, outcome_digest=aggregate.digest)
    assert report.ok, report.failures
    for town in world.towns.values():
        assert town.figures.asked == 1, "a value was computed twice"
        if plan.mode == "adhoc":
            assert town.budget(plan.job) == "released"
        with town.store.db.read() as db:
            assert len([row for row in town.store.budget.rows(db) if row.job == plan.job]) <= 1
    assert list(exchange.directory.glob("running/*")) == []


@pytest.mark.parametrize("round_", [*ROUNDS, "receipt"])
def test_killed_in_any_round_it_goes_on_where_it_stood(exchange: Exchange, round_: str) -> None:
    plan = exchange.world.plan()
    exchange.submit(plan)
    step(exchange, lambda d: d.round == round_ and d.recipient == "mid")  # some have answered
    before = list(exchange.hub._jobs.find(JOB).events)
    left = {name: town.left() for name, town in exchange.world.towns.items()}
    exchange.restart()
    assert (
        exchange.hub._jobs.find(JOB).events == before
    )  # a watch that is taken up again skips these
    seen = exchange.watch(JOB)
    assert seen[: len(before)] == before
    assert seen[-1].what == "done"
    check_ended_well(exchange, plan)
    for name, town in exchange.world.towns.items():
        assert town.left().items() >= left[name].items()  # nothing was said anew


@pytest.mark.parametrize("round_", [*COUNTS, *VALUES, "receipt"])
def test_an_exact_job_keeps_its_bitmap_over_a_restart(exchange: Exchange, round_: str) -> None:
    """The exchange's signature is randomised: a second bitmap would be refused by every node."""
    plan = exchange.world.exact()
    exchange.submit(plan)
    step(exchange, lambda d: d.round == round_ and d.recipient == "mid")
    exchange.restart()
    assert exchange.watch(JOB)[-1].what == "done"
    check_ended_well(exchange, plan)


def test_a_job_that_waits_for_hours_outlives_restarts(exchange: Exchange) -> None:
    key = bfv_key().public
    plan = replace(
        exchange.world.plan(protocol="he_sum.bfv", lifetime_s=7200), he_key_digest=key.digest
    )
    exchange.offline.add("south")
    exchange.hub.submit(ANA, Submission(exchange.world.sign(plan), key.data).encode())
    exchange.pump()
    for _ in range(2):
        exchange.world.now += 3000
        exchange.restart()
        exchange.pump()
    assert exchange.hub._jobs.find(JOB).session is not None
    exchange.offline.clear()
    assert exchange.watch(JOB)[-1].what == "done"
    check_ended_well(exchange, plan)


def test_an_orderly_stop_leaves_jobs_to_the_next_process(exchange: Exchange) -> None:
    plan = exchange.world.plan()
    exchange.submit(plan)
    step(exchange, lambda d: d.round == "main/masked")
    waiting = exchange.inbox.waiting("mid")[0]
    exchange.hub.stop()
    answer = exchange.world.towns["mid"].answer(waiting)
    assert answer is not None
    for call in (
        lambda: exchange.hub.push(
            exchange.department("mid"), answer
        ),  # it is sent again, to the next one
        lambda: exchange.hub.cancel(ANA, JOB),
    ):
        refused(UnavailableError, "exchange.stopping", call)
    exchange.archive.close()
    exchange.desk.close()
    exchange.open()
    for name in exchange.world.people:
        exchange.register(name)
    assert exchange.watch(JOB)[-1].what == "done"
    check_ended_well(exchange, plan)


def test_nobody_is_absent_before_it_could_have_come_back(exchange: Exchange) -> None:
    exchange.submit(exchange.world.plan())
    step(exchange, lambda d: d.round == "main/masked")
    exchange.offline.update(exchange.world.people)
    exchange.restart()
    session = exchange.hub._jobs.find(JOB).session
    assert session is not None
    now = exchange.hub._jobs._monotonic()
    session.tick(now + exchange.hub._jobs._clocks.return_s - 1)
    assert session.state == "running"
    session.tick(now + exchange.hub._jobs._clocks.return_s + 1)
    error = refused(JobError, "job.too_few", lambda: exchange.hub.fetch(ANA, JOB))
    assert "main" not in error.remedy


def test_the_same_plan_after_a_restart_is_the_same_job(exchange: Exchange) -> None:
    """The analyst may not have heard that the first submission was taken."""
    plan = exchange.world.plan()
    exchange.submit(plan)
    exchange.restart()
    assert exchange.submit(plan) == JOB
    exchange.watch(JOB)
    exchange.restart()
    assert exchange.submit(plan) == JOB
    check_ended_well(exchange, plan)
    refused(InputError, "job.repeated", lambda: exchange.submit(replace(plan, purpose="another")))


def test_a_cancelled_job_stays_cancelled(exchange: Exchange) -> None:
    exchange.submit(exchange.world.plan())
    step(exchange, lambda d: d.round == "main/masked")
    exchange.hub.cancel(ANA, JOB)
    exchange.restart()
    refused(JobError, "job.cancelled", lambda: exchange.hub.fetch(ANA, JOB))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize("damage", [Path.unlink, _cut], ids=["lost", "cut short"])
def test_without_its_journal_a_job_ends_with_a_clear_error(
    exchange: Exchange, damage: Callable[[Path], None]
) -> None:
    exchange.submit(exchange.world.plan())
    step(exchange, lambda d: d.round == "main/shares")
    exchange.die()
    damage(exchange.directory / "running" / f"{JOB}.journal")
    exchange.open()
    error = refused(JobError, "job.restarted", lambda: exchange.hub.fetch(ANA, JOB))
    assert "ask again" in error.remedy
    assert [p.what for p in exchange.watch(JOB)] == ["failed"]
    assert list(exchange.directory.glob("running/*")) == []


def test_a_plan_whose_time_passed_meanwhile_ends_and_departments_are_told(
    exchange: Exchange,
) -> None:
    exchange.submit(exchange.world.plan())
    step(exchange, lambda d: d.round == "main/masked")
    exchange.world.now += 24 * 3600
    exchange.restart()
    error = refused(JobError, "job.restarted", lambda: exchange.hub.fetch(ANA, JOB))
    assert "time is over" in error.message
    exchange.pump()
    assert {town.budget() for town in exchange.world.towns.values()} == {"undone"}


def test_an_ending_that_was_not_noted_is_reached_again(exchange: Exchange) -> None:
    """Killed between a department's refusal and the note of it."""
    exchange.submit(exchange.world.plan())
    kept = exchange.directory / "running" / f"{JOB}.journal"
    mid = exchange.department("mid")
    fault = json.dumps(
        {"kind": "policy", "code": "policy.epsilon", "message": "no", "remedy": "ask for less"}
    ).encode()
    exchange.hub._jobs._fail = lambda *_: None  # type: ignore[method-assign]
    exchange.hub.push(mid, Delivery(JOB, "plan", 1, "mid", "", "fault", fault))
    assert kept.exists()
    exchange.restart()
    error = refused(Exception, "policy.epsilon", lambda: exchange.hub.fetch(ANA, JOB))  # type: ignore[arg-type]
    assert error.message == "mid: no"
    assert not kept.exists()


def test_a_full_disk_ends_the_job_it_cannot_record_and_no_other(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.submit(exchange.world.plan())
    step(exchange, lambda d: d.round == "main/masked")
    journal = exchange.hub._jobs.find(JOB).journal

    def full(*_: object) -> None:
        raise UnavailableError("disk full", code="exchange.store")

    monkeypatch.setattr(journal, "_write", full)
    answer = exchange.world.towns["mid"].answer(exchange.inbox.waiting("mid")[0])
    assert answer is not None
    mid = exchange.department("mid")
    refused(UnavailableError, "exchange.store", lambda: exchange.hub.push(mid, answer))
    exchange.hub.push(mid, answer)  # a node tries again, and is not kept waiting
    refused(JobError, "exchange.store", lambda: exchange.hub.fetch(ANA, JOB))
    exchange.pump()
    budgets = {name: town.budget() for name, town in exchange.world.towns.items()}
    assert budgets.pop("mid") == "released"  # it had answered
    assert set(budgets.values()) == {"undone"}
    other = exchange.world.plan(job="cd" * 16)
    assert exchange.run(other)[-1].what == "done"


@pytest.mark.parametrize("job", ["../../cards", "AB" * 16, ""])
def test_a_job_number_that_names_a_file_is_refused(exchange: Exchange, job: str) -> None:
    before = sorted(exchange.directory.rglob("*"))
    refused(InputError, "plan.job", lambda: exchange.submit(exchange.world.plan(job=job)))
    assert sorted(exchange.directory.rglob("*")) == before
