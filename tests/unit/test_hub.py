"""The exchange behind its server, with real departments and no network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.certificates.grants import REQUEST_TYPE
from catalog.certificates.office_files import OfficeFiles
from catalog.codec import to_json
from catalog.dataset import Dataset
from catalog.plan import Plan
from compute_nodes.jobs.runs import RECEIPT_ROUND
from compute_nodes.rpc.delivery import Delivery
from exchange.analyst.federation import read_federation
from exchange.coordinator.archive import Archive
from exchange.coordinator.journal import Journals
from exchange.coordinator.session import Clocks
from exchange.outcome import read_aggregate, read_outcome
from exchange.ports import Caller, Progress, Registration
from exchange.proof.receipt import make_document, verify_receipt
from exchange.serving.certifier import Certifier
from exchange.serving.desk import GrantDesk
from exchange.serving.hub import Hub
from exchange.serving.inbox import Inbox
from exchange.serving.running_jobs import MOST_JOBS_PER_ANALYST
from exchange.serving.shelf import DatasetShelf
from exchange.submission import Submission
from protos.faults import (
    InputError,
    JobError,
    PolicyError,
    ProtocolError,
    TrustError,
    UnavailableError,
    VeilError,
)
from tests.job_world import JOB, Person, World, in_threads

ANA = Caller("analyst", "ana", "f" * 64)


class Shelf(DatasetShelf):
    """One declared dataset."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def get(self, name: str) -> Dataset:
        if name != self.dataset.name:
            raise InputError(f"there is no dataset {name!r}", code="dataset.unknown")
        return self.dataset

    def all(self) -> dict[str, Dataset]:
        return {self.dataset.name: self.dataset}

    def bodies(self) -> list[dict[str, Any]]:
        return [to_json(self.dataset)]


class Line(Inbox):
    """Who is connected is said by the test, not by the time of the last poll."""

    def __init__(self, offline: set[str]) -> None:
        super().__init__()
        self.offline = offline

    def online(self, department: str, within_s: float = 5.0) -> bool:
        return department not in self.offline


