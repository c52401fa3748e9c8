"""What a node remembers, in one SQLite file: jobs, answers, budget, what left, grants.

One file, so that one transaction can say "this answer exists, this much budget is spent and this
many bytes leave" before a byte of it leaves (WAL, ``synchronous=FULL``).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from catalog.certificates.decisions import Decision, read_decision
from catalog.identity.database import Database
from compute_nodes.grant_ends import GrantEnds
from compute_nodes.ledger import BudgetLedger, EgressLedger
from protos.faults import InputError, PolicyError, ProtocolError
from protos.language import Text

CONTRADICTION: Final = "job.contradiction"
MOST_DECISIONS: Final = 64  # kept of one request
MOST_TRIES: Final = 3  # jobs on one grant that may fail before their release
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS job (
    job TEXT PRIMARY KEY,
    analyst TEXT NOT NULL DEFAULT '',
    dataset TEXT NOT NULL DEFAULT '',
    statement TEXT NOT NULL DEFAULT '',
    mode TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'refused', 'released', 'done', 'cancelled')),
    seed BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS answer (
    sequence INTEGER PRIMARY KEY,
    job TEXT NOT NULL REFERENCES job (job),
    round TEXT NOT NULL,
    request BLOB NOT NULL,
    request_digest BLOB NOT NULL,
    kind TEXT NOT NULL,
    reply BLOB NOT NULL,
    UNIQUE (job, round)
) STRICT;
CREATE TABLE IF NOT EXISTS value (
    job TEXT NOT NULL REFERENCES job (job),
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (job, name)
) STRICT;
CREATE TABLE IF NOT EXISTS failure (
    job TEXT PRIMARY KEY REFERENCES job (job),
    why TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS grant_request (
    id TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'granted', 'denied')),
    answer TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS grant_decision (
    request TEXT NOT NULL REFERENCES grant_request (id),
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (request, id)
) STRICT;
CREATE TABLE IF NOT EXISTS grant_try (
    grant_id TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    job TEXT NOT NULL,
    PRIMARY KEY (grant_id, snapshot, job)
) STRICT;
CREATE TABLE IF NOT EXISTS grant_use (
    grant_id TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    job TEXT NOT NULL,
    PRIMARY KEY (grant_id, snapshot)
) STRICT;
"""


@dataclass(frozen=True)
class Answered:
    """One stored answer.

    Attributes:
        round: Which round it answers.
        request: Body of the delivery that was answered.
        kind: ``message``, ``accepted``, ``statement``, ``fault`` …
        reply: Body of the answer.
    """

    round: str
    request: bytes = field(repr=False)
    kind: str
    reply: bytes = field(repr=False)


@dataclass(frozen=True)
class JobRow:
    """One job, for people."""

    job: str
    analyst: str
    dataset: str
    statement: str
    mode: str
    state: str
    received_at: int
    failure: str = ""


@dataclass(frozen=True)
class RequestRow:
    """One grant request as this owner keeps it."""

    id: str
    token: str = field(repr=False)
    received_at: int
    state: str
    answer: str = field(repr=False)


