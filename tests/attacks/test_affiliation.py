"""An analyst of a member department: what it knows of its own rows must not unmask the others'."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from catalog.judge import judge
from catalog.plan import Plan
from compute_nodes.jobs.runs import PLAN_ROUND
from protos.faults import PolicyError
from tests.job_world import NAMES, World, pinned

OWN = "east"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.pins.add("analyst", "ana", world.analyst.fingerprint, OWN)
    yield world
    world.close()


def refused(world: World, plan: Plan, by: str = "mid") -> str:
    """The code of one department's refusal; nothing was computed or reserved."""
    town = world.towns[by]
    reply = town.ask(PLAN_ROUND, "plan", world.opening(plan), plan.job)
    assert reply.kind == "fault", reply.kind
    assert (town.figures.asked, town.budget(plan.job)) == (0, "")
    fault: dict[str, str] = json.loads(reply.body)
    return fault["code"]


@pytest.mark.parametrize("least", [1, 2])
def test_with_one_other_department_the_sum_is_that_departments(tmp_path: Path, least: int) -> None:
    """Of two departments one is the analyst's own: total minus own figures is the other's."""
    world = World(tmp_path, (OWN, "mid"), min_parties=least)
    world.pins.add("analyst", "ana", world.analyst.fingerprint, OWN)
    for plan in (world.plan(affiliation=OWN), world.exact(affiliation=OWN, job="cd" * 16)):
        policies = {name: town.policy for name, town in world.towns.items()}
        verdict = judge(plan, world.dataset, policies, now=world.now)
        assert verdict.allowed == (least == 1)  # an owner may allow it, by its own number
        if least > 1:
            assert refused(world, plan) == "policy.min_parties"
            with pytest.raises(PolicyError, match="the analyst's own"):
                verdict.enforce()
    world.close()


def test_an_affiliation_that_is_hidden_made_up_or_anothers(world: World) -> None:
    honest = world.plan(affiliation=OWN)
    for claim in ("", "west", "nowhere"):
        plan = replace(world.plan(affiliation=claim), job=f"{len(claim):032x}")
        assert refused(world, plan) == "plan.affiliation"
    assert world.session(honest).start().run().finished == 1


def test_an_affiliation_that_nobody_has_pinned_counts_for_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert refused(world, world.plan(affiliation=OWN)) == "plan.affiliation"
    world.close()


def test_a_restarted_node_compares_again(world: World) -> None:
    """The journal is no way around the pins."""
    play = world.session(world.plan(affiliation=OWN)).start().until("main/shares")
    town = world.towns["mid"]
    town.pins = pinned(*world.people.values(), world.analyst, world.exchange)
    town.restart()
    reply = town.answer(play.waiting[1])
    assert reply is not None
    assert reply.kind == "fault"
    assert b"pinned here is ana without a department" in reply.body


@pytest.mark.parametrize("least", range(1, 6))
@pytest.mark.parametrize("number", range(2, 6))
def test_no_set_of_survivors_has_too_few_others(tmp_path: Path, number: int, least: int) -> None:
    """Whatever a plan says: if the law allows it, then all that it lets survive are enough."""
    world = World(tmp_path, NAMES[:number], min_parties=least)
    policies = {name: town.policy for name, town in world.towns.items()}
    drafted = world.plan(affiliation=OWN)
    allowed = 0
    for threshold in range(1, number + 1):
        plan = replace(drafted, threshold=threshold, colluders=min(1, threshold - 1))
        if not judge(plan, world.dataset, policies, now=world.now).allowed:
            continue
        allowed += 1
        for size in range(threshold, number + 1):
            for survivors in combinations(world.towns, size):
                assert len(set(survivors) - {OWN}) >= least
    # And the planner finds a threshold, where there is one.
    assert judge(drafted, world.dataset, policies, now=world.now).allowed == (allowed > 0)
    assert (allowed > 0) == (number - 1 >= least)
    world.close()


def test_the_others_answer_without_one_but_not_with_two_missing(world: World) -> None:
    one = world.session(world.plan(affiliation=OWN)).start().until("main/masked").away({"west"})
    assert one.finished == 1
    assert one.session.result is not None
    assert len(set(one.session.result.survivors) - {OWN}) == 3
    plan = world.plan(affiliation=OWN, job="cd" * 16)
    two = world.session(plan).start().until("main/masked").away({"west", "south"})
    assert two.session.state == "failed"


def test_its_own_department_may_tell_it_the_noise(world: World) -> None:
    plan = world.plan(affiliation=OWN)
    assert plan.colluders == 1
    assert refused(world, replace(plan, colluders=0)) == "policy.colluders"
