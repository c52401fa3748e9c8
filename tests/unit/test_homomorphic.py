"""he_sum as a job: keys, waiting, restarts and refusals, over real departments in one process."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.calibration import calibrate
from catalog.certificates.receipts import plan_hash
from catalog.plan import Plan, Protocol
from catalog.typing_rules import magnitude
from compute_nodes.jobs.homomorphic import he_coordinator, he_party, homomorphic
from compute_nodes.jobs.opening import read_opening
from compute_nodes.jobs.runs import MAIN, PLAN_ROUND
from compute_nodes.jobs.setups import coordinator_for, counts_setup, values_setup
from compute_nodes.jobs.sizes import predicted_bytes
from compute_nodes.protocols.base import COORDINATOR, compose
from compute_nodes.protocols.he_sum import generate_bfv_key
from compute_nodes.rpc.delivery import Delivery
from exchange.analyst.federation import Federation
from exchange.analyst.he_key import load_he_key, make_he_key
from exchange.analyst.history import History, Remembered
from exchange.analyst.opening import OpeningKeys, open_aggregate
from exchange.coordinator.session import Clocks
from protos.cards import Card, read_card
from protos.faults import InputError, ProtocolError, TrustError
from tests.he_sum_world import secret_key
from tests.job_world import COUNT, JOB, ORDER_KEY, Play, World

BOTH: list[Protocol] = ["he_sum.bfv", "he_sum.paillier"]
OPEN: list[Protocol] = ["he_sum.bfv.open", "he_sum.paillier.open"]
SUMS = "SELECT sex, COUNT(*) AS n, SUM(age) AS age FROM visits GROUP BY sex"
QUICK = Clocks(round_s=30.0, absent_s=2.0, receipt_s=5.0)
ASK = "main/ciphertext"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, protocols=["masked_sum", "he_sum", "he_sum.open", "sealed"])
    yield world
    world.close()


def key_of(plan: Plan) -> Any:  # noqa: ANN401 - either scheme's
    return secret_key(plan.protocol.split(".")[1])


def keyed(plan: Plan) -> Plan:
    """The plan with the digest of the key that these tests use."""
    return dataclasses.replace(plan, he_key_digest=key_of(plan).public.digest)


def play(world: World, protocol: Protocol = "he_sum.bfv", **options: Any) -> Play:  # noqa: ANN401
    plan = keyed(world.plan(SUMS, protocol=protocol, **options))
    return world.session(plan, clocks=QUICK, he_key=key_of(plan).public.data).start()


def opened(world: World, run: Play) -> list[int]:
    """What the analyst reads."""
    assert run.session.result is not None, run.errors
    signers = (*world.people.values(), world.exchange)
    cards: dict[tuple[str, str], Card] = {(p.role, p.name): read_card(p.card) for p in signers}
    federation = Federation(
        datasets={"visits": world.dataset}, cards=cards, tokens={}, unpinned=(), policies={},
        snapshots={}, online=frozenset(), exchange=cards["exchange", world.exchange.name],
    )  # fmt: skip
    order_key = ORDER_KEY if run.plan.mode == "exact" else b""
    keys = OpeningKeys(world.analyst.sealing, order_key, key_of(run.plan).private_bytes())
    return open_aggregate(
        run.plan, plan_hash(run.plan), run.session.result, keys, federation
    ).totals


def expected(world: World, length: int) -> list[int]:
    """Each department's first made-up figures, added."""
    towns = world.towns.values()
    return [sum(town.figures.base + at for town in towns) for at in range(length)]


@pytest.mark.parametrize("protocol", BOTH)
def test_the_analyst_reads_the_sum(world: World, protocol: Protocol) -> None:
    run = play(world, protocol).run()
    assert run.finished == 1, run.errors
    assert opened(world, run) == expected(world, 4)
    assert all(town.figures.asked == 1 for town in world.towns.values())
    assert {town.budget() for town in world.towns.values()} == {"released"}


def test_exact_counts_go_under_masks_and_values_as_ciphertexts(world: World) -> None:
    plan = keyed(world.exact(SUMS, protocol="he_sum.bfv"))
    run = world.session(plan, clocks=QUICK, he_key=key_of(plan).public.data).start().run()
    assert run.finished == 1, run.errors
    assert opened(world, run) == expected(world, 4)
    left = world.towns["mid"].left()
    assert {"counts/masked", "values/ciphertext"} <= left.keys()


