"""An exchange that cheats: every department looks for itself, and nothing leaves it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.calibration import calibrate
from catalog.certificates.receipts import plan_hash
from catalog.codec import dataset_digest
from catalog.plan import Member
from compute_nodes.crypto.signatures import signer
from compute_nodes.guard import Admitted
from compute_nodes.jobs.bitmap import BITMAP_PURPOSE, bitmap_body
from compute_nodes.jobs.opening import write_opening
from compute_nodes.jobs.part import Computed
from compute_nodes.jobs.runs import PLAN_ROUND, RECEIPT_ROUND
from compute_nodes.rpc.delivery import Delivery
from exchange.coordinator import stages
from exchange.outcome import Outcome, read_aggregate
from protos.canonical import canonical
from protos.faults import JobError
from protos.names import Role
from tests.job_world import JOB, NAMES, Person, Play, Town, World, changed

ROUNDS = ("main/advertise", "main/shares", "main/masked", "main/consistency", "main/unmask")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def refused(town: Town, body: bytes, job: str = JOB) -> dict[str, str]:
    """What a department answers to a plan that it must not take; nothing else happened."""
    reply = town.ask(PLAN_ROUND, "plan", body, job)
    assert reply.kind == "fault", reply.kind
    assert town.figures.asked == 0
    assert town.budget(job) == ""
    assert town.left(job) == {}
    fault: dict[str, str] = json.loads(reply.body)
    return fault


def everybody_refuses(world: World, body: bytes, code: str, job: str = JOB) -> None:
    for town in world.towns.values():
        assert refused(town, body, job)["code"] == code


# --- who takes part


@pytest.mark.parametrize("role", ["department", "analyst", "exchange"])
def test_a_swapped_key_is_refused_by_the_pins(world: World, role: Role) -> None:
    """The exchange enrols a key of its own under a known name and hands out that card."""
    name = {"department": "mid", "analyst": "ana", "exchange": "province"}[role]
    own = Person(role, name)
    plan, signer = world.plan(), world.analyst
    if role == "department":
        roster = tuple(replace(m, fingerprint=own.fingerprint) if m.name == "mid" else m for m in plan.roster)  # fmt: skip # noqa: E501
        plan = replace(plan, roster=roster)
    if role == "analyst":
        signer = own
        plan = replace(
            plan, analyst_fingerprint=own.fingerprint, analyst_sealing_key=own.sealing.public_hex
        )
    known = {"department": world.people["mid"], "analyst": world.analyst, "exchange": world.exchange}[role]  # fmt: skip # noqa: E501
    cards = [own.card if card == known.card else card for card in world.cards()]
    cards = [card for card in cards if _names(card) != (role, name)] + [own.card]
    body = write_opening(world.sign(plan, signer), cards)
    everybody_refuses(world, body, "pins.mismatch")


def test_a_card_that_the_plan_does_not_name_changes_nothing(world: World) -> None:
    """The analyst's plan names the pinned key: the exchange's own card cannot slip in."""
    plan, own = world.plan(), Person("department", "mid")
    cards = [card for card in world.cards() if _names(card) != ("department", "mid")]
    body = write_opening(world.sign(plan), [*cards, own.card])
    everybody_refuses(world, body, "pins.mismatch")


def test_a_roster_with_departments_that_nobody_pinned(world: World) -> None:
    sybils = [Person("department", f"sybil{number}") for number in range(3)]
    plan = world.plan()
    roster = (*plan.roster[:2], *(Member(s.name, s.fingerprint) for s in sybils))
    plan = replace(plan, roster=roster, threshold=4)
    body = write_opening(world.sign(plan), [*world.cards(), *(s.card for s in sybils)])
    for name in ("east", "mid"):
        assert refused(world.towns[name], body)["code"] == "pins.unknown"


def test_pinned_departments_that_hold_no_rows_do_not_make_a_crowd(world: World) -> None:
    """Even a pinned stranger is no member of the dataset."""
    stranger = Person("department", "elsewhere")
    world.pins.add("department", "elsewhere", stranger.fingerprint)
    plan = world.plan()
    roster = (*plan.roster[:4], Member("elsewhere", stranger.fingerprint))
    body = write_opening(world.sign(replace(plan, roster=roster)), [*world.cards(), stranger.card])
    for name in NAMES[:4]:
        fault = refused(world.towns[name], body)
        assert fault["code"] == "policy.roster"
        assert "elsewhere" in fault["message"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_roster_too_small_to_hide_in(world: World, count: int) -> None:
    plan = world.plan()
    small = replace(plan, roster=plan.roster[:count], threshold=count)
    fault = refused(world.towns["east"], world.opening(small))
    assert fault["code"] in ("policy.min_parties", "policy.protocol")


def test_one_department_twice_is_one(world: World) -> None:
    plan = world.plan()
    again = replace(plan.roster[0], name="mid")
    doubled = replace(plan, roster=(*plan.roster[:1], *plan.roster[:1], *plan.roster[2:]))
    assert refused(world.towns["east"], world.opening(doubled))["code"] == "policy.roster"
    renamed = replace(plan, job="cd" * 16, roster=(plan.roster[0], again, *plan.roster[2:]))
    fault = refused(world.towns["east"], world.opening(renamed), renamed.job)
    assert fault["code"] == "plan.roster"


@pytest.mark.parametrize("threshold", [0, 1, 3, 6, -1])
def test_a_threshold_under_which_masks_can_be_opened(world: World, threshold: int) -> None:
    body = world.opening(replace(world.plan(), threshold=threshold))
    for town in world.towns.values():
        assert refused(town, body)["code"] in ("policy.threshold", "policy.plan")


# --- what is asked


CHANGES: list[tuple[str, Any]] = [
    ("epsilon", 1.9), ("analyst_sealing_key", "ab" * 32), ("project", "other"),
    ("statement", "SELECT 1"), ("threshold", 5), ("expires_at", 1_700_009_999), ("bits", 128),
    ("colluders", 1), ("purpose", "another"), ("job", "cd" * 16), ("affiliation", "east"),
    ("protocol", "he_sum.bfv.open"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_a_changed_plan_is_refused(world: World, name: str, value: Any) -> None:  # noqa: ANN401
    """The signature is over every field; the exchange puts its own claims beside it."""
    plan = world.plan()
    head, _, tail = world.sign(plan).split(".")
    claims = world.sign(replace(plan, **{name: value})).split(".")[1]
    body = write_opening(f"{head}.{claims}.{tail}", world.cards())
    everybody_refuses(world, body, "signature.invalid")


def test_a_plan_that_the_exchange_signs_itself(world: World) -> None:
    everybody_refuses(world, world.opening(world.plan(), by=world.exchange), "signature.invalid")


def test_a_plan_of_an_analyst_whom_nobody_pinned(world: World) -> None:
    own = Person("analyst", "friend")
    plan = replace(
        world.plan(), analyst="friend", analyst_fingerprint=own.fingerprint,
        analyst_sealing_key=own.sealing.public_hex,
    )  # fmt: skip
    body = write_opening(world.sign(plan, own), [*world.cards(), own.card])
    everybody_refuses(world, body, "pins.unknown")


def test_another_analysts_key_in_a_pinned_analysts_plan(world: World) -> None:
    """Answers would be sealed to it."""
    own = Person("analyst", "friend")
    plan = replace(world.plan(), analyst_sealing_key=own.sealing.public_hex)
    everybody_refuses(world, world.opening(plan), "plan.analyst")


def test_a_declaration_with_tighter_bounds_would_mean_less_noise(world: World) -> None:
    """An analyst who was shown a narrower declaration drafts a plan that protects too little."""
    honest = world.dataset
    world.dataset = changed(honest, age={"type": "integer", "bounds": [40, 42], "nullable": False})
    sql = "SELECT sex, SUM(age) AS total FROM visits GROUP BY sex"
    cheated = world.plan(sql)
    world.dataset = honest
    fair = world.plan(sql)
    narrow = changed(honest, age={"type": "integer", "bounds": [40, 42], "nullable": False})
    less = calibrate(cheated, narrow).sigma_node[0]
    assert less < calibrate(fair, honest).sigma_node[0] / 2
    everybody_refuses(world, world.opening(cheated), "policy.dataset")
    # Nor does it help to name the departments' own declaration: they derive the noise themselves.
    forced = replace(cheated, dataset_digest=dataset_digest(honest))
    forced = replace(forced, job="cd" * 16)
    for town in world.towns.values():
        assert town.ask(PLAN_ROUND, "plan", world.opening(forced), forced.job).kind == "accepted"
        admitted = town.jobs[forced.job]._admitted
        assert admitted is not None
        assert admitted.calibration == calibrate(forced, honest)


# --- when it is asked


def test_an_old_plan_is_not_answered_again(world: World) -> None:
    play = world.session(world.plan()).start().run()
    assert play.finished == 1
    body = answered(play, PLAN_ROUND, "mid").body
    for town in world.towns.values():
        first = town.left()
        town.restart()
        assert town.ask(PLAN_ROUND, "plan", body).kind == "accepted"  # the stored answer
        fault = json.loads(town.ask("main/masked", "message", b"another").body)
        assert fault["code"] == "job.contradiction"
        assert town.left() == first
        assert town.figures.asked == 1
    # A store that has forgotten the job (a restored backup) still looks at the time.
    world.now += 601
    for town in world.towns.values():
        with town.store.db.write() as db:
            db.execute("DELETE FROM answer")
            db.execute("DELETE FROM job")
        town.restart()
        fault = json.loads(town.ask(PLAN_ROUND, "plan", body).body)
        assert fault["code"] == "policy.time"


@pytest.mark.parametrize("off_s", [-3600, 3600])
def test_a_clock_one_hour_off_is_said(world: World, off_s: int) -> None:
    plan = world.plan()
    world.now += off_s
    for town in world.towns.values():
        fault = refused(town, world.opening(plan))
        assert fault["code"] == "policy.time"
        assert "clocks" in fault["remedy"]
        seconds = 3600 if off_s < 0 else 3000
        assert str(seconds) in fault["message"]


def test_a_clock_half_a_minute_off_is_nothing(world: World) -> None:
    plan = world.plan()
    world.now -= 30
    assert world.session(plan).start().run().finished == 1


# --- in the middle


def answered(play: Play, round_: str, name: str) -> Delivery:
    return next(d for d, _ in play.answers if (d.round, d.recipient) == (round_, name))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_second_survivor_set_is_refused_also_after_a_restart(
    world: World, restarted: bool
) -> None:
    """{all} and then {all but one} would show what the one had."""
    plan = world.plan()
    fewer = world.session(plan).start().until("main/masked")
    kept = list(fewer.waiting)
    for delivery in kept:
        if delivery.recipient == "south":
            fewer.waiting.remove(delivery)
    fewer.offline.add("south")
    fewer.run()
    fewer.session.tick(fewer.now)  # south is dropped: the set is {all but south}
    second = {d.recipient: d for d in fewer.waiting if d.round == "main/consistency"}
    assert set(second) == set(NAMES) - {"south"}
    fewer.run()
    assert fewer.finished == 1
    for name, asked in second.items():
        town = world.towns[name]
        if restarted:
            town.restart()
        body = asked.body.replace(b'"main"', b'"main" ')
        other = town.ask("main/consistency", "message", body)
        assert json.loads(other.body)["code"] == "job.contradiction"


def test_another_run_of_the_same_values_is_refused(world: World) -> None:
    """A run that the plan does not have would open the same values to other survivors."""
    play = world.session(world.plan()).start().until("main/masked")
    town = world.towns["mid"]
    body = answered(play, "main/advertise", "mid").body
    for run in ("values", "counts", "main2", ""):
        fault = json.loads(town.ask(f"{run}/advertise", "message", body).body)
        assert fault["code"] == "job.instance"
    assert play.run().finished == 1


def test_messages_of_one_job_do_not_fit_another(world: World) -> None:
    first = world.session(world.plan()).start().run()
    other = "cd" * 16
    second = world.session(world.plan(job=other)).start().until("main/shares")
    town = world.towns["mid"]
    fault = json.loads(
        town.ask("main/shares", "message", answered(first, "main/shares", "mid").body, other).body
    )
    assert fault["kind"] in ("protocol", "trust")
    assert second.run().finished == 1


def test_departments_that_are_shown_different_keys_end_without_an_answer(world: World) -> None:
    """The exchange runs one job twice and mixes the advertised keys."""
    play = world.session(world.plan()).start().until("main/shares")
    target = next(d for d in play.waiting if d.recipient == "mid")
    play.waiting.remove(target)
    swapped = target.body.replace(b"main", b"mail", 1)
    fault = json.loads(world.towns["mid"].ask("main/shares", "message", swapped).body)
    assert fault["kind"] in ("protocol", "trust")
    assert world.towns["mid"].budget() == "reserved"


def test_an_aggregate_that_nobody_signed_for(world: World) -> None:
    """What the departments sign is what they were told; another sum contradicts it."""
    play = world.session(world.plan()).start().run()
    result = play.session.result
    assert result is not None
    other = replace(result, vector=bytes(len(result.vector)))
    outcome = Outcome(other.to_bytes(), "", play.session.statements, ())
    assert read_aggregate(outcome.aggregate).digest != result.digest
    # And a department signs one notice only.
    town = world.towns["mid"]
    notice = canonical({"survivors": list(other.survivors), "outcome": other.digest})
    fault = json.loads(town.ask(RECEIPT_ROUND, "receipt", notice).body)
    assert fault["code"] == "job.contradiction"


def test_an_exchange_that_gives_up_early_gets_no_second_answer(world: World) -> None:
    play = world.session(world.plan()).start().until("main/unmask")
    play.session.cancel(JobError("pretended"))
    asked = list(play.waiting)
    play.run()
    assert all(town.store.state(JOB) == "cancelled" for town in world.towns.values())
    assert all(town.budget() == "released" for town in world.towns.values())
    assert asked
    for town in world.towns.values():
        fault = json.loads(town.ask("main/unmask", "message", b"{}").body)
        assert fault["code"] in ("job.ended", "job.contradiction")


def _names(card: str) -> tuple[str, str]:
    from protos.cards import read_card

    found = read_card(card)
    return found.role, found.name


# --- what it sends instead of the round's message


@pytest.mark.parametrize("card", [1, None, ["a"], {}])
def test_cards_that_are_no_text_are_refused_and_the_node_goes_on(
    world: World, card: object
) -> None:
    """An error of the program's own would end the thread that answers the job."""
    plan = world.plan()
    body = canonical({"plan": world.sign(plan), "cards": [card]})
    assert refused(world.towns["mid"], body)["code"] == "card.invalid"


