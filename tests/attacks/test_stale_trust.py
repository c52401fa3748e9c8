"""What was believed when a job began, and is not any more: pins, policy, declaration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.codec import policy_version
from compute_nodes.jobs.runs import RECEIPT_ROUND
from compute_nodes.rpc.delivery import Delivery
from exchange.analyst.client import Veil
from exchange.analyst.profile import Profile
from protos.canonical import canonical
from protos.cards import Pins
from protos.faults import TrustError
from tests.job_world import JOB, Play, Town, World, changed
from tests.unit.test_hub import Exchange
from tests.unit.test_jobs import Near


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def reply(town: Town, play: Play, round_: str) -> Delivery:
    """Gives a department what waits for it in this round, and returns what it answers."""
    waiting = next(d for d in play.waiting if (d.recipient, d.round) == (town.name, round_))
    return town.ask(round_, waiting.kind, waiting.body)


def code(found: Delivery) -> str:
    assert found.kind == "fault", found.kind
    return str(json.loads(found.body)["code"])


def without(world: World, role: str, name: str) -> Pins:
    pins = Pins()
    for person in (*world.people.values(), world.analyst, world.exchange):
        if (person.role, person.name) != (role, name):
            pins.add(person.role, person.name, person.fingerprint)
    return pins


def tighten(town: Town) -> None:
    """The owner forbids what the plan asks for; the node is restarted with that."""
    columns = {**town.policy.columns}
    columns["sex"] = replace(columns["sex"], uses=frozenset({"filter"}))
    policy = replace(town.policy, columns=columns)
    town.policy = replace(policy, version=policy_version(policy))
    town.restart()


@pytest.mark.parametrize(
    ("role", "name"), [("analyst", "ana"), ("department", "west"), ("exchange", "province")]
)
def test_who_is_unpinned_while_a_job_runs_gets_no_value(world: World, role: str, name: str) -> None:
    """A plan may wait for a day; its cards were compared with the pins when it came."""
    play = world.session(world.plan()).start().until("main/masked")
    town = world.towns["mid"]
    town.pins = without(world, role, name)
    assert code(reply(town, play, "main/masked")) == "pins.unknown"
    assert "main/masked" not in town.left()
    assert town.budget() == "reserved"


def test_an_analyst_who_changes_departments_while_a_job_runs_gets_no_value(world: World) -> None:
    play = world.session(world.plan()).start().until("main/masked")
    town = world.towns["mid"]
    town.pins = without(world, "analyst", "ana")
    town.pins.add("analyst", "ana", world.analyst.fingerprint, "west")
    assert code(reply(town, play, "main/masked")) == "plan.affiliation"
    assert "main/masked" not in town.left()


def test_a_plan_is_not_answered_under_a_policy_that_never_judged_it(world: World) -> None:
    play = world.session(world.plan()).start().until("main/masked")
    town = world.towns["mid"]
    tighten(town)
    assert code(reply(town, play, "main/masked")) == "job.law"
    assert "main/masked" not in town.left()
    assert town.budget() == "reserved"


def test_a_plan_is_not_answered_with_noise_of_another_declaration(world: World) -> None:
    """The noise follows from the declaration, the charge was reserved under the earlier one."""
    play = world.session(world.plan()).start().until("main/masked")
    town = world.towns["mid"]
    town.dataset = changed(
        world.dataset, age={"type": "integer", "bounds": [0, 60], "nullable": False}
    )
    town.restart()
    assert code(reply(town, play, "main/masked")) == "job.law"
    assert "main/masked" not in town.left()


def test_exact_values_do_not_leave_under_another_policy_than_their_counts(world: World) -> None:
    play = world.session(world.exact()).start().until("values/masked")
    town = world.towns["mid"]
    tighten(town)
    assert code(reply(town, play, "values/masked")) == "job.law"
    assert "values/masked" not in town.left()


def test_no_statement_names_a_policy_that_came_after_the_value(world: World) -> None:
    play = world.session(world.plan()).start().until(RECEIPT_ROUND)
    town = world.towns["mid"]
    tighten(town)
    assert code(reply(town, play, RECEIPT_ROUND)) == "job.law"
    assert town.budget() == "released"


@pytest.mark.parametrize("round_", ["main/shares", "main/masked", "main/consistency"])
def test_no_statement_about_a_total_that_nobody_is_in(world: World, round_: str) -> None:
    """Before it has signed a survivor set, a department has agreed to none: also not to ()."""
    play = world.session(world.plan()).start().until(round_)
    town = world.towns["mid"]
    notice = canonical({"survivors": [], "outcome": "0" * 64})
    assert code(town.ask(RECEIPT_ROUND, "receipt", notice)) == "job.receipt"
    assert town.store.state(JOB) != "done"
    assert play.run().finished == 1


def test_an_analyst_who_unpins_somebody_believes_them_no_more(world: World, tmp_path: Path) -> None:
    """A notebook runs for days; the directory that it has read is the same as before."""
    exchange, file = Exchange(world, tmp_path), tmp_path / "pins.toml"
    world.pins.save(file)
    profile = Profile(
        name="ana", exchange="", project="default", directory=tmp_path,
        identity=world.analyst.key, sealing=world.analyst.sealing, watched=Pins.watched(file),
    )  # fmt: skip
    try:
        veil = Veil(profile, Near(exchange), clock=lambda: float(world.now))
        first = veil.federation()
        assert ("department", "mid") in first.cards
        assert veil.federation() is first
        without(world, "department", "mid").save(file)
        assert veil.federation().unpinned == ("mid",)
        without(world, "exchange", "province").save(file)
        with pytest.raises(TrustError) as caught:
            veil.federation()
        assert caught.value.code == "pins.unknown"
    finally:
        exchange.close()
