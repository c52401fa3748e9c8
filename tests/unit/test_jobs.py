"""What was asked outlives who asked: jobs on disk, taken up again, paid for once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from catalog.certificates.grants import issue_grant, read_request
from compute_nodes.rpc.delivery import Delivery
from exchange.analyst.answer import Answer
from exchange.analyst.client import Veil
from exchange.analyst.job import Job
from exchange.analyst.profile import Profile
from exchange.analyst.transport import AnalystLink
from exchange.analyst.waiting import wait_notice
from exchange.coordinator import session as sessions
from exchange.outcome import Aggregate
from exchange.ports import Caller, Progress
from exchange.serving.running_jobs import MOST_JOBS_PER_ANALYST
from protos.faults import (
    InputError,
    JobError,
    PolicyError,
    TrustError,
    UnavailableError,
    VeilError,
)
from protos.language import Text
from tests.job_world import COUNT, World, in_threads
from tests.unit.test_hub import ANA, Exchange

AWAY = UnavailableError("cannot reach the exchange", code="link.unavailable")


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Near(AnalystLink):
    """The link without a network: it calls the hub. ``dies_at`` ends the process at a place."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.dies_at: dict[str, BaseException] = {}
        self.handed_in: list[str] = []

    def close(self) -> None:
        pass

    def directory(self) -> dict[str, Any]:
        return self.exchange.hub.directory(ANA)

    def submit(self, plan: str, *, job: str = "") -> str:
        self._maybe("before submit")
        self.handed_in.append(job)
        taken = self.exchange.hub.submit(ANA, plan)
        self._maybe("after submit")
        return taken

    def watch(self, job: str) -> Iterator[Progress]:
        self._maybe("watch")
        told = (event for news in self.exchange.hub.watch(ANA, job, lambda: True) for event in news)
        for number, event in enumerate(told):
            yield event
            if number == 1:
                self._maybe("in the middle")

    def fetch(self, job: str) -> bytes:
        self._maybe("fetch")
        return self.exchange.hub.fetch(ANA, job)

    def cancel(self, job: str) -> bool:
        self._maybe("cancel")
        return self.exchange.hub.cancel(ANA, job)

    def request_grant(self, request: str, decisions: bytes = b"") -> str:
        return self.exchange.hub.request_grant(ANA, request, decisions)

    def grants(self, request_id: str = "") -> list[dict[str, Any]]:
        return self.exchange.hub.grants(ANA, request_id)

    def _maybe(self, place: str) -> None:
        if place in self.dies_at:
            raise self.dies_at[place]


class Analyst:
    """Ana's machine: `again` is a new process over the same directory."""

    def __init__(self, exchange: Exchange, directory: Path) -> None:
        self.exchange = exchange
        self.directory = directory
        directory.mkdir()
        self.again()

    def again(self) -> Veil:
        world = self.exchange.world
        profile = Profile(
            name="ana", exchange="", project="default", directory=self.directory,
            identity=world.analyst.key, sealing=world.analyst.sealing, watched=lambda: world.pins,
        )  # fmt: skip
        self.link = Near(self.exchange)
        self.veil = Veil(profile, self.link, clock=lambda: float(world.now))
        return self.veil

    def out(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "jobs").glob("*.json"))

    def wait(self, job: Job) -> Answer:
        """Waits while the departments answer."""
        ended = threading.Event()
        pump = threading.Thread(target=self._pump, args=(ended,))
        pump.start()
        try:
            return job.wait()
        finally:
            ended.set()
            pump.join()

    def asked(self) -> set[int]:
        """How often the departments' data were asked."""
        return {town.figures.asked for town in self.exchange.world.towns.values()}

    def charges(self) -> int:
        return len(self.veil._book._desk.history.charges("visits"))

    def _pump(self, ended: threading.Event) -> None:
        while not ended.wait(0.01):
            self.exchange.pump()


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    world = World(tmp_path / "nodes", protocols=["masked_sum", "he_sum", "sealed"])
    exchange = Exchange(world, tmp_path)
    yield exchange
    exchange.close()
    world.close()


