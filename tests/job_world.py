"""A federation in one process: real guards, stores, jobs and an exchange's hub; no network.

Only the data is made up: `Figures` stands where a query over a snapshot would, and gives another
value each time it is asked, so that a figure that is computed twice is noticed.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from catalog.certificates.grants import GrantRequest, issue_grant, sign_request
from catalog.certificates.receipts import PLAN_TYPE, plan_hash
from catalog.codec import dataset_digest, to_json
from catalog.config import load_dataset, load_policy
from catalog.dataset import Dataset
from catalog.plan import Mode, Plan
from catalog.policy import Policy
from catalog.sql_gate import parse
from compute_nodes.crypto.signatures import signer
from compute_nodes.guard import Admitted, Guard
from compute_nodes.jobs.job import Job
from compute_nodes.jobs.machines import Keys
from compute_nodes.jobs.opening import write_opening
from compute_nodes.jobs.part import Computed, Source
from compute_nodes.jobs.runs import order_key_info
from compute_nodes.jobs.tools import JobTools
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.store import NodeStore
from exchange.coordinator.inputs import Input
from exchange.coordinator.session import Clocks, Ports, Session
from exchange.coordinator.stages import StagePlan
from exchange.planner.bind import bind
from exchange.planner.draft import DirectoryView, draft
from protos.cards import Pins, make_card
from protos.faults import VeilError
from protos.names import Role
from protos.sealing import seal
from protos.signing import IdentityKey, SealingKey

NOW = 1_700_000_000
NAMES = ("east", "mid", "north", "south", "west")
JOB = "ab" * 16
COUNT = "SELECT sex, COUNT(*) AS n FROM visits GROUP BY sex"
ORDER_KEY = b"order key of this job, 32 bytes."
DECLARATION: dict[str, Any] = {
    "name": "visits",
    "title": "t",
    "members": list(NAMES),
    "max_rows": 1000,
    "subject": "id",
    "subjects_disjoint": True,
    "columns": {
        "sex": {"type": "string", "codes": ["F", "M"], "nullable": False},
        "age": {"type": "integer", "bounds": [0, 120], "nullable": False},
    },
}
LAW: dict[str, Any] = {
    "dataset": "visits",
    "columns": {
        "sex": {"uses": ["filter", "group"]},
        "age": {"uses": ["filter", "aggregate"]},
    },
    "query": {
        "subject": "id",
        "max_cells": 100,
        "min_group": 5,
        "protocols": ["masked_sum", "sealed"],
        "audience": ["*"],
        "budget": {"epsilon": 10.0, "default": 0.5, "ceiling": 2.0},
    },
}


@dataclass(frozen=True)
class Person:
    """Somebody with keys and a card."""

    role: Role
    name: str
    key: IdentityKey = field(default_factory=IdentityKey.generate)
    sealing: SealingKey = field(default_factory=SealingKey.generate)

    @property
    def card(self) -> str:
        return make_card(self.key, self.name, self.role, self.sealing.public_hex, NOW)

    @property
    def fingerprint(self) -> str:
        return self.key.public.fingerprint


def pinned(*people: Person) -> Pins:
    pins = Pins()
    for person in people:
        pins.add(person.role, person.name, person.fingerprint)
    return pins


class Figures(Source):
    """Made-up figures: every asking gives others. ``fault`` ends the query instead, if set."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.asked = 0
        self.fault: VeilError | None = None
        self.outside: VeilError | None = None

    @property
    def snapshot_id(self) -> str:
        return "5a" * 16

    def check_exact(self, admitted: Admitted) -> None:
        if self.outside is not None:
            raise self.outside

    def begin(self, admitted: Admitted) -> Future[Computed]:
        self.asked += 1
        found: Future[Computed] = Future()
        if self.fault is not None:
            found.set_exception(self.fault)
            return found
        aggregate = admitted.plan.aggregate
        length = aggregate.cells * len(aggregate.measures)
        values = tuple(self.base * self.asked + at for at in range(length))
        counts = (
            ()
            if admitted.plan.mode == "adhoc"
            else (*([9] * aggregate.cells), *([0] * aggregate.cells))
        )
        found.set_result(Computed(values, counts))
        return found


