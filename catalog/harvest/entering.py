"""One page of another catalog into this one: records, what was seen, and where the next page is.

All of it in one transaction. What cannot be registered is noted with its reason and stops nobody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, or_, select, tuple_, update

from catalog.harvest.dialects import Page
from catalog.harvest.fetching import Answer
from catalog.harvest.sources import MOST_HANDS, Harvest, Run, told
from catalog.harvest.tables import HarvestPageRow, HarvestRecordRow, HarvestRunRow
from catalog.interchange.problems import Parsed
from catalog.registry.record import Record
from catalog.registry.registry import Registry
from catalog.registry.writing import Writer
from protos.faults import InputError
from protos.language import Text

MOST_RECORDS: Final = 1_000_000
_LONGEST: Final = 400


@dataclass(frozen=True)
class _Found:
    """What a page has under one name.

    Attributes:
        origin: What the source calls it.
        record: As it is to be registered; None if it is not.
        problem: Why not.
        key: Source and identifier under which it is here already, or will be.
    """

    origin: str
    record: Record | None
    problem: str | None = None
    key: tuple[str | None, str | None] = (None, None)


def enter(
    registry: Registry,
    harvest: Harvest,
    run: Run,
    page: Page,
    answer: Answer,
    *,
    reader: str,
) -> Run:
    """Registers what a page has, and notes where the run is then.

    Args:
        registry: Open.
        harvest: Whose page it is.
        run: As it was before this page, whose address is the run's next.
        page: What it says.
        answer: With the tags by which its server knows it.
        reader: Version of the program that read it.

    Raises:
        InputError: The pages lead in a circle, or without end.
    """
    url = run.following
    found = [_renamed(harvest, url, name, parsed) for name, parsed in page.found]
    found = _once_each([_in_its_place(harvest, one) for one in found])
    good = [one.record for one in found if one.record is not None]
    with registry.database.write() as (connection, revision):
        seen = _count(connection, harvest, run)
        before = _known(connection, harvest, found)
        writer = Writer(connection, revision, registry.now(), harvest=harvest.name)
        writer.look_up(good)
        providers = [record.provider for record in good]
        writer.enrol([*page.departments, *providers])
        writer.departments.place_anew(providers)
        found = [_judged(writer, run, one, before) for one in found]
        writer.put([one.record for one in found if one.record is not None])
        _note(connection, harvest, run, url, found)
        now_seen = _count(connection, harvest, run)
        _forbid_circles(page, seen, now_seen)
        whole = all(one.problem is None for one in found)
        _note_page(connection, harvest, run, url, page, answer, reader if whole else "")
        return _go_on(
            connection, harvest, run, page.following, page.total,
            new=writer.outcomes["new"], changed=writer.outcomes["changed"],
            unchanged=writer.outcomes["unchanged"],
        )  # fmt: skip


def confirm(registry: Registry, harvest: Harvest, run: Run) -> Run | None:
    """Notes that a run's next page is as it was; None if that does not fit what is known of it."""
    url = run.following
    with registry.database.write() as (connection, _):
        row = connection.execute(
            select(HarvestPageRow.__table__).where(
                HarvestPageRow.harvest == harvest.name, HarvestPageRow.url == url
            )
        ).one()
        there = (HarvestRecordRow.harvest == harvest.name, HarvestRecordRow.page == url)
        seen = _count(connection, harvest, run)
        total = connection.execute(select(func.count()).where(*there)).scalar_one()
        if total != row.records:
            return None
        connection.execute(update(HarvestRecordRow).where(*there).values(run=run.number))
        page = Page((), row.following, row.total)
        _forbid_circles(page, seen, _count(connection, harvest, run))
        connection.execute(
            update(HarvestPageRow)
            .where(HarvestPageRow.harvest == harvest.name, HarvestPageRow.url == url)
            .values(run=run.number)
        )
        return _go_on(
            connection, harvest, run, row.following, row.total, confirmed=1, unchanged=total
        )


