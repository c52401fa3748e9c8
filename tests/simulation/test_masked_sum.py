"""masked_sum in any weather: 1,000 random runs, the same ones every time."""

from collections import Counter, defaultdict

import pytest

from compute_nodes.protocols.base import unpack
from compute_nodes.protocols.masked_sum import MaskedTotal, check_total
from compute_nodes.protocols.simulation import Dice, Outcome, Simulation, Weather
from protos.faults import ProtocolError, TrustError
from tests.masked_sum_world import Run, World, mac_verify

FAULTS = ("drop", "duplicate", "delay", "truncate", "replay", "restart")


def storm(dice: Dice) -> Weather:
    """Each fault strikes rarely, often, or not at all."""
    return Weather(**{name: (0, 2, 10)[dice.below(3)] for name in FAULTS})


def simulate(number: int) -> tuple[World, Outcome]:
    dice = Dice(b"masked_sum" + number.to_bytes(22, "big"))
    world = World(
        n=2 + dice.below(6),
        bits=(32, 64, 128)[dice.below(3)],
        length=1 + dice.below(3),
        envelope=dice.chance(70),
        job=f"{number:032x}",
        seed=b"run %d" % number,
    )
    other = Run(World(n=world.n, bits=world.bits, length=world.length, envelope=world.envelope))
    other.finish()
    foreign = [
        m
        for messages in (*other.requests.values(), *other.replies.values())
        for m in messages.values()
    ]
    simulation = Simulation(
        world.coordinator(),
        world.party,
        [world.value(me) for me in range(world.n)],
        dice,
        storm(dice),
        foreign,
    )
    return world, simulation.run()


def check(world: World, outcome: Outcome) -> str:
    """What holds in every weather; returns how it ended."""
    assert outcome.accepted_broken == []
    assert all(isinstance(error, (ProtocolError, TrustError)) for _, error in outcome.refused)
    signed, bodies, revealed = set(), defaultdict(set), set()
    for delivery in outcome.sent:
        message = delivery.message
        if message.sender < 0:
            continue
        bodies[message.sender, message.round].add(message.body)
        if message.round == "consistency":
            _, parts = unpack(message.body)
            body = mac_verify(message.sender, "masked_sum.survivors", bytes(parts[0]).decode())
            signed.add((tuple(body["survivors"]), tuple(body["sharers"]), body["roster"]))
        if message.round == "unmask":
            _, parts = unpack(message.body)
            revealed.add(tuple(len(part) for part in parts))
    assert all(len(different) == 1 for different in bodies.values()), "a round answered twice"
    assert len(signed) <= 1, "two survivor sets"
    assert len(revealed) <= 1, "shares of different secrets of one peer"
    if outcome.error is not None:
        assert outcome.error.code == "job.too_few"
        return outcome.error.message.split("'")[1]
    total = outcome.step.result
    assert isinstance(total, MaskedTotal)
    assert len(total.survivors) >= world.setup.threshold
    assert world.opened(total) == world.expected(total.survivors)
    check_total(world.setup, total, mac_verify)
    return "answer" if len(total.survivors) == world.n else "answer without some"


def test_a_thousand_runs_end_with_the_right_total_or_a_clear_error():
    ends = Counter(check(*simulate(number)) for number in range(1000))
    assert ends["answer"] > 200
    assert ends["answer without some"] > 20
    assert {"advertise", "shares", "masked", "consistency", "unmask"} <= set(ends)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_thousand_more_runs():
    for number in range(1000, 21_000):
        check(*simulate(number))


def test_a_run_is_repeatable():
    first, again = simulate(7)[1], simulate(7)[1]
    assert first.sent == again.sent
    assert [str(error) for _, error in first.refused] == [str(error) for _, error in again.refused]


@pytest.mark.parametrize("fault", ["duplicate", "replay", "restart", "truncate"])
def test_faults_that_lose_nothing_cost_nothing(fault: str):
    """Only lost and late messages may shrink the survivor set."""
    for number in range(10):
        world = World(n=5, seed=b"%d" % number)
        dice = Dice(bytes([number]) * 32)
        values = [world.value(me) for me in range(world.n)]
        weather = Weather(**{fault: 40})
        outcome = Simulation(world.coordinator(), world.party, values, dice, weather).run()
        assert check(world, outcome) == "answer"


def test_dice_are_even_and_seeded():
    dice, same = Dice(b"x" * 32), Dice(b"x" * 32)
    throws = [dice.below(6) for _ in range(6000)]
    assert throws == [same.below(6) for _ in range(6000)]
    assert all(850 < count < 1150 for count in Counter(throws).values())
