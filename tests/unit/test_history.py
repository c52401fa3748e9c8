"""The analyst's history: the same question costs nothing, any other one is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.codec import to_json
from catalog.plan import Plan
from exchange.analyst.federation import Federation
from exchange.analyst.history import Charge, History, Remembered, question_key
from protos.cards import read_card
from tests.job_world import COUNT, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "nodes")
    yield world
    world.close()


def federation(world: World, snapshot: str = "s1") -> Federation:
    return Federation(
        datasets={"visits": world.dataset}, cards={}, tokens={}, unpinned=(), policies={},
        snapshots=dict.fromkeys(((name, "visits") for name in world.people), snapshot),
        online=frozenset(world.people), exchange=read_card(world.exchange.card),
    )  # fmt: skip


def test_what_was_kept_is_found_whole_and_only_by_its_owner(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    assert history.find("k") is None
    kept = Remembered("plan", b"order", b"outcome" * 1000, b"he secret")
    history.keep("k", kept)
    assert History(tmp_path / "history").find("k") == kept
    history.keep("k", replace(kept, outcome=b"newer"))
    found = history.find("k")
    assert found is not None
    assert found.outcome == b"newer"
    for file in (tmp_path / "history").iterdir():
        assert file.stat().st_mode & 0o077 == 0
        assert file.suffix != ".tmp"
    assert (tmp_path / "history").stat().st_mode & 0o077 == 0


def test_an_entry_that_was_cut_off_is_no_entry(tmp_path: Path) -> None:
    """The outcome is written first: without its entry it is not seen."""
    history = History(tmp_path)
    history.keep("k", Remembered("plan", b"", b"outcome"))
    (tmp_path / "k.json").unlink()
    assert history.find("k") is None


def test_secrets_stay_out_of_repr() -> None:
    shown = repr(Remembered("plan", b"order key", b"outcome", b"he secret"))
    assert "order" not in shown.replace("order_key", "")
    assert "secret" not in shown.replace("he_secret", "")


def test_the_same_question_written_otherwise_is_the_same(world: World) -> None:
    plan, known = world.plan(), federation(world)
    key = question_key(plan, known)
    other = world.plan("select  sex, count(*)  as n from visits group by 1", job="cd" * 16)
    assert question_key(other, known) == key
    for same in (
        {"purpose": "another"}, {"project": "other"}, {"issued_at": 1}, {"expires_at": 2},
    ):  # fmt: skip
        assert question_key(replace(plan, **same), known) == key


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: replace(plan, epsilon=0.6),
        lambda plan: replace(plan, mode="exact"),
        lambda plan: replace(plan, protocol="he_sum.bfv"),
        lambda plan: replace(plan, dataset_digest="0" * 64),
        lambda plan: replace(plan, analyst_fingerprint="0" * 64),
        lambda plan: replace(plan, roster=plan.roster[1:]),
        lambda plan: replace(plan, roster=tuple(reversed(plan.roster))),
        lambda plan: replace(plan, aggregate=replace(plan.aggregate, keys=())),
    ],
)
def test_another_question_is_another(world: World, change: object) -> None:
    plan = world.plan(COUNT)
    other: Plan = change(plan)  # type: ignore[operator]
    assert to_json(other) != to_json(plan)
    assert question_key(other, federation(world)) != question_key(plan, federation(world))


def test_new_data_make_it_another_question(world: World) -> None:
    plan = world.plan()
    assert question_key(plan, federation(world)) != question_key(plan, federation(world, "s2"))


def test_charges_survive_a_line_that_a_crash_cut_off(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    assert history.charges("visits") == []
    charges = [Charge(f"{i:032x}", "visits", "flu", 0.1 * i, ("a", "b")) for i in range(3)]
    for charge in charges:
        history.charge(charge)
    history.charge(replace(charges[0], dataset="other"))
    (file,) = [f for f in (tmp_path / "history").iterdir() if f.is_file()]
    with file.open("ab") as lines:
        lines.write(b'{"job": "ab')
    assert history.charges("visits") == charges
    later = Charge("f" * 32, "visits", "flu", 0.5, ("a", "b"))
    history.charge(later)
    assert history.charges("visits") == [*charges, later]
    assert file.stat().st_mode & 0o077 == 0


def test_a_job_whose_answer_is_fetched_twice_is_charged_once(tmp_path: Path) -> None:
    """Two processes may wait for one job, or one may die between the charge and its end."""
    history = History(tmp_path)
    charge = Charge("a" * 32, "visits", "flu", 0.5, ("a", "b"))
    for _ in range(3):
        history.charge(charge)
    assert history.charges("visits") == [charge]


def test_an_answer_is_found_by_its_job(world: World, tmp_path: Path) -> None:
    history, plan = History(tmp_path), world.plan()
    kept = Remembered(world.sign(plan), b"", b"outcome")
    history.keep("k", kept)
    assert history.find_job(plan.job[:4]) == [("k", kept)]
    assert history.find_job("nothing") == []