@pytest.fixture
def ana(exchange: Exchange, tmp_path: Path) -> Analyst:
    return Analyst(exchange, tmp_path / "ana")


def killed(ana: Analyst, place: str, **options: Any) -> None:  # noqa: ANN401
    """Asks, and the process dies at a place."""
    ana.link.dies_at[place] = Killed()
    with pytest.raises(Killed):
        ana.wait(ana.veil.submit(COUNT, **options))
    ana.again()


# --- taken up again


@pytest.mark.parametrize(
    ("place", "protocol"),
    [
        ("after submit", "masked_sum"),
        ("in the middle", "he_sum.bfv"),
        ("fetch", "masked_sum"),
    ],
)
def test_who_dies_anywhere_comes_back_to_the_answer(
    ana: Analyst, place: str, protocol: str
) -> None:
    killed(ana, place, protocol=protocol)
    [name] = ana.out()
    file = ana.directory / "jobs" / name
    assert file.stat().st_mode & 0o777 == 0o600
    assert (ana.directory / "jobs").stat().st_mode & 0o777 == 0o700
    [(job, state)] = ana.veil.jobs()
    assert state.what in {"waiting", "answered"}
    answer = ana.wait(ana.veil.job(job.id[:8]))
    assert answer.to_pandas()["n"].notna().all()
    assert ana.out() == []
    assert ana.asked() == {1}
    assert ana.charges() == 1
    assert ana.veil.jobs() == []


@pytest.mark.parametrize("again", ["the same question", "by its number"])
def test_who_died_before_handing_in_hands_in_the_same_plan(ana: Analyst, again: str) -> None:
    killed(ana, "before submit")
    [(lost, state)] = ana.veil.jobs()
    assert state.what == "unsent"
    job = ana.veil.submit(COUNT) if again == "the same question" else ana.veil.job(lost.id)
    assert job.id == lost.id
    ana.wait(job)
    assert ana.link.handed_in == [lost.id]
    assert ana.asked() == {1}


def test_a_plan_that_never_arrived_and_is_refused_by_now_is_asked_anew(ana: Analyst) -> None:
    """Such as after a department has changed its key."""
    killed(ana, "before submit")
    [(lost, _)] = ana.veil.jobs()
    hub, submit = ana.exchange.hub, ana.exchange.hub.submit

    def strict(caller: Caller, plan: str) -> str:
        if ana.link.handed_in == [lost.id]:
            raise TrustError("another key", code="plan.roster")
        return submit(caller, plan)

    hub.submit = strict  # type: ignore[method-assign]
    job = ana.veil.submit(COUNT)
    assert ana.link.handed_in == [lost.id, job.id]
    assert ana.out() == [f"{job.id}.json"]


def test_exact_figures_need_the_cell_order_that_was_kept(ana: Analyst) -> None:
    world, hub = ana.exchange.world, ana.exchange.hub
    request = ana.veil.request_grant(COUNT, "test")
    for name, person in world.people.items():
        [asked_of] = ana.exchange.desk.waiting(world.now, department=name)
        asked = read_request(asked_of.token, world.pins, now=world.now)
        grant = issue_grant(person.key, name, asked, now=world.now).encode("ascii")
        answer = Delivery("", f"grant/{request}", 1, name, "", "grant", grant)
        hub.push(ana.exchange.department(name), answer)
    killed(ana, "in the middle", exact=True)
    [(job, _)] = ana.veil.jobs()
    found = ana.wait(ana.veil.job(job.id))
    assert found.intervals is None
    total = sum(100 * (number + 1) for number in range(len(world.people)))
    assert found.to_pandas()["n"].tolist() == [total, total + len(world.people)]
    assert ana.charges() == 0


