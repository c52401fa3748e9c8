"""Grant requests and what the owners answered: the exchange passes them on and keeps them.

The exchange cannot grant anything: a grant is signed by the owner, and every node checks it by
its own pins.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from catalog.certificates.grant_ends import read_end
from catalog.certificates.grants import REQUEST_TYPE, check_answers
from catalog.identity.database import Database
from exchange.ports import MOST_DECISION_BYTES, MOST_REQUEST_CHARACTERS
from protos.canonical import digest
from protos.faults import InputError, PolicyError, TrustError
from protos.identity import PublicIdentity
from protos.language import Text
from protos.names import check_name

MOST_OPEN: Final = 100  # requests of one analyst that wait for an answer
MOST_HAND_INS: Final = 64  # files of decisions on one request: each department's come alone
MOST_DECISIONS_IN_ALL: Final = 2 << 20  # bytes of them
ROUND_PREFIX: Final = "grant/"
ENDING_PART: Final = "end"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS request (
    id TEXT PRIMARY KEY,
    analyst TEXT NOT NULL,
    token TEXT NOT NULL,
    statement TEXT NOT NULL,
    purpose TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS answer (
    id TEXT NOT NULL REFERENCES request (id),
    department TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'granted', 'denied')),
    body TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (id, department)
) STRICT;
CREATE TABLE IF NOT EXISTS decisions (
    id TEXT NOT NULL REFERENCES request (id),
    number INTEGER NOT NULL,           -- from 1
    file BLOB NOT NULL,
    PRIMARY KEY (id, number),
    UNIQUE (id, file)
) STRICT;
CREATE TABLE IF NOT EXISTS certificate_due (
    sequence INTEGER PRIMARY KEY,
    grant_token TEXT NOT NULL,
    problem TEXT NOT NULL DEFAULT ''   -- why none can be issued
) STRICT;
CREATE TABLE IF NOT EXISTS ending (    -- officers' decisions against what was granted
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL,                  -- of a request that may come later
    department TEXT NOT NULL,
    file BLOB NOT NULL,
    heard INTEGER NOT NULL DEFAULT 0,  -- the department has it
    UNIQUE (id, department, file)
) STRICT;
CREATE TABLE IF NOT EXISTS ended (
    id TEXT NOT NULL REFERENCES request (id),
    department TEXT NOT NULL,
    token TEXT NOT NULL,               -- signed by the department
    PRIMARY KEY (id, department)
) STRICT;
"""


@dataclass(frozen=True)
class Question:
    """What one owner is asked.

    Attributes:
        department: Whom.
        request: Id of the request.
        token: The request, as signed.
        decisions: Files of officers' decisions on it, as they came in; unread, they are the
            owner's to check.
    """

    department: str
    request: str
    token: str
    decisions: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Ending:
    """Officers' decisions against what one owner has granted.

    Attributes:
        sequence: Number of its arrival.
        department: Who granted.
        request: Id of the request.
        token: The request, as signed.
        file: The decisions, unread.
    """

    sequence: int
    department: str
    request: str
    token: str
    file: bytes


@dataclass(frozen=True)
class DueGrant:
    """A grant that waits for its certificate.

    Attributes:
        sequence: Number of its arrival.
        token: ``vc+jwt`` of the department.
        problem: Why none could be issued, or "".
    """

    sequence: int
    token: str
    problem: str = ""


