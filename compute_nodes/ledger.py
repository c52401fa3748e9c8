"""The two ledgers of a node: privacy budget that was spent, and bytes that left.

Budget: *reserve → compute → persist → release*. A reservation is on disk before anything is
computed and stays spent, also over a crash; it is undone only while no answer that depends on data
has been stored. A refusal that depends on data is such an answer. Egress: every message is listed,
by job, step and size, before it is sent.

Both are hash chains: the table of the budget is what its chain adds up to, and `verify` compares.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import asdict, astuple, dataclass
from typing import Any, Final

from catalog.journal import Entry, HashChain
from desensitize.budget import epsilon_for
from protos.faults import BudgetError, ProtocolError, TrustError
from protos.language import Text

_BUDGET_TABLE: Final = """
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
        delta: To say in a refusal what is left as epsilon; None says it as rho.
    """

    job: str
    dataset: str
    project: str
    analyst: str
    rho: float
    cap: float
    share: float
    in_flight: int
    delta: float | None = None


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

    def __init__(self) -> None:
        self._chain = HashChain("budget_journal")

    @property
    def schema(self) -> str:
        """SQL that makes the tables."""
        return _BUDGET_TABLE + self._chain.schema

    def reserve(self, db: sqlite3.Connection, charge: Charge, at: int) -> None:
        """Reserves budget for a job; the same job again changes nothing.

        Raises:
            BudgetError: The cap, the project's share or the analyst's reservations do not allow
                it; says what is left.
        """
        known = db.execute(
            "SELECT dataset, project, analyst, rho, state FROM budget WHERE job = ?", (charge.job,)
        ).fetchone()
        if known is not None:
            asked = (charge.dataset, charge.project, charge.analyst, charge.rho)
            if tuple(known[:4]) != asked:
                raise ProtocolError(
                    "this job has reserved something else before", code="budget.contradiction"
                )
            if known[4] == "undone":
                raise BudgetError(
                    Text("this job was given up; ask again", "此任务已放弃，请重新查询"),
                    code="budget.undone",
                )
            return
        left = min(
            charge.cap - self.spent(db, charge.dataset),
            charge.share - self.spent(db, charge.dataset, charge.project),
        )
        if charge.rho > left * (1 + _SLACK) + _SLACK:
            raise BudgetError(
                Text(
                    f"the privacy budget of {charge.dataset!r} for project {charge.project!r} "
                    "does not"
                    f" reach: this question costs {_shown(charge.rho, charge.delta)}, "
                    f"{_shown(max(left, 0.0), charge.delta)} is left",
                    f"{charge.dataset!r} 中项目 {charge.project!r} 的隐私预算不足：本次需要 "
                    f"{_shown(charge.rho, charge.delta)}，剩余 "
                    f"{_shown(max(left, 0.0), charge.delta)}",
                ),
                remedy=Text(
                    "ask with a smaller --epsilon, or ask the owner for a larger share",
                    "请使用更小的 --epsilon，或向数据方申请更多份额",
                ),
                code="budget.exhausted",
            )
        (held,) = db.execute(
            "SELECT count(*) FROM budget WHERE analyst = ? AND state = 'reserved'",
            (charge.analyst,),
        ).fetchone()
        if held >= charge.in_flight:
            raise BudgetError(
                Text(
                    f"{charge.analyst} has {held} questions under way here already",
                    f"{charge.analyst} 在此已有 {held} 个进行中的查询",
                ),
                remedy=Text("wait for one of them to end", "请等待其中一个结束"),
                code="budget.in_flight",
            )
        line = Spent(
            charge.job, charge.dataset, charge.project, charge.analyst, charge.rho, "reserved", at
        )
        db.execute("INSERT INTO budget VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(line))
        self._chain.append(db, asdict(line))

    def mark_released(self, db: sqlite3.Connection, job: str) -> None:
        """Notes that something that depends on data is about to leave; there is no way back.

        To be called for a refusal that depends on data, too: it costs what an answer costs.
        A job without a reservation (an exact answer, paid for by its grant) has no line here.

        Raises:
            ProtocolError: The reservation was given back; nothing may leave any more.
        """
        row = db.execute("SELECT state FROM budget WHERE job = ?", (job,)).fetchone()
        if row is not None and row[0] == "undone":
            raise ProtocolError("this job was given up; nothing may leave", code="budget.undone")
        self._move(db, job, "released")

    def undo(self, db: sqlite3.Connection, job: str) -> bool:
        """Gives a reservation back if nothing that depends on data was ever stored for sending."""
        return self._move(db, job, "undone")

    def _move(self, db: sqlite3.Connection, job: str, state: str) -> bool:
        changed = db.execute(
            "UPDATE budget SET state = ? WHERE job = ? AND state = 'reserved'", (state, job)
        ).rowcount
        if changed:
            self._chain.append(db, {"job": job, "state": state})
        return changed > 0

    def verify(self, db: sqlite3.Connection) -> str:
        """Checks the chain, and the table against it; returns the chain's last hash.

        Raises:
            TrustError: The chain is broken (names the entry), or a line of the table is not what
                the chain says (names the job).
        """
        last = self._chain.verify(db)
        lines: dict[str, dict[str, Any]] = {}
        for entry in self._chain.entries(db):
            lines.setdefault(entry.record["job"], {}).update(entry.record)
        for row in db.execute("SELECT * FROM budget"):
            line = Spent(*row)
            if lines.pop(line.job, None) != asdict(line):
                raise _forged(line.job)
        if lines:
            raise _forged(next(iter(lines)))
        return last

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


def _shown(rho: float, delta: float | None) -> str:
    return f"rho = {rho:.3g}" if delta is None else f"epsilon = {epsilon_for(rho, delta):.3g}"


def _forged(job: str) -> TrustError:
    return TrustError(
        Text(
            f"the budget ledger's line of job {job} is not what its journal says",
            f"预算账本中任务 {job} 的一行与日志不符",
        ),
        remedy=Text(
            "somebody has edited the store: keep the file and restore a backup",
            "存储被人改动过：请保留文件并恢复备份",
        ),
        code="ledger.forged",
    )
