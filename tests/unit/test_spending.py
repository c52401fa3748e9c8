"""The analyst's own record of what was spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.policy import Budget, Policy
from desensitize.budget import epsilon_for, rho_for
from exchange.analyst.history import CHARGES, Charge, History
from exchange.analyst.spending import running_sum

DELTA = 1e-6
RHO = rho_for(0.5, DELTA)


def charge(job: str, dataset: str = "visits", departments: tuple[str, ...] = ("a", "b")) -> Charge:
    return Charge(job, dataset, "default", RHO, departments)


def policy(department: str, cap: float) -> Policy:
    budget = Budget(epsilon=cap, default=0.5, ceiling=2.0, projects={"default": 1.0})
    return Policy(
        "visits", department, {}, "id", 1, 5, 2, 1000, ("masked_sum",), ("*",), budget
    )  # fmt: skip


def test_charges_are_kept_in_order_and_by_dataset(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    assert history.charges("visits") == []
    for each in (charge("1"), charge("2", "other"), charge("3")):
        history.charge(each)
    assert history.charges("visits") == [charge("1"), charge("3")]
    assert (tmp_path / "history" / CHARGES).stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_crash_cut_off_costs_no_more_than_itself(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.charge(charge("1"))
    with (tmp_path / CHARGES).open("a") as file:
        file.write('{"job": "2", "data\n[]\n')
    history.charge(charge("3"))
    assert [c.job for c in history.charges("visits")] == ["1", "3"]


def test_rho_is_added_up_not_epsilon() -> None:
    policies = {"a": policy("a", 20.0), "b": policy("b", 20.0)}
    text = running_sum([charge(str(n)) for n in range(4)], policies, "visits", DELTA).en
    assert f"epsilon {epsilon_for(4 * RHO, DELTA):.2f} of the 20 that each department" in text
    assert epsilon_for(4 * RHO, DELTA) < 2.0
    assert "charged answers: 4" in text


def test_the_department_nearest_to_its_limit_is_named() -> None:
    policies = {"a": policy("a", 20.0), "b": policy("b", 5.0)}
    text = running_sum([charge("1")], policies, "visits", DELTA)
    assert "of the 5 that b, nearest" in text.en
    assert "b" in text.zh


def test_who_was_not_asked_was_not_charged() -> None:
    policies = {"a": policy("a", 20.0), "b": policy("b", 20.0)}
    text = running_sum([charge("1", departments=("a",))], policies, "visits", DELTA).en
    assert "that a, nearest" in text


@pytest.mark.parametrize("answers", [0, 3])
def test_without_policies_only_the_number_is_said(answers: int) -> None:
    text = running_sum([charge(str(n)) for n in range(answers)], {}, "visits", DELTA).en
    assert text == f"Charged answers on visits so far: {answers}."