@pytest.mark.parametrize("protocol", ["masked_sum", *BOTH, *OPEN, "sealed"])
def test_what_is_predicted_is_what_leaves(tmp_path: Path, protocol: Protocol) -> None:
    names = ("alone",) if protocol == "sealed" else ("east", "mid", "west")
    world = World(tmp_path, names, protocols=["masked_sum", "he_sum", "he_sum.open", "sealed"])
    plan = world.plan(SUMS, protocol=protocol)
    predicted = predicted_bytes(plan, world.dataset)
    key = b""
    if protocol in (*BOTH, *OPEN):
        plan, key = keyed(plan), key_of(plan).public.data
        assert predicted_bytes(plan, world.dataset) == predicted
    run = world.session(plan, clocks=QUICK, he_key=key).start().run()
    assert run.finished == 1, run.errors
    left = {r: n for r, n in world.towns[names[-1]].left().items() if r.startswith(f"{MAIN}/")}
    world.close()
    assert left.keys() == predicted.keys()
    for round_, size in left.items():
        least = 0.99 if protocol.startswith("he_sum.bfv") else 1.0
        assert least * predicted[round_] <= size <= predicted[round_]


def test_the_proven_width_decides_how_many_slots_a_figure_takes(world: World) -> None:
    for sql in (COUNT, SUMS):
        plan = keyed(world.plan(sql, protocol="he_sum.bfv"))
        setup = homomorphic(values_setup(plan, plan_hash(plan), MAIN, 2, world.dataset))
        most = magnitude(plan, world.dataset)
        assert -(1 << (setup.width - 1)) <= -most < most < 1 << (setup.width - 1)
        assert setup.narrow
        assert (setup.threshold, setup.masked, setup.envelope) == (5, True, None)


def test_noise_counts_on_every_department_but_the_colluders(world: World) -> None:
    plan = world.plan(COUNT, protocol="he_sum.bfv")
    honest = calibrate(plan, world.dataset)
    assert honest.survivors_min == len(world.towns)
    wary = calibrate(dataclasses.replace(plan, colluders=2), world.dataset)
    assert wary.survivors_min == len(world.towns) - 2
    assert wary.sigma_node[0] > honest.sigma_node[0]


# --- at their own time


@pytest.mark.parametrize("protocol", BOTH)
def test_a_late_department_is_waited_for(world: World, protocol: Protocol) -> None:
    run = play(world, protocol)
    kept = [delivery for delivery in run.waiting if delivery.recipient == "south"]
    run.away({"south"})
    run.tick(10 * QUICK.round_s)
    assert not run.dropped()
    assert run.session.state == "running"
    run.offline = set()
    run.waiting.extend(kept)
    assert run.run().finished == 1, run.errors
    assert opened(world, run) == expected(world, 4)


def test_a_receipt_waits_for_who_has_answered_and_gone(world: World) -> None:
    run = play(world).until("receipt")
    kept = [delivery for delivery in run.waiting if delivery.recipient == "south"]
    run.away({"south"})
    run.tick(QUICK.round_s - 1)
    assert run.session.state == "receipt"
    run.offline = set()
    run.waiting.extend(kept)
    run.run()
    assert set(run.session.statements) == set(world.towns)


def test_a_receipt_does_not_wait_for_ever_once_enough_have_signed(world: World) -> None:
    """Four of five: the answer is worth more now than the fifth signature tomorrow."""
    run = play(world).until("receipt").away({"south"})
    assert run.tick(QUICK.round_s).finished == 1, run.errors
    assert set(run.session.statements) == set(world.towns) - {"south"}


def test_a_receipt_waits_until_the_plans_end_for_enough_to_sign(world: World) -> None:
    run = play(world).until("receipt")
    kept = [delivery for delivery in run.waiting if delivery.recipient in {"south", "west"}]
    run.away({"south", "west"})
    run.tick(run.plan.expires_at - run.plan.issued_at - 1)
    assert run.session.state == "receipt"
    run.offline = set()
    run.waiting.append(kept[0])
    run.run().tick(0)
    assert run.finished == 1, run.errors
    assert len(run.session.statements) == 4


def test_the_plans_end_is_the_end_and_who_never_answered_is_named(world: World) -> None:
    run = play(world).away({"south"})
    life = run.plan.expires_at - run.plan.issued_at
    run.tick(life - 1)
    assert not run.errors
    run.tick(2)
    assert run.session.state == "failed"
    assert run.dropped() == {"south"}
    assert "1 of 5 departments sent nothing" in run.errors[0].message


def test_the_analyst_is_told_for_whom_the_job_waits(world: World) -> None:
    plan = keyed(world.plan(SUMS, protocol="he_sum.bfv"))
    run = world.session(plan, clocks=QUICK, he_key=key_of(plan).public.data)
    run.offline = {"south"}
    run.start().tick(1.0).tick(1.0)
    assert [line for line in run.log if line[0] == "absent"] == [("absent", "south", ASK)]


