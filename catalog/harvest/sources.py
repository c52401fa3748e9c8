"""Which other catalogs are read, how, and how far the last readings came."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from catalog.harvest.dialects import OWN, Name
from catalog.harvest.fetching import read_url
from catalog.harvest.networks import read_network
from catalog.harvest.tables import HarvestPageRow, HarvestRecordRow, HarvestRow, HarvestRunRow
from catalog.registry.cities import GUANGDONG
from catalog.registry.database import Database
from catalog.registry.record import Record
from catalog.registry.tables import DataRow, DatasetRow, ItemRow
from protos.faults import ConflictError, InputError, MissingError
from protos.language import Text

_CREDIT_CODE: Final = re.compile(r"^[0-9A-Y]{2}([0-9]{6})[0-9A-Y]{10}$", re.ASCII)
_PLACE: Final = re.compile(r"[0-9]{6}", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}", re.ASCII)
ANYWHERE: Final = "000000"
MOST_HANDS: Final = 3
"""Through so many catalogs a record may have come; two that read each other would never end."""


@dataclass(frozen=True)
class Harvest:
    """Another catalog that is read into this one.

    Attributes:
        name: Source of its records here.
        url: As the operator gave it.
        dialect: What it speaks.
        networks: Ranges of closed networks that it may lead to.
        authorities: File of certificate authorities, PEM; empty for the system's.
        most_withdrawn: Percentage of its records that may vanish at once without a question.
        pause_ms: Between two pages, milliseconds.
        place: Division for whose departments it speaks, six digits; `ANYWHERE` for all.
    """

    name: str
    url: str
    dialect: Name = "dcat"
    networks: tuple[str, ...] = ()
    authorities: str = ""
    most_withdrawn: int = 10
    pause_ms: int = 200
    place: str = ANYWHERE

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return body | {"networks": list(self.networks)}

    def renamed(self, record: Record) -> Record:
        """Returns a record under the sources that it, and what it names, have here."""
        relations = tuple(replace(r, source=self._source(r.source)) for r in record.relations)
        return replace(record, source=self._source(record.source), relations=relations)

    @property
    def usual_place(self) -> str:
        """The division of what does not say where it is from."""
        return GUANGDONG if self.place == ANYWHERE else self.place

    def speaks_for(self, place: str) -> bool:
        """Whether a division is the harvest's place, or lies in it (GB/T 2260: two digits each)."""
        whole = self.place
        while whole.endswith("00"):
            whole = whole[:-2]
        return place.startswith(whole)

    def foreign(self, code: str, place: str) -> str:
        """Returns where a department is from if that is not the harvest's place; else nothing.

        A credit code tells by itself where it was given (GB 32100-2015: characters 3 to 8),
        whatever the other catalog says.
        """
        places = [place, *_CREDIT_CODE.findall(code)]
        return next((each for each in places if not self.speaks_for(each)), "")

    def _source(self, source: str) -> str:
        """What is the other catalog's own has the harvest's name; what it has from others, both."""
        return self.name if source == OWN else f"{self.name}.{source}"

    def owns(self) -> ColumnElement[bool]:
        """Returns the condition that a dataset came by this harvest."""
        return _owns(self.name)


@dataclass(frozen=True)
class Run:
    """One reading of the whole catalog.

    Attributes:
        number: From 1.
        state: ``running`` (or killed), ``failed`` (goes on where it was), ``given up`` (begins
            anew), ``complete``, ``unsteady`` (the source changed meanwhile: nothing withdrawn) or
            ``asks`` (too much has vanished to be withdrawn without a word).
        begun_at: Unix seconds.
        ended_at: Unix seconds; None while it runs.
        following: Address of the next page; empty when there is none.
        total: Records that the source says it has; None if it does not say.
        steady: Whether it said the same on each page.
        pages: Read.
        confirmed: Of these, pages that the source said are unchanged.
        new: Records registered for the first time.
        changed: Registered as a new version.
        unchanged: Not touched.
        withdrawn: Withdrawn here.
        error: Why it failed, both languages; else empty.
    """

    number: int
    state: str
    begun_at: int
    ended_at: int | None
    following: str
    total: int | None
    steady: bool
    pages: int
    confirmed: int
    new: int
    changed: int
    unchanged: int
    withdrawn: int
    error: Text

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return body | {"error": self.error.en, "error_zh": self.error.zh}


