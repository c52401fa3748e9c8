"""One case, as lists and steps see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from catalog.workflows.events import Event, unverified_event
from catalog.workflows.tables import CaseEventRow, CaseRow


@dataclass(frozen=True)
class Case:
    """A case, as its last event left it.

    Attributes:
        id: 16 hex digits, drawn at random: numbers would say how many others there are.
        kind: Of its workflow.
        state: Code of the state.
        revision: Number of its last event.
        opened: Place in the order in which cases were opened.
        department: Code of the department that is responsible; "" for none.
        owner: Account that opened it.
        counterpart: Account on its other side; "" for none.
        subject: Person or firm whose data it is about; "" for none.
        title: One line.
        asked: Number of the event that says what is asked.
        opened_at: Unix seconds.
        since: When it entered its state, Unix seconds.
        changed_at: Of the last event, Unix seconds.
        head: Digest of the last event.
        until: Last day that was said in it, ISO: of use, of a licence; "" for none.
    """

    id: str
    kind: str
    state: str
    revision: int
    opened: int
    department: str
    owner: str
    counterpart: str
    subject: str
    title: str
    asked: int
    opened_at: int
    since: int
    changed_at: int
    head: str
    until: str

    @property
    def name(self) -> str:
        """Kind and id."""
        return f"{self.kind}/{self.id}"


@dataclass(frozen=True)
class Kept:
    """An event with what is kept beside it.

    Attributes:
        said: What it says; from the database, unchecked.
        token: It, signed.
        salt: 32 bytes, hex; with it the log's entry can be recomputed.
        document: An officer's decision; "".
        entry: Index in the log; None until it is there.
    """

    said: Event
    token: str
    salt: str
    document: str
    entry: int | None


def case_of(row: Row[Any]) -> Case:
    """Reads a row of `CaseRow`."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    return Case(**{**values, "department": values["department"] or "",
                   "until": values["until"] or ""})  # fmt: skip


def find_case(connection: Connection, kind: str, identifier: str) -> Case | None:
    """Returns a case, whoever may see it."""
    statement = select(CaseRow.__table__).where(CaseRow.kind == kind, CaseRow.id == identifier)
    row = connection.execute(statement).first()
    return None if row is None else case_of(row)


def history(connection: Connection, case: str) -> list[Kept]:
    """Returns the events of a case, in order, unchecked."""
    rows = connection.execute(
        select(
            CaseEventRow.token, CaseEventRow.salt, CaseEventRow.document, CaseEventRow.entry
        ).where(CaseEventRow.case == case).order_by(CaseEventRow.number)
    )  # fmt: skip
    return [Kept(unverified_event(r.token), r.token, r.salt, r.document, r.entry) for r in rows]
