"""A whole job in bad weather: hub, session, journal, inbox and departments' jobs; no network.

The weather strikes each message on its way, as `compute_nodes.protocols.simulation` does to bare
machines, and the exchange itself, which is killed and taken up again from its journals. Delivery
is as in the product: out of the hub's own inbox, in the product's own frames, to each department in
order and at least once (a lost message breaks its link, and a new one begins with all that is
unanswered); answers come in any order.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from catalog.certificates.receipts import plan_hash
from catalog.plan import Plan, Protocol
from compute_nodes.jobs.runs import is_homomorphic
from compute_nodes.protocols.simulation import Dice, Weather
from compute_nodes.rpc import wire
from compute_nodes.rpc.delivery import Delivery
from exchange.analyst.federation import Federation
from exchange.analyst.opening import OpeningKeys, open_aggregate
from exchange.outcome import Aggregate, read_aggregate, read_outcome
from exchange.submission import Submission
from protos.cards import Card, read_card
from protos.faults import ProtocolError, TrustError, VeilError
from tests.he_sum_world import secret_key
from tests.job_world import NAMES, Town, World
from tests.unit.test_hub import ANA, Exchange

SUM = "SELECT SUM(age) AS age FROM visits"
FAULTS = ("drop", "duplicate", "delay", "truncate", "replay", "restart")
STEP_S = 3
RICH = {"epsilon": 200.0, "default": 0.5, "ceiling": 2.0, "in_flight": 1000}
ENDS = ("job.too_few", "job.survivors")  # the only errors that weather excuses


class Still(Exchange):
    """An exchange whose time the storm lets pass."""

    ticking = False


@dataclass
class Seen:
    """What one run has shown."""

    taken_wrongly: list[Delivery] = field(default_factory=list)
    refused: list[VeilError] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    said: dict[tuple[str, str], set[bytes]] = field(default_factory=lambda: defaultdict(set))
    ended: str = ""


class Place:
    """Departments and an exchange, for many runs after each other."""

    def __init__(self, directory: Path, names: tuple[str, ...] = NAMES) -> None:
        self.world = World(
            directory / "nodes", names, protocols=["masked_sum", "he_sum"], budget=RICH
        )
        self.exchange = Still(self.world, directory)
        self.foreign: list[Delivery] = []

    def close(self) -> None:
        self.exchange.die()
        self.world.close()

    def plan(self, number: int, dice: Dice, protocol: Protocol) -> Plan:
        """A plan over some of the departments."""
        away = {name for name in NAMES[3:] if dice.chance(25)}
        plan = self.world.plan(SUM, protocol=protocol, job=f"{number:032x}", without=away)
        if not is_homomorphic(plan):
            return plan
        return replace(plan, he_key_digest=_key(plan).public.digest)


def _key(plan: Plan) -> Any:  # noqa: ANN401 - either scheme's
    return secret_key(plan.protocol.removeprefix("he_sum."))


class Storm:
    """One run.

    Args:
        place: Where.
        plan: What is asked.
        dice: Decides everything.
        weather: What strikes messages; ``restart`` strikes departments.
        crash: How often the exchange is killed, in percent of deliveries.
    """

    def __init__(self, place: Place, plan: Plan, dice: Dice, weather: Weather, crash: int) -> None:
        self.place = place
        self.world = place.world
        self.exchange = place.exchange
        self.plan = plan
        self.dice = dice
        self.weather = weather
        self.crash = crash
        self.seen = Seen()
        self.lines: dict[str, deque[Delivery]] = {name: deque() for name in self.towns}
        self.links: Counter[str] = Counter()  # how often each department has connected
        self.hung: set[str] = set()  # hears nothing until time has passed
        self.answers: list[Delivery] = []
        self.late: list[Delivery] = []
        self.past: list[Delivery] = []

    @property
    def towns(self) -> dict[str, Town]:
        return {member.name: self.world.towns[member.name] for member in self.plan.roster}

    def run(self) -> Seen:
        for town in self.towns.values():
            town.figures.asked = 0
        key = _key(self.plan).public.data if is_homomorphic(self.plan) else b""
        token = self.world.sign(self.plan)
        self.exchange.hub.submit(ANA, Submission(token, key).encode())
        while self._running():
            self._offer()
            if delivery := self._next():
                self._blow(delivery)
            elif self.dice.chance(40):
                self._connect(*self.lines)  # who waits in vain connects anew
            else:
                self.world.now += self._pause()
                self.exchange.hub.tick()
                self.answers, self.late = self.answers + self.late, []
                self.hung.clear()
        self._calm()
        self.place.foreign = self.past[:200]
        return self._check()

    def _pause(self) -> int:
        """Seconds: more than a round may last; where a job waits for hours, sometimes hours."""
        if is_homomorphic(self.plan) and self.dice.chance(30):
            return max(STEP_S, self.plan.expires_at - self.world.now)
        return STEP_S

    def _next(self) -> Delivery | None:
        """Any answer, or the first message of any department's line."""
        lines = [name for name, line in self.lines.items() if line and name not in self.hung]
        ways = len(lines) + len(self.answers)
        if not ways:
            return None
        way = self.dice.below(ways)
        if way < len(lines):
            return self.lines[lines[way]].popleft()
        return self.answers.pop(way - len(lines))

    # --- the weather

    def _blow(self, delivery: Delivery) -> None:
        dice, weather, struck = self.dice, self.weather, self.seen.struck
        if dice.chance(self.crash):
            struck["crash"] += 1
            self._crash()
        if dice.chance(weather.drop):
            struck["drop"] += 1
            self._connect(delivery.recipient or delivery.sender)
            return
        if dice.chance(weather.duplicate):
            struck["duplicate"] += 1
            self._deliver(delivery)
        if dice.chance(weather.delay):
            struck["delay"] += 1
            if delivery.sender:
                self.late.append(delivery)
            else:
                self.lines[delivery.recipient].appendleft(delivery)
                self.hung.add(delivery.recipient)
            return
        if dice.chance(weather.truncate):
            struck["truncate"] += 1
            self._cut(delivery)
        if dice.chance(weather.replay):
            struck["replay"] += 1
            self._replay()
        if dice.chance(weather.restart) and delivery.recipient:
            struck["restart"] += 1
            self.towns[delivery.recipient].restart()
        self.past.append(delivery)
        self._deliver(delivery)

    def _crash(self) -> None:
        """`kill -9`: what was on its way to departments is lost, what they send is sent again."""
        self.exchange.die()
        self.exchange.open()
        self._connect(*self.lines)

    def _connect(self, *names: str) -> None:
        for name in names:
            self.links[name] += 1
            self.lines[name].clear()
            self.hung.discard(name)

    def _cut(self, delivery: Delivery) -> None:
        """A part of a message is refused by the frames, and its body alone by the session."""
        frames = list(wire.frames(delivery))
        with pytest.raises(ProtocolError):
            wire.delivery(frames[: self.dice.below(len(frames))])
        if delivery.sender and delivery.kind == "message":
            body = delivery.body[: self.dice.below(len(delivery.body))]
            self._wrong(replace(delivery, body=body))

    def _replay(self) -> None:
        """An earlier message of this job again, or one of another job under this one's number."""
        if self.past and self.dice.chance(50):
            self._deliver(self.past[self.dice.below(len(self.past))])
            return
        strange = [d for d in self.place.foreign if (d.sender or d.recipient) in self.towns]
        if strange:
            delivery = strange[self.dice.below(len(strange))]
            if delivery.kind == "message":
                self._wrong(replace(delivery, job=self.plan.job))

    def _wrong(self, delivery: Delivery) -> None:
        """Delivers what must not be taken in."""
        if delivery.recipient:
            answer = self.towns[delivery.recipient].answer(delivery)
            if answer is None or answer.kind != "fault":
                self.seen.taken_wrongly.append(delivery)
            return
        if is_homomorphic(self.plan):
            return  # ends the job with what was wrong: it cannot do without this department
        before = self._journal_size()
        self._push(delivery)
        if self._journal_size() != before:
            self.seen.taken_wrongly.append(delivery)

    # --- delivery

    def _offer(self) -> None:
        for name, line in self.lines.items():
            session = f"{self.plan.job} {self.links[name]}"
            while delivery := self.exchange.inbox.take(name, 0, lambda: True, session):
                line.append(delivery)

    def _deliver(self, delivery: Delivery) -> None:
        if delivery.sender:
            self._push(delivery)
            return
        if delivery.job != self.plan.job:
            return  # a cancellation of an earlier job that came late
        answer = self.towns[delivery.recipient].answer(delivery)
        if answer is not None:
            if answer.kind == "message":
                self.seen.said[answer.sender, answer.round].add(answer.body)
            self.answers.append(answer)

    def _push(self, delivery: Delivery) -> None:
        try:
            self.exchange.hub.push(self.exchange.department(delivery.sender), delivery)
        except (ProtocolError, TrustError) as error:
            self.seen.refused.append(error)

    def _calm(self) -> None:
        """All that is still under way arrives, cancellations too."""
        self.answers += self.late
        self._connect(*self.lines)
        self._offer()
        while delivery := self._next():
            self._deliver(delivery)
            self._offer()

    def _running(self) -> bool:
        job = self.exchange.hub._jobs.find(self.plan.job)
        return not job.ended

    def _journal_size(self) -> int:
        path = self.exchange.directory / "running" / f"{self.plan.job}.journal"
        return path.stat().st_size if path.exists() else 0

    # --- what holds in every weather

    def _check(self) -> Seen:
        job, seen = self.plan.job, self.seen
        assert seen.taken_wrongly == [], seen.taken_wrongly
        assert all(len(bodies) == 1 for bodies in seen.said.values()), "a round answered twice"
        assert self._journal_size() == 0
        row = self.exchange.archive.find(job)
        assert row is not None
        survivors: Sequence[str] = ()
        if row.state == "done":
            outcome = self.exchange.archive.outcome(job)
            assert outcome is not None
            survivors = self._opened(read_aggregate(read_outcome(outcome).aggregate))
            seen.ended = "answer" if len(survivors) == len(self.towns) else "without some"
        else:
            assert row.fault is not None
            assert row.fault["code"] in ENDS, row.fault
            seen.ended = row.fault["code"]
        for name, town in self.towns.items():
            left = town.left(job)
            spent = any(step.endswith(("/masked", "/ciphertext")) for step in left)
            assert (town.budget(job) == "released") == spent
            assert spent or name not in survivors
            with town.store.db.read() as db:
                assert sum(line.job == job for line in town.store.budget.rows(db, 10**6)) <= 1
            town.jobs.clear()
        return seen

    def _opened(self, aggregate: Aggregate) -> Sequence[str]:
        """The analyst reads the very sum of the survivors' values."""
        world = self.world
        signers = (*world.people.values(), world.exchange)
        cards: dict[tuple[str, str], Card] = {(p.role, p.name): read_card(p.card) for p in signers}
        federation = Federation(
            datasets={"visits": world.dataset}, cards=cards, tokens={}, unpinned=(), policies={},
            snapshots={}, online=frozenset(), exchange=cards["exchange", world.exchange.name],
        )  # fmt: skip
        secret = _key(self.plan).private_bytes() if is_homomorphic(self.plan) else b""
        keys = OpeningKeys(world.analyst.sealing, b"", secret)
        totals = open_aggregate(self.plan, plan_hash(self.plan), aggregate, keys, federation).totals
        figures = [self.towns[name].figures for name in aggregate.survivors]
        assert totals == [
            # What was computed last was stored, and never computed again.
            sum(each.base * each.asked + at for each in figures)
            for at in range(len(totals))
        ]
        return aggregate.survivors


def storm(dice: Dice) -> Weather:
    """Each fault strikes rarely, often, or not at all."""
    return Weather(**{name: (0, 2, 8)[dice.below(3)] for name in FAULTS})


def simulate(place: Place, number: int, protocol: str) -> Seen:
    """Run ``number`` of a protocol, the same one every time but for signatures and keys."""
    dice = Dice(protocol.encode() + number.to_bytes(16, "big"))
    plan = place.plan(number, dice, cast("Protocol", protocol))
    crash = (0, 1, 4)[dice.below(3)]
    return Storm(place, plan, dice, storm(dice), crash).run()
