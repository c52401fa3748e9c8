"""What a source no longer has is withdrawn here: after a whole run, and not without a word.

So is what is here of departments for which the source does not speak: its place was changed.

A portal that is broken looks like one that is empty, and a place may be mistyped. So nothing is
withdrawn if the source changed while it was read, and a person is asked if more is gone than the
harvest allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, delete, func, select, update

from catalog.harvest.entering import save
from catalog.harvest.sources import Harvest, Run, count, ids, told
from catalog.harvest.tables import HarvestPageRow, HarvestRecordRow
from catalog.registry.fading import fade
from catalog.registry.registry import Registry
from catalog.registry.tables import DatasetRow, DepartmentRow
from catalog.registry.withdrawal import withdraw as take_out
from protos.faults import InputError
from protos.language import Text
from protos.signing import IdentityKey

_FADED: Final = Text(
    "no dataset names its source any more; only a harvest had",
    "其来源仅由采集得知，现已无数据资源声明",
)


@dataclass(frozen=True)
class Gone:
    """A dataset that its source no longer has, or may not have.

    Attributes:
        source: Its source here.
        identifier: Its code.
        foreign: Where its department is from, if that is outside the harvest's place; else empty.
    """

    source: str
    identifier: str
    foreign: str = ""

    def to_dict(self) -> dict[str, str]:
        """Returns it as JSON types."""
        return {"source": self.source, "identifier": self.identifier, "foreign": self.foreign}


def finish(
    registry: Registry, harvest: Harvest, run: Run, *, withdraw: bool
) -> tuple[Run, tuple[Gone, ...]]:
    """Ends a run whose last page is read.

    Args:
        registry: Open.
        harvest: What was read.
        run: Without a next page.
        withdraw: Whether a person has said that all that is gone may go.

    Returns:
        The run, and what the source no longer has.
    """
    signer = registry.key()
    with registry.database.write() as (connection, revision):
        gone = _gone(connection, harvest, run)
        state = "complete" if withdraw else _verdict(connection, harvest, run, gone)
        withdrawn = 0
        if state == "complete":
            withdrawn = _withdraw(
                connection, revision, harvest, gone, now=registry.now(), signer=signer
            )
            fade(connection, who=f"harvest {harvest.name}", why=str(_FADED), now=registry.now())
            _forget_unseen(connection, harvest, run)
        ended = replace(run, state=state, ended_at=registry.now(), withdrawn=withdrawn)
        save(connection, harvest, ended)
    return ended, tuple(gone)


def _gone(connection: Connection, harvest: Harvest, run: Run) -> list[Gone]:
    r = HarvestRecordRow
    seen = {
        (row[0], row[1])
        for row in connection.execute(
            select(r.source, r.identifier).where(
                r.harvest == harvest.name, r.run == run.number, r.identifier.is_not(None)
            )
        )
    }
    foreign = {(each.source, each.identifier): each for each in strangers(connection, harvest)}
    return [
        foreign.get(key, Gone(*key))
        for key in ids(connection, harvest)
        if key in foreign or key not in seen
    ]


def strangers(connection: Connection, harvest: Harvest) -> list[Gone]:
    """Returns what is registered by a harvest of departments for which it does not speak."""
    rows = connection.execute(
        select(DatasetRow.source, DatasetRow.identifier, DatasetRow.provider, DepartmentRow.place)
        .join(DepartmentRow, DepartmentRow.code == DatasetRow.provider)
        .where(harvest.owns(), DatasetRow.state == "registered")
        .order_by(DatasetRow.id)
    )
    found = [Gone(source, code, harvest.foreign(of, place)) for source, code, of, place in rows]
    return [each for each in found if each.foreign]


def _verdict(connection: Connection, harvest: Harvest, run: Run, gone: Sequence[Gone]) -> str:
    r = HarvestRecordRow
    seen = connection.execute(
        select(func.count()).where(r.harvest == harvest.name, r.run == run.number)
    ).scalar_one()
    if not run.steady or (run.total is not None and run.total != seen):
        return "unsteady"
    here = count(connection, harvest)
    bearable = max(1, here * harvest.most_withdrawn // 100)
    if gone and (seen == 0 or len(gone) == here or len(gone) > bearable):
        return "asks"
    return "complete"


def _withdraw(
    connection: Connection,
    revision: int,
    harvest: Harvest,
    gone: Sequence[Gone],
    *,
    now: int,
    signer: IdentityKey,
) -> int:
    """Withdraws what can be; what is public here stays, with the reason."""
    done = 0
    for each in gone:
        try:
            take_out(
                connection, revision, (each.source, each.identifier),
                reason=_reason(harvest, each), who=f"harvest {harvest.name}",
                now=now, signer=signer,
            )  # fmt: skip
            done += 1
        except InputError as error:
            r = HarvestRecordRow
            connection.execute(
                update(r)
                .where(r.source == each.source, r.identifier == each.identifier)
                .values(problem=told(error.said, error.advice))
            )
    return done


def _reason(harvest: Harvest, gone: Gone) -> str:
    if gone.foreign:
        return f"{harvest.name} speaks for {harvest.place}, its department is of {gone.foreign}"
    return f"withdrawn by its source {harvest.name}"


def _forget_unseen(connection: Connection, harvest: Harvest, run: Run) -> None:
    """What is gone is seen no more; a page that is gone could otherwise come back as unchanged."""
    r, p = HarvestRecordRow, HarvestPageRow
    kept = set(ids(connection, harvest))
    left = connection.execute(
        select(r.origin, r.source, r.identifier).where(
            r.harvest == harvest.name, r.run < run.number
        )
    ).all()
    lost = [row.origin for row in left if (row.source, row.identifier) not in kept]
    for first in range(0, len(lost), 500):
        some = lost[first : first + 500]
        connection.execute(delete(r).where(r.harvest == harvest.name, r.origin.in_(some)))
    connection.execute(delete(p).where(p.harvest == harvest.name, p.run < run.number))