class Exchange:
    """A hub over a world; `pump` lets every connected department answer what waits.

    Without ``ticking``, time passes only by `Hub.tick` and the world's own clock.
    """

    ticking = True

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self.directory = directory
        self.people = {("analyst", "ana"): world.analyst, ("analyst", "bob"): Person("analyst", "bob")}  # fmt: skip # noqa: E501
        for name, person in world.people.items():
            self.people["department", name] = person
        self.offline: set[str] = set()
        if not (directory / "office").exists():
            key = world.exchange.key
            OfficeFiles(directory / "office").create(world.exchange.name, "hub.example/log", key)
        self.hub = self.open()
        for name in world.people:
            self.register(name)

    def open(self) -> Hub:
        self.desk = GrantDesk(self.directory / "grants.sqlite")
        self.desk.open()
        self.archive = Archive(self.directory / "jobs.sqlite")
        self.inbox = Line(self.offline)
        self.office = OfficeFiles(self.directory / "office").office(lambda: float(self.world.now))
        shelf = Shelf(self.world.dataset)
        self.certifier = Certifier(self.office, shelf, self.archive, self.desk)
        cards = {who: person.card for who, person in self.people.items()}
        self.hub = Hub(
            identity=self.world.exchange.key,
            card=self.world.exchange.card,
            members=lambda: cards,  # type: ignore[return-value,arg-type]
            shelf=shelf,
            desk=self.desk,
            archive=self.archive,
            certifier=self.certifier,
            journals=Journals(self.directory / "running", lambda: float(self.world.now)),
            inbox=self.inbox,
            clocks=Clocks(round_s=2.0, absent_s=0.2, receipt_s=0.3),
            clock=lambda: float(self.world.now),
            monotonic=time.monotonic if self.ticking else lambda: float(self.world.now),
        )
        if self.ticking:
            self.hub.start()
        else:
            self.hub.take_up()
        return self.hub

    def close(self) -> None:
        self.hub.stop()
        self.archive.close()
        self.desk.close()
        self.office.close()

    def die(self) -> None:
        """What `kill -9` leaves: the files, and nothing that anybody was told afterwards."""
        self.hub._stopping.set()
        if self.ticking:
            self.hub._ticker.join()
        for job in self.hub._jobs._jobs.values():
            job.journal.close()
        self.archive.close()
        self.desk.close()
        self.office.close()

    def restart(self) -> None:
        """It dies and comes back; the departments register again."""
        self.die()
        self.open()
        for name in self.world.people:
            self.register(name)

    def register(self, name: str, **changes: Any) -> None:  # noqa: ANN401
        policy = {**to_json(self.world.towns[name].policy), **changes}
        registration = Registration(self.people["department", name].card, [policy])
        self.hub.register(self.department(name), registration)

    def department(self, name: str) -> Caller:
        return Caller("department", name, "f" * 64)

    def submit(self, plan: Plan, by: Caller = ANA) -> str:
        person = self.people["analyst", by.name]
        return self.hub.submit(by, Submission(self.world.sign(plan, person)).encode())

    def pump(self) -> None:
        moved = True
        while moved:
            moved = False
            for name, town in self.world.towns.items():
                if name in self.offline:
                    continue
                while delivery := self.inbox.take(name, 0, lambda: True):
                    moved = True
                    reply = town.answer(delivery)
                    if reply is not None:
                        self.hub.push(self.department(name), reply)

    def run(self, plan: Plan) -> list[Progress]:
        self.submit(plan)
        self.pump()
        return self.watch(plan.job)

    def watch(self, job: str, by: Caller = ANA) -> list[Progress]:
        """Pumps until the job has ended."""
        done = threading.Event()
        seen: list[Progress] = []

        def follow() -> None:
            for news in self.hub.watch(by, job, lambda: True):
                seen.extend(news)
            done.set()

        thread = threading.Thread(target=follow)
        thread.start()
        while not done.wait(0.02):
            self.pump()
        thread.join()
        return seen


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    world = World(tmp_path / "nodes")
    exchange = Exchange(world, tmp_path)
    yield exchange
    exchange.close()
    world.close()


def refused(kind: type[VeilError], code: str, call: Callable[[], object]) -> VeilError:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code, caught.value.message
    return caught.value


def test_a_job_from_submission_to_receipt(exchange: Exchange) -> None:
    plan = exchange.world.plan()
    seen = exchange.run(plan)
    assert (seen[0].what, seen[-1].what) == ("submitted", "done")
    outcome = read_outcome(exchange.hub.fetch(ANA, JOB))
    document = make_document(
        outcome.receipt, outcome.statements, exchange.world.sign(plan), outcome.cards
    )
    digest = read_aggregate(outcome.aggregate).digest
    report = verify_receipt(document, exchange.world.pins, outcome_digest=digest)
    assert report.ok, report.failures
    assert exchange.hub.fetch(ANA, JOB) == exchange.hub.fetch(ANA, JOB)
    assert exchange.inbox.waiting("mid") == ()
    assert exchange.hub.cancel(ANA, JOB) is False
    assert exchange.watch(JOB) == seen  # a watch begins with the first event again
    assert list(exchange.hub.watch(ANA, JOB, lambda: True)) == [seen]  # what has piled up, at once