def test_an_answered_job_is_found_by_its_number_for_ever(ana: Analyst) -> None:
    job = ana.veil.submit(COUNT)
    first = ana.wait(job)
    again = ana.again().job(job.id[:6])
    assert again.state().what == "answered"
    assert again.wait().to_arrow() == first.to_arrow()
    assert any("cost nothing" in note for note in again.wait().notes)
    assert ana.charges() == 1


def test_a_number_that_names_none_or_several_is_refused(ana: Analyst) -> None:
    with pytest.raises(InputError, match="no job 'ab'") as none:
        ana.veil.job("ab")
    assert "veil jobs" in none.value.remedy
    for _ in range(2):
        ana.veil.submit(COUNT, fresh=True)
    with pytest.raises(InputError, match="several"):
        ana.veil.job("")


# --- paid once


def test_the_same_question_joins_the_job_that_runs(ana: Analyst) -> None:
    first = ana.veil.submit(COUNT)
    second = ana.again().submit("select sex,  count(*) as n from visits group by 1")
    assert second.id == first.id
    assert "nothing is paid twice" in str(second.notice[0])
    assert "不重复" in second.notice[0].zh
    assert first.notice == ()
    assert ana.wait(second).to_arrow() == ana.wait(first).to_arrow()
    assert ana.asked() == {1}
    assert ana.charges() == 1  # though both have taken it


def test_the_same_question_at_once_is_one_job(ana: Analyst) -> None:
    jobs: list[Job] = []

    def ask(veil: Veil) -> None:
        jobs.append(veil.submit(COUNT))

    in_threads(*[partial(ask, ana.again()) for _ in range(4)])
    assert len({job.id for job in jobs}) == 1
    assert len(ana.out()) == 1


def test_another_question_and_a_fresh_one_do_not(ana: Analyst) -> None:
    first = ana.veil.submit(COUNT)
    others = [
        ana.veil.submit(COUNT, fresh=True),
        ana.veil.submit(COUNT, epsilon=0.4),
        ana.veil.submit(COUNT, protocol="he_sum.bfv"),
        ana.veil.submit("SELECT COUNT(*) AS n FROM visits"),
        ana.veil.submit(COUNT, without=["west"]),
    ]
    assert len({first.id, *(job.id for job in others)}) == 6


def test_a_question_that_names_no_protocol_takes_any_answer(ana: Analyst) -> None:
    """Somebody was away, so he_sum was chosen; now everybody is there, and it has been paid."""
    ana.exchange.offline.add("south")
    job = ana.veil.submit(COUNT)
    assert job.plan.protocol == "he_sum.bfv"
    ana.exchange.offline.clear()
    assert ana.again().submit(COUNT).id == job.id  # still out
    ana.wait(ana.veil.job(job.id))
    assert ana.again().submit(COUNT).id == job.id  # in the history
    assert ana.veil.submit(COUNT, protocol="masked_sum").id != job.id
    assert ana.asked() == {1}


# --- the end of a job


def test_what_failed_is_said_once_and_forgotten(ana: Analyst) -> None:
    ana.exchange.offline.update({"south", "west"})
    killed(ana, "watch", protocol="masked_sum")
    ana.exchange.watch(ana.veil.jobs()[0][0].id)
    [(_, state)] = ana.veil.jobs()
    assert state.what == "failed"
    assert state.error is not None
    assert "south, west" in state.error.message
    assert ana.veil.jobs() == []
    assert ana.out() == []


def test_the_same_question_after_a_failure_is_asked_anew(ana: Analyst) -> None:
    ana.exchange.offline.update({"south", "west"})
    killed(ana, "watch", protocol="masked_sum")
    [(failed, _)] = ana.veil.jobs()
    ana.exchange.watch(failed.id)
    ana.exchange.offline.clear()
    job = ana.veil.submit(COUNT, protocol="masked_sum")
    assert job.id != failed.id
    ana.wait(job)
    assert ana.out() == []


