"""What a node remembers: answers write-once, seeds once, values once, grants for one release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compute_nodes.store import Answered, JobRow, NodeStore
from protos.faults import InputError, PolicyError, ProtocolError

JOB = "ab" * 16


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    store = NodeStore(tmp_path / "store.sqlite")
    store.open()
    store.begin(JOB, 1, lambda: b"s" * 32)
    yield store
    store.close()


def keep(store: NodeStore, round_: str, request: bytes = b"q", reply: bytes = b"r", **options: bool) -> None:  # fmt: skip # noqa: E501
    store.keep(
        JOB, Answered(round_, request, "message", reply), recipient="exchange", at=5,
        releases=options.get("releases", False),
    )  # fmt: skip


def again(store: NodeStore, tmp_path: Path) -> NodeStore:
    store.close()
    opened = NodeStore(tmp_path / "store.sqlite")
    opened.open()
    return opened


def test_the_file_is_for_its_owner_only(store: NodeStore, tmp_path: Path) -> None:
    assert (tmp_path / "store.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_seed_is_made_once(store: NodeStore, tmp_path: Path) -> None:
    store = again(store, tmp_path)
    assert store.begin(JOB, 9, lambda: b"x" * 32) == b"s" * 32
    store.close()


def test_an_answer_is_written_once_and_for_one_request(store: NodeStore, tmp_path: Path) -> None:
    keep(store, "main/shares")
    store = again(store, tmp_path)
    found = store.answered(JOB, "main/shares", b"q")
    assert found == Answered("main/shares", b"q", "message", b"r")
    assert store.answered(JOB, "main/masked", b"q") is None
    assert store.answered("cd" * 16, "main/shares", b"q") is None
    with pytest.raises(ProtocolError) as caught:
        store.answered(JOB, "main/shares", b"other")
    assert caught.value.code == "job.contradiction"
    with pytest.raises(Exception, match="read or written"):
        keep(store, "main/shares", reply=b"second")
    assert store.answered(JOB, "main/shares", b"q") == found
    store.close()


def test_answer_and_ledger_are_written_together_or_not_at_all(
    store: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ProtocolError("nothing may leave")

    monkeypatch.setattr(store.budget, "mark_released", fails)
    with pytest.raises(ProtocolError):
        keep(store, "main/masked", releases=True)
    assert store.answered(JOB, "main/masked", b"q") is None
    with store.db.read() as db:
        assert store.egress.rows(db) == []
    assert store.state(JOB) == "open"


def test_the_journal_keeps_the_order_of_answers(store: NodeStore) -> None:
    for round_ in ("plan", "main/shares", "main/advertise"):
        keep(store, round_)
    assert [a.round for a in store.journal(JOB)] == ["plan", "main/shares", "main/advertise"]


def test_bodies_stay_out_of_repr() -> None:
    assert "secret" not in repr(Answered("r", b"secret", "message", b"secret"))


def test_values_are_kept_once_and_forgotten_at_the_end(store: NodeStore) -> None:
    store.keep_values(JOB, {"part": b"[1]"})
    store.keep_values(JOB, {"part": b"[1]"})  # after a crash
    with pytest.raises(ProtocolError, match="another value"):
        store.keep_values(JOB, {"part": b"[2]", "other": b""})
    assert store.value(JOB, "part") == b"[1]"
    assert store.value(JOB, "other") is None
    store.end(JOB, "done")
    assert store.value(JOB, "part") is None
    assert store.begin(JOB, 9, lambda: b"x" * 32) == bytes(32)
    assert store.state(JOB) == "done"


def test_jobs_whose_time_is_over(store: NodeStore) -> None:
    row = JobRow(JOB, "ana", "visits", "SELECT 1", "adhoc", "open", 1)
    assert store.expired(10_000) == []  # a job without a plan has no end
    store.describe(row, 100)
    assert store.expired(99) == []
    assert store.expired(100) == [JOB]
    keep(store, "main/masked", releases=True)
    assert store.expired(100) == [JOB]
    store.end(JOB, "done")
    assert store.expired(100) == []
    (shown,) = store.jobs()
    assert (shown.analyst, shown.statement, shown.state) == ("ana", "SELECT 1", "done")


def test_unknown_states_are_refused_by_the_file_itself(store: NodeStore) -> None:
    with pytest.raises(Exception, match="read or written"):
        store.end(JOB, "almost")
    assert store.state(JOB) == "open"
    assert store.state("cd" * 16) is None


def test_a_grant_serves_one_job_per_snapshot(store: NodeStore, tmp_path: Path) -> None:
    store.check_grant("g", "s1", JOB)
    store.use_grant("g", "s1", JOB)
    store.use_grant("g", "s1", JOB)  # the same job may go on
    store = again(store, tmp_path)
    for call in (store.check_grant, store.use_grant):
        with pytest.raises(PolicyError) as caught:
            call("g", "s1", "cd" * 16)
        assert caught.value.code == "grant.used"
    store.use_grant("g", "s2", "cd" * 16)  # new data, new release
    store.use_grant("h", "s1", "cd" * 16)
    store.close()


def test_grant_requests_wait_for_their_owner(store: NodeStore) -> None:
    store.add_request("aa11", "token", 1)
    store.add_request("aa11", "another token", 2)  # the first one counts
    store.add_request("aa22", "token", 3)
    assert [row.id for row in store.requests()] == ["aa22", "aa11"]
    row = store.request("aa1")
    assert (row.token, row.state) == ("token", "waiting")
    for prefix in ("aa", "zz"):
        with pytest.raises(InputError, match="begin with"):
            store.request(prefix)
    assert "token" not in repr(row)
