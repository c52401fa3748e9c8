"""he_sum over real processes: the same truth as in the clear, late departments included."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from catalog.certificates.receipts import PLAN_TYPE, read_plan
from catalog.codec import to_json
from catalog.plan import Plan, Protocol
from compute_nodes.jobs.sizes import predicted_bytes
from compute_nodes.protocols.he_sum import generate_bfv_key
from exchange.analyst.answer import Answer
from exchange.analyst.client import Question, Veil
from exchange.proof.receipt import verify_receipt
from exchange.submission import Submission
from protos.faults import JobError, TrustError
from tests.cluster_world import COUNT, Asking, TestCluster, eventually

BOTH: list[Protocol] = ["he_sum.bfv", "he_sum.paillier"]
MEANS = "SELECT sex, COUNT(*) AS n, AVG(cost) AS cost FROM visits GROUP BY sex ORDER BY sex"


def plan_of(veil: Veil, answer: Answer) -> Plan:
    return read_plan(veil.profile.identity.public, answer.receipt["plan"])


def assert_near(cluster: TestCluster, answer: Answer, without: str = "") -> None:
    """Within three times the 95 % intervals: missed in 1 of 10^8 runs."""
    found = answer.to_pandas().set_index("sex")
    rows = cluster.rows[cluster.rows["city"] != without]
    truth = rows.groupby("sex").agg(n=("age", "size"), cost=("cost", "mean"))
    assert answer.intervals is not None
    ends = answer.intervals.to_pandas().set_index(found.index)
    for column in ("n", "cost"):
        half = (ends[f"{column}_high"] - ends[f"{column}_low"]) / 2
        assert ((found[column].astype(float) - truth[column]).abs() <= 3 * half).all()


@pytest.mark.parametrize("protocol", BOTH)
def test_an_answer_is_near_the_truth_and_its_receipt_holds(
    cluster: TestCluster, veil: Veil, protocol: Protocol
) -> None:
    answer = veil.sql(MEANS, protocol=protocol, fresh=True)
    assert_near(cluster, answer)
    plan = plan_of(veil, answer)
    assert (plan.protocol, plan.threshold) == (protocol, len(cluster.names))
    report = verify_receipt(dict(answer.receipt), veil.profile.pins)
    assert report.ok, report.failures
    # What EXPLAIN predicts is what leaves.
    predicted = predicted_bytes(plan, veil.federation().datasets["visits"])
    for name in cluster.names:
        left = cluster.left(name, plan.job)["main/ciphertext"]
        slack = 0.01 if protocol == "he_sum.bfv" else 0.0  # SEAL compresses
        bound = predicted["main/ciphertext"]
        assert (1 - slack) * bound <= left <= bound


def test_a_stored_answer_is_opened_again_with_its_own_key(cluster: TestCluster, veil: Veil) -> None:
    sql = "SELECT insured, COUNT(*) AS n FROM visits GROUP BY insured"
    first = veil.sql(sql, protocol="he_sum.bfv")
    job = cluster.last_job()
    assert veil.sql(sql, protocol="he_sum.bfv").to_arrow() == first.to_arrow()
    assert cluster.last_job() == job
    keys = list((veil.profile.directory / "history").glob("*.key"))
    assert keys
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}


@pytest.mark.parametrize("protocol", BOTH)
def test_a_department_that_is_away_answers_when_it_is_back(
    cluster: TestCluster, protocol: Protocol
) -> None:
    late, early = cluster.names[0], cluster.names[1]
    cluster.cluster.stop_node(late)
    asking = Asking(cluster, MEANS, protocol=protocol)
    asking.until("absent", late)
    for name in cluster.names[1:]:
        asking.until("answered", name, "main/ciphertext")
    cluster.kill(early)  # it has answered; it is needed once more, to sign the receipt
    cluster.start(late)
    asking.until("answered", late, "main/ciphertext")
    cluster.start(early)
    answer = asking.answer()
    assert_near(cluster, answer)
    report = verify_receipt(dict(answer.receipt))
    assert report.ok, report.failures
    assert sorted(answer.receipt["statements"]) == sorted(cluster.names)
    for name in (late, early):
        row = cluster.budget(name, asking.job)
        assert row is not None
        assert row.state == "released"


def test_an_open_sum_is_of_who_came_before_the_deadline(cluster: TestCluster) -> None:
    late = cluster.names[0]
    cluster.cluster.stop_node(late)
    asking = Asking(cluster, MEANS, protocol="he_sum.bfv.open", wait_s=8)
    asking.until("absent", late)
    answer = asking.answer()
    assert asking.dropped() == {late}
    assert any(late in note and "4 of 5" in note for note in answer.notes)
    assert_near(cluster, answer, without=late)
    report = verify_receipt(dict(answer.receipt))
    assert report.ok, report.failures
    assert sorted(answer.receipt["statements"]) == sorted(cluster.names[1:])


def test_a_client_that_is_killed_while_it_waits_loses_nothing(
    cluster: TestCluster, veil: Veil
) -> None:
    """What the departments have been charged for is there for who comes back."""
    sql = "SELECT sex, insured, COUNT(*) AS n FROM visits GROUP BY sex, insured"
    late, profile, before = cluster.names[0], cluster.profile(), cluster.last_job()
    cluster.cluster.stop_node(late)
    assert eventually(lambda: late not in veil.federation().online)
    with subprocess.Popen(
        cluster.veil("sql", sql, "--profile", profile), stderr=subprocess.PIPE, text=True
    ) as process:
        assert eventually(lambda: cluster.last_job() != before)
        job = cluster.last_job()
        for name in cluster.names[1:]:
            assert eventually(lambda name=name: "main/ciphertext" in cluster.left(name, job))  # type: ignore[misc]
        process.kill()
        said = process.communicate()[1]
    for part in (f"Offline now: {late}", f"--without {late}", "--protocol masked_sum", job[:12]):
        assert part in said
    listed = cluster.run("jobs", "--profile", profile).stdout
    assert job[:12] in listed
    assert "waiting, until" in listed
    assert veil.submit(sql).id == job  # the same question joins it
    cluster.start(late)
    fetched = cluster.run("fetch", job[:12], "--profile", profile)
    assert fetched.returncode == 0, fetched.stderr
    assert "±" in fetched.stdout
    assert any("cost nothing" in note for note in veil.sql(sql).notes)
    assert cluster.last_job() == job
    assert job[:12] not in cluster.run("jobs", "--profile", profile).stdout
    charges = (veil.profile.directory / "history" / "charges.jsonl").read_text("utf-8")
    assert charges.count(job) == 1
    for name in cluster.names:
        with cluster.store(name) as store, store.db.read() as db:
            states = [row.state for row in store.budget.rows(db, 10_000) if row.job == job]
        assert states == ["released"], name


def test_exact_figures_are_exact(cluster: TestCluster, veil: Veil) -> None:
    sql = "SELECT department, COUNT(*) AS n, SUM(age) AS age FROM visits GROUP BY department"
    cluster.grant(veil, sql)
    answer = veil.sql(sql, exact=True, protocol="he_sum.bfv")
    found = answer.to_pandas().set_index("department").sort_index()
    truth = cluster.rows.groupby("department").agg(n=("age", "size"), age=("age", "sum"))
    truth = truth.loc[found.index]
    assert len(found) >= 5
    assert (found["n"] == truth["n"]).all()
    assert (found["age"].astype(int) == truth["age"]).all()
    assert verify_receipt(dict(answer.receipt), veil.profile.pins).ok
    left = cluster.left(cluster.names[0], plan_of(veil, answer).job)
    assert {"counts/masked", "values/ciphertext"} <= left.keys()
    assert "values/masked" not in left


def test_the_exchange_refuses_a_key_that_the_plan_does_not_name(veil: Veil) -> None:
    prepared = veil.prepare(Question(COUNT, protocol="he_sum.bfv"))
    named, other = generate_bfv_key().public, generate_bfv_key().public
    plan = dataclasses.replace(prepared.plan, he_key_digest=named.digest)
    token = veil.profile.identity.sign(PLAN_TYPE, to_json(plan))
    for key in (other.data, b""):
        with pytest.raises(TrustError, match=r"HE key|BFV key"):
            veil._link.submit(Submission(token, key).encode(), job=plan.job)


def test_giving_up_while_one_is_away_gives_the_others_their_reservation_back(
    cluster: TestCluster, veil: Veil
) -> None:
    late = cluster.names[0]
    cluster.cluster.stop_node(late)
    asking = Asking(cluster, COUNT, protocol="he_sum.bfv")
    asking.until("absent", late)
    asking.until("accepted", cluster.names[1])
    job = asking.job
    assert veil._link.cancel(job)
    with pytest.raises(JobError, match="cancelled"):
        asking.answer()
    cluster.start(late)
    assert eventually(lambda: cluster.budget(late, job) is None)


def test_the_command_line_asks_and_verifies(cluster: TestCluster, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    arguments = ("sql", "--profile", cluster.profile(), "--protocol", "he_sum.bfv", "--fresh")
    found = cluster.run(*arguments, "--receipt", receipt, MEANS)
    assert found.returncode == 0, found.stderr
    assert "±" in found.stdout
    assert cluster.run("verify", receipt).returncode == 0