def tags(registry: Registry, harvest: Harvest, url: str, reader: str) -> dict[str, str]:
    """Returns the headers that ask whether a page has changed since this program read it."""
    with registry.database.read() as connection:
        row = connection.execute(
            select(HarvestPageRow.etag, HarvestPageRow.modified).where(
                HarvestPageRow.harvest == harvest.name,
                HarvestPageRow.url == url,
                HarvestPageRow.reader == reader,
            )
        ).first()
    if row is None:
        return {}
    asked = {"If-None-Match": row.etag, "If-Modified-Since": row.modified}
    return {name: value for name, value in asked.items() if value}


# ---- what was found ----------------------------------------------------------------------------


def _renamed(harvest: Harvest, url: str, name: str, parsed: Parsed) -> _Found:
    origin = _plain(name) or f"{url}#{parsed.line}"
    if parsed.record is None:
        first = parsed.problems[0]
        said = first.said
        if first.column not in {"", name}:  # a reason that is everybody's is told once
            said = Text(f"{first.column}: {said.en}", f"{first.column}：{said.zh}")
        return _Found(origin, None, told(said, first.remedy))
    record = harvest.renamed(parsed.record)
    if record.source.count(".") >= MOST_HANDS or len(record.source) > 63:
        said = Text("has come through too many catalogs", "经过的目录过多")
        return _Found(origin, None, told(said, Text(
            "harvest the catalog that it comes from", "请直接采集其来源目录"
        )))  # fmt: skip
    return _Found(origin, record, key=record.key)


def _in_its_place(harvest: Harvest, one: _Found) -> _Found:
    """A city says nothing in the name of a ministry, nor of another city."""
    if one.record is None:
        return one
    provider = one.record.provider
    foreign = harvest.foreign(provider.code, provider.place)
    if not foreign:
        return one
    said = Text(
        f"provider: {provider.name} is of {foreign}, and {harvest.name} speaks for {harvest.place}",
        f"provider：{provider.name}属 {foreign}，而 {harvest.name} 仅代表 {harvest.place}",
    )
    remedy = Text(
        "harvest the catalog of that place under a name of its own; if this one speaks for it, "
        f"too: veil catalog harvest change {harvest.name} --place …",
        "请以另一名称采集该区划的目录；若该目录亦代表该区划："
        f"veil catalog harvest change {harvest.name} --place …",
    )
    return replace(one, record=None, problem=told(said, remedy), key=(None, None))


def _plain(name: str) -> str:
    """Returns a name that every database can hold, whatever another catalog calls a thing."""
    if len(name) <= _LONGEST and name.isprintable():
        return name
    return f"sha256:{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _once_each(found: Sequence[_Found]) -> list[_Found]:
    """Of two on a page with one name, or one code, the second is a problem."""
    names: set[str] = set()
    keys: set[tuple[str | None, str | None]] = set()
    kept: list[_Found] = []
    for one in found:
        if one.origin in names:
            continue
        names.add(one.origin)
        if one.record is not None and one.key in keys:
            kept.append(_Found(one.origin, None, _repeated(one)))
            continue
        keys.add(one.key)
        kept.append(one)
    return kept


def _repeated(one: _Found) -> str:
    code = one.key[1] or ""
    return told(
        Text(f"another record has the code {code[:80]}", f"代码 {code[:80]} 与另一记录重复"),
        Text("tell the source's operator; a code is there once", "请联系来源方修正，代码不得重复"),
    )


@dataclass(frozen=True)
class _Before:
    """What is known of a page's names and codes from earlier."""

    keys: dict[str, tuple[str | None, str | None]]
    owners: dict[tuple[str | None, str | None], tuple[str, int]]


def _known(connection: Connection, harvest: Harvest, found: Sequence[_Found]) -> _Before:
    r = HarvestRecordRow
    rows: list[Any] = []
    for some in _some(found):
        keys = [one.key for one in some if one.record is not None]
        wanted = or_(
            r.origin.in_([one.origin for one in some]), tuple_(r.source, r.identifier).in_(keys)
        )
        columns = select(r.origin, r.run, r.source, r.identifier)
        rows += connection.execute(columns.where(r.harvest == harvest.name, wanted)).all()
    return _Before(
        {row.origin: (row.source, row.identifier) for row in rows},
        {(row.source, row.identifier): (row.origin, row.run) for row in rows if row.identifier},
    )


