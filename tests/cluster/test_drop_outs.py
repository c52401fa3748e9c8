"""Nodes that die: the job goes on or ends with a clear error, and the ledgers stay true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exchange.analyst.answer import Answer
from exchange.analyst.client import Veil
from exchange.proof.receipt import verify_receipt
from protos.faults import JobError
from tests.cluster_world import COUNT, ROUNDS, Asking, TestCluster, held_in

VICTIM, HELD = "foshan", "zhuhai"
RELEASING = ROUNDS[2:]  # once the masked value is stored, the budget is spent


def near(cluster: TestCluster, answer: Answer, without: str = "") -> bool:
    """Whether every figure of COUNT is within three interval widths of the truth."""
    rows = cluster.rows[cluster.rows["city"] != without]
    truth = rows.groupby("sex").size()
    found = answer.to_pandas().set_index("sex")["n"]
    assert answer.intervals is not None
    ends = answer.intervals.to_pandas()
    half = (ends["n_high"] - ends["n_low"]).to_numpy() / 2
    return bool(((found - truth).abs().to_numpy() <= 3 * half).all())


def test_one_node_down_is_named_and_the_others_answer(cluster: TestCluster, veil: Veil) -> None:
    cluster.kill(VICTIM)
    answer = veil.sql(COUNT, fresh=True, protocol="masked_sum")
    assert any(VICTIM in note and "4 of 5" in note for note in answer.notes)
    assert near(cluster, answer, without=VICTIM)
    assert cluster.budget(VICTIM, cluster.last_job()) is None
    cluster.start(VICTIM)
    assert near(cluster, veil.sql(COUNT, fresh=True, protocol="masked_sum"))


def test_two_nodes_down_is_a_clear_error(cluster: TestCluster, veil: Veil) -> None:
    cluster.kill(VICTIM)
    cluster.kill(HELD)
    with pytest.raises(JobError) as refused:
        veil.sql(COUNT, fresh=True, protocol="masked_sum")
    assert "3" in refused.value.message
    job = cluster.last_job()
    for name in set(cluster.names) - {VICTIM, HELD}:
        assert not any("masked" in step for step in cluster.left(name, job))


@pytest.mark.slow  # the others wait for a whole round, two minutes
@pytest.mark.timeout(300)
def test_a_query_that_dies_of_its_deadline_looks_like_a_machine_that_hangs(
    cluster: TestCluster,
) -> None:
    cluster.cluster.stop_node(VICTIM)
    settings = cluster.node(VICTIM) / "node.toml"
    before = settings.read_text("utf-8")
    lines = ["query_deadline_s = 0.0001" if "deadline" in x else x for x in before.splitlines()]
    settings.write_text("\n".join(lines), "utf-8")
    try:
        cluster.start(VICTIM)
        asking = Asking(cluster, COUNT)
        answer = asking.answer(200)
        assert asking.dropped() == {VICTIM}
        assert not any(step.what == "refused" for step in asking.seen)
        assert near(cluster, answer, without=VICTIM)
        line = cluster.budget(VICTIM, asking.job)
        assert line is not None
        assert line.state == "released"
        shown = cluster.run("node", "jobs", "--dir", cluster.node(VICTIM))
        assert "failed here" in " ".join(shown.stdout.split())
    finally:
        settings.write_text(before, "utf-8")
        cluster.cluster.stop_node(VICTIM)
        cluster.start(VICTIM)


@pytest.mark.parametrize(
    ("when", "round_"), [*(("after", round_) for round_ in ROUNDS[:-1]), ("before", "main/masked")]
)
def test_killed_and_restarted(cluster: TestCluster, when: str, round_: str) -> None:
    """Another node holds the round open meanwhile, so that the victim has time to come back."""
    asking = held_in(cluster, round_, {HELD, VICTIM} if when == "before" else {HELD})
    if when == "after":
        asking.until("answered", VICTIM, round_)
    cluster.kill(VICTIM)
    job = asking.job
    line, before = cluster.budget(VICTIM, job), stored(cluster, job)
    assert (round_ in before) == (when == "after")
    spent = line is not None and line.state == "released"
    assert spent == ("main/masked" in before)
    cluster.start(VICTIM)
    asking.until("answered", VICTIM, round_)
    cluster.resume(HELD)
    answer = asking.answer()
    assert asking.dropped() == set()
    assert near(cluster, answer)
    after = stored(cluster, job)
    assert {step: after[step] for step in before} == before  # what was said was not said anew
    assert {step: len(reply) for step, (_, reply) in after.items()} == cluster.left(VICTIM, job)
    with cluster.store(VICTIM) as store, store.db.read() as db:
        store.budget.verify(db)
        lines = [row.state for row in store.budget.rows(db, 10_000) if row.job == job]
    assert lines == ["released"]  # charged once


@pytest.mark.parametrize("round_", ["main/advertise", "main/masked", "main/consistency"])
def test_killed_and_not_restarted(cluster: TestCluster, round_: str) -> None:
    asking = held_in(cluster, round_, {VICTIM})
    cluster.kill(VICTIM)
    job, before = asking.job, cluster.left(VICTIM, asking.job)
    line = cluster.budget(VICTIM, job)
    spent = line is not None and line.state == "released"
    assert spent == ("main/masked" in before) == (ROUNDS.index(round_) > 2)
    answer = asking.answer()
    assert any(VICTIM in note for note in answer.notes)
    assert near(cluster, answer, without="" if spent else VICTIM)
    if spent:  # its value is in the total, and it was not there to sign for it
        assert_unsigned(answer)
    assert asking.dropped() == {VICTIM}
    for name in set(cluster.names) - {VICTIM}:
        line = cluster.budget(name, job)
        assert line is not None
        assert line.state == "released"


def assert_unsigned(answer: Answer) -> None:
    """Four of five signed: the receipt holds, and says who did not."""
    assert VICTIM not in answer.receipt["statements"]
    assert any(f"{VICTIM} answered, but" in note for note in answer.notes)
    report = verify_receipt(dict(answer.receipt))
    assert report.ok, report.failures
    [remark] = [check for check in report.checks if check.remark]
    assert f"{VICTIM} did not sign" in str(remark.what)


def test_killed_after_the_last_round(cluster: TestCluster, tmp_path: Path) -> None:
    """What everybody has paid for is not lost with one signature."""
    asking = held_in(cluster, "main/consistency", {HELD})
    asking.until("answered", VICTIM, "main/consistency")
    cluster.hold(VICTIM)
    cluster.resume(HELD)
    asking.until("round", text="receipt")
    cluster.kill(VICTIM)
    answer = asking.answer()
    assert near(cluster, answer)
    assert_unsigned(answer)
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(answer.receipt), "utf-8")
    said = cluster.run("verify", receipt)
    assert said.returncode == 0, said.stdout
    [line] = [line for line in said.stdout.splitlines() if f"{VICTIM} did not sign" in line]
    assert line.split()[0] == "!"


def stored(cluster: TestCluster, job: str) -> dict[str, tuple[bytes, bytes]]:
    """Every request that the victim answered, with the answer."""
    with cluster.store(VICTIM) as store:
        return {a.round: (a.request, a.reply) for a in store.journal(job)}
