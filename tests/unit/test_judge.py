"""Each rule of the judge refuses what it should, names the column, and says what would pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catalog.algebra import Aggregate, Arith, ColumnRef, Constant, Expr, Key, Measure
from catalog.config import load_policy
from catalog.judge import Verdict, judge
from catalog.plan import Member, Plan
from catalog.plan_rules import OPEN_BFV_BITS
from catalog.policy import Policy
from catalog.refusal import Refusal, spoken
from catalog.uses import uses_of
from compute_nodes.protocols.he_sum.setup import NARROW_BITS
from protos.faults import PolicyError
from protos.language import Text
from tests.sql_world import DATASET, POLICY, planned

OWN = load_policy(POLICY, DATASET, "a")
GOOD = "SELECT district, COUNT(*), AVG(cost) FROM visits WHERE age > 3 GROUP BY district"


def verdict(plan: Plan, policy: Policy = OWN, now: int = 1000) -> Verdict:
    return judge(plan, DATASET, {"a": policy}, now=now)


def only(found: Verdict) -> Refusal:
    assert not found.allowed
    assert len(found.refusals) == 1, found
    return found.refusals[0]


def test_a_plain_plan_is_allowed():
    found = verdict(planned(GOOD))
    assert found == Verdict(())
    found.enforce()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"dataset": "other"}, "dataset"),
        ({"dataset_digest": "0" * 64}, "dataset"),
        ({"job": "x"}, "job"),
        ({"expires_at": 900}, "time"),
        ({"issued_at": 1100, "expires_at": 1200}, "time"),
        ({"threshold": 2}, "threshold"),
        ({"threshold": 4}, "threshold"),
        ({"roster": (Member("a", "1"), Member("a", "2"), Member("b", "3"))}, "roster"),
        ({"roster": (Member("a", "1"), Member("b", "1"), Member("c", "3"))}, "roster"),
        ({"roster": (Member("a", "1"), Member("b", "2"), Member("d", "3"))}, "roster"),
        ({"roster": ()}, "roster"),
        ({"protocol": "sealed"}, "protocol"),
        ({"delta": 1e-3}, "epsilon"),
        ({"epsilon": float("nan")}, "plan"),
        ({"epsilon": float("inf")}, "epsilon"),
        ({"epsilon": -1.0}, "plan"),
        ({"epsilon": 5e-324}, "plan"),
        ({"epsilon": 2.1}, "epsilon"),
        ({"project": "secret"}, "project"),
        ({"colluders": -1}, "colluders"),
        ({"colluders": 3}, "plan"),
        ({"epsilon": 1e-7, "bits": 32}, "bits"),
        ({"mode": "exact", "epsilon": 0.0, "delta": 0.0}, "grants"),
        ({"mode": "exact", "grants": ("x", "y", "z")}, "epsilon"),
    ],
)
def test_a_wrong_plan_is_refused(change: dict[str, Any], rule: str):
    found = verdict(replace(planned(GOOD), **change))
    assert rule in {r.rule for r in found.refusals}
    with pytest.raises(PolicyError):
        found.enforce()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"audience": ("wang",)}, "audience"),
        ({"max_cells": 5}, "max_cells"),
        ({"protocols": ("he_sum",)}, "protocol"),
        ({"min_parties": 4}, "min_parties"),
        ({"colluders": 1}, "colluders"),
    ],
)
def test_a_stricter_policy_refuses(change: dict[str, Any], rule: str):
    found = only(verdict(planned(GOOD), replace(OWN, **change)))
    assert (found.department, found.rule) == ("a", rule)


def test_the_analysts_own_department_does_not_count():
    plan = planned(GOOD, affiliation="b")
    assert (plan.own, plan.threshold, plan.colluders) == (1, 3, 1)
    found = only(verdict(plan))
    assert (found.rule, found.department) == ("min_parties", "a")
    assert "3 departments (without b, the analyst's own), this one could come from 2" in (
        found.message
    )
    assert verdict(plan, replace(OWN, min_parties=2)).allowed
    assert verdict(planned(GOOD, affiliation="elsewhere")).allowed
    telling = only(verdict(replace(plan, colluders=0), replace(OWN, min_parties=2)))
    assert (telling.rule, telling.department) == ("colluders", "a")
    assert "withstand 1 colluding departments (with b, the analyst's own)" in telling.message


@pytest.mark.parametrize("protocol", ["he_sum.bfv.open", "he_sum.paillier.open"])
def test_an_open_sum_needs_the_owners_word_for_it(protocol: Any):  # noqa: ANN401
    plan = planned("SELECT COUNT(*) FROM visits", protocol=protocol)
    assert plan.threshold == 3  # nothing but min_parties asks for more than one
    assert only(verdict(plan)).rule == "protocol"  # he_sum alone is no yes
    for listed in (protocol, "he_sum.open"):
        assert verdict(plan, replace(OWN, protocols=(listed,))).allowed
    willing = replace(OWN, protocols=("he_sum.open",))
    assert only(verdict(replace(plan, threshold=2), willing)).rule == "min_parties"
    assert verdict(replace(plan, threshold=2), replace(willing, min_parties=2)).allowed
    masked = planned("SELECT COUNT(*) FROM visits", protocol="he_sum.bfv")
    refused = only(verdict(masked, willing))
    assert refused.rule == "protocol"
    assert str(refused.rewrites[0]) == "use he_sum.bfv.open, he_sum.paillier.open"


def test_exact_figures_are_never_open():
    plan = planned("SELECT COUNT(*) FROM visits", mode="exact", protocol="he_sum.bfv.open")
    found = only(
        verdict(replace(plan, grants=("x", "y", "z")), replace(OWN, protocols=("he_sum.open",)))
    )
    assert found.rule == "open"
    assert "analyst and exchange together" in found.message
    assert found.rewrites[0] == "use he_sum.bfv or masked_sum"


def test_an_open_bfv_total_fits_one_slot():
    assert OPEN_BFV_BITS == NARROW_BITS
    sql = "SELECT VAR_POP(cost * 100) FROM visits"
    plan = planned(sql, protocol="he_sum.bfv.open")
    willing = replace(OWN, protocols=("he_sum.open",))
    found = only(verdict(plan, willing))
    assert found.rule == "open"
    assert "up to 47 bits" in found.message
    assert verdict(planned(sql, protocol="he_sum.paillier.open"), willing).allowed


def test_a_clock_that_is_off_is_said_so():
    plan = planned(GOOD)
    assert verdict(plan, now=950).allowed
    assert "in the future" in only(verdict(plan, now=900)).message
    assert "expired" in only(verdict(plan, now=1601)).message


@pytest.mark.parametrize(
    ("sql", "column", "says"),
    [
        ("SELECT SUM(rate) FROM visits", "rate", "may not be used"),
        ("SELECT cost > 5 c, COUNT(*) FROM visits GROUP BY c", "cost", "to group"),
        ("SELECT COUNT(sex) FROM visits", "sex", "to aggregate"),
        ("SELECT SUM(CASE WHEN free = 'x' THEN 1 END) FROM visits", "free", "may not be used"),
    ],
)
def test_a_use_that_is_not_allowed_names_the_column(sql: str, column: str, says: str):
    found = only(verdict(planned(sql)))
    assert (found.rule, found.column) == ("uses", column)
    assert says in found.message
    assert found.rewrites


def test_conditions_inside_measures_filter():
    plan = planned("SELECT SUM(CASE WHEN sex = 'F' THEN cost END), COUNT_IF(insured) FROM visits")
    assert uses_of(plan.aggregate) == {
        "cost": {"aggregate"}, "insured": {"filter"}, "sex": {"filter"},
    }  # fmt: skip
    assert verdict(plan).allowed


def test_a_narrower_code_list_may_not_be_left():
    narrow = load_policy(
        {**POLICY, "columns": {**POLICY["columns"], "district": {
            "uses": ["filter", "group"], "codes": ["440103"]}}}, DATASET, "a",
    )  # fmt: skip
    found = only(verdict(planned(GOOD), narrow))
    assert (found.rule, found.column) == ("values", "district")
    assert "440305" in found.message
    assert "'440103'" in found.rewrites[0]
    inside = "SELECT district, COUNT(*) FROM visits WHERE district = '440103' GROUP BY district"
    assert verdict(planned(inside), narrow).allowed
    outside = "SELECT COUNT(*) FROM visits WHERE district IN ('440103', '440104')"
    assert only(verdict(planned(outside), narrow)).rule == "values"


def test_an_owner_who_lists_sealed_answers_alone():
    alone = replace(DATASET, members=("a",))
    plan = replace(
        planned(GOOD), roster=(Member("a", "1"),), threshold=1, protocol="sealed",
    )  # fmt: skip
    found = judge(plan, alone, {"a": OWN}, now=1000)
    assert {r.rule for r in found.refusals} == {"dataset"}  # the digest is another's


def test_a_forged_aggregate_is_refused_not_raised():
    forged = Aggregate("visits", None, (Key(ColumnRef("nobody"), ("x",)),), (Measure("rows"),))
    found = only(verdict(replace(planned(GOOD), aggregate=forged)))
    assert found.rule == "plan"


def test_bounds_beyond_any_float_are_refused_not_raised():
    power: Expr = ColumnRef("age")
    for _ in range(60):
        power = Arith("*", power, Arith("*", ColumnRef("age"), Constant(10**18, "integer")))
    forged = Aggregate("visits", None, (), (Measure("sum_squares", power),))
    assert "128 bits" in only(verdict(replace(planned(GOOD), aggregate=forged))).message


def test_every_department_is_heard():
    other = replace(OWN, department="b", audience=("wang",))
    found = judge(planned(GOOD), DATASET, {"a": OWN, "b": other}, now=1000)
    assert [r.department for r in found.refusals] == ["b"]
    with pytest.raises(PolicyError, match="b: 'li' is not in the audience"):
        found.enforce()


def test_an_exact_statement_has_rules_of_its_own():
    sql = "SELECT COUNT(*), SUM(cost) FROM visits"
    found = only(verdict(replace(planned(sql, mode="exact"), grants=("x", "y", "z"))))
    assert (found.rule, found.column) == ("exact_nulls", "cost")
    assert "COUNT(cost) instead of COUNT(*)" in found.rewrites[0]
    assert verdict(planned(sql)).allowed


def test_one_refusal_of_many_departments_is_said_once():
    no = [Refusal(who, "epsilon", "", Text("too much", "过多"), ("less",)) for who in "abc"]
    only_b = Refusal("b", "cells", "", "too many")
    found = Verdict((*no, only_b), ("a", "b", "c"))
    with pytest.raises(PolicyError) as refused:
        found.enforce()
    assert refused.value.message == "all 3 departments: too much; b: too many"
    assert refused.value.said.zh == "全部 3 个部门：过多；b：too many"
    assert refused.value.remedy == "less"
    some = Verdict(tuple(no[:2]), ("a", "b", "c"))
    assert [text.zh for text in spoken(some.refusals, some.departments)] == ["a、b：过多"]
    alone = Verdict((no[0],), ("a",))
    assert [text.en for text in spoken(alone.refusals, alone.departments)] == ["a: too much"]
    with pytest.raises(PolicyError) as own:
        alone.enforce(named=False)
    assert own.value.message == "too much"