@pytest.mark.parametrize("protocol", BOTH)
def test_a_restarted_department_sends_the_same_bytes_again(
    world: World, protocol: Protocol
) -> None:
    run = play(world, protocol).until("receipt")
    town = world.towns["mid"]
    asked, answered = next(p for p in run.answers if p[1].sender == "mid" and p[0].round == ASK)
    town.restart()
    assert town.answer(asked) == answered
    assert town.figures.asked == 1
    town.restart()
    assert run.run().finished == 1
    assert set(run.session.statements) == set(world.towns)


# --- open: each input stands alone


def came(world: World, names: set[str], length: int) -> list[int]:
    """The first made-up figures of some departments, added."""
    return [sum(world.towns[name].figures.base + at for name in names) for at in range(length)]


@pytest.mark.parametrize("protocol", OPEN)
def test_without_masks_the_sum_is_of_who_came_in_time(world: World, protocol: Protocol) -> None:
    run = play(world, protocol).away({"south", "west"})
    life = run.plan.expires_at - run.plan.issued_at
    run.tick(life - 1)
    assert run.session.state == "running"  # they may still come
    run.tick(2)
    assert run.finished == 1, run.errors
    assert run.dropped() == {"south", "west"}
    assert run.session.result is not None
    assert run.session.result.survivors == ("east", "mid", "north")
    assert opened(world, run) == came(world, {"east", "mid", "north"}, 4)
    assert set(run.session.statements) == {"east", "mid", "north"}
    assert world.towns["mid"].budget() == "released"


def test_an_open_sum_of_too_few_is_none(world: World) -> None:
    run = play(world, "he_sum.bfv.open").away({"south", "west", "north"})
    assert run.plan.threshold == 3  # of the policies: min_parties
    run.tick(run.plan.expires_at - run.plan.issued_at + 1)
    assert run.session.state == "failed"
    assert "3 of 5 departments sent nothing before the deadline, and 3 are needed" in (
        run.errors[0].message
    )


def test_a_ciphertext_that_cannot_be_added_ends_no_open_job(world: World) -> None:
    run = play(world, "he_sum.bfv.open").run(lambda d: d.round == ASK and d.recipient == "mid")
    reply = world.towns["mid"].answer(run.waiting.popleft())
    assert reply is not None
    with pytest.raises(TrustError):
        run.push(dataclasses.replace(reply, body=reply.body[:-1] + bytes([reply.body[-1] ^ 1])))
    run.run().tick(run.plan.expires_at - run.plan.issued_at + 1)
    assert run.finished == 1, run.errors
    assert opened(world, run) == came(world, set(world.towns) - {"mid"}, 4)


@pytest.mark.parametrize(
    "survivors",
    [
        ["east", "north", "south", "west"],  # without the department that is asked to sign
        ["east", "mid"],  # fewer than the threshold
        ["mid", "east", "north"],  # not in the order of the roster
        ["east", "mid", "north", "nobody"],
        ["east", "east", "mid", "north"],
    ],
)
def test_a_receipt_of_an_open_sum_is_not_signed_for_anybody(
    world: World, survivors: list[str]
) -> None:
    play(world, "he_sum.bfv.open").until("receipt")
    notice = json.dumps({"survivors": survivors, "outcome": "0" * 64}).encode()
    reply = world.towns["mid"].ask("receipt", "receipt", notice)
    assert reply.kind == "fault"
    assert json.loads(reply.body)["code"] == "job.receipt"


def test_a_receipt_of_an_open_sum_is_not_signed_by_who_sent_nothing(world: World) -> None:
    run = play(world, "he_sum.bfv.open").until(ASK)
    assert run.session.state == "running"
    notice = json.dumps({"survivors": list(world.towns), "outcome": "0" * 64}).encode()
    reply = world.towns["mid"].ask("receipt", "receipt", notice)
    assert json.loads(reply.body)["code"] == "job.receipt"


def test_an_open_plan_is_refused_by_who_has_not_opted_in(tmp_path: Path) -> None:
    world = World(tmp_path, protocols=["masked_sum", "he_sum", "sealed"])
    plan = keyed(world.plan(SUMS, protocol="he_sum.bfv.open"))
    reply = world.towns["mid"].ask(PLAN_ROUND, "plan", world.opening(plan))
    assert json.loads(reply.body)["code"] == "policy.protocol"
    assert world.towns["mid"].budget() == ""
    world.close()


@pytest.mark.parametrize("protocol", ["he_sum.bfv", "he_sum.bfv.open"])
def test_a_value_beyond_its_bounds_is_not_sent_and_not_told(
    world: World, protocol: Protocol
) -> None:
    town = world.towns["mid"]
    town.figures.base = 1 << 30
    run = play(world, protocol).run()
    assert run.session.state == "running"
    assert not [reply for _, reply in run.answers if reply.kind == "fault"]
    assert (town.budget(), ASK in town.left()) == ("released", False)
    assert "bounds" in town.store.jobs()[0].failure
    run.tick(run.plan.expires_at - run.plan.issued_at + 1)
    assert run.finished == int(run.plan.is_open)  # under masks one missing member is no answer
    assert all("bounds" not in error.message for error in run.errors)