class Town:
    """One department's node without its daemon; `restart` forgets all that is not on disk."""

    def __init__(self, world: World, person: Person, directory: Path, number: int) -> None:
        self.world = world
        self.person = person
        self.name = person.name
        self.figures = Figures(100 * (number + 1))
        self.pins = world.pins
        self.dataset = world.dataset
        self.policy = load_policy(world.law, world.dataset, person.name)
        self.clock = lambda: float(world.now)
        self.logged: list[tuple[str, str]] = []
        self.seeds = 0
        directory.mkdir(parents=True)
        self.path = directory / "store.sqlite"
        self.store = NodeStore(self.path)
        self.store.open()
        self.jobs: dict[str, Job] = {}

    @property
    def tools(self) -> JobTools:
        return JobTools(
            department=self.name,
            keys=Keys(self.person.key, self.person.sealing),
            guard=Guard(
                self.name, {"visits": self.policy}, {"visits": self.dataset},
                lambda: self.pins, self.clock,
            ),
            store=self.store,
            sources={"visits": self.figures},
            clock=self.clock,
            monotonic=lambda: 0.0,
            sleep=lambda _: None,
            randomness=self._seed,
            log=lambda message, detail: self.logged.append((message, detail)),
        )  # fmt: skip

    def restart(self) -> None:
        """The process dies and comes back: only the store's file is left."""
        self.store.close()
        self.store = NodeStore(self.path)
        self.store.open()
        self.jobs = {}

    def answer(self, delivery: Delivery) -> Delivery | None:
        job = self.jobs.get(delivery.job)
        if job is None:
            job = self.jobs[delivery.job] = Job(delivery.job, self.tools)
        return job.answer(delivery)

    def ask(self, round_: str, kind: str, body: bytes, job: str = JOB) -> Delivery:
        found = self.answer(Delivery(job, round_, 1, "", self.name, kind, body))
        assert found is not None
        return found

    def budget(self, job: str = JOB) -> str:
        """State of the job's line in the budget ledger; "" without one."""
        with self.store.db.read() as db:
            states = [row.state for row in self.store.budget.rows(db) if row.job == job]
        return states[0] if states else ""

    def left(self, job: str = JOB) -> dict[str, int]:
        """Bytes that left by step, as the egress ledger has them."""
        with self.store.db.read() as db:
            return {row["step"]: row["bytes"] for row in self.store.egress.rows(db, job)}

    def _seed(self, length: int) -> bytes:
        self.seeds += 1
        return (self.seeds.to_bytes(4, "big") * length)[:length]


class World:
    """Departments, an analyst, an exchange; everybody has pinned everybody."""

    def __init__(self, directory: Path, names: tuple[str, ...] = NAMES, **query: Any) -> None:  # noqa: ANN401
        self.now = NOW
        self.dataset = load_dataset({**DECLARATION, "members": list(names)})
        self.law = {**LAW, "query": {**LAW["query"], **query}}
        self.people = {name: Person("department", name) for name in names}
        self.analyst = Person("analyst", "ana")
        self.exchange = Person("exchange", "province")
        self.pins = pinned(*self.people.values(), self.analyst, self.exchange)
        self.towns = {
            name: Town(self, person, directory / name, number)
            for number, (name, person) in enumerate(self.people.items())
        }

    def close(self) -> None:
        for town in self.towns.values():
            town.store.close()

    def plan(self, sql: str = COUNT, *, mode: Mode = "adhoc", **options: Any) -> Plan:  # noqa: ANN401
        bound = bind(parse(sql), {"visits": self.dataset}, mode=mode)
        policies: dict[str, Policy] = {name: town.policy for name, town in self.towns.items()}
        view = DirectoryView(
            {"visits": self.dataset}, {"visits": policies},
            {name: person.fingerprint for name, person in self.people.items()},
            frozenset(self.people),
        )  # fmt: skip
        from protos.cards import read_card

        fixed: dict[str, Any] = {
            "analyst": read_card(self.analyst.card), "project": "default", "purpose": "test",
            "now": self.now, "job": JOB,
        }  # fmt: skip
        return draft(bound, view, **(fixed | options))

    def exact(self, sql: str = COUNT, *, grant: str = "c" * 32, **options: Any) -> Plan:  # noqa: ANN401
        """An exact plan with a grant of every owner and the cell-order key for each."""
        plan = self.plan(sql, mode="exact", **options)
        request = self.request(plan, grant)
        grants = tuple(
            issue_grant(person.key, name, request, now=self.now)
            for name, person in self.people.items()
        )
        keys = tuple(
            (
                name,
                seal(person.sealing.public_hex, ORDER_KEY, info=order_key_info(plan, name)).hex(),
            )
            for name, person in self.people.items()
        )
        digest = hashlib.sha256(ORDER_KEY).hexdigest()
        return replace(plan, grants=grants, order_keys=keys, order_key_digest=digest)

    def request(self, plan: Plan, identifier: str = "c" * 32) -> GrantRequest:
        return GrantRequest(
            id=identifier, issued_at=self.now, expires_at=self.now + 86_400, analyst="ana",
            recipient=self.analyst.fingerprint, dataset="visits",
            dataset_digest=dataset_digest(self.dataset), statement=plan.statement,
            aggregate=plan.aggregate, purpose=plan.purpose, members=plan.roster,
        )  # fmt: skip

    def signed_request(self, plan: Plan, identifier: str = "c" * 32) -> str:
        return sign_request(self.analyst.key, self.request(plan, identifier))

    def sign(self, plan: Plan, by: Person | None = None) -> str:
        return (by or self.analyst).key.sign(PLAN_TYPE, to_json(plan))

    def cards(self) -> list[str]:
        return [p.card for p in (*self.people.values(), self.analyst, self.exchange)]

    def opening(
        self, plan: Plan, cards: list[str] | None = None, by: Person | None = None
    ) -> bytes:
        return write_opening(self.sign(plan, by), self.cards() if cards is None else cards)

    def session(self, plan: Plan, *, clocks: Clocks | None = None, he_key: bytes = b"") -> Play:
        return Play(self, plan, clocks or Clocks(), he_key)


