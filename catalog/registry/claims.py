"""One datum, one source: who is responsible for what, and what happens when two say so.

The first claim stands. A second one is recorded as a conflict beside it, and waits: the item has no
source until somebody decides. Decisions are kept, so that the same file imported again opens
nothing that was closed.

What was harvested is hearsay. It may come first, or whoever is harvested could take every datum
before its department has registered it here; so it gives way to the first claim of our own, and the
conflict that this decides is on record like any other. Hearsay that is no longer said (`fading`)
gives way to whoever comes first, in the same manner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, Insert, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from catalog.registry.datum import Datum
from catalog.registry.holding import note, pass_on
from catalog.registry.tables import ConflictRow, DataRow, ItemRow
from protos.language import Text

_OUR_OWN: Final = Text(
    "registered here; until now only another catalog had said whose it is",
    "已在本目录登记；此前仅由其他目录声明",
)
_FADED: Final = Text(
    "named by another catalog; whoever had said otherwise says so no longer",
    "由其他目录声明；原声明已不再存在",
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
        hearsay: Whether they come from another catalog.
    """

    def __init__(self, connection: Connection, now: int, *, hearsay: bool = False) -> None:
        self._connection = connection
        self._now = now
        self._hearsay = hearsay
        self._heard: set[str] = set()  # of what is looked up, what gives way to these claims
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
                "hearsay": int(self._hearsay),
            }
            for key, c in first.items()
        ]  # fmt: skip
        # The database decides who was first, whatever this process has seen before.
        self._connection.execute(unless_there(self._connection), rows)
        found = self._connection.execute(
            select(DataRow.key, DataRow.provider, DataRow.hearsay).where(
                DataRow.key.in_(list(first))
            )
        ).all()
        self._providers |= {row.key: row.provider for row in found}
        self._heard |= {row.key for row in found if row.hearsay > self._hearsay}

    def _one(self, claim: Claim) -> Standing:
        key, claimed = claim.datum.key, claim.department
        holder = self._providers[key]
        if claimed == holder:
            self._confirm(key)
            return Standing(key, claimed, claimed)
        conflict = self._conflicts.get((key, claimed))
        if key in self._heard and (conflict is None or conflict.state == "open"):
            self._take_over(claim, holder)
            return Standing(key, claimed, claimed)
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

    def _confirm(self, key: str) -> None:
        """What we were told, or nobody said any more, is now what these claims say."""
        if key in self._heard:
            self._heard.remove(key)
            statement = update(DataRow).where(DataRow.key == key)
            self._connection.execute(statement.values(hearsay=int(self._hearsay)))

    def _take_over(self, claim: Claim, holder: str) -> None:
        key, claimed = claim.datum.key, claim.department
        if (key, claimed) not in self._conflicts:
            self._open(claim, holder)
        known = self._conflicts[key, claimed]
        pass_on(
            self._connection, known.number, key, holder, claimed,
            who=claimed, why=str(_FADED if self._hearsay else _OUR_OWN), now=self._now,
            hearsay=self._hearsay,
        )  # fmt: skip
        self._heard.remove(key)
        self._providers[key] = claimed
        self._conflicts[key, claimed] = replace(known, state="moved", holder=holder)
        self._lost.add((key, holder))

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
        note(self._connection, number, self._now, "opened", claim.department, "")
        self._conflicts[key, claim.department] = _Known(
            number, key, claim.department, holder, "open", None
        )
        self.opened += 1


@dataclass(frozen=True)
class _Known:
    number: int
    datum: str
    claimant: str
    holder: str
    state: str
    other: str | None


def _all_conflicts(connection: Connection) -> list[_Known]:
    rows = connection.execute(
        select(
            ConflictRow.id, ConflictRow.datum, ConflictRow.claimant, ConflictRow.holder,
            ConflictRow.state, ConflictRow.other,
        ).order_by(ConflictRow.id)
    )  # fmt: skip
    return [_Known(*row) for row in rows]


def _next_number(connection: Connection) -> int:
    last = select(func.coalesce(func.max(ConflictRow.id), 0))
    return connection.execute(last).scalar_one() + 1


def unless_there(connection: Connection) -> Insert:
    """``INSERT … ON CONFLICT DO NOTHING`` into the data, in the words of this database."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(DataRow).on_conflict_do_nothing()
    return postgresql.insert(DataRow).on_conflict_do_nothing()