@pytest.mark.parametrize("forgotten", [True, False])
def test_a_failure_while_waiting_forgets_the_job(ana: Analyst, forgotten: bool) -> None:
    """Also one that the exchange itself remembers only the end of."""
    ana.exchange.offline.update({"south", "west"})
    job = ana.veil.submit(COUNT, protocol="masked_sum")
    ana.exchange.watch(job.id)
    if forgotten:
        del ana.exchange.hub._jobs._jobs[job.id]
    with pytest.raises(JobError, match="south, west"):
        job.wait()
    assert ana.out() == []


def test_a_plan_that_is_refused_is_forgotten(ana: Analyst) -> None:
    for _ in range(MOST_JOBS_PER_ANALYST):
        ana.veil.submit(COUNT, fresh=True)
    with pytest.raises(PolicyError, match="too many"):
        ana.veil.submit(COUNT, fresh=True)
    assert len(ana.out()) == MOST_JOBS_PER_ANALYST


def test_what_never_arrived_and_is_too_old_is_forgotten(ana: Analyst) -> None:
    killed(ana, "before submit")
    ana.exchange.world.now += 700
    assert [state.what for _, state in ana.veil.jobs()] == ["unsent"]
    assert ana.out() == []


def test_what_cannot_be_kept_is_not_asked(ana: Analyst) -> None:
    (ana.directory / "jobs").write_text("in the way", "ascii")
    with pytest.raises(UnavailableError, match="jobs"):
        ana.veil.submit(COUNT)
    assert ana.link.handed_in == []


def test_a_damaged_file_is_named(ana: Analyst) -> None:
    ana.veil.submit(COUNT)
    [name] = ana.out()
    (ana.directory / "jobs" / name).write_text('{"plan": 1', "ascii")
    with pytest.raises(InputError, match=name):
        ana.veil.jobs()


def test_the_job_of_an_earlier_key_is_left_alone(ana: Analyst) -> None:
    ana.veil.submit(COUNT)
    world = ana.exchange.world
    mine = replace(ana.veil.profile, identity=world.people["east"].key)
    assert Veil(mine, ana.link, clock=lambda: float(world.now)).jobs() == []
    assert len(ana.out()) == 1


# --- the exchange is away


def test_while_the_exchange_is_away_the_question_is_kept(ana: Analyst) -> None:
    for place in ("after submit", "watch", "fetch"):
        ana.link.dies_at = {place: AWAY}
        with pytest.raises(UnavailableError) as away:
            ana.wait(ana.veil.submit(COUNT))
        [name] = ana.out()
        assert f"veil fetch {name[:12]}" in away.value.remedy
    with pytest.raises(UnavailableError):
        ana.veil.jobs()
    ana.link.dies_at = {}
    assert ana.wait(ana.veil.submit(COUNT))
    assert ana.asked() == {1}


# --- Ctrl-C


@pytest.mark.parametrize("place", ["before submit", "after submit", "in the middle"])
def test_ctrl_c_cancels(ana: Analyst, place: str) -> None:
    ana.link.dies_at = {place: KeyboardInterrupt()}
    with pytest.raises(JobError, match="cancelled") as said:
        ana.veil.submit(COUNT).wait()
    assert said.value.code == "job.cancelled"
    assert ana.out() == []
    ana.exchange.pump()
    assert {town.budget() for town in ana.exchange.world.towns.values()} <= {"", "undone"}
    assert ana.charges() == 0


def test_ctrl_c_too_late_says_where_the_answer_is(ana: Analyst) -> None:
    job = ana.veil.submit(COUNT)
    ana.exchange.watch(job.id)
    ana.link.dies_at = {"fetch": KeyboardInterrupt()}
    with pytest.raises(JobError, match="too late") as late:
        job.wait()
    assert f"veil fetch {job.id[:12]}" in late.value.remedy
    ana.link.dies_at = {}
    assert ana.again().job(job.id).wait()