def test_a_notice_nested_without_end_is_refused_and_the_node_goes_on(world: World) -> None:
    play = world.session(world.plan()).start().until(RECEIPT_ROUND)
    found = world.towns["mid"].ask(RECEIPT_ROUND, "receipt", b"[" * 200_000)
    assert json.loads(found.body)["code"] == "job.receipt"
    assert play.run().finished == 1


def test_no_bitmap_shows_what_the_owner_has_vetoed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange sums the owners' vetoes and may ignore the sum; the owner does not."""
    town, play = world.towns["mid"], world.session(world.exact())
    cells = play.plan.aggregate.cells
    begin = town.figures.begin

    def vetoes(admitted: Admitted) -> Future[Computed]:
        computed, found = begin(admitted).result(), Future[Computed]()
        found.set_result(
            replace(computed, counts=(*computed.counts[:cells], 1, *[0] * (cells - 1)))
        )
        return found

    town.figures.begin = vetoes  # type: ignore[method-assign]
    monkeypatch.setattr(stages, "_visible", lambda *_: np.ones(cells, dtype=np.bool_))
    play.start().run()
    assert "counts/masked" in town.left()
    assert "values/masked" not in town.left()
    assert all("values/masked" in world.towns[name].left() for name in NAMES if name != "mid")
    assert any("vetoed" in message for message, _ in town.logged)
    assert play.finished == 0


def test_only_an_exact_plan_has_a_bitmap(world: World) -> None:
    """It would choose cells in a job whose noise and charge are for all of them."""
    play = world.session(world.plan()).start().until("main/advertise")
    plan, visible = play.plan, np.array([True] + [False] * (play.plan.aggregate.cells - 1))
    body = bitmap_body(plan, plan_hash(plan), visible)
    token = signer(world.exchange.key)(BITMAP_PURPOSE, body).encode("ascii")
    found = world.towns["mid"].ask("bitmap", "bitmap", token)
    assert json.loads(found.body)["code"] == "job.order"
    assert play.run().finished == 1
