"""Answers of a real cluster: near the truth, exact under grants, proved by a receipt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.certificates.receipts import PLAN_TYPE
from catalog.codec import to_json
from compute_nodes.approval import approve, deny
from exchange.analyst.client import Question, Veil
from exchange.proof.receipt import verify_receipt
from exchange.submission import Submission
from protos.cards import Pins
from protos.faults import BudgetError, InputError, PolicyError, TrustError
from tests.cluster_world import COUNT, Asking, TestCluster, eventually


def test_an_ad_hoc_answer_is_near_the_truth_and_its_receipt_holds(
    cluster: TestCluster, veil: Veil
) -> None:
    answer = veil.sql("SELECT sex, COUNT(*) AS n, AVG(age) AS age FROM visits GROUP BY sex")
    found = answer.to_pandas().set_index("sex")
    truth = cluster.rows.groupby("sex").agg(n=("age", "size"), age=("age", "mean"))
    assert list(found.index) == list(truth.index)
    assert answer.intervals is not None
    intervals = answer.intervals.to_pandas().set_index(found.index)
    for column in ("n", "age"):
        half = (intervals[f"{column}_high"] - intervals[f"{column}_low"]) / 2
        # 95 % intervals: the truth lies within three times their width in all but 1 of 10^8 runs.
        assert ((found[column] - truth[column]).abs() <= 3 * half).all()
    assert (found["n"] != truth["n"]).any() or (found["age"] != truth["age"]).all()

    pins = Pins.load(cluster.cluster.directory / "analysts/analyst/pins.toml")
    report = verify_receipt(dict(answer.receipt), pins)
    assert report.ok, report.failures


def test_the_same_question_again_costs_nothing(cluster: TestCluster, veil: Veil) -> None:
    first = veil.sql(COUNT)
    job = cluster.last_job()
    assert veil.sql(COUNT).to_arrow() == first.to_arrow()
    assert cluster.last_job() == job
    assert veil.sql(COUNT, fresh=True).to_arrow() != first.to_arrow()
    assert cluster.last_job() != job


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT district, COUNT(*) AS n, SUM(cost) AS total FROM visits GROUP BY district",
        (
            "SELECT sex, insured, AVG(cost) AS mean, SUM(days) AS days FROM visits"
            " WHERE age >= 18 GROUP BY sex, insured"
        ),
    ],
)
def test_explain_predicts_the_bytes_of_the_ledger(
    cluster: TestCluster, veil: Veil, sql: str
) -> None:
    predicted = veil.explain(sql).bytes_out
    veil.sql(sql, fresh=True)
    job = cluster.last_job()
    for name in cluster.names:
        left = {step: n for step, n in cluster.left(name, job).items() if "/" in step}
        assert left.keys() == predicted.keys() or left.keys() == predicted.keys() - {"main/unmask"}
        assert all(size <= predicted[step] for step, size in left.items())
    # The party with the longest number is the one that is predicted.
    last = cluster.left(cluster.names[-1], job)
    assert {step: last[step] for step in last if "/" in step and step != "main/unmask"} == {
        step: size for step, size in predicted.items() if step != "main/unmask"
    }


def test_an_exact_answer_equals_pandas(cluster: TestCluster, veil: Veil) -> None:
    sql = (
        "SELECT department, COUNT(*) AS n, SUM(cost) AS total, AVG(age) AS age"
        " FROM visits WHERE insured GROUP BY department ORDER BY department"
    )
    cluster.grant(veil, sql)
    answer = veil.sql(sql, exact=True)
    found = answer.to_pandas().set_index("department")
    insured = cluster.rows[cluster.rows["insured"]]
    truth = insured.groupby("department").agg(
        n=("age", "size"), total=("cost", "sum"), age=("age", "mean")
    )
    assert (truth["n"] >= 5).all()
    assert list(found.index) == list(truth.index)
    assert (found["n"] == truth["n"]).all()
    assert ((found["total"].astype(float) - truth["total"]).abs() < 0.005).all()
    assert ((found["age"] - truth["age"]).abs() < 1e-9).all()
    assert answer.intervals is None
    for name in cluster.names:  # paid for by the grant, not by the budget
        assert cluster.budget(name, cluster.last_job()) is None

    # The grant is used up; the repeated answer is in the analyst's history.
    assert veil.sql(sql, exact=True).to_arrow() == answer.to_arrow()
    with pytest.raises(PolicyError) as used:
        veil.sql(sql, exact=True, fresh=True)
    assert used.value.code == "grant.used"
    # It allows this statement and no other.
    with pytest.raises(InputError) as other:
        veil.sql(sql.replace("WHERE insured", "WHERE age > 1"), exact=True)
    assert other.value.code == "grant.none"


def test_an_exact_average_of_a_boolean_hides_few_on_either_side(
    cluster: TestCluster, veil: Veil
) -> None:
    sql = "SELECT age, COUNT(*) AS n, AVG(insured) AS share FROM visits GROUP BY age"
    cluster.grant(veil, sql)
    found = veil.sql(sql, exact=True).to_pandas().set_index("age")
    rows = cluster.rows.groupby("age")["insured"].agg(["size", "sum", "mean"])
    assert len(found) > 0
    for age, row in found.iterrows():
        truth = rows.loc[age]
        assert (row["n"], row["share"]) == (truth["size"], pytest.approx(truth["mean"]))
        assert 5 <= truth["sum"] <= truth["size"] - 5
    assert (rows["size"] - rows["sum"]).between(1, 4).any()  # there was something to hide


def test_small_groups_of_an_exact_answer_are_hidden(cluster: TestCluster, veil: Veil) -> None:
    sql = "SELECT district, age, COUNT(*) AS n FROM visits WHERE age < 4 GROUP BY district, age"
    cluster.grant(veil, sql)
    answer = veil.sql(sql, exact=True)
    found = answer.to_pandas().set_index(["district", "age"])["n"]
    young = cluster.rows[cluster.rows["age"] < 4]
    truth = young.groupby(["district", "age"]).size()
    assert (truth < 5).any()
    assert len(found) > 0
    for key, n in found.items():
        assert n == truth.get(key, 0)
        assert n >= 5
    assert any("not shown" in note for note in answer.notes)


def test_a_denied_grant_gives_no_answer(cluster: TestCluster, veil: Veil) -> None:
    sql = "SELECT sex, SUM(cost) AS total FROM visits WHERE age > 90 GROUP BY sex"
    veil.request_grant(sql, "a study")
    victim, *others = cluster.names

    def waiting(name: str) -> list[str]:
        with cluster.store(name) as store:
            return [row.id for row in store.requests() if row.state == "waiting"]

    for name in cluster.names:
        assert eventually(lambda name=name: waiting(name))  # type: ignore[misc]
    # One has not answered, one has denied: both are named.
    deny(cluster.node(victim), waiting(victim)[0], "too old")
    approve(cluster.node(others[0]), waiting(others[0])[0], override=True)
    with pytest.raises(InputError) as refused:
        veil.sql(sql, exact=True)
    assert refused.value.code == "grant.waiting"
    assert victim in refused.value.message
    assert others[0] not in refused.value.message
    entry = next(e for e in veil.grants() if e["statement"] == sql)
    said = {"department": victim, "state": "denied", "body": "too old", "certificate": ""}
    assert said in entry["answers"]
    for name in others[1:]:
        with cluster.store(name) as store:
            for row in store.requests():
                if row.state == "waiting":
                    with store.db.write() as db:
                        store.keep_answer(db, row.id, "denied", "cleaned up")


def test_budget_used_up_refuses_and_says_what_is_left(cluster: TestCluster, veil: Veil) -> None:
    # The share reaches for one such question. Fresh: a stored answer of another project is free.
    assert len(veil.sql(COUNT, project="small", epsilon=0.5, fresh=True).to_arrow()) == 2
    job = cluster.last_job()
    with pytest.raises(BudgetError) as refused:
        veil.sql(COUNT, project="small", epsilon=0.5, fresh=True)
    error = refused.value
    assert error.code == "budget.exhausted"
    assert "epsilon = 0.5" in error.message
    assert "is left" in error.message
    assert "--epsilon" in error.remedy
    assert cluster.last_job() != job  # it was the nodes that refused
    for name in cluster.names:
        row = cluster.budget(name, cluster.last_job())
        assert row is None or row.state == "undone"


@pytest.mark.parametrize(
    ("sql", "options", "rule", "says", "rewrite"),
    [
        ("SELECT cost > 100 AS dear, COUNT(*) AS n FROM visits GROUP BY 1", {}, "policy.uses",
         "column 'cost' may not be used to group", "to group, use"),
        (COUNT, {"epsilon": 3.0}, "policy.epsilon", "above the ceiling 2", "epsilon 2 or less"),
        (COUNT, {"project": "none"}, "policy.project", "'none' is unknown", "projects: default"),
        (("SELECT district, diagnosis, visit_date, COUNT(*) AS n FROM visits"
         " GROUP BY district, diagnosis, visit_date"), {}, "policy.max_cells", "cells",
         "fewer keys"),
        (COUNT, {"without": ["guangzhou", "shenzhen", "foshan"]}, "policy.min_parties",
         "3 departments", "ask over more departments"),
    ],
)  # fmt: skip
def test_refusals_name_column_rule_and_rewrite(
    cluster: TestCluster, veil: Veil, sql: str, options: dict[str, object], rule: str, says: str,
    rewrite: str,
) -> None:  # fmt: skip
    before = cluster.last_job()
    with pytest.raises((PolicyError, InputError)) as refused:
        veil.sql(sql, **options)  # type: ignore[arg-type]
    assert refused.value.code == rule
    assert says in refused.value.message
    assert rewrite in refused.value.remedy
    assert cluster.last_job() == before  # refused before anything was sent


def test_an_analysts_own_department_does_not_count(cluster: TestCluster) -> None:
    own, *others = cluster.names
    with cluster.connect("insider") as veil:
        text = veil.explain(COUNT, protocol="masked_sum").text()
        assert f"{own} is the analyst's own" in text
        before = cluster.last_job()
        with pytest.raises(PolicyError) as refused:
            veil.sql(COUNT, without=others[:2])
        assert refused.value.code == "policy.min_parties"
        assert f"without {own}, the analyst's own" in refused.value.message
        assert cluster.last_job() == before
        assert len(veil.sql(COUNT, without=others[:1], protocol="masked_sum").to_arrow()) == 2
        # A program of one's own that hides it gets no further than the nodes.
        plan = replace(veil.prepare(Question(COUNT, protocol="masked_sum")).plan, affiliation="")
        token = veil.profile.identity.sign(PLAN_TYPE, to_json(plan))
        veil._link.submit(Submission(token).encode(), job=plan.job)
        list(veil._link.watch(plan.job))
        with pytest.raises(TrustError) as hidden:
            veil._link.fetch(plan.job)
        assert hidden.value.code == "plan.affiliation"
        assert all(cluster.budget(name, plan.job) is None for name in cluster.names)


def test_many_at_once(cluster: TestCluster) -> None:
    asked = [
        Asking(cluster, COUNT.replace("FROM visits", f"FROM visits WHERE age > {age}"))
        for age in (10, 20, 30, 40)
    ]
    for question in asked:
        assert len(question.answer().to_arrow()) == 2
