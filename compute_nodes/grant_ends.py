"""Grants that a department has taken back, as its node keeps them: nothing is answered under one.

Also which decisions were known when a grant was signed: whoever signed by hand has weighed them,
so only what officers say afterwards, or what arrives afterwards, can end it.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from protos.faults import PolicyError
from protos.language import Text


class GrantEnds:
    """Part of a node's store (`compute_nodes.store`)."""

    schema: Final = """
CREATE TABLE IF NOT EXISTS grant_ended (
    request TEXT PRIMARY KEY REFERENCES grant_request (id),
    grant_id TEXT NOT NULL,
    token TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS grant_heard (
    request TEXT NOT NULL REFERENCES grant_request (id),
    decision TEXT NOT NULL,
    PRIMARY KEY (request, decision)
) STRICT;
"""

    def keep(self, db: sqlite3.Connection, request: str, grant_id: str, token: str) -> None:
        """Keeps that a grant has ended, for ever.

        Args:
            db: Of the transaction.
            request: Id of the request that it answered.
            grant_id: Its ``urn:uuid``.
            token: That it has, signed by this department.
        """
        db.execute("INSERT OR IGNORE INTO grant_ended VALUES (?, ?, ?)", (request, grant_id, token))

    def of(self, db: sqlite3.Connection, request: str) -> str | None:
        """Returns the signed end of the grant that answered a request; None while it stands."""
        row = db.execute("SELECT token FROM grant_ended WHERE request = ?", (request,)).fetchone()
        return None if row is None else str(row[0])

    def check(self, db: sqlite3.Connection, grant_id: str) -> None:
        """Checks that a grant has not ended.

        Raises:
            PolicyError: It has.
        """
        if db.execute("SELECT 1 FROM grant_ended WHERE grant_id = ?", (grant_id,)).fetchone():
            raise PolicyError(
                Text("this grant was revoked by the department", "此授权已被部门撤销"),
                remedy=Text("`veil grant list` says why; ask the department",
                            "veil grant list 列出原因；请与该部门联系"),
                code="grant.revoked",
            )  # fmt: skip

    def note_heard(self, db: sqlite3.Connection, request: str) -> None:
        """Notes which decisions on a request are known now, as its grant is signed."""
        db.execute(
            "INSERT OR IGNORE INTO grant_heard SELECT request, id FROM grant_decision"
            " WHERE request = ?",
            (request,),
        )

    def heard(self, db: sqlite3.Connection, request: str) -> frozenset[str]:
        """Returns the ids of the decisions that were known when the grant was signed."""
        rows = db.execute("SELECT decision FROM grant_heard WHERE request = ?", (request,))
        return frozenset(str(row[0]) for row in rows)
