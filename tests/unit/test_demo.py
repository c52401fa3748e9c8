"""The demo's own judgement: it must notice what is not as it must be."""

from __future__ import annotations

import re
import signal
import time
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from exchange.analyst.answer import Answer
from exchange.commands.demo import at_most, undisturbed
from exchange.demo import acts, questions
from exchange.demo.proof import Compared, altered, compare
from exchange.demo.province import Province
from protos.faults import UnavailableError
from protos.identity import IdentityKey, unverified_claims


def answer(table: dict[str, list[Any]], ends: dict[str, list[Any]] | None) -> Answer:
    arrow, low_high = pa.table(table), None if ends is None else pa.table(ends)
    shown = SimpleNamespace(to_arrow=lambda: arrow, intervals=low_high)
    return cast("Answer", shown)


def test_figures_meet_their_own_truth_in_any_order() -> None:
    noisy = answer({"k": ["a", "b"], "n": [10, 99]}, {"n_low": [8, 95], "n_high": [12, 103]})
    first, second = compare(noisy, pa.table({"k": ["b", "a"], "n": [90, 11]}), ["k"])
    assert (first.group, first.truth, first.inside) == (("a",), 11, True)
    assert (second.group, second.truth, second.inside) == (("b",), 90, False)
    assert second.plausible  # outside, as one in twenty is; not broken


@pytest.mark.parametrize(
    ("truth", "inside", "plausible"),
    [(100, True, True), (104, True, True), (111, False, True), (113, False, False),
     (95, False, True), (93, False, False), (None, False, False)],
)  # fmt: skip
def test_each_side_of_an_interval_counts_for_itself(
    truth: int | None, inside: bool, plausible: bool
) -> None:
    compared = Compared(("a",), "n", 100, (98, 104), truth)
    assert (compared.inside, compared.plausible) == (inside, plausible)


def test_an_exact_figure_must_be_the_true_one() -> None:
    exact = answer({"k": ["a", "b"], "n": [10, 99]}, None)
    first, second = compare(exact, pa.table({"k": ["a", "b"], "n": [10, 98]}), ["k"])
    assert first.plausible
    assert not second.plausible


def test_a_group_that_nobody_has_is_not_plausible() -> None:
    [made_up] = compare(
        answer({"k": ["z"], "n": [1]}, None), pa.table({"k": ["a"], "n": [1]}), ["k"]
    )
    assert not made_up.plausible


def test_an_altered_receipt_keeps_its_old_signature() -> None:
    key = IdentityKey.generate()
    receipt = {"receipt": key.sign("vc+jwt", {"epsilon": 0.5}), "version": 1}
    forged = altered(receipt, lambda claims: claims.update(epsilon=0.05))
    assert unverified_claims(forged["receipt"]) == {"epsilon": 0.05}
    assert forged["receipt"].split(".")[2] == str(receipt["receipt"]).split(".")[2]
    assert unverified_claims(str(receipt["receipt"])) == {"epsilon": 0.5}


def test_the_truth_is_the_same_every_time_and_leaves_out_who_is_gone() -> None:
    statement = "SELECT COUNT(*) AS n FROM visits"
    assert Province(40).truth(statement).to_pylist() == [{"n": 200}]
    assert Province(40).truth(statement, without={"zhuhai"}).to_pylist() == [{"n": 160}]
    # Exact sums in a fixed order: a float average or a tie may come out either way.
    once, again = (Province(40).truth(questions.VERY_OLD.sql) for _ in range(2))
    assert once.equals(again)


def test_the_sample_has_a_group_that_must_be_hidden() -> None:
    rows = Province(20_000).truth(questions.VERY_OLD.sql).to_pylist()
    assert any(0 < row["visits"] < acts.MIN_GROUP for row in rows)
    assert sum(row["visits"] >= acts.MIN_GROUP for row in rows) > 2


def test_every_act_speaks_both_languages() -> None:
    for act in acts.ACTS:
        assert re.search(r"[\u4e00-\u9fff]", act.title.zh), act.title
        assert not re.search(r"[\u4e00-\u9fff]", act.title.en), act.title


def test_the_time_is_bounded() -> None:
    with pytest.raises(UnavailableError, match="not done"), at_most(0.05):
        time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_sigterm_ends_it_as_ctrl_c_does() -> None:
    with pytest.raises(KeyboardInterrupt), at_most(5):
        signal.raise_signal(signal.SIGTERM)


def test_a_second_ctrl_c_does_not_disturb_the_cleaning_up() -> None:
    before = signal.getsignal(signal.SIGINT)
    with undisturbed():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