@dataclass(frozen=True)
class Problem:
    """A record of the source that is not here as the source has it.

    Attributes:
        origin: What the source calls it.
        identifier: Under which code it is here in an earlier form; empty if it is not.
        said: Why.
        remedy: What to do.
    """

    origin: str
    identifier: str
    said: Text
    remedy: Text

    def to_dict(self) -> dict[str, str]:
        """Returns it as JSON types."""
        return {
            "origin": self.origin, "identifier": self.identifier,
            "message": self.said.en, "message_zh": self.said.zh,
            "remedy": self.remedy.en, "remedy_zh": self.remedy.zh,
        }  # fmt: skip


def _owns(name: str) -> ColumnElement[bool]:
    return or_(DatasetRow.source == name, DatasetRow.source.startswith(f"{name}.", autoescape=True))


def add(database: Database, harvest: Harvest, now: int) -> None:
    """Keeps a harvest; nothing is fetched yet.

    Raises:
        InputError: Name, address, a range or a number is none.
        ConflictError: There is one of this name, or records whose source it would be.
    """
    check(harvest)
    with database.write() as (connection, _):
        taken = select(HarvestRow.name).where(HarvestRow.name == harvest.name)
        if connection.execute(taken).first() is not None:
            raise ConflictError(
                Text(f"there is a harvest {harvest.name}", f"已有名为 {harvest.name} 的采集"),
                remedy=Text(
                    f"other settings for it: veil catalog harvest change {harvest.name}; "
                    "another catalog gets another name",
                    f"修改其设置：veil catalog harvest change {harvest.name}；其他目录请换一个名称",
                ),
                code="harvest.exists",
            )
        used = select(DatasetRow.id).where(harvest.owns(), DatasetRow.state == "registered")
        if connection.execute(used.limit(1)).first() is not None:
            raise ConflictError(
                Text(f"records of the source {harvest.name} are registered already",
                     f"已有来源为 {harvest.name} 的记录"),
                remedy=Text("choose another name: a harvest alone writes what it brings; the "
                            "settings of one that goes on: veil catalog harvest change",
                            "请换一个名称：采集得来的记录只能由采集写入；"
                            "修改现有采集的设置：veil catalog harvest change"),
                code="harvest.source_in_use",
            )  # fmt: skip
        row = {name: getattr(harvest, name) for name in Harvest.__dataclass_fields__}
        connection.execute(
            insert(HarvestRow), row | {"networks": json.dumps(harvest.networks), "added_at": now}
        )


def check(harvest: Harvest) -> None:
    """Judges a harvest's settings.

    Raises:
        InputError: Name, address, a range or a number is none.
    """
    if not _NAME.fullmatch(harvest.name) or harvest.name == OWN:
        raise InputError(
            Text(
                f"{harvest.name[:40]!r} is no name of a harvest",
                f"“{harvest.name[:40]}”不能用作采集名称",
            ),
            remedy=Text(
                f"use up to 31 lower-case letters, digits, '_' and '-', and not {OWN!r}",
                f"请用不超过 31 个小写字母、数字、_ 和 -，且不能是 {OWN}",
            ),
            code="harvest.name",
        )
    if not _PLACE.fullmatch(harvest.place):
        raise InputError(
            Text(f"{harvest.place[:20]!r} is no division", f"“{harvest.place[:20]}”不是区划代码"),
            remedy=Text(
                f"give the six digits of the place whose catalog it is; {ANYWHERE} for any place",
                f"请填写该目录所属区划的六位代码；{ANYWHERE} 表示不限",
            ),
            code="harvest.place",
        )
    read_url(harvest.url)
    for network in harvest.networks:
        read_network(network)
    if not 0 <= harvest.most_withdrawn <= 100 or not 0 <= harvest.pause_ms <= 60_000:
        raise InputError(
            Text("a limit is out of range", "限值超出范围"),
            remedy=Text(
                "use 0 to 100 percent, and 0 to 60 seconds", "请用 0 至 100（百分比）和 0 至 60 秒"
            ),
            code="harvest.limit",
        )


