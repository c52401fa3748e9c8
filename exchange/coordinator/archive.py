"""The exchange's own record of jobs: what was asked, how it ended, and the sealed outcome.

An outcome is kept so that the same analyst gets the same bytes again without a new charge (only
the analyst's key opens them). What a running job has taken in is in its journal
(``exchange.coordinator.journal``). In the same transaction as an outcome stands that a certificate
is due for it (``exchange.serving.certifier``).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protos.faults import InputError, UnavailableError
from protos.language import Text

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    job TEXT PRIMARY KEY,
    analyst TEXT NOT NULL,
    dataset TEXT NOT NULL,
    plan_hash TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    fault TEXT,
    outcome BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS job_by_analyst ON job (analyst, submitted_at);
CREATE TABLE IF NOT EXISTS certificate_due (
    job TEXT PRIMARY KEY REFERENCES job (job),
    receipt TEXT NOT NULL,
    grants TEXT NOT NULL,              -- JSON list: what its plan carried
    problem TEXT NOT NULL DEFAULT ''   -- why none can be issued
) STRICT;
"""
_SELECT = "SELECT job, analyst, dataset, plan_hash, submitted_at, state, fault FROM job"


@dataclass(frozen=True)
class JobRow:
    """One job as the exchange remembers it.

    Attributes:
        job: 32 hex digits.
        analyst: Who asked.
        dataset: About what.
        plan_hash: SHA-256 (hex) of the signed plan.
        submitted_at: Unix seconds.
        state: ``running``, ``done`` or ``failed``.
        fault: The public error, when it failed.
    """

    job: str
    analyst: str
    dataset: str
    plan_hash: str
    submitted_at: int
    state: str
    fault: dict[str, str] | None


@dataclass(frozen=True)
class DueResult:
    """A result that waits for its certificate.

    Attributes:
        job: 32 hex digits.
        receipt: The exchange's own, ``vc+jwt``.
        grants: What its plan carried, ``vc+jwt`` each.
        problem: Why none could be issued, or "".
    """

    job: str
    receipt: str
    grants: tuple[str, ...]
    problem: str = ""


class Archive:
    """Jobs in SQLite (WAL); one writer behind a lock."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()

    def begin(self, row: JobRow) -> None:
        """Records a new job.

        Raises:
            InputError: A job of this id exists.
            UnavailableError: The record cannot be written.
        """
        with self._lock:
            try:
                self._db.execute(
                    "INSERT INTO job VALUES (?, ?, ?, ?, ?, 'running', NULL, NULL)",
                    (row.job, row.analyst, row.dataset, row.plan_hash, row.submitted_at),
                )
            except sqlite3.IntegrityError as error:
                raise InputError(
                    Text("a job of this id was submitted before", "此编号的任务此前已提交"),
                    remedy=Text(
                        "submit the question again; a new id is drawn",
                        "请重新提交查询，将使用新的编号",
                    ),
                    code="job.repeated",
                ) from error
            except sqlite3.OperationalError as error:
                raise _full(error) from error

    def done(self, job: str, outcome: bytes, due: DueResult) -> None:
        """Keeps the outcome of a job, and that a certificate is due for it: both, or neither.

        Raises:
            UnavailableError: The record cannot be written.
        """
        self._end(
            ("UPDATE job SET state='done', outcome=? WHERE job=?", (outcome, job)),
            (
                "INSERT OR IGNORE INTO certificate_due (job, receipt, grants) VALUES (?, ?, ?)",
                (due.job, due.receipt, json.dumps(due.grants)),
            ),
        )

    def failed(self, job: str, fault: dict[str, str]) -> None:
        """Keeps the public error of a job.

        Raises:
            UnavailableError: The record cannot be written.
        """
        self._end(("UPDATE job SET state='failed', fault=? WHERE job=?", (json.dumps(fault), job)))

    def _end(self, *changes: tuple[str, tuple[object, ...]]) -> None:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for statement, values in changes:
                    self._db.execute(statement, values)
                self._db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise _full(error) from error

    def due(self, most: int) -> list[DueResult]:
        """Results that wait for a certificate, oldest first; those with a problem last."""
        with self._lock:
            rows = self._db.execute(
                "SELECT job, receipt, grants, problem FROM certificate_due"
                " ORDER BY problem <> '', rowid LIMIT ?",
                (most,),
            ).fetchall()
        return [DueResult(row[0], row[1], tuple(json.loads(row[2])), row[3]) for row in rows]

    def due_count(self) -> int:
        """How many wait."""
        with self._lock:
            (count,) = self._db.execute("SELECT count(*) FROM certificate_due").fetchone()
        return int(count)

    def certified(self, job: str) -> None:
        """Notes that a result has its certificate.

        Raises:
            UnavailableError: The record cannot be written; it will be found certified again.
        """
        self._end(("DELETE FROM certificate_due WHERE job=?", (job,)))

    def not_certified(self, job: str, problem: str) -> None:
        """Notes why a result can have no certificate."""
        self._end(("UPDATE certificate_due SET problem=? WHERE job=?", (problem, job)))

    def forget_problems(self) -> None:
        """Lets those that could have no certificate be tried again."""
        self._end(("UPDATE certificate_due SET problem='' WHERE problem <> ''", ()))

    def running(self) -> list[JobRow]:
        """Jobs that have not ended, oldest first."""
        with self._lock:
            rows = self._db.execute(f"{_SELECT} WHERE state='running' ORDER BY rowid").fetchall()
        return [_row(row) for row in rows]

    def find(self, job: str) -> JobRow | None:
        """One job, or None."""
        with self._lock:
            row = self._db.execute(f"{_SELECT} WHERE job=?", (job,)).fetchone()
        return None if row is None else _row(row)

    def outcome(self, job: str) -> bytes | None:
        """The outcome of a finished job, or None."""
        with self._lock:
            row = self._db.execute("SELECT outcome FROM job WHERE job=?", (job,)).fetchone()
        return None if row is None else row[0]


def _row(row: tuple[Any, ...]) -> JobRow:
    fault = json.loads(row[6]) if row[6] else None
    return JobRow(row[0], row[1], row[2], row[3], row[4], row[5], fault)


def _full(error: sqlite3.OperationalError) -> UnavailableError:
    return UnavailableError(
        Text("the exchange cannot write its record of jobs", "交换中心无法写入任务记录"),
        remedy=Text("ask its operator to look at the disk", "请其运维人员检查磁盘"),
        code="exchange.store",
        detail=str(error),
    )
