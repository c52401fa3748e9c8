"""Conflicts for people who decide them: both sides, and every step so far."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import aliased

from catalog.registry.tables import (
    ConflictRow,
    ConflictStepRow,
    DataRow,
    DatasetRow,
    DepartmentRow,
)


@dataclass(frozen=True)
class Side:
    """One side of a conflict.

    Attributes:
        code: The department.
        name: Its name.
        dataset: Source and identifier of the dataset that names it; None if that moved on.
        dataset_name: Name of that dataset.
    """

    code: str
    name: str
    dataset: tuple[str, str] | None
    dataset_name: str


@dataclass(frozen=True)
class Step:
    """One step of a conflict.

    Attributes:
        at: Unix seconds.
        what: ``opened``, ``holder`` (it is now with another holder), or the decision.
        who: Who did it.
        note: Why.
    """

    at: int
    what: str
    who: str
    note: str


@dataclass(frozen=True)
class Conflict:
    """Two claims to one datum.

    Attributes:
        number: For commands.
        subject: Of what the datum is a property.
        name: Which property.
        place: Division.
        holder: Who is responsible, or was when it was decided.
        claimant: Who else is named.
        state: ``open``, ``kept``, ``moved`` or ``different``.
        steps: What happened, in order.
    """

    number: int
    subject: str
    name: str
    place: str
    holder: Side
    claimant: Side
    state: str
    steps: tuple[Step, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return {
            "number": self.number,
            "subject": self.subject,
            "name": self.name,
            "place": self.place,
            "holder": _side_dict(self.holder),
            "claimant": _side_dict(self.claimant),
            "state": self.state,
            "steps": [
                {"at": s.at, "what": s.what, "who": s.who, "note": s.note} for s in self.steps
            ],
        }


def _side_dict(side: Side) -> dict[str, Any]:
    return {
        "code": side.code,
        "name": side.name,
        "dataset": None if side.dataset is None else list(side.dataset),
        "dataset_name": side.dataset_name,
    }


def conflicts(connection: Connection, *, state: str = "") -> list[Conflict]:
    """Returns conflicts in the order in which they arose.

    Args:
        connection: To read with.
        state: Only those in this state; empty for all.
    """
    holder, claimant = aliased(DepartmentRow), aliased(DepartmentRow)
    held, claimed = aliased(DatasetRow), aliased(DatasetRow)
    statement = (
        select(
            ConflictRow.id, ConflictRow.state, DataRow.subject, DataRow.name, DataRow.place,
            holder.code, holder.name.label("holder_name"), held.source, held.identifier,
            held.name.label("held_name"), claimant.code.label("claimant_code"),
            claimant.name.label("claimant_name"), claimed.source.label("claimed_source"),
            claimed.identifier.label("claimed_identifier"), claimed.name.label("claimed_name"),
        )
        .join(DataRow, DataRow.key == ConflictRow.datum)
        .join(holder, holder.code == ConflictRow.holder)
        .join(claimant, claimant.code == ConflictRow.claimant)
        .join(held, held.id == ConflictRow.holder_dataset, isouter=True)
        .join(claimed, claimed.id == ConflictRow.claimant_dataset)
        .order_by(ConflictRow.id)
    )  # fmt: skip
    if state:
        statement = statement.where(ConflictRow.state == state)
    steps = defaultdict(list)
    for step in connection.execute(
        select(ConflictStepRow.__table__).order_by(ConflictStepRow.conflict, ConflictStepRow.number)
    ):
        steps[step.conflict].append(Step(step.at, step.what, step.who, step.note))
    return [
        Conflict(
            row.id, row.subject, row.name, row.place,
            Side(
                row.code, row.holder_name,
                None if row.source is None else (row.source, row.identifier), row.held_name or "",
            ),
            Side(
                row.claimant_code, row.claimant_name,
                (row.claimed_source, row.claimed_identifier), row.claimed_name,
            ),
            row.state, tuple(steps[row.id]),
        )
        for row in connection.execute(statement)
    ]  # fmt: skip
