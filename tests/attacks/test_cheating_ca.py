"""A CA that cheats: it admits whom it likes to the transport, and to nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.codec import to_json
from catalog.plan import Member
from catalog.sql_gate import parse
from compute_nodes.jobs.opening import write_opening
from compute_nodes.jobs.runs import PLAN_ROUND
from exchange.analyst.federation import read_federation
from exchange.planner.bind import Bound, bind
from exchange.planner.draft import draft
from protos.cards import read_card
from protos.faults import InputError, TrustError
from protos.signing import IdentityKey
from tests import exchange_world, job_world
from tests.job_world import JOB, Person


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[exchange_world.World]:
    world = exchange_world.World(tmp_path / "transport")
    yield world
    world.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[job_world.World]:
    world = job_world.World(tmp_path / "nodes")
    yield world
    world.close()


def directory(world: job_world.World, *extra: str) -> dict[str, object]:
    """The exchange's directory, with cards that the CA has admitted beside the real ones."""
    cards = [*world.cards()[:-1], *extra]
    policy = to_json(world.towns["mid"].policy)
    return {
        "exchange": world.exchange.card,
        "members": [
            {
                "role": read_card(card).role, "name": read_card(card).name, "card": card,
                "online": True, "policies": [policy], "snapshots": [],
            }
            for card in cards
        ],
        "datasets": [to_json(world.dataset)],
    }  # fmt: skip


def test_the_ca_admits_a_sybil_to_the_transport_and_nobody_counts_it(
    exchange: exchange_world.World, world: job_world.World
) -> None:
    home = exchange.member("department", "sybil")
    card = (home / "card.jwt").read_text("ascii")
    link = exchange.link(home)
    link.register(card, [], [], "1")  # the transport lets it in …
    assert "sybil" in exchange.hub.registered
    # … an analyst does not see it …
    federation = read_federation(directory(world, card), world.pins)
    assert federation.unpinned == ("sybil",)
    assert ("department", "sybil") not in federation.cards
    assert "sybil" not in federation.view().fingerprints
    # … and no department takes part with it.
    plan = world.plan()
    sybil = Member("sybil", read_card(card).identity.fingerprint)
    mixed = replace(plan, roster=(*plan.roster[:4], sybil))
    body = write_opening(world.sign(mixed), [*world.cards(), card])
    for name in ("east", "mid", "north", "south"):
        town = world.towns[name]
        fault = json.loads(town.ask(PLAN_ROUND, "plan", body).body)
        assert fault["code"] == "pins.unknown"
        assert "sybil" in fault["message"]
        assert town.left() == {}


def test_the_ca_gives_a_departments_name_to_another_key(
    exchange: exchange_world.World, world: job_world.World
) -> None:
    """It certifies a machine of its own as "mid"; the analyst would seal and plan for it."""
    card = (exchange.member("department", "mid") / "card.jwt").read_text("ascii")
    real = [c for c in world.cards()[:-1] if read_card(c).name != "mid"]
    body = {**directory(world), "members": [{"card": c} for c in (*real, card)]}
    federation = read_federation(body, world.pins)
    assert federation.unpinned == ("mid",)
    with pytest.raises(InputError, match="no pinned key for mid"):
        draft(
            _bound(world), federation.view(), analyst=read_card(world.analyst.card),
            project="default", purpose="", now=world.now, job=JOB, epsilon=0.5,
        )  # fmt: skip
    # The plan of an honest analyst names the pinned key: the other card beside it is refused.
    cards = [*(c for c in world.cards() if read_card(c).name != "mid"), card]
    for town in world.towns.values():
        reply = town.ask(PLAN_ROUND, "plan", write_opening(world.sign(world.plan()), cards))
        assert json.loads(reply.body)["code"] == "pins.mismatch"


def test_another_exchange_in_the_middle(world: job_world.World) -> None:
    """Its directory is not believed, whatever certificate it shows."""
    other = Person("exchange", "province")
    with pytest.raises(TrustError) as caught:
        read_federation({**directory(world), "exchange": other.card}, world.pins)
    assert caught.value.code == "pins.mismatch"


def test_a_card_that_its_own_key_did_not_sign(world: job_world.World) -> None:
    head, body, _ = world.people["mid"].card.split(".")
    tail = Person("department", "mid").card.split(".")[2]
    with pytest.raises(TrustError):
        read_federation(directory(world, f"{head}.{body}.{tail}"), world.pins)


def test_one_key_under_two_names_is_never_pinned(world: job_world.World) -> None:
    """Otherwise one machine would count as two departments."""
    with pytest.raises(TrustError):
        world.pins.add("department", "second", world.people["mid"].fingerprint)
    with pytest.raises(TrustError):
        world.pins.add("department", "mid", IdentityKey.generate().public.fingerprint)


def test_a_pin_that_is_taken_away_ends_the_trust_at_once(world: job_world.World) -> None:
    """Departments read their pins anew for every plan, also for a job that began before."""
    play = world.session(world.plan()).start().until("main/shares")
    town = world.towns["mid"]
    town.pins = job_world.pinned(
        *(p for name, p in world.people.items() if name != "south"), world.analyst, world.exchange
    )
    fault = json.loads(
        town.ask(PLAN_ROUND, "plan", world.opening(world.plan(job="cd" * 16)), "cd" * 16).body
    )
    assert fault["code"] == "pins.unknown"
    town.restart()
    play.run()
    assert ("refused", "mid", "department south is not pinned here") in play.log
    assert play.finished == 0


def _bound(world: job_world.World) -> Bound:
    return bind(parse(job_world.COUNT), {"visits": world.dataset}, mode="adhoc")
