"""One datum, one source: who is responsible for what, and what happens when two say so.

The first claim stands. A second one is recorded as a conflict beside it, and waits: the item has no
source until somebody decides. Decisions are kept, so that the same file imported again opens
nothing that was closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Connection, Insert, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from catalog.registry.datum import Datum, plain
from catalog.registry.tables import (
    ConflictRow,
    ConflictStepRow,
    DataRow,
    DepartmentRow,
    ItemRow,
)
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


@dataclass(frozen=True)
class Claim:
    """One record's word on who is responsible for a datum.

    Attributes:
        datum: What.
        department: Code of the department that is named.
        dataset: Number of the dataset that says so.
    """

    datum: Datum
    department: str
    dataset: int


@dataclass(frozen=True)
class Standing:
    """What became of a claim.

    Attributes:
        key: The datum that the item belongs to.
        claimed: The department that counts as named.
        source: The responsible department; None while that is disputed.
    """

    key: str
    claimed: str
    source: str | None


class Claims:
    """The claims of one write.

    Args:
        connection: Within the write's transaction.
        now: Unix seconds.
    """

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now
        self._providers: dict[str, str] = {}
        self._firsts: dict[str, Claim] = {}  # of this write; their items are written later
        known = _all_conflicts(connection)
        self._conflicts = {(c.datum, c.claimant): c for c in known}
        self._lost = {(c.datum, c.holder) for c in known if c.state == "moved"}
        self.opened = 0

    def settle(self, claims: Iterable[Claim]) -> list[Standing]:
        """Records claims, in order; the first for a datum makes its department the source."""
        claims = list(claims)
        self._look_up(claims)
        return [self._one(claim) for claim in claims]

    def _look_up(self, claims: list[Claim]) -> None:
        first = {c.datum.key: c for c in reversed(claims) if c.datum.key not in self._providers}
        if not first:
            return
        self._firsts |= first
        rows = [
            {
                "key": key, "subject": c.datum.subject, "name": c.datum.name,
                "place": c.datum.place, "provider": c.department, "since": self._now,
            }
            for key, c in first.items()
        ]  # fmt: skip
        # The database decides who was first, whatever this process has seen before.
        self._connection.execute(_unless_there(self._connection), rows)
        found = select(DataRow.key, DataRow.provider).where(DataRow.key.in_(list(first)))
        self._providers.update((key, provider) for key, provider in self._connection.execute(found))

    def _one(self, claim: Claim) -> Standing:
        key, claimed = claim.datum.key, claim.department
        holder = self._providers[key]
        if claimed == holder:
            return Standing(key, claimed, claimed)
        conflict = self._conflicts.get((key, claimed))
        if conflict is None:
            if (key, claimed) in self._lost:  # it was the source once, until it was decided
                return Standing(key, holder, holder)
            self._open(claim, holder)
            return Standing(key, claimed, None)
        if conflict.state == "different" and conflict.other is not None:
            return Standing(conflict.other, claimed, claimed)
        if conflict.state == "open":
            return Standing(key, claimed, None)
        return Standing(key, holder, holder)

    def _open(self, claim: Claim, holder: str) -> None:
        key = claim.datum.key
        held_by = select(func.min(ItemRow.dataset)).where(
            ItemRow.datum == key, ItemRow.source == holder
        )
        held = self._connection.execute(held_by).scalar()
        here = self._firsts[key]
        if held is None and here.department == holder:
            held = here.dataset
        number = _next_number(self._connection)
        row = {
            "id": number, "datum": key, "holder": holder, "claimant": claim.department,
            "holder_dataset": held,
            "claimant_dataset": claim.dataset, "state": "open", "other": None,
        }  # fmt: skip
        self._connection.execute(insert(ConflictRow), row)
        _note(self._connection, number, self._now, "opened", claim.department, "")
        self._conflicts[key, claim.department] = _Known(key, claim.department, holder, "open", None)
        self.opened += 1


@dataclass(frozen=True)
class _Known:
    datum: str
    claimant: str
    holder: str
    state: str
    other: str | None


def _all_conflicts(connection: Connection) -> list[_Known]:
    rows = connection.execute(
        select(
            ConflictRow.datum, ConflictRow.claimant, ConflictRow.holder, ConflictRow.state,
            ConflictRow.other,
        ).order_by(ConflictRow.id)
    )  # fmt: skip
    return [_Known(*row) for row in rows]


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
    other: str | None = None
    if decision == "different":
        other = _other(connection, conflict, subject, now)
        _assign(connection, conflict.datum, conflict.claimant, other, conflict.claimant)
    elif decision == "move":
        # The items that name the holder follow by the foreign key's ON UPDATE CASCADE …
        connection.execute(
            update(DataRow)
            .where(DataRow.key == conflict.datum)
            .values(provider=conflict.claimant, since=now)
        )
        # … in `source`; what they count as naming follows here.
        _assign(connection, conflict.datum, conflict.holder, conflict.datum, conflict.claimant)
        _assign(connection, conflict.datum, conflict.claimant, conflict.datum, conflict.claimant)
    else:
        _assign(connection, conflict.datum, conflict.claimant, conflict.datum, conflict.holder)
    connection.execute(
        update(ConflictRow)
        .where(ConflictRow.id == number)
        .values(state=_STATES[decision], other=other)
    )
    _note(connection, number, now, _STATES[decision], who.strip(), note.strip())
    if decision == "move":
        _face_the_new_holder(connection, conflict, now)


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
        "provider": conflict.claimant, "since": now,
    }  # fmt: skip
    connection.execute(_unless_there(connection), [row])
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


def _assign(connection: Connection, datum: str, claimed: str, key: str, source: str) -> None:
    connection.execute(
        update(ItemRow)
        .where(ItemRow.datum == datum, ItemRow.claimed == claimed)
        .values(datum=key, claimed=source, source=source)
    )


def _face_the_new_holder(connection: Connection, conflict: _Open, now: int) -> None:
    """Other open conflicts about the datum are now with whom it has moved to."""
    others = connection.execute(
        select(ConflictRow.id).where(
            ConflictRow.datum == conflict.datum, ConflictRow.state == "open"
        )
    ).scalars()
    for number in list(others):
        connection.execute(
            update(ConflictRow)
            .where(ConflictRow.id == number)
            .values(holder=conflict.claimant, holder_dataset=None)
        )
        _note(connection, number, now, "holder", conflict.claimant, "")


def _note(connection: Connection, conflict: int, now: int, what: str, who: str, note: str) -> None:
    last = select(func.coalesce(func.max(ConflictStepRow.number), 0)).where(
        ConflictStepRow.conflict == conflict
    )
    number = connection.execute(last).scalar_one() + 1
    row = {"conflict": conflict, "number": number, "at": now, "what": what, "who": who,
           "note": note}  # fmt: skip
    connection.execute(insert(ConflictStepRow), row)


def _next_number(connection: Connection) -> int:
    last = select(func.coalesce(func.max(ConflictRow.id), 0))
    return connection.execute(last).scalar_one() + 1


def _unless_there(connection: Connection) -> Insert:
    """``INSERT … ON CONFLICT DO NOTHING`` into the data, in the words of this database."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(DataRow).on_conflict_do_nothing()
    return postgresql.insert(DataRow).on_conflict_do_nothing()
