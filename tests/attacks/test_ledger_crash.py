"""A node killed at every step between reserving budget and sending: the budget stays spent.

Each test runs a real process that walks the steps of a job on a real file and is killed with
SIGKILL at one of them; then the file is opened again and asked what it knows.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compute_nodes.store import NodeStore
from protos.faults import ProtocolError

ROOT = Path(__file__).resolve().parents[2]
JOB = "ab" * 16
STEPS = ("begun", "reserved", "computed", "persisted", "released")
WALK = """
import sys, time
from pathlib import Path
from compute_nodes.ledger import Charge
from compute_nodes.store import Answered, NodeStore

def at(step):
    print(step, flush=True)
    if step == sys.argv[2]:
        time.sleep(60)

job = "ab" * 16
store = NodeStore(Path(sys.argv[1]))
store.open()
store.begin(job, 1, lambda: b"s" * 32)
at("begun")
with store.db.write() as db:
    store.budget.reserve(db, Charge(job, "visits", "p", "ana", 0.25, 1.0, 1.0, 4), 2)
at("reserved")
noised = b"[1, 2, 3]"
at("computed")
store.keep_values(job, {"part": noised})
at("persisted")
answer = Answered("main/masked", b"request", "message", b"masked 1 2 3")
store.keep(job, answer, recipient="exchange", at=3, releases=True)
at("released")
"""


def killed_at(tmp_path: Path, step: str) -> NodeStore:
    path = tmp_path / "store.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", WALK, str(path), step],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == step:
                process.kill()
                break
        process.wait()
    store = NodeStore(path)
    store.open()
    return store


@pytest.mark.parametrize("step", STEPS)
def test_killed(tmp_path: Path, step: str) -> None:
    store = killed_at(tmp_path, step)
    reached = STEPS.index(step)
    try:
        # The seed survives, so the job comes back with the same masks or not at all.
        assert store.begin(JOB, 9, lambda: b"other" * 8) == b"s" * 32
        with store.db.read() as db:
            spent = store.budget.spent(db, "visits")
        assert spent == (0.25 if reached >= 1 else 0.0)
        assert store.value(JOB, "part") == (b"[1, 2, 3]" if reached >= 3 else None)
        answered = store.answered(JOB, "main/masked", b"request")
        assert (answered is not None) == (reached >= 4)
        with store.db.read() as db:
            left = store.egress.rows(db, JOB)
        assert len(left) == (1 if reached >= 4 else 0)
        with store.db.write() as db:
            given_back = store.budget.undo(db, JOB)
        # Only a job that stored nothing that depends on data gets its budget back.
        assert given_back == (1 <= reached < 4)
        with store.db.read() as db:
            assert store.budget.spent(db, "visits") == (0.25 if reached >= 4 else 0.0)
            store.budget.verify(db)
            store.egress.verify(db)
    finally:
        store.close()


def test_after_a_crash_the_same_request_gets_the_same_bytes_and_no_other(tmp_path: Path) -> None:
    store = killed_at(tmp_path, "released")
    try:
        again = store.answered(JOB, "main/masked", b"request")
        assert again is not None
        assert again.reply == b"masked 1 2 3"
        with pytest.raises(ProtocolError, match="already answered"):
            store.answered(JOB, "main/masked", b"another survivor set")
    finally:
        store.close()


STORM = """
import sys
from pathlib import Path
from compute_nodes.ledger import Charge
from compute_nodes.store import Answered, NodeStore

store = NodeStore(Path(sys.argv[1]))
store.open()
for i in range(100_000):
    job = f"{i:032x}"
    store.begin(job, i, lambda: b"s" * 32)
    with store.db.write() as db:
        store.budget.reserve(db, Charge(job, "visits", "p", "ana", 1e-4, 1e9, 1e9, 10**9), i)
    answer = Answered("main/masked", b"request", "message", b"x" * 100)
    store.keep(job, answer, recipient="exchange", at=i, releases=True)
    print(i, flush=True)  # what was acknowledged
"""


def test_killed_in_full_flight_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    acknowledged = -1
    with subprocess.Popen(
        [sys.executable, "-c", STORM, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged >= 60:
                process.kill()
                break
        process.wait()
    store = NodeStore(path)
    store.open()
    try:
        with store.db.read() as db:
            rows = store.budget.rows(db, limit=10**6)
            released = {row.job for row in rows if row.state == "released"}
            assert {f"{i:032x}" for i in range(acknowledged + 1)} <= released
            left = {line["job"] for line in store.egress.rows(db)}
            assert left == released  # never one without the other
            store.budget.verify(db)
            store.egress.verify(db)
    finally:
        store.close()
