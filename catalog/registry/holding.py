"""How a datum passes from one department to another: its items, its conflicts, each step noted."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update

from catalog.registry.tables import ConflictRow, ConflictStepRow, DataRow, ItemRow


def pass_on(
    connection: Connection,
    number: int,
    datum: str,
    holder: str,
    claimant: str,
    *,
    who: str,
    why: str,
    now: int,
    hearsay: bool = False,
) -> None:
    """Makes the claimant of a conflict the one source of its datum, and the conflict ``moved``.

    Args:
        connection: Within a write's transaction.
        number: Of the conflict.
        datum: Its key.
        holder: Code of the department that was the source.
        claimant: Of the one that is from now on.
        who: Who decides.
        why: For what reason.
        now: Unix seconds.
        hearsay: Whether only other catalogs name the claimant.
    """
    # The items that name the holder follow by the foreign key's ON UPDATE CASCADE …
    connection.execute(
        update(DataRow)
        .where(DataRow.key == datum)
        .values(provider=claimant, since=now, hearsay=int(hearsay))
    )
    # … in `source`; what they count as naming follows here.
    assign(connection, datum, holder, datum, claimant)
    assign(connection, datum, claimant, datum, claimant)
    connection.execute(
        update(ConflictRow).where(ConflictRow.id == number).values(state="moved", other=None)
    )
    note(connection, number, now, "moved", who, why)
    _face_the_new_holder(connection, datum, claimant, now)


def assign(connection: Connection, datum: str, claimed: str, key: str, source: str) -> None:
    """Says of what the items that name a department are, and who is responsible for it."""
    connection.execute(
        update(ItemRow)
        .where(ItemRow.datum == datum, ItemRow.claimed == claimed)
        .values(datum=key, claimed=source, source=source)
    )


def note(connection: Connection, conflict: int, now: int, what: str, who: str, why: str) -> None:
    """Appends a step to a conflict."""
    last = select(func.coalesce(func.max(ConflictStepRow.number), 0)).where(
        ConflictStepRow.conflict == conflict
    )
    number = connection.execute(last).scalar_one() + 1
    row = {"conflict": conflict, "number": number, "at": now, "what": what, "who": who,
           "note": why}  # fmt: skip
    connection.execute(insert(ConflictStepRow), row)


def _face_the_new_holder(connection: Connection, datum: str, holder: str, now: int) -> None:
    """Other open conflicts about the datum are now with whom it has moved to."""
    others = connection.execute(
        select(ConflictRow.id).where(ConflictRow.datum == datum, ConflictRow.state == "open")
    ).scalars()
    for number in list(others):
        connection.execute(
            update(ConflictRow)
            .where(ConflictRow.id == number)
            .values(holder=holder, holder_dataset=None)
        )
        note(connection, number, now, "holder", holder, "")