def test_a_survivor_that_never_signs_is_named_in_a_receipt_that_holds(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, gone = exchange.inbox.take, threading.Event()

    def dies(name: str, *rest: Any, **more: Any) -> Delivery | None:  # noqa: ANN401
        found = None if name == "mid" and gone.is_set() else take(name, *rest, **more)
        if name == "mid" and found is not None and found.round == RECEIPT_ROUND:
            gone.set()
            return None
        return found

    monkeypatch.setattr(exchange.inbox, "take", dies)
    plan = exchange.world.plan()
    assert exchange.run(plan)[-1].what == "done"
    assert gone.is_set()
    outcome = read_outcome(exchange.hub.fetch(ANA, JOB))
    assert set(outcome.statements) == set(exchange.world.towns) - {"mid"}
    document = make_document(
        outcome.receipt, outcome.statements, exchange.world.sign(plan), outcome.cards
    )
    report = verify_receipt(document, exchange.world.pins)
    assert report.ok, report.failures
    [remark] = [check for check in report.checks if check.remark]
    assert "mid did not sign" in str(remark.what)


def test_the_same_submission_again_is_the_same_job(exchange: Exchange) -> None:
    plan = exchange.world.plan()
    assert exchange.submit(plan) == exchange.submit(plan) == JOB
    exchange.watch(JOB)
    assert exchange.submit(plan) == JOB
    other = replace(plan, purpose="another")
    refused(InputError, "job.repeated", lambda: exchange.submit(other))
    for town in exchange.world.towns.values():
        assert town.figures.asked == 1


def test_a_job_belongs_to_its_analyst(exchange: Exchange) -> None:
    bob = Caller("analyst", "bob", "f" * 64)
    exchange.run(exchange.world.plan())
    refused(InputError, "job.unknown", lambda: exchange.hub.fetch(bob, JOB))
    refused(InputError, "job.unknown", lambda: exchange.hub.cancel(bob, JOB))
    refused(InputError, "job.unknown", lambda: list(exchange.hub.watch(bob, JOB, lambda: True)))
    refused(InputError, "job.unknown", lambda: exchange.hub.fetch(ANA, "cd" * 16))
    mine = exchange.world.plan()
    token = exchange.world.sign(mine, exchange.people["analyst", "bob"])
    refused(TrustError, "plan.analyst", lambda: exchange.hub.submit(bob, Submission(token).encode()))  # fmt: skip # noqa: E501


def test_plans_that_are_not_taken(exchange: Exchange) -> None:
    plan = exchange.world.plan()
    late = replace(plan, expires_at=exchange.world.now - 61)
    refused(TrustError, "plan.expired", lambda: exchange.submit(late))
    long = replace(plan, expires_at=exchange.world.now + 25 * 3600)
    error = refused(TrustError, "plan.expired", lambda: exchange.submit(long))
    assert "clocks" in error.remedy
    unknown = replace(plan, dataset="other")
    refused(InputError, "dataset.unknown", lambda: exchange.submit(unknown))
    stranger = replace(plan.roster[0], fingerprint="0" * 64)
    swapped = replace(plan, roster=(stranger, *plan.roster[1:]))
    refused(TrustError, "plan.roster", lambda: exchange.submit(swapped))
    refused(InputError, "submit.malformed", lambda: exchange.hub.submit(ANA, "{"))
    for town in exchange.world.towns.values():
        assert town.jobs == {}


def test_one_analyst_cannot_take_every_place(exchange: Exchange) -> None:
    plan = exchange.world.plan()
    for number in range(MOST_JOBS_PER_ANALYST):
        exchange.submit(replace(plan, job=f"{number:032x}"))
    refused(PolicyError, "job.too_many", lambda: exchange.submit(plan))
    assert exchange.hub.cancel(ANA, f"{0:032x}")
    assert exchange.submit(plan) == JOB


def test_submissions_at_once_run_a_job_once(exchange: Exchange) -> None:
    plan = exchange.world.plan()
    outcomes: list[str] = []

    def submit() -> None:
        try:
            outcomes.append(exchange.submit(plan))
        except InputError as error:
            outcomes.append(error.code)

    in_threads(*[submit] * 8)
    assert set(outcomes) <= {JOB, "job.repeated"}
    assert JOB in outcomes
    exchange.watch(JOB)
    assert {town.figures.asked for town in exchange.world.towns.values()} == {1}


def test_who_is_away_drops_out(exchange: Exchange) -> None:
    exchange.offline.add("south")
    seen = exchange.run(exchange.world.plan())
    assert ("dropped", "south") in [(p.what, p.department) for p in seen]
    aggregate = read_aggregate(read_outcome(exchange.hub.fetch(ANA, JOB)).aggregate)
    assert aggregate.survivors == ("east", "mid", "north", "west")


def test_too_few_are_an_error_with_its_cause(exchange: Exchange) -> None:
    exchange.offline.update({"south", "west"})
    seen = exchange.run(exchange.world.plan())
    assert seen[-1].what == "failed"
    error = refused(JobError, "job.too_few", lambda: exchange.hub.fetch(ANA, JOB))
    assert "south, west" in error.message
    exchange.pump()
    assert exchange.world.towns["mid"].budget() == "undone"


def test_cancelled_by_the_analyst(exchange: Exchange) -> None:
    exchange.offline.add("south")
    exchange.submit(exchange.world.plan())
    exchange.pump()
    refused(JobError, "job.running", lambda: exchange.hub.fetch(ANA, JOB))
    assert exchange.hub.cancel(ANA, JOB) is True
    assert exchange.watch(JOB)[-1].what == "failed"
    refused(JobError, "job.cancelled", lambda: exchange.hub.fetch(ANA, JOB))
    exchange.pump()
    assert exchange.world.towns["mid"].budget() == "undone"
    # A node that was away finds only the cancellation, not the plan that it would begin.
    assert [d.kind for d in exchange.inbox.waiting("south")] == ["cancel"]


def test_a_restarted_exchange_asks_nodes_to_register(exchange: Exchange) -> None:
    mid = exchange.department("mid")
    assert exchange.hub.pull(mid, 0, lambda: True, "s") is None
    exchange.close()
    exchange.open()
    error = refused(
        ProtocolError, "pull.unregistered", lambda: exchange.hub.pull(mid, 0, lambda: True, "s")
    )
    assert "register" in error.remedy
    exchange.register("mid")
    assert exchange.hub.pull(mid, 0, lambda: True, "s") is None


def test_exact_answers_wait_until_every_policy_is_known(exchange: Exchange) -> None:
    """Otherwise the smallest group of who has not registered yet would not be kept."""
    exchange.close()
    exchange.open()
    for name in list(exchange.world.people)[1:]:
        exchange.register(name)
    plan = exchange.world.exact()
    error = refused(UnavailableError, "job.unregistered", lambda: exchange.submit(plan))
    assert "east" in error.message
    exchange.register("east")
    assert exchange.run(plan)[-1].what == "done"


def test_the_strictest_smallest_group_counts(exchange: Exchange) -> None:
    exchange.register("mid", min_group=46)  # 9 subjects in each of 5 departments are 45
    assert exchange.run(exchange.world.exact())[-1].what == "failed"
    refused(JobError, "job.nothing_to_show", lambda: exchange.hub.fetch(ANA, JOB))
    exchange.register("mid", min_group=45)
    again = exchange.world.exact(job="cd" * 16, grant="d" * 32)
    assert exchange.run(again)[-1].what == "done"


def test_a_department_registers_for_itself_only(exchange: Exchange) -> None:
    refused(InputError, "register.policy", lambda: exchange.register("mid", department="east"))


def test_a_full_disk_ends_the_job_and_not_the_exchange(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise UnavailableError("disk full")

    monkeypatch.setattr(exchange.archive, "_end", full)
    exchange.offline.update({"south", "west"})
    assert exchange.run(exchange.world.plan())[-1].what == "failed"
    monkeypatch.undo()
    exchange.offline.clear()
    assert exchange.run(exchange.world.plan(job="cd" * 16))[-1].what == "done"


def test_a_mistake_in_one_session_does_not_stop_the_clock_of_others(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.offline.add("south")
    exchange.submit(exchange.world.plan())
    entry = exchange.hub._jobs.find(JOB)
    assert entry.session is not None

    def wrong(now: float) -> None:
        raise ProtocolError("a mistake")

    monkeypatch.setattr(entry.session, "tick", wrong)
    assert exchange.watch(JOB)[-1].what == "failed"
    assert exchange.run(exchange.world.plan(job="cd" * 16))[-1].what == "done"


def test_the_directory_says_who_is_there(exchange: Exchange) -> None:
    exchange.offline.add("east")
    body = exchange.hub.directory(ANA)
    members = {m["name"]: m for m in body["members"]}
    assert members["mid"]["online"] is True
    assert members["east"]["online"] is False
    assert members["mid"]["policies"][0]["department"] == "mid"
    assert [d["name"] for d in body["datasets"]] == ["visits"]


def test_a_grant_request_reaches_every_owner_also_one_that_comes_later(exchange: Exchange) -> None:
    plan = exchange.world.plan(mode="exact")
    request = exchange.hub.request_grant(ANA, exchange.world.signed_request(plan))
    waiting = exchange.inbox.waiting("mid")
    assert [(d.job, d.kind) for d in waiting] == [("", "grant-request")]
    mid = exchange.department("mid")
    exchange.hub.push(mid, Delivery("", f"grant/{request}", 1, "mid", "", "received", b""))
    assert exchange.inbox.waiting("mid") == ()
    exchange.close()
    exchange.open()
    exchange.register("mid")  # not yet answered, only received: asked again after a restart
    assert len(exchange.inbox.waiting("mid")) == 1
    exchange.hub.push(mid, Delivery("", f"grant/{request}", 1, "mid", "", "denied", b"no"))
    (entry,) = exchange.hub.grants(ANA, request)
    states = {a["department"]: a["state"] for a in entry["answers"]}
    assert states["mid"] == "denied"
    assert states["east"] == "waiting"
    assert exchange.hub.grants(Caller("analyst", "bob", ""), "") == []
    refused(
        InputError, "grant.unknown",
        lambda: exchange.hub.push(mid, Delivery("", "grant/xx", 1, "mid", "", "denied", b"")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("policies", "snapshots"),
    [
        ([{"department": "mid"}], []),
        ([{"department": "mid", "dataset": "visits", "min_group": "many"}], []),
        ([], [{"dataset": "visits"}]),
        ([], [{"dataset": ["visits"], "snapshot": "5a"}]),
    ],
)
def test_what_would_stop_every_reader_of_the_directory_is_not_registered(
    exchange: Exchange, policies: list[dict[str, Any]], snapshots: list[dict[str, Any]]
) -> None:
    """One department's rubbish must not keep all analysts from reading who takes part."""
    caller, card = exchange.department("mid"), exchange.people["department", "mid"].card
    before = exchange.hub.directory(ANA)
    with pytest.raises(InputError):
        exchange.hub.register(caller, Registration(card, policies, snapshots))
    assert exchange.hub.directory(ANA) == before
    read_federation(exchange.hub.directory(ANA), exchange.world.pins)
    assert exchange.run(exchange.world.plan())[-1].what == "done"


@pytest.mark.parametrize(
    "names", [("mid", "nobody"), ("mid", "mid"), tuple(f"d{i}" for i in range(500))]
)
def test_a_grant_request_waits_only_for_who_is_enrolled(
    exchange: Exchange, names: tuple[str, ...]
) -> None:
    """It is kept once for each department that it asks: made-up names would fill the memory."""
    claims = {
        "analyst": "ana", "statement": "x", "purpose": "y", "exp": exchange.world.now + 60,
        "members": [{"name": name} for name in names],
    }  # fmt: skip
    token = exchange.world.analyst.key.sign(REQUEST_TYPE, claims)
    refused(InputError, "grant.departments", lambda: exchange.hub.request_grant(ANA, token))
    assert all(exchange.inbox.waiting(name) == () for name in names)
    assert exchange.hub.grants(ANA, "") == []


def test_a_grant_request_is_not_longer_than_can_be_kept(exchange: Exchange) -> None:
    claims = {
        "analyst": "ana", "statement": "x", "purpose": "A" * 75_000,
        "exp": exchange.world.now + 60, "members": [{"name": "mid"}],
    }  # fmt: skip
    token = exchange.world.analyst.key.sign(REQUEST_TYPE, claims)
    refused(InputError, "grant.too_long", lambda: exchange.hub.request_grant(ANA, token))
    assert exchange.inbox.waiting("mid") == ()
