"""The audit journal: nothing is done that it does not hold, and nothing is added by its callers."""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalog.access.audit import FILE, Audit
from catalog.journal import HashChain, Head
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


def test_who_waits_is_written_together(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    commits, added = 0, 0
    add = audit._add

    def count(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"

    def adding(*told: object) -> None:
        nonlocal added
        add(*told)  # type: ignore[arg-type]
        added += 1

    async def all_at_once() -> None:
        await asyncio.gather(*(audit.written({"n": n}) for n in range(100)))

    monkeypatch.setattr(audit, "_add", adding)
    audit._writing._open_connection().set_trace_callback(count)
    with ThreadPoolExecutor(9) as pool:
        with audit._writing._lock:  # the writer waits with those that it has taken
            waiting = [pool.submit(audit.write, {"n": n}) for n in range(8)]
            waiting.append(pool.submit(asyncio.run, all_at_once()))
            while added < 108:
                threading.Event().wait(0.001)
        for each in waiting:
            each.result()
    assert commits <= 2
    assert audit.verify().entries == 108


def test_nobody_goes_on_before_the_commit(audit: Audit, tmp_path: Path) -> None:
    async def call(n: int) -> None:
        await audit.written({"n": n})
        with closing(sqlite3.connect(tmp_path / FILE)) as db:  # as who comes after a crash
            written = db.execute("SELECT record FROM audit").fetchall()
        assert n in {json.loads(text)["n"] for (text,) in written}

    async def calls() -> None:
        given_up = asyncio.create_task(call(100))
        await asyncio.sleep(0)
        given_up.cancel()  # whoever hangs up holds up nobody
        await asyncio.gather(*map(call, range(40)))

    asyncio.run(calls())
    assert audit.verify().entries == 41


def test_a_failure_is_everybodys_and_not_the_next_ones(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def calls() -> list[Any]:
        waiting = (audit.written({"n": n}) for n in range(10))
        return await asyncio.gather(*waiting, return_exceptions=True)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(HashChain, "extend", full)
        failures = asyncio.run(calls())
    assert [getattr(each, "code", None) for each in failures] == ["audit.failed"] * 10
    assert asyncio.run(calls()) == [None] * 10
    assert audit.verify().entries == 10
    audit.close()
    with pytest.raises(UnavailableError):
        audit.write({"n": 11})


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
