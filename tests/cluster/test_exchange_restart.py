"""`kill -9` of the exchange in every round: the same call gets its answer, at one charge."""

from __future__ import annotations

import pytest

from exchange.analyst.client import Veil
from protos.faults import JobError
from tests.cluster.test_drop_outs import near
from tests.cluster_world import COUNT, ROUNDS, Asking, TestCluster, eventually, held_in

HELD = "zhuhai"


def charges(cluster: TestCluster, name: str, job: str) -> list[str]:
    with cluster.store(name) as store, store.db.read() as db:
        store.budget.verify(db)
        return [row.state for row in store.budget.rows(db, 10_000) if row.job == job]


@pytest.mark.parametrize("round_", ROUNDS)
def test_killed_in_any_round_it_answers_the_same_call(cluster: TestCluster, round_: str) -> None:
    asking = held_in(cluster, round_, {HELD})
    job = asking.job
    left = {name: cluster.left(name, job) for name in cluster.names}
    cluster.kill("exchange")
    cluster.start_exchange()
    cluster.resume(HELD)
    answer = asking.answer()
    assert asking.job == job, "no second job"
    assert asking.dropped() == set()
    assert near(cluster, answer)
    opened = [p.text for p in asking.seen if p.what == "round"]
    assert opened == [*ROUNDS, "receipt"], "a watch goes on where it was"
    for name in cluster.names:
        assert charges(cluster, name, job) == ["released"]
        assert cluster.left(name, job).items() >= left[name].items()
    running = cluster.cluster.directory / "exchange" / "running"
    assert eventually(lambda: list(running.iterdir()) == [])


def test_a_job_that_waits_for_a_department_outlives_a_stop_and_a_kill(
    cluster: TestCluster,
) -> None:
    cluster.kill(HELD)
    asking = Asking(cluster, protocol="he_sum.bfv")
    asking.until("answered", cluster.names[0], "main/ciphertext")
    job = asking.job
    cluster.stop_exchange()  # an operator's restart is no reason to lose it either
    cluster.start_exchange()
    cluster.kill("exchange")
    cluster.start_exchange()
    cluster.start(HELD)
    assert near(cluster, asking.answer())
    for name in cluster.names:
        assert charges(cluster, name, job) == ["released"]


@pytest.mark.slow  # waits as long as departments are given to come back
def test_a_node_that_died_meanwhile_is_waited_for_and_then_named(
    cluster: TestCluster, veil: Veil
) -> None:
    asking = held_in(cluster, "main/masked", {HELD})
    cluster.kill("exchange")
    cluster.kill(HELD)
    cluster.start_exchange()
    answer = asking.answer()
    assert asking.dropped() == {HELD}
    assert near(cluster, answer, without=HELD)
    cluster.start(HELD)
    assert near(cluster, veil.sql(COUNT, fresh=True, protocol="masked_sum"))


def test_a_job_whose_journal_is_lost_ends_with_a_clear_error(
    cluster: TestCluster, veil: Veil
) -> None:
    cluster.hold(HELD)
    asking = Asking(cluster)
    asking.until("answered", cluster.names[0], ROUNDS[0])
    job = asking.job
    cluster.kill("exchange")
    (cluster.cluster.directory / "exchange" / "running" / f"{job}.journal").unlink()
    cluster.start_exchange()
    with pytest.raises(JobError) as failed:
        asking.answer()
    assert failed.value.code == "job.restarted"
    assert "ask again" in failed.value.remedy
    for name in cluster.names:
        assert "released" not in charges(cluster, name, job)
    cluster.heal()  # every node is back
    assert len(veil.sql(COUNT, fresh=True, protocol="masked_sum").to_arrow()) == 2