# --- refusals


def test_a_key_that_the_plan_does_not_name_is_refused_at_once(world: World) -> None:
    plan = keyed(world.plan(SUMS, protocol="he_sum.bfv"))
    other = generate_bfv_key().public.data
    for key in (other, b"", b"{}", key_of(world.plan(protocol="he_sum.paillier")).public.data):
        with pytest.raises(TrustError):
            world.session(plan, he_key=key)


def test_a_plan_without_a_key_is_refused_before_it_costs_anything(world: World) -> None:
    plan = world.plan(SUMS, protocol="he_sum.bfv")
    with pytest.raises(TrustError, match="must name"):
        world.session(plan)
    town = world.towns["mid"]
    for digest in ("", "x" * 64, "A" * 64):
        forged = dataclasses.replace(plan, he_key_digest=digest)
        with pytest.raises(TrustError, match="must name the analyst's key"):
            town.tools.guard.admit(read_opening(world.opening(forged)))
    assert town.ask(PLAN_ROUND, "plan", world.opening(plan)).kind == "fault"
    assert town.budget() == ""


def test_a_department_encrypts_under_no_other_key(world: World) -> None:
    """A lying exchange swaps the key; nothing leaves and the reservation comes back."""
    plan = keyed(world.plan(SUMS, protocol="he_sum.bfv"))
    town = world.towns["mid"]
    assert town.ask(PLAN_ROUND, "plan", world.opening(plan)).kind == "accepted"
    setup = values_setup(plan, plan_hash(plan), MAIN, 2, world.dataset)
    request = compose(setup, "ciphertext", COORDINATOR, parts=[generate_bfv_key().public.data])
    reply = town.ask(ASK, "message", request.body)
    assert reply.kind == "fault"
    assert b"he.key" in reply.body
    town.ask("cancel", "cancel", b"")
    assert town.budget() == "undone"
    assert ASK not in town.left()


def test_a_ciphertext_that_cannot_be_added_ends_the_job_and_names_its_sender(world: World) -> None:
    run = play(world).run(lambda d: d.round == ASK and d.recipient == "mid")
    asked = run.waiting.popleft()
    reply = world.towns["mid"].answer(asked)
    assert reply is not None
    forged = dataclasses.replace(reply, body=reply.body[:-1] + bytes([reply.body[-1] ^ 1]))
    with pytest.raises(TrustError):
        run.push(forged)
    assert run.session.state == "failed"
    assert run.errors[0].message.startswith("mid: ")


def test_machines_of_other_protocols_are_not_mixed_up(world: World) -> None:
    masked = world.plan(SUMS)
    setup = values_setup(masked, plan_hash(masked), MAIN, 2, world.dataset)
    with pytest.raises(InputError, match="not a homomorphic sum"):
        he_coordinator(setup, b"", lambda *_: {})
    with pytest.raises(InputError, match="no protocol"):
        coordinator_for("he_sum", setup, lambda *_: {})
    with pytest.raises(InputError, match="needs no HE key"):
        make_he_key("masked_sum", bytes)
    counts = counts_setup(masked, plan_hash(masked))
    with pytest.raises(InputError):
        he_party(counts, 0, world.people["mid"].sealing, [], lambda *_: "", bytes)


def test_an_outcome_that_names_other_survivors_is_refused(world: World) -> None:
    run = play(world).run()
    assert run.session.result is not None
    run.session.result = dataclasses.replace(run.session.result, survivors=("mid", "east"))
    with pytest.raises(ProtocolError, match="name others"):
        opened(world, run)


def test_history_keeps_the_key_for_its_owner_alone(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    secret = secret_key("bfv").private_bytes()
    history.keep("a", Remembered("plan", b"", b"outcome", secret))
    history.keep("b", Remembered("plan", b"", b"outcome"))
    found, without = history.find("a"), history.find("b")
    assert found is not None
    assert without is not None
    assert (found.he_secret, without.he_secret) == (secret, b"")
    assert (tmp_path / "history" / "a.key").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "history" / "b.key").exists()
    assert "he_secret" not in repr(found)
    assert load_he_key("he_sum.bfv", found.he_secret).public.digest
    with pytest.raises(TrustError):
        load_he_key("he_sum.paillier", found.he_secret)


def test_a_foreign_delivery_is_no_ciphertext(world: World) -> None:
    run = play(world)
    with pytest.raises(ProtocolError):
        run.push(Delivery(JOB, ASK, 1, "mid", "", "message", b"nonsense"))
