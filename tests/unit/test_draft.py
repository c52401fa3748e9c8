"""The drafted plan: who, by which protocol, with which threshold and ring."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catalog.judge import judge
from catalog.plan import Protocol
from catalog.sql_gate import parse
from exchange.planner.bind import bind
from exchange.planner.draft import DirectoryView, draft, threshold_of
from protos.faults import InputError
from tests.sql_world import DATASET, FINGERPRINTS, analyst, directory, planned

SQL = "SELECT sex, COUNT(*) FROM visits GROUP BY sex"


def test_a_draft_passes_the_judge():
    plan = planned(SQL)
    policies = directory().policies["visits"]
    assert judge(plan, DATASET, policies, now=1000).allowed
    assert (plan.protocol, plan.threshold, plan.bits) == ("masked_sum", 3, 32)
    assert (plan.epsilon, plan.delta, plan.expires_at) == (0.5, 1e-6, 1600)
    assert [m.name for m in plan.roster] == ["a", "b", "c"]
    assert plan.roster[0].fingerprint == FINGERPRINTS["a"]
    assert plan.analyst_fingerprint == analyst().identity.fingerprint


def test_offline_members_get_time_and_bfv():
    plan = planned(SQL, view=directory(online=frozenset({"a"})))
    assert (plan.protocol, plan.threshold) == ("he_sum.bfv", 3)
    assert plan.expires_at - plan.issued_at > 3600
    assert judge(plan, DATASET, directory().policies["visits"], now=1000).allowed


def test_a_protocol_that_all_owners_take_part_in_is_preferred():
    policies = {
        name: replace(policy, protocols=("he_sum",))
        for name, policy in directory().policies["visits"].items()
    }
    assert planned(SQL, view=directory(policies={"visits": policies})).protocol == "he_sum.bfv"


def test_one_department_answers_sealed():
    alone = replace(DATASET, members=("a",))
    bound = bind(parse(SQL), {"visits": alone})
    options: dict[str, Any] = {
        "analyst": analyst(), "project": "default", "purpose": "t", "now": 1, "job": "0" * 32,
    }  # fmt: skip
    view = directory(policies={"visits": {"a": replace(
        directory().policies["visits"]["a"], colluders=2)}})  # fmt: skip
    plan = draft(bound, view, **options)
    assert (plan.protocol, plan.threshold, plan.colluders) == ("sealed", 1, 0)
    assert judge(plan, alone, view.policies["visits"], now=1).allowed
    with pytest.raises(InputError, match="does not fit"):
        draft(bound, view, protocol="masked_sum", **options)


def test_exact_takes_no_epsilon():
    plan = planned(SQL, mode="exact")
    assert (plan.epsilon, plan.delta, plan.mode) == (0.0, 0.0, "exact")
    with pytest.raises(InputError, match="no epsilon"):
        planned(SQL, mode="exact", epsilon=1.0)


def test_a_department_that_is_not_pinned_is_named():
    with pytest.raises(InputError, match="no pinned key for b, c"):
        planned(SQL, view=directory(fingerprints={"a": "0" * 64}))


def test_paillier_is_for_a_few_figures():
    assert planned(SQL, protocol="he_sum.paillier").protocol == "he_sum.paillier"
    with pytest.raises(InputError, match="too many for Paillier"):
        planned("SELECT age, COUNT(*) FROM visits GROUP BY age", protocol="he_sum.paillier")


@pytest.mark.parametrize(
    ("protocol", "members", "threshold"),
    [("masked_sum", 2, 2), ("masked_sum", 3, 3), ("masked_sum", 4, 3), ("masked_sum", 5, 4),
     ("masked_sum", 100, 67), ("he_sum.bfv", 5, 5), ("sealed", 1, 1), ("he_sum.bfv.open", 5, 1)],
)  # fmt: skip
def test_thresholds(protocol: Protocol, members: int, threshold: int):
    assert threshold_of(protocol, members) == threshold


def strict(min_parties: int) -> DirectoryView:
    policies = directory().policies["visits"]
    demanding = {
        name: replace(policy, min_parties=min_parties) for name, policy in policies.items()
    }
    return directory(policies={"visits": demanding})


def test_the_threshold_is_what_the_owners_ask_for():
    assert threshold_of("masked_sum", 9, 8) == 8
    assert threshold_of("masked_sum", 9, 10) == 9  # the judge says that it is too few
    assert planned(SQL, protocol="he_sum.bfv.open", view=strict(2)).threshold == 2
    own = planned(SQL, protocol="he_sum.bfv.open", view=strict(2), affiliation="c")
    assert (own.threshold, own.colluders) == (3, 0)  # each adds all of the noise: nobody to tell
    assert planned(SQL, view=strict(2), affiliation="c").colluders == 1
    assert planned(SQL, view=strict(2), affiliation="elsewhere").colluders == 0


def test_the_policy_of_who_is_not_asked_decides_nothing():
    policies = dict(directory().policies["visits"])
    policies["c"] = replace(policies["c"], protocols=("sealed",), colluders=2)
    plan = planned(SQL, view=directory(policies={"visits": policies}), without=frozenset({"c"}))
    assert (plan.protocol, plan.colluders) == ("masked_sum", 0)


def test_only_he_sum_is_told_how_long_to_wait():
    assert planned(SQL, protocol="he_sum.bfv", lifetime_s=30).expires_at == 1030
    with pytest.raises(InputError, match="deadlines of their own"):
        planned(SQL, lifetime_s=30)
    for seconds in (0, -1, 86_001):
        with pytest.raises(InputError, match="from 1 to"):
            planned(SQL, protocol="he_sum.bfv", lifetime_s=seconds)