class Play:
    """A session over the world's departments; messages are delivered when the test says so."""

    def __init__(
        self, world: World, plan: Plan, clocks: Clocks, he_key: bytes = b"", opening: bytes = b""
    ) -> None:
        self.world = world
        self.opening = opening or world.opening(plan)
        self.plan = plan
        self.now = 0.0
        self.waiting: deque[Delivery] = deque()
        self.log: list[tuple[str, str, str]] = []
        self.finished = 0
        self.errors: list[VeilError] = []
        self.offline: set[str] = set()
        self.sent: list[Delivery] = []
        self.recorded: list[Input] = []
        self.answers: list[tuple[Delivery, Delivery]] = []
        stages = StagePlan(
            plan=plan,
            plan_hash=plan_hash(plan),
            dataset=world.dataset,
            identities=tuple(world.people[m.name].key.public for m in plan.roster),
            sign=signer(world.exchange.key),
            min_group=5,
            he_key=he_key,
        )
        ports = Ports(
            record=self._record,
            send=self._send,
            emit=lambda what, department, text: self.log.append((what, department, text)),
            connected=lambda department, _: department not in self.offline,
            finish=lambda _: self._count(),
            fail=self.errors.append,
        )
        self.session = Session(stages, self.opening, ports, clocks, self.now)

    def start(self) -> Play:
        self.session.start(self.now)
        return self

    def step(self) -> Delivery:
        """Delivers the oldest message; who is offline gets nothing."""
        delivery = self.waiting.popleft()
        if delivery.recipient not in self.offline:
            reply = self.world.towns[delivery.recipient].answer(delivery)
            if reply is not None:
                self.answers.append((delivery, reply))
                self.push(reply)
        return delivery

    def push(self, reply: Delivery) -> None:
        self.session.receive(reply.sender, reply.round, reply.kind, reply.body, self.now)

    def run(self, until: Callable[[Delivery], bool] = lambda _: False) -> Play:
        """Delivers until nothing waits, or until a message for which ``until`` holds is next."""
        while self.waiting and not until(self.waiting[0]):
            self.step()
        return self

    def until(self, round_: str) -> Play:
        """Delivers until the first message of a round is next."""
        return self.run(lambda delivery: delivery.round == round_)

    def away(self, names: Collection[str]) -> Play:
        """Some go away, and the session notices."""
        self.offline |= set(names)
        self.run()
        self.session.tick(self.now)
        return self.run()

    def tick(self, seconds: float) -> Play:
        self.now += seconds
        self.session.tick(self.now)
        return self.run()

    def dropped(self) -> set[str]:
        return {department for what, department, _ in self.log if what == "dropped"}

    def _record(self, taken: Input) -> None:
        self.recorded.append(taken)

    def _send(self, department: str, round_: str, kind: str, body: bytes) -> None:
        if kind == "cancel":  # as the hub does: it takes the place of all that is unanswered
            self.waiting = deque(d for d in self.waiting if d.recipient != department)
        self.waiting.append(Delivery(self.plan.job, round_, 1, "", department, kind, body))
        self.sent.append(self.waiting[-1])

    def _count(self) -> None:
        self.finished += 1


def in_threads(*calls: Callable[[], None]) -> None:
    """Runs calls at once and waits for all."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def changed(dataset: Dataset, **columns: dict[str, Any]) -> Dataset:
    """The same declaration with other columns."""
    return load_dataset(
        {**DECLARATION, "members": list(dataset.members),
         "columns": {**DECLARATION["columns"], **columns}}
    )  # fmt: skip
