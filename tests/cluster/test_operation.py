"""Operation: one command up, one down, what listens where, who is out, and interruptions."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.identity.registry import ExchangeIdentity
from exchange.analyst.client import Veil
from exchange.cluster.processes import alive
from exchange.serving.serve import read_addresses
from protos.faults import InputError, TrustError, VeilError
from tests.cluster_world import (
    COUNT,
    ROUNDS,
    Asking,
    TestCluster,
    eventually,
    family,
    listening,
    running,
)

HELD = "zhuhai"
# A suite that was started in the background hands on an ignored SIGINT.
HEEDS_CTRL_C = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
OUT_S = 5.0  # a revoked member is out within so many seconds


def revoke(cluster: TestCluster, role: str, name: str) -> float:
    """Revokes as the operator does, in another process; returns when (monotonic seconds)."""
    identity = ExchangeIdentity(
        cluster.cluster.directory / "exchange", randomness=secrets.token_bytes
    )
    identity.open()
    try:
        assert identity.revoke(role, name, "test") == 1  # type: ignore[arg-type]
    finally:
        identity.close()
    return time.monotonic()


def test_one_command_up_an_answer_a_revocation_and_one_command_down(
    own_cluster: Callable[..., TestCluster], tmp_path: Path
) -> None:
    cluster = own_cluster(rows=200)
    directory = cluster.cluster.directory
    up = cluster.run("up", "--dir", directory, "--config", cluster.config, timeout_s=100)
    assert up.returncode == 0, up.stderr
    assert str(directory / "analyst.toml") in up.stdout
    everybody = {pid for p in cluster.cluster.processes() for pid in family(p.pid)}
    assert len(running(everybody)) > 2 * len(cluster.names)  # each node has query workers

    with pytest.raises(InputError, match="is running") as again:
        cluster.up()
    assert "veil down" in again.value.remedy

    receipt, table = tmp_path / "receipt.json", tmp_path / "table.csv"
    asked = cluster.run(
        "sql", "--profile", directory / "analyst.toml", COUNT,
        "--receipt", receipt, "--output", table,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    assert json.loads(receipt.read_text("utf-8"))["version"] == 1
    assert "Certificate: " in asked.stdout
    truth = cluster.rows.groupby("sex").size()
    for line in table.read_text("utf-8").splitlines()[1:]:
        sex, n, *_ = (cell.strip('"') for cell in line.split(","))
        assert abs(float(n) - truth[sex]) < 100  # σ about 10
    pins = directory / "analysts/analyst/pins.toml"
    verified = cluster.run("verify", receipt, "--pins", pins)
    assert verified.returncode == 0, verified.stdout

    node = cluster.process(HELD)
    revoke(cluster, "department", HELD)
    assert eventually(lambda: not alive(node), OUT_S), "a revoked node goes on"
    assert "revoked" in Path(node.log).read_text("utf-8")

    down = cluster.run("down", "--dir", directory)
    assert down.returncode == 0, down.stderr
    assert eventually(lambda: not running(everybody), 5)
    with pytest.raises(InputError, match="no cluster"):
        cluster.cluster.down()


def test_nodes_listen_on_nothing_and_the_exchange_on_two_ports(
    cluster: TestCluster, veil: Veil
) -> None:
    veil.sql(COUNT)  # query workers have been used
    for name in cluster.names:
        assert listening(family(cluster.process(name).pid)) == set(), name
    addresses = read_addresses(cluster.cluster.directory / "exchange")
    assert addresses is not None
    ports = {int(a.rpartition(":")[2].rstrip("/")) for a in (addresses.grpc, addresses.enrolment)}
    assert listening(family(cluster.process("exchange").pid)) == ports
    assert len(ports) == 2


def test_a_revoked_analyst_is_out_also_in_the_middle_of_a_question(cluster: TestCluster) -> None:
    with cluster.connect("leaving") as veil:
        veil.federation()
        cluster.hold(HELD)
        asking = Asking(cluster, analyst="leaving")
        asking.until("answered", cluster.names[0], ROUNDS[0])
        at = revoke(cluster, "analyst", "leaving")
        with pytest.raises(TrustError, match="revoked"):
            asking.answer(OUT_S)
        assert time.monotonic() - at < OUT_S
        with pytest.raises(TrustError, match="revoked"):
            veil.federation()
    with pytest.raises(VeilError), cluster.connect("leaving") as again:
        again.federation()


def test_ctrl_c_cancels_and_nothing_is_spent(cluster: TestCluster) -> None:
    cluster.hold(HELD)
    before = cluster.last_job()
    command = cluster.veil("sql", "--fresh", "--protocol", "masked_sum", COUNT)
    with subprocess.Popen(
        [sys.executable, "-c", HEEDS_CTRL_C, *command, "--profile", str(cluster.profile())],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        first = cluster.names[0]
        assert eventually(lambda: cluster.last_job() != before)
        job = cluster.last_job()
        assert eventually(lambda: "main/advertise" in cluster.left(first, job))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "cancelled" in output, (process.returncode, output)
    assert "Traceback" not in output
    cluster.resume(HELD)

    def given_back() -> bool:
        rows = [cluster.budget(name, job) for name in cluster.names]
        return all(row is None or row.state == "undone" for row in rows)

    assert eventually(given_back)


def test_an_analyst_sees_no_job_of_another(cluster: TestCluster, veil: Veil) -> None:
    veil.sql(COUNT, fresh=True, protocol="masked_sum")
    job = cluster.last_job()
    with cluster.connect("second") as other:
        for call in (other._link.fetch, other._link.cancel, lambda job: list(other._link.watch(job))):  # fmt: skip # noqa: E501
            with pytest.raises(VeilError, match="no such job of yours"):
                call(job)
