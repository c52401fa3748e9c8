"""Other settings for a harvest: what it has brought stays its own, and is judged by the new ones.

Where it reads or for whom it speaks decides what each page means, so with another address or place
every page is read again, and a run that stopped in the middle does not go on. What the new place no
longer covers goes as what the source no longer has does: with the next whole run, and not without
a question if it is much. So a place that was mistyped costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, delete, update

from catalog.harvest.alone import alone
from catalog.harvest.entering import save
from catalog.harvest.fetching import read_url
from catalog.harvest.sources import Harvest, check, last_run, named
from catalog.harvest.tables import HarvestPageRow, HarvestRecordRow, HarvestRow
from catalog.harvest.withdrawing import Gone, strangers
from catalog.registry.registry import Registry
from protos.faults import InputError
from protos.language import Text

CHANGEABLE: Final = ("url", "place", "networks", "authorities", "most_withdrawn", "pause_ms")
"""Not its name, the source of all it brought; nor its dialect: by another, codes are others."""
_MEANING: Final = frozenset({"url", "place"})
_GIVEN_UP: Final = Text("its settings were changed", "其设置已修改")


@dataclass(frozen=True)
class Changed:
    """What became of a harvest.

    Attributes:
        before: As it was.
        after: As it is.
        fields: Which settings are others now; none if it was so already.
        anew: Whether the next run reads everything again.
        given_up: Number of the unfinished run that does not go on; None if there was none.
        foreign: What is here of departments outside its place: the next run withdraws it.
    """

    before: Harvest
    after: Harvest
    fields: tuple[str, ...]
    anew: bool
    given_up: int | None
    foreign: tuple[Gone, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        before = self.before.to_dict()
        return {
            "harvest": self.after.to_dict(),
            "changed": {name: before[name] for name in self.fields},
            "reads_everything_again": self.anew,
            "given_up": self.given_up,
            "foreign": [each.to_dict() for each in self.foreign],
        }


def change(
    registry: Registry, name: str, new: Mapping[str, Any], *, moved: bool = False
) -> Changed:
    """Changes settings of a harvest.

    Args:
        registry: Open.
        name: Of the harvest.
        new: Some of `CHANGEABLE`, as `Harvest` has them.
        moved: Whether a person says that another server has the same catalog.

    Raises:
        MissingError: There is none of this name.
        InputError: A setting is none, or the address leads to another server.
        UnavailableError: Another process reads it just now.
    """
    with alone(registry, name):
        before = named(registry.database, name)
        after = replace(before, **new)
        check(after)
        if not moved:
            _forbid_other_server(before, after)
        fields = tuple(each for each in CHANGEABLE if getattr(before, each) != getattr(after, each))
        anew = not _MEANING.isdisjoint(fields)
        given_up = None
        with registry.database.write() as (connection, _):
            _keep(connection, after)
            if anew:
                given_up = _forget(connection, after, registry.now())
            foreign = tuple(strangers(connection, after))
    return Changed(before, after, fields, anew, given_up, foreign)


def _keep(connection: Connection, after: Harvest) -> None:
    row = {each: getattr(after, each) for each in CHANGEABLE}
    row["networks"] = json.dumps(after.networks)
    connection.execute(update(HarvestRow).where(HarvestRow.name == after.name).values(row))


def _forget(connection: Connection, after: Harvest, now: int) -> int | None:
    """Forgets which pages are known, what was refused, and how far a run came."""
    r, p = HarvestRecordRow, HarvestPageRow
    connection.execute(delete(p).where(p.harvest == after.name))
    refused = (r.harvest == after.name, r.identifier.is_(None))
    connection.execute(delete(r).where(*refused))
    last = last_run(connection, after.name)
    if last is None or last.state not in {"running", "failed"}:
        return None
    save(connection, after, replace(last, state="given up", ended_at=now, error=_GIVEN_UP))
    return last.number


def _forbid_other_server(before: Harvest, after: Harvest) -> None:
    """Another server is another source, unless somebody says that it is the same catalog.

    From http to https is the same server, better proven; the way back is not.
    """
    old, new = read_url(before.url), read_url(after.url)
    if (old.scheme, old.host, old.port) == (new.scheme, new.host, new.port):
        return
    if old.host == new.host and (old.scheme, new.scheme) == ("http", "https"):
        return
    raise InputError(
        Text(
            f"{after.url[:100]} is on another server than {before.url[:100]}",
            f"{after.url[:100]} 与 {before.url[:100]} 不在同一服务器",
        ),
        remedy=Text(
            "if the same catalog has moved there, give --moved; another catalog gets a name of "
            "its own: veil catalog harvest add",
            "若同一目录已迁至该处，请加 --moved；其他目录请另行登记：veil catalog harvest add",
        ),
        code="harvest.other_server",
    )