def _judged(writer: Writer, run: Run, one: _Found, before: _Before) -> _Found:
    """What cannot be registered stays here as it was, and is seen all the same."""
    if one.record is None:
        return replace(one, key=before.keys.get(one.origin, (None, None)))
    owner, seen = before.owners.get(one.key, (one.origin, 0))
    problem = _repeated(one) if owner != one.origin and seen == run.number else None
    if problem is None and (flaw := writer.objection(one.record)) is not None:
        said = Text(f"{flaw.field}: {flaw.said.en}", f"{flaw.field}：{flaw.said.zh}")
        problem = told(said, flaw.remedy)
    if problem is None:
        return one
    return _Found(one.origin, None, problem, before.keys.get(one.origin, (None, None)))


def _some(found: Sequence[_Found]) -> Iterator[Sequence[_Found]]:
    """Yields them in portions that one statement can name."""
    for first in range(0, len(found), 500):
        yield found[first : first + 500]


# ---- what is noted -----------------------------------------------------------------------------


def _note(
    connection: Connection, harvest: Harvest, run: Run, url: str, found: Sequence[_Found]
) -> None:
    r = HarvestRecordRow
    for some in _some(found):
        keys = [one.key for one in some if one.key[1] is not None]
        gone = or_(
            r.origin.in_([one.origin for one in some]), tuple_(r.source, r.identifier).in_(keys)
        )
        connection.execute(delete(r).where(r.harvest == harvest.name, gone))
        rows = [
            {
                "harvest": harvest.name, "origin": one.origin, "run": run.number, "page": url,
                "source": one.key[0], "identifier": one.key[1], "problem": one.problem,
            }
            for one in some
        ]  # fmt: skip
        connection.execute(insert(r), rows)


def _note_page(
    connection: Connection, harvest: Harvest, run: Run, url: str, page: Page, answer: Answer,
    reader: str,
) -> None:  # fmt: skip
    p = HarvestPageRow
    connection.execute(delete(p).where(p.harvest == harvest.name, p.url == url))
    row = {
        "harvest": harvest.name, "url": url, "run": run.number, "reader": reader,
        "etag": _tag(answer, "etag"), "modified": _tag(answer, "last-modified"),
        "following": page.following, "total": page.total, "records": len(page.found),
    }  # fmt: skip
    connection.execute(insert(p), row)


def _tag(answer: Answer, name: str) -> str:
    value = answer.headers.get(name, "")
    return value if len(value) <= _LONGEST and value.isascii() and value.isprintable() else ""


def _go_on(
    connection: Connection, harvest: Harvest, run: Run, following: str, total: int | None,
    **more: int,
) -> Run:  # fmt: skip
    steady = run.steady and (run.pages == 0 or run.total == total)
    counted: dict[str, Any] = {name: getattr(run, name) + value for name, value in more.items()}
    after = replace(
        run, state="running", following=following, total=total, steady=steady,
        pages=run.pages + 1, **counted,
    )  # fmt: skip
    save(connection, harvest, after)
    return after


def save(connection: Connection, harvest: Harvest, run: Run) -> None:
    """Writes a run as it is now."""
    error = json.dumps([run.error.en, run.error.zh], ensure_ascii=False) if run.error.en else ""
    values = {name: getattr(run, name) for name in Run.__dataclass_fields__ if name != "number"}
    connection.execute(
        update(HarvestRunRow)
        .where(HarvestRunRow.harvest == harvest.name, HarvestRunRow.number == run.number)
        .values(values | {"error": error, "steady": int(run.steady)})
    )


def _count(connection: Connection, harvest: Harvest, run: Run) -> int:
    """How many of the source's names this run has seen."""
    r = HarvestRecordRow
    seen = select(func.count()).where(r.harvest == harvest.name, r.run == run.number)
    return connection.execute(seen).scalar_one()


def _forbid_circles(page: Page, before: int, after: int) -> None:
    """A page that leads on must have brought something new: so every chain of pages ends."""
    if page.following and (after <= before or after > MOST_RECORDS):
        raise InputError(
            Text("the source's pages lead in a circle, or without end", "来源的分页循环或没有终点"),
            remedy=Text("tell its operator", "请联系来源方修正"),
            code="harvest.circle",
        )
