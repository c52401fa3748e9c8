"""The audit journal: nothing is done that it does not hold, and nothing is added by its callers."""

from __future__ import annotations

import resource
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from catalog.access.audit import FILE, Audit
from catalog.journal import Head
from protos.faults import TrustError, UnavailableError


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[Audit]:
    made = Audit(tmp_path, lambda: 1_700_000_000_123)
    made.open()
    yield made
    made.close()


def test_many_at_once_are_all_there_once(audit: Audit) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: audit.write({"action": "x", "n": n}), range(400)))
    found = audit.before(None, 500)
    assert {entry.record["n"] for entry in found} == set(range(400))
    assert [entry.index for entry in found] == list(range(400, 0, -1))
    assert audit.verify().entries == 400


def test_who_waits_is_written_together(audit: Audit) -> None:
    commits = 0

    def count(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"

    audit._writing._open_connection().set_trace_callback(count)
    assert audit._lock.acquire()
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(audit.write, {"n": n}) for n in range(16)]
        while len(audit._queue) < len(waiting):
            threading.Event().wait(0.001)
        audit._lock.release()
        for each in waiting:
            each.result()
    assert commits == 1


def test_line_breaks_do_not_make_entries(audit: Audit, tmp_path: Path) -> None:
    forged = 'x","at":1}\r\n{"action":"account.write","account":"root'
    audit.write({"action": "x", "path": forged})
    (entry,) = audit.before(None, 10)
    assert entry.record == {"action": "x", "path": forged, "at": 1_700_000_000_123}
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        (text,) = db.execute("SELECT record FROM audit").fetchone()
    assert "\n" not in text
    assert "\r" not in text


def test_one_call_does_not_fill_the_disk(audit: Audit) -> None:
    audit.write({"path": "x" * 1_000_000})
    assert len(audit.before(None, 1)[0].record["path"]) == 2000


def test_a_full_disk_refuses_and_what_was_written_stays(audit: Audit, tmp_path: Path) -> None:
    audit.write({"n": 1})
    size = max(each.stat().st_size for each in tmp_path.iterdir())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(UnavailableError) as raised:
            for n in range(1000):
                audit.write({"n": n, "path": "x" * 2000})
        assert raised.value.code == "audit.failed"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    audit.write({"n": 2})
    assert audit.verify().entries == audit.before(None, 1)[0].index


def test_alterations_are_named(audit: Audit, tmp_path: Path) -> None:
    for n in range(10):
        audit.write({"n": n})
    noted = audit.verify()
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("UPDATE audit SET record = replace(record, '6', '7') WHERE entry = 7")
    with pytest.raises(TrustError, match="entry 7"):
        audit.verify()
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute(
            "UPDATE audit SET record = replace(record, '\"n\":7', '\"n\":6') WHERE entry = 7"
        )
        db.execute("DELETE FROM audit WHERE entry > 8")
        hash_8 = db.execute("SELECT hash FROM audit WHERE entry = 8").fetchone()[0]
        db.execute("UPDATE audit_head SET entries = 8, hash = ?", (hash_8,))
    assert audit.verify() == Head(8, hash_8)  # a cut with a new head: only a noted head tells
    with pytest.raises(TrustError, match="entry 9"):
        audit.verify(noted)