def harvests(database: Database) -> list[tuple[Harvest, Run | None]]:
    """Returns all harvests by name, each with its last run."""
    with database.read() as connection:
        rows = connection.execute(select(HarvestRow.__table__).order_by(HarvestRow.name)).all()
        return [(_harvest(row), last_run(connection, row.name)) for row in rows]


def named(database: Database, name: str) -> Harvest:
    """Returns one harvest.

    Raises:
        MissingError: There is none of this name.
    """
    with database.read() as connection:
        row = connection.execute(
            select(HarvestRow.__table__).where(HarvestRow.name == name)
        ).first()
    if row is None:
        raise MissingError(
            Text(f"there is no harvest {name[:40]!r}", f"没有名为“{name[:40]}”的采集"),
            remedy=Text(
                "veil catalog harvest list shows them", "用 veil catalog harvest list 查看"
            ),
            code="harvest.unknown",
        )
    return _harvest(row)


def _harvest(row: Any) -> Harvest:  # noqa: ANN401 - of the table
    return Harvest(
        row.name, row.url, row.dialect, tuple(json.loads(row.networks)), row.authorities,
        row.most_withdrawn, row.pause_ms, row.place,
    )  # fmt: skip


def last_run(connection: Connection, name: str) -> Run | None:
    """Returns a harvest's last run; None if there was none."""
    found = runs(connection, name, 1)
    return found[0] if found else None


def runs(connection: Connection, name: str, most: int = 10) -> list[Run]:
    """Returns a harvest's runs, the newest first."""
    rows = connection.execute(
        select(HarvestRunRow.__table__)
        .where(HarvestRunRow.harvest == name)
        .order_by(HarvestRunRow.number.desc())
        .limit(most)
    )
    return [_run(row) for row in rows]


def _run(row: Any) -> Run:  # noqa: ANN401 - of the table
    fields = {name: getattr(row, name) for name in Run.__dataclass_fields__}
    error = Text(*json.loads(row.error)) if row.error else Text("", "")
    return Run(**fields | {"error": error, "steady": bool(row.steady)})


def count(connection: Connection, harvest: Harvest) -> int:
    """Returns how many datasets are registered by a harvest."""
    there = select(func.count()).where(harvest.owns(), DatasetRow.state == "registered")
    return connection.execute(there).scalar_one()


def problems(connection: Connection, name: str) -> list[Problem]:
    """Returns the records of a source that are not here as the source has them."""
    rows = connection.execute(
        select(HarvestRecordRow.origin, HarvestRecordRow.identifier, HarvestRecordRow.problem)
        .where(HarvestRecordRow.harvest == name, HarvestRecordRow.problem.is_not(None))
        .order_by(HarvestRecordRow.origin)
    )
    return [
        Problem(origin, identifier or "", Text(*said), Text(*remedy))
        for origin, identifier, problem in rows
        if problem is not None
        for said, remedy in [json.loads(problem)]
    ]


def told(said: Text, remedy: Text) -> str:
    """Returns a problem as its row keeps it."""
    return json.dumps([[said.en, said.zh], [remedy.en, remedy.zh]], ensure_ascii=False)


def forget(connection: Connection, name: str) -> None:
    """Removes a harvest and what it knew; its records stay, and are this catalog's own now."""
    ours = select(ItemRow.datum).join(DatasetRow, DatasetRow.id == ItemRow.dataset)
    kept = ours.where(_owns(name), DatasetRow.state == "registered", ItemRow.source.is_not(None))
    connection.execute(update(DataRow).where(DataRow.key.in_(kept)).values(hearsay=0))
    for table in (HarvestRecordRow, HarvestPageRow, HarvestRunRow):
        connection.execute(delete(table).where(table.harvest == name))
    connection.execute(delete(HarvestRow).where(HarvestRow.name == name))


def ids(connection: Connection, harvest: Harvest) -> Sequence[tuple[str, str]]:
    """Returns source and identifier of all that is registered by a harvest."""
    rows = connection.execute(
        select(DatasetRow.source, DatasetRow.identifier)
        .where(harvest.owns(), DatasetRow.state == "registered")
        .order_by(DatasetRow.id)
    )
    return [(row[0], row[1]) for row in rows]
