"""A session made anew from recorded inputs: at every prefix the same sends, events and state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compute_nodes.jobs.runs import RECEIPT_ROUND
from compute_nodes.rpc.delivery import Delivery
from exchange.coordinator.inputs import Input
from exchange.coordinator.journal import Begun, Journals
from exchange.coordinator.session import Clocks, Session
from tests.he_sum_world import bfv_key
from tests.job_world import JOB, Play, World
from tests.unit.test_homomorphic import keyed

QUICK = Clocks(round_s=30.0, absent_s=2.0, receipt_s=5.0)
FAULT = {"kind": "policy", "code": "policy.epsilon", "message": "no", "remedy": "ask for less"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, protocols=["masked_sum", "he_sum", "sealed"])
    yield world
    world.close()


@dataclass(frozen=True)
class Moment:
    """All that can be seen of a session, just before an input takes effect."""

    sent: tuple[tuple[str, str, bytes], ...]
    log: tuple[tuple[str, str, str], ...]
    seen: tuple[Any, ...]


class Watched(Play):
    """A play that keeps all it sends, and what it looked like at each input."""

    def start(self) -> Watched:
        self.moments: list[Moment] = []
        super().start()
        return self

    def moment(self) -> Moment:
        session = self.session
        result = None if session.result is None else session.result.digest
        state = (session.state, result, session.hidden_cells, dict(session.statements))
        visible = (*state, self.finished, [str(error) for error in self.errors])
        sent = tuple((delivery.recipient, delivery.round, delivery.body) for delivery in self.sent)
        return Moment(sent, tuple(self.log), visible)

    def _record(self, taken: Input) -> None:
        super()._record(taken)
        if taken.what != "signed":
            self.moments.append(self.moment())


def calm(run: Watched) -> None:
    run.run()


def two_drop_out(run: Watched) -> None:
    run.until("main/masked").away({"south"})


def too_few(run: Watched) -> None:
    run.until("main/masked").away({"south", "west"})


def one_refuses(run: Watched) -> None:
    run.until("main/shares")
    run.push(Delivery(JOB, "main/shares", 1, "mid", "", "fault", json.dumps(FAULT).encode()))


def one_does_not_sign(run: Watched) -> None:
    run.until(RECEIPT_ROUND)
    run.push(Delivery(JOB, RECEIPT_ROUND, 1, "mid", "", "fault", json.dumps(FAULT).encode()))
    run.run()


def one_comes_later(run: Watched) -> None:
    run.offline = {"south"}
    held = [delivery for delivery in run.waiting if delivery.recipient == "south"]
    run.run().tick(10)
    assert ("absent", "south", "main/ciphertext") in run.log
    run.offline = set()
    run.waiting.extend(held)
    run.run()


CASES: list[tuple[str, Callable[[Watched], None], str]] = [
    ("masked", calm, "done"),
    ("masked", two_drop_out, "receipt"),
    ("masked", too_few, "failed"),
    ("masked", one_refuses, "failed"),
    ("masked", one_does_not_sign, "done"),
    ("exact", calm, "done"),
    ("he_sum", calm, "done"),
    ("he_sum", one_comes_later, "done"),
]


@pytest.mark.parametrize(
    ("kind", "course", "ending"), CASES, ids=[f"{case[0]}-{case[1].__name__}" for case in CASES]
)
def test_every_prefix_gives_the_same_job(
    world: World, tmp_path: Path, kind: str, course: Callable[[Watched], None], ending: str
) -> None:
    key = b""
    if kind == "he_sum":
        plan, key = keyed(world.plan(protocol="he_sum.bfv")), bfv_key().public.data
    else:
        plan = world.exact() if kind == "exact" else world.plan()
    run = Watched(world, plan, QUICK, key).start()
    course(run)
    assert run.session.state in (ending, "done")
    inputs = through_a_file(tmp_path, run.recorded)
    assert len(inputs) == len(run.moments) > 3
    assert any(taken.signature for taken in inputs) == (kind == "exact")

    again = Watched(world, plan, QUICK, key, run.opening).start()
    for taken, moment in zip(inputs, run.moments, strict=True):
        assert again.moment() == moment
        again.session.replay(taken, 0.0)
    assert again.moment() == run.moment()
    assert again.recorded == []  # a replay records nothing a second time


def through_a_file(directory: Path, recorded: list[Input]) -> list[Input]:
    """What a later process reads of them."""
    journal = Journals(directory / "running", lambda: 0.0).of(JOB)
    journal.create(Begun("ana", "", (), 1, 0.0))
    for taken in recorded:
        journal.append(taken)
    journal.close()
    journal = Journals(directory / "running", lambda: 0.0).of(JOB)
    journal.open()
    inputs = [taken for _, taken in journal.inputs()]
    journal.close()
    return inputs


def test_a_signature_that_was_not_kept_is_made_and_kept(world: World) -> None:
    """Killed between the last count and its bitmap: nobody has seen one, so a new one will do."""
    plan = world.exact()
    run = Watched(world, plan, QUICK).start().run()
    inputs = [taken for taken in run.recorded if taken.what != "signed"]
    again = Watched(world, plan, QUICK).start()
    for taken in inputs[: [t.round for t in inputs].index("values/advertise")]:
        again.session.replay(taken, 0.0)
    assert [taken.what for taken in again.recorded] == ["signed"]
    bitmaps = {delivery.body for delivery in again.sent if delivery.round == "bitmap"}
    assert bitmaps == {again.recorded[0].signature.encode("ascii")}


def test_a_session_that_has_left_takes_in_nothing(world: World) -> None:
    run = Watched(world, world.plan(), QUICK).start()
    run.until("main/masked")
    run.session.leave()
    before = run.moment()
    run.session.tick(run.now + 1e6)
    assert run.moment() == before
    assert isinstance(run.session, Session)
