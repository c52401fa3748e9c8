"""Decisions about conflicts: the holder keeps a datum, the claimant gets it, or both are right.

Each is a step that is never changed; `claims` looks decisions up, so that they last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Connection, select, update

from catalog.registry.claims import unless_there
from catalog.registry.datum import Datum, plain
from catalog.registry.holding import assign, pass_on
from catalog.registry.holding import note as note_step
from catalog.registry.tables import ConflictRow, DataRow, DepartmentRow
from protos.faults import InputError
from protos.language import Text

Decision = Literal["keep", "move", "different"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
_STATES: dict[Decision, str] = {"keep": "kept", "move": "moved", "different": "different"}


def read_decision(text: str) -> Decision:
    """Returns the decision that a person wrote.

    Raises:
        InputError: It is none of `DECISIONS`.
    """
    for decision in DECISIONS:
        if text == decision:
            return decision
    raise InputError(
        Text(f"{text[:20]!r} is no decision", f"“{text[:20]}”不是有效的裁定"),
        remedy=Text(f"use {', '.join(DECISIONS)}", f"可用：{'、'.join(DECISIONS)}"),
        code="conflict.decision",
    )


def resolve(
    connection: Connection,
    number: int,
    decision: Decision,
    *,
    who: str,
    note: str,
    now: int,
    subject: str = "",
) -> None:
    """Decides an open conflict.

    Args:
        connection: Within a write's transaction.
        number: Of the conflict.
        decision: ``keep``: the holder stays the source. ``move``: the claimant becomes it.
            ``different``: both are right, about two things.
        who: Who decides.
        note: Why; a law, a rule or minutes.
        now: Unix seconds.
        subject: For ``different``: what the claimant's datum is a property of.

    Raises:
        InputError: There is no such open conflict, no reason, or no other subject.
    """
    conflict = _open_conflict(connection, number)
    if not who.strip() or not note.strip():
        raise InputError(
            Text("a decision says who decides, and why", "裁定须写明裁定人和理由"),
            remedy=Text("give --by and --reason", "请填写 --by 和 --reason"),
            code="conflict.reason",
        )
    if decision == "move":
        pass_on(
            connection, number, conflict.datum, conflict.holder, conflict.claimant,
            who=who.strip(), why=note.strip(), now=now,
        )  # fmt: skip
        return
    other: str | None = None
    if decision == "different":
        other = _other(connection, conflict, subject, now)
        assign(connection, conflict.datum, conflict.claimant, other, conflict.claimant)
    else:
        assign(connection, conflict.datum, conflict.claimant, conflict.datum, conflict.holder)
        # Whoever said it first: now somebody here has said it.
        connection.execute(update(DataRow).where(DataRow.key == conflict.datum).values(hearsay=0))
    connection.execute(
        update(ConflictRow)
        .where(ConflictRow.id == number)
        .values(state=_STATES[decision], other=other)
    )
    note_step(connection, number, now, _STATES[decision], who.strip(), note.strip())


@dataclass(frozen=True)
class _Open:
    number: int
    datum: str
    holder: str
    claimant: str


def _open_conflict(connection: Connection, number: int) -> _Open:
    row = connection.execute(select(ConflictRow.__table__).where(ConflictRow.id == number)).first()
    if row is None or row.state != "open":
        said = (
            Text(f"there is no conflict {number}", f"没有编号为 {number} 的冲突")
            if row is None
            else Text(f"conflict {number} was decided already", f"冲突 {number} 已裁定")
        )
        raise InputError(
            said,
            remedy=Text("veil catalog conflicts lists them", "用 veil catalog conflicts 查看"),
            code="conflict.unknown" if row is None else "conflict.decided",
        )
    return _Open(number, row.datum, row.holder, row.claimant)


def _other(connection: Connection, conflict: _Open, subject: str, now: int) -> str:
    old = connection.execute(select(DataRow.__table__).where(DataRow.key == conflict.datum)).one()
    datum = Datum(plain(subject), old.name, old.place)
    if not subject.strip() or datum.key == conflict.datum:
        raise InputError(
            Text("what the other datum is about is not said", "未说明另一数据项的数据对象"),
            remedy=Text(
                f"name it with --subject, and not as {old.subject!r}",
                f"请用 --subject 填写，且不同于“{old.subject}”",
            ),
            code="conflict.subject",
        )
    row = {
        "key": datum.key, "subject": datum.subject, "name": datum.name, "place": datum.place,
        "provider": conflict.claimant, "since": now, "hearsay": 0,
    }  # fmt: skip
    connection.execute(unless_there(connection), [row])
    provider = connection.execute(
        select(DataRow.provider).where(DataRow.key == datum.key)
    ).scalar_one()
    if provider != conflict.claimant:
        name = connection.execute(
            select(DepartmentRow.name).where(DepartmentRow.code == provider)
        ).scalar_one()
        raise InputError(
            Text(
                f"{name} is responsible for {datum.name} of {datum.subject}",
                f"“{datum.subject}”的“{datum.name}”已由{name}负责",
            ),
            remedy=Text("name another subject", "请填写其他数据对象"),
            code="conflict.subject_taken",
        )
    return datum.key