class GrantDesk:
    """Requests and answers in SQLite."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _SCHEMA)

    def open(self) -> None:
        """Opens the file."""
        self._db.open()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def take(
        self,
        analyst: str,
        identity: PublicIdentity,
        token: str,
        now: int,
        departments: Collection[str],
        decisions: bytes = b"",
    ) -> str:
        """Keeps a signed request; the same again may bring decisions on it.

        Args:
            analyst: Who asks, as certified.
            identity: The analyst's.
            token: The request.
            now: Unix seconds.
            departments: Who is enrolled: a request waits in memory for each one that it asks.
            decisions: A file of officers' decisions, or b"".

        Returns:
            The request's id.

        Raises:
            TrustError: It is not signed by this analyst, or its time is over.
            InputError: It is malformed, or asks somebody who is not enrolled.
            PolicyError: Too many requests wait already.
        """
        if len(token) > MOST_REQUEST_CHARACTERS:
            raise InputError(
                Text("the request is too long", "申请过长"),
                remedy=Text("ask for fewer groups", "请减少分组"),
                code="grant.too_long",
            )
        if len(decisions) > MOST_DECISION_BYTES:
            raise InputError(
                Text("the decisions are too long", "决定文件过大"),
                remedy=Text(
                    f"hand in at most {MOST_DECISION_BYTES >> 10} kB at once, in several files",
                    f"一次最多提交 {MOST_DECISION_BYTES >> 10} kB，可分多个文件",
                ),
                code="grant.decisions",
            )
        claims = identity.verify(REQUEST_TYPE, token, now=now)
        try:
            names = tuple(check_name(member["name"]) for member in claims["members"])
            statement, purpose = str(claims["statement"]), str(claims["purpose"])
            expires_at = int(claims["exp"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                Text("the request is malformed", "申请格式有误"), code="grant.request"
            ) from error
        if claims.get("analyst") != analyst or not names:
            raise TrustError(
                Text("the request names another analyst", "申请署名的是另一位分析员"),
                code="grant.analyst",
            )
        strangers = sorted(set(names) - set(departments))
        if strangers or len(set(names)) < len(names):
            raise InputError(
                Text(
                    f"the request asks {strangers[0]}, which is not enrolled here"
                    if strangers
                    else "the request asks a department twice",
                    f"申请涉及 {strangers[0]}，其未在此注册" if strangers else "申请中有部门重复",
                ),
                code="grant.departments",
            )
        request = digest(claims)
        with self._db.write() as db:
            (waiting,) = db.execute(
                "SELECT count(DISTINCT request.id) FROM request JOIN answer USING (id)"
                " WHERE analyst = ? AND state = 'waiting' AND expires_at > ? AND request.id <> ?",
                (analyst, now, request),
            ).fetchone()
            if waiting >= MOST_OPEN:
                raise PolicyError(
                    Text("too many requests wait for an answer", "等待答复的申请过多"),
                    code="grant.too_many",
                )
            db.execute(
                "INSERT OR IGNORE INTO request VALUES (?, ?, ?, ?, ?, ?)",
                (request, analyst, token, statement, purpose, expires_at),
            )
            db.executemany(
                "INSERT OR IGNORE INTO answer (id, department, state) VALUES (?, ?, 'waiting')",
                [(request, name) for name in names],
            )
            if decisions:
                _keep_decisions(db, request, decisions)
        return request

    def waiting(self, now: int, *, department: str = "", request: str = "") -> list[Question]:
        """Returns what owners have not answered.

        Args:
            now: Unix seconds.
            department: Only of this one; "" for all.
            request: Only on this request; "" for all.
        """
        with self._db.read() as db:
            rows = db.execute(
                "SELECT department, request.id, token FROM request JOIN answer USING (id)"
                " WHERE state = 'waiting' AND expires_at > ?"
                " AND ? IN ('', department) AND ? IN ('', request.id)",
                (now, department, request),
            ).fetchall()
            files = {
                row["id"]: tuple(
                    bytes(each[0])
                    for each in db.execute(
                        "SELECT file FROM decisions WHERE id = ? ORDER BY number", (row["id"],)
                    )
                )
                for row in rows
            }
        return [
            Question(row["department"], row["id"], row["token"], files[row["id"]]) for row in rows
        ]

    def end(self, department: str, request: str, file: bytes) -> None:
        """Keeps officers' decisions against what a department may have granted, to be handed on.

        Args:
            department: Whose officers decided; only its node is told.
            request: Id of the request, which may come later: then the no goes before it.
            file: As `take` has them.
        """
        with self._db.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO ending (id, department, file) VALUES (?, ?, ?)",
                (request, department, file[:MOST_DECISION_BYTES]),
            )

    def endings(self, *, department: str = "", request: str = "") -> list[Ending]:
        """Returns what is to be handed on now; see `end` and `waiting`."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT sequence, department, id, token, file FROM ending JOIN request USING (id)"
                " WHERE heard = 0 AND ? IN ('', department) AND ? IN ('', id) ORDER BY sequence",
                (department, request),
            ).fetchall()
        return [Ending(*row) for row in rows]

    def answer(
        self, department: str, identity: PublicIdentity, round_: str, kind: str, body: bytes
    ) -> None:
        """Keeps an owner's answer; the last one counts until the grant is used.

        That a certificate is due for a grant stands in the same transaction (`certifier`).

        Args:
            department: Who answers, as its certificate says.
            identity: Its key, as enrolled.
            round_: ``grant/ID``, or what `ending_round` says.
            kind: ``received`` (nothing changes), ``grant``, ``ended`` or ``denied``.
            body: The grant (vc+jwt), its end (``veil-grant-end+jwt``), or the reason in UTF-8.

        Raises:
            InputError: No such request asks this department.
            TrustError: The grant is another owner's, or answers another request.
        """
        request, _, part = round_.removeprefix(ROUND_PREFIX).partition("/")
        text = body.decode("utf-8", "replace")
        if part.startswith(ENDING_PART):
            self._heard(department, part.removeprefix(ENDING_PART))
        if kind == "received":
            return
        if kind not in ("grant", "ended", "denied"):
            raise InputError(
                Text(f"{kind!r} is no answer to a request", f"{kind!r} 不是对申请的答复"),
                code="grant.answer",
            )
        state = "granted" if kind == "grant" else "denied"
        with self._db.write() as db:
            row = db.execute(
                "SELECT request.token, body, ended.token AS ended FROM request"
                " JOIN answer USING (id) LEFT JOIN ended USING (id, department)"
                " WHERE id = ? AND department = ?",
                (request, department),
            ).fetchone()
            if row is None:
                raise InputError(
                    Text("no request asks this department", "没有向该部门提出的申请"),
                    code="grant.unknown",
                )
            if row["ended"] is not None:
                return  # an answer that was under way; what has ended stays so
            if kind == "ended":
                text = read_end(text, row["body"], identity).reason
                token = body.decode("utf-8")
                db.execute("INSERT INTO ended VALUES (?, ?, ?)", (request, department, token))
            if kind == "grant":
                check_answers(text, row["token"], department, identity)
                db.execute("INSERT INTO certificate_due (grant_token) VALUES (?)", (text,))
            db.execute(
                "UPDATE answer SET state = ?, body = ? WHERE id = ? AND department = ?",
                (state, text[:MOST_REQUEST_CHARACTERS], request, department),
            )

    def _heard(self, department: str, sequence: str) -> None:
        """Notes that a department has got the decisions by which its grant is to end."""
        with self._db.write() as db:
            db.execute(
                "UPDATE ending SET heard = 1 WHERE sequence = ? AND department = ?",
                (int(sequence) if sequence.isdecimal() else 0, department),
            )

    def due(self, most: int) -> list[DueGrant]:
        """Grants that wait for a certificate, oldest first; those with a problem last."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT sequence, grant_token, problem FROM certificate_due"
                " ORDER BY problem <> '', sequence LIMIT ?",
                (most,),
            ).fetchall()
        return [DueGrant(*row) for row in rows]

    def due_count(self) -> int:
        """How many wait."""
        with self._db.read() as db:
            (count,) = db.execute("SELECT count(*) FROM certificate_due").fetchone()
        return int(count)

    def certified(self, sequence: int) -> None:
        """Notes that a grant has its certificate."""
        with self._db.write(durable=False) as db:  # lost, it will be found certified again
            db.execute("DELETE FROM certificate_due WHERE sequence = ?", (sequence,))

    def not_certified(self, sequence: int, problem: str) -> None:
        """Notes why a grant can have no certificate."""
        with self._db.write(durable=False) as db:
            db.execute(
                "UPDATE certificate_due SET problem = ? WHERE sequence = ?", (problem, sequence)
            )

    def forget_problems(self) -> None:
        """Lets those that could have no certificate be tried again."""
        with self._db.write(durable=False) as db:
            db.execute("UPDATE certificate_due SET problem = '' WHERE problem <> ''")

    def list(self, analyst: str, request: str = "") -> list[dict[str, Any]]:
        """The analyst's requests with every owner's answer (JSON values)."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT id, statement, purpose, expires_at, json_group_array(json_object("
                "'department', department, 'body', body, 'state',"
                " CASE WHEN ended.token IS NULL THEN state ELSE 'ended' END)) FROM request"
                " JOIN answer USING (id) LEFT JOIN ended USING (id, department)"
                " WHERE analyst = ? AND (? = '' OR id LIKE ? || '%')"
                " GROUP BY id ORDER BY expires_at",
                (analyst, request, request),
            ).fetchall()
        return [
            {
                "id": row[0],
                "statement": row[1],
                "purpose": row[2],
                "expires_at": row[3],
                "answers": json.loads(row[4]),
            }
            for row in rows
        ]


def ending_round(ending: Ending) -> str:
    """Returns the round in which an owner gets decisions against its grant."""
    return f"{ROUND_PREFIX}{ending.request}/{ENDING_PART}{ending.sequence}"


def _keep_decisions(db: sqlite3.Connection, request: str, file: bytes) -> None:
    number, size = db.execute(
        "SELECT count(*), coalesce(sum(length(file)), 0) FROM decisions WHERE id = ?", (request,)
    ).fetchone()
    room = number < MOST_HAND_INS and size + len(file) <= MOST_DECISIONS_IN_ALL
    done = db.execute(
        "INSERT OR IGNORE INTO decisions SELECT ?, ?, ? WHERE ?",
        (request, number + 1, file, room),
    )
    known = db.execute(
        "SELECT 1 FROM decisions WHERE id = ? AND file = ?", (request, file)
    ).fetchone()
    if not done.rowcount and known is None:
        raise PolicyError(
            Text(
                f"decisions on this request were handed in {number} times",
                f"该申请已提交过 {number} 次决定",
            ),
            remedy=Text("make a new request", "请另行申请"),
            code="grant.decisions",
        )
