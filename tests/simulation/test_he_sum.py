"""he_sum in bad weather: a right total, or an honest failure; never a wrong one."""

from __future__ import annotations

import pytest

from compute_nodes.protocols.base import Message
from compute_nodes.protocols.he_sum import HeTotal, decrypt_total
from compute_nodes.protocols.simulation import Dice, Outcome, Simulation, Weather
from tests.he_sum_world import (
    encode,
    make_coordinator,
    make_party,
    make_setup,
    replies,
    secret_key,
    verifier,
)

ROWS = [[10**member + element for element in range(3)] for member in range(4)]
STORM = Weather(drop=5, duplicate=20, delay=5, truncate=20, replay=20, restart=20)


def play(scheme: str, seed: int, weather: Weather, *, masked: bool) -> tuple[Outcome, list[int]]:
    """Plays one run; returns what happened and the total, empty if there is none."""
    setup = make_setup(scheme, n=4, masked=masked, total_bits=40, length=3)
    outcome = Simulation(
        make_coordinator(setup),
        lambda me: make_party(setup, me),
        [encode(setup, row) for row in ROWS],
        Dice(seed.to_bytes(32, "big")),
        weather,
        foreign=foreign(scheme),
    ).run()
    assert not outcome.accepted_broken
    if outcome.error is not None:
        return outcome, []
    result = outcome.step.result
    assert isinstance(result, HeTotal)
    expected = [sum(ROWS[me][i] for me in result.survivors) for i in range(3)]
    opened = decrypt_total(secret_key(scheme), setup, result, verifier(setup))
    assert opened == expected
    return outcome, opened


def foreign(scheme: str) -> list[Message]:
    """The same departments' messages of another job."""
    other = make_setup(scheme, n=4, job="e" * 32, total_bits=40, length=3)
    return replies(other, [[0, 0, 0]] * 4)


@pytest.mark.parametrize("scheme", ["bfv", "paillier"])
def test_calm_weather_gives_the_whole_total(scheme: str) -> None:
    outcome, opened = play(scheme, 0, Weather(), masked=True)
    assert opened == [sum(row[i] for row in ROWS) for i in range(3)]
    assert not outcome.refused
    assert len(outcome.sent) == 8  # a request and a reply for each


@pytest.mark.parametrize("masked", [True, False])
def test_storms_end_in_the_right_total_or_in_none(masked: bool) -> None:
    totals = [bool(play("bfv", seed, STORM, masked=masked)[1]) for seed in range(25)]
    assert any(totals)
    if masked:  # some message of some department is lost in some run
        assert not all(totals)


@pytest.mark.parametrize("seed", range(4))
def test_storms_over_paillier(seed: int) -> None:
    play("paillier", seed, STORM, masked=False)


@pytest.mark.parametrize(
    "weather",
    [
        Weather(duplicate=100),
        Weather(truncate=100),
        Weather(replay=100),
        Weather(restart=100),
    ],
    ids=["duplicate", "truncate", "replay", "restart"],
)
def test_all_but_loss_is_survived_even_masked(weather: Weather) -> None:
    outcome, opened = play("bfv", 3, weather, masked=True)
    assert outcome.error is None
    assert opened


def test_total_loss_is_told_with_its_count() -> None:
    outcome, _ = play("bfv", 0, Weather(drop=100), masked=True)
    assert outcome.error is not None
    assert "4 of 4 departments sent nothing" in outcome.error.message
