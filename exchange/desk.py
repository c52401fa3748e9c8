"""Grant requests and what the owners answered: the exchange passes them on and keeps them.

The exchange cannot grant anything: a grant is signed by the owner, and every node checks it by
its own pins.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from catalog.certificates.grants import REQUEST_TYPE, read_grant
from catalog.identity.database import Database
from protos.canonical import digest
from protos.faults import InputError, PolicyError, TrustError
from protos.identity import PublicIdentity
from protos.language import Text
from protos.names import check_name

MOST_OPEN: Final = 100  # requests of one analyst that wait for an answer
MOST_CHARACTERS: Final = 100_000  # of a request or an answer; each owner is sent a copy
ROUND_PREFIX: Final = "grant/"
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
"""


@dataclass(frozen=True)
class Opened:
    """A request that was taken, and whom it asks."""

    id: str
    departments: tuple[str, ...]


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
    ) -> Opened:
        """Keeps a signed request.

        Args:
            analyst: Who asks, as certified.
            identity: The analyst's.
            token: The request.
            now: Unix seconds.
            departments: Who is enrolled: a request waits in memory for each one that it asks.

        Raises:
            TrustError: It is not signed by this analyst, or its time is over.
            InputError: It is malformed, or asks somebody who is not enrolled.
            PolicyError: Too many requests wait already.
        """
        if len(token) > MOST_CHARACTERS:
            raise InputError(
                Text("the request is too long", "申请过长"),
                remedy=Text("ask for fewer groups", "请减少分组"),
                code="grant.too_long",
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
                " WHERE analyst = ? AND state = 'waiting' AND expires_at > ?",
                (analyst, now),
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
        return Opened(request, names)

    def waiting_for(self, department: str, now: int) -> list[tuple[str, str]]:
        """Lists (id, token) of requests that the department has not answered."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT request.id, token FROM request JOIN answer USING (id)"
                " WHERE department = ? AND state = 'waiting' AND expires_at > ?",
                (department, now),
            ).fetchall()
        return [(row[0], row[1]) for row in rows]

    def answer(self, department: str, round_: str, kind: str, body: bytes) -> None:
        """Keeps an owner's answer; the last one counts until the grant is used.

        Args:
            department: Who answers, as its certificate says.
            round_: ``grant/ID``.
            kind: ``received`` (nothing changes), ``grant`` or ``denied``.
            body: The grant (vc+jwt), or the reason in UTF-8.

        Raises:
            InputError: No such request asks this department.
            TrustError: The grant is another owner's.
        """
        request = round_.removeprefix(ROUND_PREFIX)
        text = body.decode("utf-8", "replace")
        if kind == "received":
            return
        if kind == "grant" and read_grant(text).owner != department:
            raise TrustError(
                Text("the grant is signed by another department", "授权是由另一个部门签署的"),
                code="grant.owner",
            )
        if kind not in ("grant", "denied"):
            raise InputError(
                Text(f"{kind!r} is no answer to a request", f"{kind!r} 不是对申请的答复"),
                code="grant.answer",
            )
        state = "granted" if kind == "grant" else "denied"
        with self._db.write() as db:
            changed = db.execute(
                "UPDATE answer SET state = ?, body = ? WHERE id = ? AND department = ?",
                (state, text[:MOST_CHARACTERS], request, department),
            ).rowcount
        if not changed:
            raise InputError(
                Text("no request asks this department", "没有向该部门提出的申请"),
                code="grant.unknown",
            )

    def list(self, analyst: str, request: str = "") -> list[dict[str, Any]]:
        """The analyst's requests with every owner's answer (JSON values)."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT id, statement, purpose, expires_at, json_group_array(json_object("
                "'department', department, 'state', state, 'body', body)) FROM request"
                " JOIN answer USING (id) WHERE analyst = ? AND (? = '' OR id LIKE ? || '%')"
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
