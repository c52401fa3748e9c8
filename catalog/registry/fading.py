"""Hearsay lasts as long as somebody says it: a word that no dataset repeats any more holds nothing.

A claim of our own outlives its dataset, because the responsibility does. Of a harvested one nothing
is known but that another catalog said so: when its records are withdrawn, or were never its to
tell, whoever waits in conflict with it gets the datum, or whoever comes first.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select, update

from catalog.registry.holding import pass_on
from catalog.registry.tables import ConflictRow, DataRow, DatasetRow, ItemRow
from catalog.registry.writing import harvested

_SAID: Final = (
    select(DatasetRow.source)
    .join(ItemRow, ItemRow.dataset == DatasetRow.id)
    .where(DatasetRow.state == "registered")
)


def fade(connection: Connection, *, who: str, why: str, now: int) -> int:
    """Frees the data whose source was only harvested, and is named by no registered dataset.

    Args:
        connection: Within a write's transaction.
        who: Because of whom, for the conflicts that this decides.
        why: For what reason.
        now: Unix seconds.

    Returns:
        How many have another source now, or wait for one.
    """
    said = _SAID.where(ItemRow.datum == DataRow.key, ItemRow.source == DataRow.provider)
    faded = connection.execute(
        select(DataRow.key, DataRow.provider).where(DataRow.hearsay == 1, ~said.exists())
    ).all()
    for datum, holder in faded:
        waiting = _first_in_line(connection, datum)
        if waiting is None:
            connection.execute(update(DataRow).where(DataRow.key == datum).values(hearsay=2))
            continue
        number, claimant, hearsay = waiting
        pass_on(
            connection, number, datum, holder, claimant,
            who=who, why=why, now=now, hearsay=hearsay,
        )  # fmt: skip
    return len(faded)


def _first_in_line(connection: Connection, datum: str) -> tuple[int, str, bool] | None:
    """The first open conflict whose claimant a dataset still names; whether harvests alone do."""
    lines = connection.execute(
        select(ConflictRow.id, ConflictRow.claimant)
        .where(ConflictRow.datum == datum, ConflictRow.state == "open")
        .order_by(ConflictRow.id)
    ).all()
    for number, claimant in lines:
        said = _SAID.where(ItemRow.datum == datum, ItemRow.claimed == claimant).distinct()
        if sources := connection.execute(said).scalars().all():
            roots = {source.partition(".")[0] for source in sources}
            return number, claimant, roots <= harvested(connection)
    return None