class NodeStore:
    """Opens the file and gives access to its parts.

    Args:
        path: ``store.sqlite`` in the node's directory.
    """

    def __init__(self, path: Path) -> None:
        self.budget = BudgetLedger()
        self.egress = EgressLedger()
        self.ends = GrantEnds()
        schemas = (_SCHEMA, self.ends.schema, self.budget.schema, self.egress.schema)
        self.db = Database(path, "\n".join(schemas))

    def open(self) -> None:
        """Opens the file; see `Database.open`."""
        self.db.open()

    def close(self) -> None:
        """Closes the file."""
        self.db.close()

    # --- jobs

    def begin(self, job: str, now: int, make_seed: Callable[[], bytes]) -> bytes:
        """Returns the job's 32-byte seed, made and stored at its first delivery."""
        with self.db.write(durable=False) as db:
            row = db.execute("SELECT seed FROM job WHERE job = ?", (job,)).fetchone()
            if row is not None:
                return bytes(row[0])
            seed = make_seed()
            db.execute(
                "INSERT INTO job (job, seed, received_at) VALUES (?, ?, ?)", (job, seed, now)
            )
            return seed

    def describe(self, row: JobRow, expires_at: int) -> None:
        """Notes what a job is about, for people, and when its time is over (Unix seconds)."""
        with self.db.write(durable=False) as db:
            db.execute(
                "UPDATE job SET analyst = ?, dataset = ?, statement = ?, mode = ?, expires_at = ?"
                " WHERE job = ?",
                (row.analyst, row.dataset, row.statement, row.mode, expires_at, row.job),
            )

    def state(self, job: str) -> str | None:
        """How far a job has come; None if it was never seen."""
        with self.db.read() as db:
            row = db.execute("SELECT state FROM job WHERE job = ?", (job,)).fetchone()
        return None if row is None else str(row[0])

    def jobs(self, limit: int = 50) -> list[JobRow]:
        """The latest jobs, newest first."""
        with self.db.read() as db:
            rows = db.execute(
                "SELECT job, analyst, dataset, statement, mode, state, received_at,"
                " coalesce(why, '') FROM job LEFT JOIN failure USING (job)"
                " ORDER BY received_at DESC, job.rowid DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [JobRow(*row) for row in rows]

    def expired(self, now: int) -> list[str]:
        """Jobs that never ended although their time is over."""
        with self.db.read() as db:
            rows = db.execute(
                "SELECT job FROM job WHERE state IN ('open', 'released')"
                " AND expires_at BETWEEN 1 AND ?",
                (now,),
            ).fetchall()
        return [str(row[0]) for row in rows]

    # --- answers

    def answered(self, job: str, round_: str, request: bytes) -> Answered | None:
        """Returns the stored answer to this very request.

        Raises:
            ProtocolError: The round was answered for a different request: a replay with other
                contents, which a second survivor set or a second kind of share would be.
        """
        with self.db.read() as db:
            row = db.execute(
                "SELECT round, request, kind, reply, request_digest FROM answer"
                " WHERE job = ? AND round = ?",
                (job, round_),
            ).fetchone()
        if row is None:
            return None
        if bytes(row[4]) != hashlib.sha256(request).digest():
            raise ProtocolError(
                f"round {round_!r} of this job was already answered for a different message",
                code=CONTRADICTION,
            )
        return Answered(row[0], row[1], row[2], row[3])

    def journal(self, job: str) -> list[Answered]:
        """All stored answers of a job, in the order in which they were given."""
        with self.db.read() as db:
            rows = db.execute(
                "SELECT round, request, kind, reply FROM answer WHERE job = ? ORDER BY sequence",
                (job,),
            ).fetchall()
        return [Answered(*row) for row in rows]

    def keep(
        self,
        job: str,
        answer: Answered,
        *,
        recipient: str,
        at: int,
        releases: bool,
        durable: bool = True,
    ) -> None:
        """Stores an answer, its line in the egress ledger and, if it does, that data left.

        Args:
            job: The job.
            answer: What will be sent next.
            recipient: Who can read it, for the egress ledger.
            at: Unix seconds.
            releases: Whether the answer depends on data: from here on the budget is spent.
            durable: Whether to wait for the disk, which is dear. Not needed for rounds that a
                node could answer again after a power cut without giving anything away.
        """
        with self.db.write(durable=durable) as db:
            db.execute(
                "INSERT INTO answer (job, round, request, request_digest, kind, reply)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    job,
                    answer.round,
                    answer.request,
                    hashlib.sha256(answer.request).digest(),
                    answer.kind,
                    answer.reply,
                ),
            )
            self.egress.record(db, job, answer.round, answer.kind, answer.reply, recipient, at)
            if releases:
                self.budget.mark_released(db, job)
                db.execute("UPDATE job SET state = 'released' WHERE job = ?", (job,))

    def fail(self, job: str, why: str) -> None:
        """Notes that the job's query has failed here, which costs what an answer costs.

        Args:
            job: The job.
            why: For this department's own people only.
        """
        with self.db.write() as db:
            db.execute("INSERT OR IGNORE INTO failure VALUES (?, ?)", (job, why))
            self.budget.mark_released(db, job)

    def has_failed(self, job: str) -> bool:
        """Whether the job's query has failed here."""
        with self.db.read() as db:
            row = db.execute("SELECT 1 FROM failure WHERE job = ?", (job,)).fetchone()
        return row is not None

    # --- values

    def value(self, job: str, name: str) -> bytes | None:
        """A value that was computed for the job, or None."""
        with self.db.read() as db:
            row = db.execute(
                "SELECT body FROM value WHERE job = ? AND name = ?", (job, name)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def keep_values(self, job: str, values: dict[str, bytes]) -> None:
        """Stores computed values; what is stored stays, so noise is never drawn twice.

        A plan whose answer was lost in a crash comes again, with the values that it had.

        Raises:
            ProtocolError: Another value of this name is stored.
        """
        with self.db.write(durable=False) as db:
            db.executemany(
                "INSERT OR IGNORE INTO value VALUES (?, ?, ?)",
                [(job, name, body) for name, body in values.items()],
            )
            for name, body in values.items():
                if self.value(job, name) != body:
                    raise ProtocolError(
                        "this job had another value before", remedy="ask again", code="job.value"
                    )

    def end(self, job: str, state: str) -> None:
        """Ends a job, gives back what is only reserved, and forgets what could open its masks."""
        with self.db.write(durable=False) as db:
            self.budget.undo(db, job)  # only what is still reserved: nothing of it has left
            db.execute("DELETE FROM value WHERE job = ?", (job,))
            db.execute("UPDATE job SET state = ?, seed = zeroblob(32) WHERE job = ?", (state, job))

    # --- grants

    def check_grant(self, grant_id: str, snapshot: str, job: str) -> None:
        """Checks that a grant stands, and has not been used for its one release over a snapshot.

        Raises:
            PolicyError: It was revoked, or another job has used it.
        """
        with self.db.read() as db:
            self.ends.check(db, grant_id)
            row = db.execute(
                "SELECT job FROM grant_use WHERE grant_id = ? AND snapshot = ?",
                (grant_id, snapshot),
            ).fetchone()
        if row is not None and row[0] != job:
            raise _grant_used()

    def try_grant(self, grant_id: str, snapshot: str, job: str) -> None:
        """Counts the jobs that begin on a grant: a drop-out does not burn it, probing does.

        Raises:
            PolicyError: It was revoked, or too many jobs have begun without a release.
        """
        with self.db.write(durable=False) as db:
            self.ends.check(db, grant_id)
            db.execute(
                "INSERT OR IGNORE INTO grant_try VALUES (?, ?, ?)", (grant_id, snapshot, job)
            )
            (tries,) = db.execute(
                "SELECT count(*) FROM grant_try WHERE grant_id = ? AND snapshot = ?",
                (grant_id, snapshot),
            ).fetchone()
        if tries > MOST_TRIES:
            raise PolicyError(
                Text(
                    f"{MOST_TRIES} jobs have begun on this grant and none was finished",
                    f"已有 {MOST_TRIES} 个任务使用此授权但均未完成",
                ),
                remedy=Text(
                    "find out who drops out, then request a new grant",
                    "请查明是谁中途退出，再重新申请授权",
                ),
                code="grant.tries",
            )

    def use_grant(self, grant_id: str, snapshot: str, job: str) -> None:
        """Uses a grant, just before the values leave; the same job may do so again.

        Raises:
            PolicyError: It was revoked, or another job has used it.
        """
        with self.db.write(durable=False) as db:
            self.ends.check(db, grant_id)
            db.execute(
                "INSERT OR IGNORE INTO grant_use VALUES (?, ?, ?)", (grant_id, snapshot, job)
            )
        self.check_grant(grant_id, snapshot, job)

    def add_request(self, request: str, token: str, now: int) -> None:
        """Keeps a grant request until the owner has answered it."""
        with self.db.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO grant_request (id, token, received_at) VALUES (?, ?, ?)",
                (request, token, now),
            )

    def add_decisions(
        self, request: str, decisions: Sequence[Decision], officers: Collection[str] = ()
    ) -> None:
        """Keeps officers' decisions on a request; what is kept is never replaced.

        Args:
            request: Its id.
            decisions: Whose signatures hold.
            officers: Fingerprints of this department's: whoever fills the room of strangers
                leaves theirs.
        """
        with self.db.write() as db:
            (kept,) = db.execute(
                "SELECT count(*) FROM grant_decision WHERE request = ?", (request,)
            ).fetchone()
            ours = [d for d in decisions if d.fingerprint in officers]
            strange = [d for d in decisions if d.fingerprint not in officers]
            db.executemany(
                "INSERT OR IGNORE INTO grant_decision VALUES (?, ?, ?)",
                [(request, d.id, d.document) for d in ours][: max(2 * MOST_DECISIONS - kept, 0)],
            )
            db.executemany(
                "INSERT OR IGNORE INTO grant_decision VALUES (?, ?, ?)",
                [(request, d.id, d.document) for d in strange][: max(MOST_DECISIONS - kept, 0)],
            )

    def decisions(self, request: str) -> list[Decision]:
        """Returns the decisions on a request."""
        with self.db.read() as db:
            rows = db.execute(
                "SELECT document FROM grant_decision WHERE request = ? ORDER BY rowid", (request,)
            ).fetchall()
        return [read_decision(row[0]) for row in rows]

    def keep_answer(self, db: sqlite3.Connection, request: str, state: str, answer: str) -> None:
        """Keeps the owner's answer as part of a transaction."""
        db.execute(
            "UPDATE grant_request SET state = ?, answer = ? WHERE id = ?",
            (state, answer, request),
        )
        if state == "granted":
            self.ends.note_heard(db, request)

    def requests(self) -> list[RequestRow]:
        """All grant requests, newest first."""
        with self.db.read() as db:
            rows = db.execute(
                "SELECT id, token, received_at, state, answer FROM grant_request"
                " ORDER BY received_at DESC, rowid DESC"
            ).fetchall()
        return [RequestRow(*row) for row in rows]

    def ended(self, request: str) -> str | None:
        """Returns the signed end of a request's grant; None while it stands."""
        with self.db.read() as db:
            return self.ends.of(db, request)

    def request(self, prefix: str) -> RequestRow:
        """One grant request by the beginning of its id.

        Raises:
            InputError: None, or more than one, begins so.
        """
        found = [row for row in self.requests() if row.id.startswith(prefix)]
        if len(found) != 1:
            raise InputError(
                Text(
                    f"{len(found)} grant requests begin with {prefix!r}",
                    f"有 {len(found)} 份授权申请以 {prefix!r} 开头",
                ),
                remedy=Text(
                    "`veil node grants list` shows them; give more of the id",
                    "veil node grants list 可查看；请给出更长的编号",
                ),
                code="grant.unknown",
            )
        return found[0]


def _grant_used() -> PolicyError:
    return PolicyError(
        Text(
            "this grant has been used for its one release of this data",
            "此授权对这份数据的唯一一次发布已用掉",
        ),
        remedy=Text(
            "request a new grant; a repeated answer is in your history",
            "请重新申请授权；已得到的结果在您的历史中",
        ),
        code="grant.used",
    )
