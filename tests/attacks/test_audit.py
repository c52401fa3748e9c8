"""The audit journal: nothing is done that it does not hold, and nothing is added by its callers."""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalog.access.audit import FILE, Audit
from catalog.access.strangers import StrangerLimits
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

    def adding(record: dict[str, Any], done: Any, *, share: None) -> bool:  # noqa: ANN401
        nonlocal added
        waits = add(record, done, share=share)
        added += 1
        return waits

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


# ---- strangers -------------------------------------------------------------------------------


class Clock:
    ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


def few(directory: Path, clock: Clock) -> Audit:
    made = Audit(directory, clock, StrangerLimits(each=3, together=10, sources=5))
    made.open()
    return made


def guess(audit: Audit, source: str, account: str = "root") -> None:
    audit.write({"action": "login.enter", "account": account, "source": source,
                 "outcome": "refused"}, share="visitors")  # fmt: skip


def test_what_a_stranger_repeats_is_one_entry_with_a_count_and_two_times(tmp_path: Path) -> None:
    clock = Clock()
    audit = few(tmp_path, clock)
    for _ in range(100):
        guess(audit, "192.0.2.1")
        clock.ms += 1
    guess(audit, "192.0.2.2", "li")
    audit.write({"action": "login.enter", "account": "root", "source": "192.0.2.1"})
    records = [each.record for each in reversed(audit.before(None, 500))]
    assert [each.get("next") for each in records] == [None, None, "counted", None, None]
    clock.ms += 3_600_000
    guess(audit, "192.0.2.1")
    (counted,) = [each.record for each in audit.before(None, 500) if "calls" in each.record]
    assert counted == {
        "action": "login.enter", "account": "root", "source": "192.0.2.1", "outcome": "refused",
        "calls": 97, "first": Clock.ms + 3, "last": Clock.ms + 99, "at": clock.ms,
    }  # fmt: skip
    assert audit.verify().entries == 7
    audit.close()


def test_strangers_from_everywhere_fill_no_disk_and_hide_neither_account_nor_member(
    tmp_path: Path,
) -> None:
    audit = few(tmp_path, Clock())
    for number in range(5000):
        guess(audit, f"2001:db8:{number:x}::/64", account="" if number % 100 else "root")
    audit.write({"action": "data.use", "account": "nobody"}, share="members")
    audit.write({"action": "account.write", "account": "root"})
    audit.close()  # what was counted is not lost
    audit.open()
    records = [each.record for each in audit.before(None, 500)]
    assert len(records) <= 10 + 2 + 2 * 5 + 2
    assert sum(int(each.get("calls", 1)) for each in records) == 5002
    assert "all strangers counted" in {each.get("next") for each in records}
    assert sum(each.get("calls", 1) for each in records if each["account"] == "root") == 51
    audit.close()


def test_at_full_speed_strangers_need_years_for_a_disk(tmp_path: Path) -> None:
    """The longest entries, of all strangers together: less than 40 GB a year, of any number."""
    clock = Clock()
    audit = Audit(tmp_path, clock)
    audit.open()
    sizes = []
    for hour in range(2):
        for number in range(2500):
            record = {"action": "data.use", "path": '"' * 9000, "query": "é" * 9000,
                      "source": f"2001:db8:{number:x}::/64", "account": "x" * 9000}  # fmt: skip
            for share in ("visitors", "members"):
                # As the group commit has it: nobody waits for the one before.
                audit._add(record, Future(), share=share)  # type: ignore[arg-type]
        clock.ms += 3_600_001
        audit.write({"action": "x", "n": hour}, share="visitors")
        audit._writing.settle()
        sizes.append((tmp_path / FILE).stat().st_size)
    assert (sizes[1] - sizes[0]) * 24 * 366 < 40e9
    audit.close()


def test_what_was_counted_waits_for_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    clock = Clock()
    audit = few(tmp_path, clock)
    for _ in range(50):
        guess(audit, "192.0.2.1")
    clock.ms += 3_600_000
    with monkeypatch.context() as broken:
        broken.setattr(HashChain, "extend", full)
        with pytest.raises(UnavailableError):
            guess(audit, "192.0.2.1")
    audit.write({"action": "x"})
    assert [each.record["calls"] for each in audit.before(None, 500) if "calls" in each.record] == [
        47
    ]
    audit.close()
