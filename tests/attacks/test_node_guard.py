"""An analyst who cheats: what no grant, no policy and no budget allows leaves no department."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.algebra import ColumnRef, Compare, Constant
from catalog.certificates.grants import issue_grant
from catalog.plan import Plan
from compute_nodes.jobs.opening import write_opening
from compute_nodes.jobs.runs import PLAN_ROUND
from protos.canonical import canonical
from protos.faults import PolicyError
from tests.job_world import COUNT, Person, Town, World

OTHER = "SELECT sex, COUNT(*) AS n FROM visits WHERE age > 40 GROUP BY sex"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def refused(world: World, plan: Plan, *, by: str = "mid", opening: bytes | None = None) -> str:
    """The code of one department's refusal; nothing was computed, reserved or sent."""
    town = world.towns[by]
    reply = town.ask(PLAN_ROUND, "plan", opening or world.opening(plan), plan.job)
    assert reply.kind == "fault", reply.kind
    assert (town.figures.asked, town.budget(plan.job), town.left(plan.job)) == (0, "", {})
    fault: dict[str, str] = json.loads(reply.body)
    return fault["code"]


def accepted(world: World, plan: Plan, town: Town) -> bool:
    return town.ask(PLAN_ROUND, "plan", world.opening(plan), plan.job).kind == "accepted"


# --- exact answers


def test_no_grants_and_a_missing_one(world: World) -> None:
    plan = world.exact()
    assert refused(world, replace(plan, grants=())) == "policy.grants"
    short = replace(plan, job="cd" * 16, grants=plan.grants[1:])
    assert refused(world, short) == "policy.grants"
    doubled = replace(plan, job="ef" * 16, grants=(plan.grants[1], *plan.grants[1:]))
    assert refused(world, doubled).startswith("grant.")


@pytest.mark.parametrize(
    "change",
    [
        {"statement": "SELECT 1"}, {"purpose": "another"}, {"dataset_digest": "0" * 64},
    ],
)  # fmt: skip
def test_grants_of_another_statement_or_purpose(world: World, change: dict[str, Any]) -> None:
    assert refused(world, replace(world.exact(), **change)) in ("grant.mismatch", "policy.dataset")


def test_grants_of_another_question_with_the_same_words(world: World) -> None:
    """What counts is the algebra that is computed, not the SQL that people read."""
    plan = world.exact()
    narrower = replace(
        plan.aggregate, predicate=Compare("=", ColumnRef("age"), Constant(40, "integer"))
    )
    assert refused(world, replace(plan, aggregate=narrower)) == "grant.mismatch"
    granted_other = replace(world.exact(OTHER), aggregate=plan.aggregate, job="cd" * 16)
    assert refused(world, granted_other) == "grant.mismatch"


def test_grants_for_everybody_used_without_one(world: World) -> None:
    """Without one department, the difference to another answer would be that department's."""
    plan = world.exact()
    fewer = replace(
        plan, roster=plan.roster[1:], grants=plan.grants[1:], order_keys=plan.order_keys[1:],
        threshold=4,
    )  # fmt: skip
    assert refused(world, fewer) == "grant.mismatch"


def test_a_grant_for_another_analyst(world: World) -> None:
    """It is bound to the key that will open the answer."""
    friend = Person("analyst", "friend")
    world.pins.add("analyst", "friend", friend.fingerprint)
    plan = replace(
        world.exact(), analyst="friend", analyst_fingerprint=friend.fingerprint,
        analyst_sealing_key=friend.sealing.public_hex,
    )  # fmt: skip
    opening = write_opening(world.sign(plan, friend), [*world.cards(), friend.card])
    assert refused(world, plan, opening=opening) == "grant.mismatch"


def test_a_grant_that_the_owner_did_not_sign(world: World) -> None:
    plan = world.exact()
    request = world.request(plan)
    impostor = Person("department", "mid")
    members = tuple(replace(m, fingerprint=impostor.fingerprint) if m.name == "mid" else m for m in request.members)  # fmt: skip # noqa: E501
    forged = issue_grant(impostor.key, "mid", replace(request, members=members), now=world.now)
    index = [m.name for m in plan.roster].index("mid")
    grants = (*plan.grants[:index], forged, *plan.grants[index + 1 :])
    for name in ("mid", "east"):
        assert refused(world, replace(plan, grants=grants), by=name) in ("grant.owner", "grant.mismatch")  # fmt: skip # noqa: E501


def test_an_expired_grant(world: World) -> None:
    plan = world.exact()
    world.now += 2 * 86_400
    late = replace(plan, issued_at=world.now, expires_at=world.now + 600)
    assert refused(world, late) == "grant.expired"


def test_an_exact_plan_that_calls_itself_ad_hoc_gets_noise_and_pays(world: World) -> None:
    plan = replace(world.exact(), mode="adhoc", epsilon=0.5, delta=1e-6, order_keys=())
    town = world.towns["mid"]
    if accepted(world, plan, town):
        admitted = town.jobs[plan.job]._admitted
        assert admitted is not None
        assert admitted.calibration is not None
        assert town.budget(plan.job) == "reserved"


def test_an_ad_hoc_plan_that_calls_itself_exact(world: World) -> None:
    assert refused(world, replace(world.plan(), mode="exact")) == "policy.epsilon"
    exact = replace(world.plan(), mode="exact", epsilon=0.0, delta=0.0, job="cd" * 16)
    assert refused(world, exact) == "policy.grants"


