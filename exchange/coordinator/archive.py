"""The exchange's own record of jobs: what was asked, how it ended, and the sealed outcome.

An outcome is kept so that the same analyst gets the same bytes again without a new charge (only
the analyst's key opens them). What a running job has taken in is in its journal
(``exchange.coordinator.journal``).
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

    def done(self, job: str, outcome: bytes) -> None:
        """Keeps the outcome of a job.

        Raises:
            UnavailableError: The record cannot be written.
        """
        self._end("UPDATE job SET state='done', outcome=? WHERE job=?", (outcome, job))

    def failed(self, job: str, fault: dict[str, str]) -> None:
        """Keeps the public error of a job.

        Raises:
            UnavailableError: The record cannot be written.
        """
        self._end("UPDATE job SET state='failed', fault=? WHERE job=?", (json.dumps(fault), job))

    def _end(self, statement: str, values: tuple[object, ...]) -> None:
        with self._lock:
            try:
                self._db.execute(statement, values)
            except sqlite3.OperationalError as error:
                raise _full(error) from error

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