def test_ctrl_c_that_nobody_hears_says_that_the_job_goes_on(ana: Analyst) -> None:
    job = ana.veil.submit(COUNT)
    ana.link.dies_at = {"watch": KeyboardInterrupt(), "cancel": AWAY}
    with pytest.raises(JobError, match="not cancelled") as unheard:
        job.wait()
    assert "veil fetch" in unheard.value.remedy
    assert len(ana.out()) == 1


def test_a_job_can_be_cancelled_from_elsewhere(ana: Analyst) -> None:
    job = ana.veil.submit(COUNT)
    assert ana.again().job(job.id).cancel() is True
    assert ana.out() == []
    with pytest.raises(JobError, match="cancelled"):
        job.wait()
    assert job.cancel() is False


# --- for whom it waits


def test_who_is_offline_is_said_before_one_waits(ana: Analyst) -> None:
    ana.exchange.offline.add("south")
    notice = ana.veil.submit(COUNT).notice
    said = " ".join(line.en for line in notice)
    assert "Offline now: south." in said
    assert "--without south" in said
    assert "--protocol masked_sum (whoever is there answers, 4 departments now)" in said
    assert "veil fetch" in said
    assert all(line.zh != line.en for line in notice)
    assert ana.veil.submit(COUNT, protocol="masked_sum").notice == ()


def test_what_would_not_be_answered_either_is_not_offered(ana: Analyst) -> None:
    ana.exchange.offline.update({"south", "west"})
    said = " ".join(line.en for line in ana.veil.submit(COUNT).notice)
    assert "--without south --without west" in said
    assert "masked_sum" not in said  # three of five are too few


def test_an_exact_answer_can_only_wait(ana: Analyst) -> None:
    """Its grants are of all owners together, so nobody can be left out."""
    ana.exchange.offline.add("south")
    plan = ana.exchange.world.plan(COUNT, mode="exact", protocol="he_sum.bfv")
    notice = wait_notice(plan, ana.veil.federation())
    assert "Offline now: south." in notice[0].en
    assert not any("--without" in line.en for line in notice)


def test_the_sdk_says_it_too(ana: Analyst, caplog: pytest.LogCaptureFixture) -> None:
    ana.exchange.offline.add("south")
    ana.link.dies_at = {"watch": Killed()}
    with pytest.raises(Killed):
        ana.veil.sql(COUNT)
    assert "Offline now: south" in caplog.text


# --- a cheating exchange


def test_an_aggregate_of_others_than_the_receipt_names_is_refused(
    ana: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The departments sign the digest of the aggregate; they do not see what is in it."""

    class Lying(Aggregate):
        def to_bytes(self) -> bytes:
            return replace(self.honest(), survivors=self.survivors[1:]).to_bytes()

        def honest(self) -> Aggregate:
            return Aggregate(self.survivors, self.vector, self.sealed[1:], self.bitmap)

    honest = sessions.aggregate_of

    def lies(*arguments: Any) -> Aggregate:  # noqa: ANN401
        found = honest(*arguments)
        return Lying(found.survivors, found.vector, found.sealed, found.bitmap)

    monkeypatch.setattr(sessions, "aggregate_of", lies)
    with pytest.raises(TrustError, match="name other departments"):
        ana.wait(ana.veil.submit(COUNT))


def test_a_job_belongs_to_its_analyst(ana: Analyst) -> None:
    job = ana.veil.submit(COUNT)
    bob = Caller("analyst", "bob", "f" * 64)
    with pytest.raises(VeilError, match="no such job of yours"):
        ana.exchange.hub.fetch(bob, job.id)


def test_the_keys_stay_out_of_repr(ana: Analyst) -> None:
    job = ana.veil.submit(COUNT, protocol="he_sum.bfv")
    [record] = ana.veil._book._desk.open_jobs.all()
    assert record.he_secret
    assert record.he_secret.hex() not in repr(record)
    assert repr(job) == f"Job({job.id[:12]!r}, {COUNT!r})"
    assert isinstance(job.notice, tuple)
    assert all(isinstance(line, Text) for line in job.notice)