def test_values_outside_their_bounds_refuse_an_exact_answer_with_a_fixed_text(
    world: World,
) -> None:
    town = world.towns["mid"]
    town.figures.outside = PolicyError(
        "values are outside the declared bounds", code="policy.out_of_bounds", detail="age 999"
    )
    reply = town.ask(PLAN_ROUND, "plan", world.opening(world.exact()))
    assert json.loads(reply.body)["code"] == "policy.out_of_bounds"
    assert b"999" not in reply.body


# --- privacy and budget


@pytest.mark.parametrize("epsilon", [0.0, -1.0, 2.01, 1e9])
def test_an_epsilon_that_is_none_or_too_large(world: World, epsilon: float) -> None:
    code = refused(world, replace(world.plan(), epsilon=epsilon))
    assert code == ("policy.epsilon" if 0 < epsilon < 1000 else "input")


def test_an_epsilon_that_is_no_number_cannot_be_written() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(Exception, match="JSON"):
            canonical({"epsilon": value})


@pytest.mark.parametrize("delta", [0.0, 1e-3, 1.0, 0.5])
def test_a_delta_of_ones_own(world: World, delta: float) -> None:
    code = refused(world, replace(world.plan(), delta=delta))
    assert code == ("policy.epsilon" if 0 < delta < 1 else "input")


def test_many_small_questions_come_to_the_same_end(tmp_path: Path) -> None:
    budget = {"epsilon": 1.0, "default": 0.5, "ceiling": 1.0, "in_flight": 1000}
    world = World(tmp_path, budget=budget)
    town = world.towns["mid"]
    number = 0
    while accepted(world, world.plan(epsilon=0.25, job=f"{number:032x}"), town):
        number += 1
        assert number < 100
    with town.store.db.read() as db:
        spent = town.store.budget.spent(db, "visits")
    from desensitize.budget import epsilon_for

    assert epsilon_for(spent, 1e-6) <= 1.0 + 1e-6
    assert not accepted(world, world.plan(epsilon=0.25, job="ff" * 16), town)
    town.restart()
    assert not accepted(world, world.plan(epsilon=0.25, job="fe" * 16), town)
    assert accepted(world, world.plan(epsilon=0.01, job="fd" * 16), town)  # it still reaches
    world.close()


def test_a_project_that_nobody_knows_pays_nothing(world: World) -> None:
    for number, project in enumerate(("", "other", "default ", "DEFAULT")):
        plan = replace(world.plan(), project=project, job=f"{number:032x}")
        assert refused(world, plan) == "policy.project"


def test_another_analyst_shares_the_same_budget(tmp_path: Path) -> None:
    """Two analysts may add up what they know."""
    budget = {"epsilon": 1.0, "default": 0.5, "ceiling": 1.0}
    world = World(tmp_path, budget=budget)
    town = world.towns["mid"]
    assert accepted(world, world.plan(epsilon=0.9), town)
    friend = Person("analyst", "friend")
    world.pins.add("analyst", "friend", friend.fingerprint)
    plan = replace(
        world.plan(epsilon=0.9, job="cd" * 16), analyst="friend",
        analyst_fingerprint=friend.fingerprint, analyst_sealing_key=friend.sealing.public_hex,
    )  # fmt: skip
    opening = write_opening(world.sign(plan, friend), [*world.cards(), friend.card])
    reply = town.ask(PLAN_ROUND, "plan", opening, plan.job)
    assert json.loads(reply.body)["code"] == "budget.exhausted"
    world.close()


# --- the law of the department


def test_no_analyst_holds_more_reservations_than_allowed(tmp_path: Path) -> None:
    budget = {"epsilon": 10.0, "default": 0.1, "ceiling": 1.0, "in_flight": 2}
    world = World(tmp_path, budget=budget)
    town = world.towns["mid"]
    for number in range(2):
        assert accepted(world, world.plan(job=f"{number:032x}"), town)
    third = world.plan(job="cd" * 16)
    reply = town.ask(PLAN_ROUND, "plan", world.opening(third), third.job)
    assert json.loads(reply.body)["code"] == "budget.in_flight"
    assert town.ask("cancel", "cancel", b"", f"{0:032x}").kind == "accepted"
    assert accepted(world, world.plan(job="ef" * 16), town)
    world.close()


def test_an_audience_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path, audience=["somebody"])
    assert refused(world, world.plan()) == "policy.audience"
    world.close()


def test_a_column_that_the_policy_does_not_name(world: World) -> None:
    plan = world.plan()
    predicate = Compare("=", ColumnRef("resident_id"), Constant("x", "string"))
    secret = replace(plan, aggregate=replace(plan.aggregate, predicate=predicate))
    assert refused(world, secret).startswith("policy.")


def test_the_statement_is_for_people_and_is_never_executed(world: World) -> None:
    plan = replace(world.plan(COUNT), statement="DROP TABLE data; SELECT * FROM data")
    play = world.session(plan).start().run()
    assert play.finished == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"plan": 1, "cards": []}', b"[" * 100_000])  # fmt: skip # noqa: E501
def test_openings_that_are_none(world: World, body: bytes) -> None:
    assert refused(world, world.plan(), opening=body or b"\0").split(".")[0] in ("job", "protocol")
