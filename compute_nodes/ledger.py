"""The two ledgers of a node: privacy budget that was spent, and bytes that left.

Budget: *reserve → compute → persist → release*. A reservation is on disk before anything is
computed and stays spent, also over a crash; it is undone only while no answer that depends on data
has been stored. Egress: every message is listed, by job, step and size, before it is sent.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from catalog.journal import Entry, HashChain
from protos.faults import BudgetError

_SLACK: Final = 1e-9  # of rho: rounding in sums, far below one query's charge


@dataclass(frozen=True)
class Charge:
    """What one job asks of the budget of one dataset.

    Attributes:
        job: The job.
        dataset: Whose budget.
        project: Whose share of it.
        analyst: Who asks.
        rho: zCDP that is charged, > 0.
        cap: Lifetime cap of the dataset, as rho.
        share: The project's share of the cap, as rho.
        in_flight: Most reservations that this analyst may hold at once.
    """

    job: str
    dataset: str
    project: str
    analyst: str
    rho: float
    cap: float
    share: float
    in_flight: int


@dataclass(frozen=True)
class Spent:
    """One line of the budget ledger."""

    job: str
    dataset: str
    project: str
    analyst: str
    rho: float
    state: str
    at: int


class BudgetLedger:
    """Reservations, within the transactions of the node's store."""

    schema = """
CREATE TABLE IF NOT EXISTS budget (
    job TEXT PRIMARY KEY,
    dataset TEXT NOT NULL,
    project TEXT NOT NULL,
    analyst TEXT NOT NULL,
    rho REAL NOT NULL CHECK (rho > 0),
    state TEXT NOT NULL CHECK (state IN ('reserved', 'released', 'undone')),
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS budget_by_dataset ON budget (dataset, project, state);
"""

    def reserve(self, db: sqlite3.Connection, charge: Charge, at: int) -> None:
        """Reserves budget for a job; the same job again changes nothing.

        Raises:
            BudgetError: The cap, the project's share or the analyst's reservations do not allow
                it; says what is left.
        """
        known = db.execute("SELECT state FROM budget WHERE job = ?", (charge.job,)).fetchone()
        if known is not None:
            if known[0] == "undone":
                raise BudgetError("this job was given up; ask again", code="budget.undone")
            return
        left = min(
            charge.cap - self.spent(db, charge.dataset),
            charge.share - self.spent(db, charge.dataset, charge.project),
        )
        if charge.rho > left * (1 + _SLACK) + _SLACK:
            raise BudgetError(
                f"the privacy budget of {charge.dataset!r} for project {charge.project!r} is used"
                f" up: this question costs rho = {charge.rho:.3g}, {max(left, 0.0):.3g} is left",
                remedy="ask with a smaller --epsilon, or ask the owner for a larger share",
                code="budget.exhausted",
            )
        (held,) = db.execute(
            "SELECT count(*) FROM budget WHERE analyst = ? AND state = 'reserved'",
            (charge.analyst,),
        ).fetchone()
        if held >= charge.in_flight:
            raise BudgetError(
                f"{charge.analyst} has {held} questions under way here already",
                remedy="wait for one of them to end",
                code="budget.in_flight",
            )
        db.execute(
            "INSERT INTO budget VALUES (?, ?, ?, ?, ?, 'reserved', ?)",
            (charge.job, charge.dataset, charge.project, charge.analyst, charge.rho, at),
        )

    def mark_released(self, db: sqlite3.Connection, job: str) -> None:
        """Notes that something that depends on data is about to leave."""
        db.execute("UPDATE budget SET state = 'released' WHERE job = ?", (job,))

    def undo(self, db: sqlite3.Connection, job: str) -> bool:
        """Gives a reservation back if nothing that depends on data was ever stored for sending."""
        changed = db.execute(
            "UPDATE budget SET state = 'undone' WHERE job = ? AND state = 'reserved'", (job,)
        ).rowcount
        return changed > 0

    def spent(self, db: sqlite3.Connection, dataset: str, project: str | None = None) -> float:
        """Sum of rho that is reserved or released, of the dataset or of one project in it."""
        (total,) = db.execute(
            "SELECT coalesce(sum(rho), 0.0) FROM budget"
            " WHERE dataset = ? AND (? IS NULL OR project = ?) AND state <> 'undone'",
            (dataset, project, project),
        ).fetchone()
        return float(total)

    def rows(self, db: sqlite3.Connection, limit: int = 50) -> list[Spent]:
        """The latest lines, newest first."""
        rows = db.execute(
            "SELECT job, dataset, project, analyst, rho, state, at FROM budget"
            " ORDER BY at DESC, rowid DESC LIMIT ?",
            (limit,),
        ).fetchall()
        return [Spent(*row) for row in rows]


class EgressLedger:
    """Every message that left, as a hash chain."""

    def __init__(self) -> None:
        self._chain = HashChain("egress")

    @property
    def schema(self) -> str:
        """SQL that makes the table."""
        return self._chain.schema

    def record(
        self,
        db: sqlite3.Connection,
        job: str,
        step: str,
        kind: str,
        body: bytes,
        recipient: str,
        at: int,
    ) -> Entry:
        """Lists a message that is about to leave."""
        return self._chain.append(
            db,
            {
                "job": job,
                "step": step,
                "kind": kind,
                "bytes": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
                "recipient": recipient,
                "at": at,
            },
        )

    def rows(self, db: sqlite3.Connection, job: str | None = None) -> list[dict[str, Any]]:
        """All lines in order, or those of one job."""
        found = [entry.record | {"entry": entry.index} for entry in self._chain.entries(db)]
        return [row for row in found if job is None or row["job"] == job]

    def verify(self, db: sqlite3.Connection) -> str:
        """Checks the chain and returns its last hash; see `HashChain.verify`."""
        return self._chain.verify(db)
