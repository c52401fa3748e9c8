"""How records get into the tables: in batches, within one transaction of the catalog.

A record is known by (source, identifier). What is unchanged, by its digest, is not touched; what
changed becomes a new version with a list of what is different. The search index is written in the
same transaction, so it cannot say anything else than the records do.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    select,
    true,
    update,
)

from catalog.harvest.tables import HarvestRow
from catalog.registry.changes import Change, compare
from catalog.registry.claims import Claim, Claims
from catalog.registry.datum import Datum, datum_of
from catalog.registry.departments import Departments
from catalog.registry.reading import records as read_records
from catalog.registry.record import Department, Record, Version
from catalog.registry.record_json import digest
from catalog.registry.rules import Flaw
from catalog.registry.tables import (
    DatasetRow,
    DatasetScenarioRow,
    ItemRow,
    RelationRow,
    ScenarioRow,
    ThemeRow,
    VersionRow,
)
from catalog.search import index
from protos.language import Text

Outcome = Literal["new", "changed", "unchanged"]
Progress = Callable[[int, int | None], None]
"""Told how many are done, and of how many if that is known."""

_BATCH: Final = 1000
_VERSION: Final = tuple(Version.__dataclass_fields__)


@dataclass(frozen=True)
class _Known:
    """What is in the tables under a source and an identifier."""

    id: int
    digest: str
    number: int
    state: str


@dataclass(frozen=True)
class _Write:
    """One record to be written: under which id, as which version, and what changed."""

    record: Record
    id: int
    number: int
    digest: str
    changes: tuple[Change, ...]


class Writer:
    """Writes records in one transaction.

    Args:
        connection: Of `Database.write`.
        revision: Number of the write.
        now: Unix seconds.
        harvest: Name of the harvest that writes: only it may write what it has from its source.
    """

    def __init__(
        self, connection: Connection, revision: int, now: int, *, harvest: str = ""
    ) -> None:
        self._connection = connection
        self._harvest = harvest
        self._others = harvested(connection) - {harvest}
        self._revision = revision
        self._now = now
        self._known: dict[str, dict[str, _Known]] = {}
        self.departments = Departments(connection, harvest, self._others)
        self._scenarios: dict[str, int] = dict(
            connection.execute(select(ScenarioRow.name, ScenarioRow.id)).all()
        )
        last = connection.execute(select(func.coalesce(func.max(DatasetRow.id), 0)))
        self._next_id = last.scalar_one() + 1
        self.claims = Claims(connection, now, hearsay=bool(harvest))
        self.outcomes: Counter[Outcome] = Counter()

    def enrol(self, departments: Iterable[Department]) -> None:
        """Adds departments that are not known yet; see `Departments.enrol`."""
        self.departments.enrol(departments)

    def look_up(self, records: Sequence[Record]) -> None:
        """Learns what is in the tables of these records, which are all that will be written.

        Without it, all of a source is looked up: right for a whole catalog, slow for a page.
        """
        wanted: dict[str, list[str]] = {}
        for record in records:
            wanted.setdefault(record.source, []).append(record.identifier)
        for source, identifiers in wanted.items():
            known = self._known.setdefault(source, {})
            for first in range(0, len(identifiers), _BATCH):
                some = identifiers[first : first + _BATCH]
                known |= self._look_up(source, DatasetRow.identifier.in_(some))

    def objection(self, record: Record) -> Flaw | None:
        """Returns what the catalog, as it is, has against a record; None if nothing.

        Its departments must have been enrolled before, or they are unknown.
        """
        if record.source.partition(".")[0] in self._others:
            return Flaw(
                "source",
                None,
                Text(
                    f"records of {record.source} are harvested", f"{record.source} 的记录由采集而来"
                ),
                Text("change them in the catalog that they come from", "请在来源目录中修改"),
            )
        known = self._of_source(record.source).get(record.identifier)
        if known is not None and known.state == "withdrawn":
            return Flaw(
                "identifier",
                None,
                Text("was withdrawn from the catalog", "该资源已从目录撤回"),
                Text("register it under a new code", "请用新代码登记"),
            )
        there = self.departments.known.get(record.provider.code)
        if there is not None and there != record.provider:
            return Flaw(
                "provider.name",
                None,
                Text(
                    f"{record.provider.code} is {there.name} ({there.place}) in this catalog",
                    f"本目录中 {record.provider.code} 为{there.name}（{there.place}）",
                ),
                Text(
                    "use that name, division and English name, or mend the code",
                    "请使用该名称、区划和英文名，或更正代码",
                ),
            )
        for number, item in enumerate(record.items):
            if item.source and item.source not in self.departments.known:
                return Flaw(
                    "items.source",
                    number,
                    Text(
                        f"no department {item.source[:40]} is known",
                        f"未知的部门代码 {item.source[:40]}",
                    ),
                    Text(
                        "register a dataset of that department first, or mend the code",
                        "请先登记该部门的数据资源，或更正代码",
                    ),
                )
        return None

    def put(
        self, records: Sequence[Record], progress: Progress = lambda _done, _total: None
    ) -> None:
        """Writes records that have no flaw and no objection; keys must differ.

        Args:
            records: In the order in which their claims count.
            progress: Told after each thousand.
        """
        for first in range(0, len(records), _BATCH):
            batch = records[first : first + _BATCH]
            self._put(batch)
            progress(first + len(batch), len(records))

    def _put(self, records: Sequence[Record]) -> None:
        writes: list[tuple[Record, _Known | None, str]] = []
        for record in records:
            known, now = self._of_source(record.source).get(record.identifier), digest(record)
            if known is not None and known.digest == now:
                self.outcomes["unchanged"] += 1
                continue
            self.outcomes["new" if known is None else "changed"] += 1
            writes.append((record, known, now))
        self._write(writes)

    def _of_source(self, source: str) -> dict[str, _Known]:
        if source not in self._known:
            self._known[source] = self._look_up(source, true())
        return self._known[source]

    def _look_up(self, source: str, which: ColumnElement[bool]) -> dict[str, _Known]:
        rows = self._connection.execute(
            select(
                DatasetRow.identifier, DatasetRow.id, DatasetRow.digest, DatasetRow.number,
                DatasetRow.state,
            ).where(DatasetRow.source == source, which)
        )  # fmt: skip
        return {row[0]: _Known(*row[1:]) for row in rows}

    def _write(self, wanted: Sequence[tuple[Record, _Known | None, str]]) -> None:
        if not wanted:
            return
        old_ids = [known.id for _, known, _ in wanted if known is not None]
        old = dict(read_records(self._connection, old_ids))
        writes: list[_Write] = []
        for record, known, now in wanted:
            if known is None:
                writes.append(_Write(record, self._next_id, 1, now, ()))
                self._next_id += 1
            else:
                changes = compare(old[known.id], record)
                writes.append(_Write(record, known.id, known.number + 1, now, changes))
        self._clear(old_ids)
        self._enter_datasets(writes)
        self._enter_items(writes)
        self._enter_tags(writes)
        index.add(self._connection, [(w.id, w.record) for w in writes])
        for w in writes:
            known = _Known(w.id, w.digest, w.number, "registered")
            self._known[w.record.source][w.record.identifier] = known

    def _clear(self, ids: Sequence[int]) -> None:
        """Takes away what a changed record brings anew."""
        for table in (ItemRow, ThemeRow, DatasetScenarioRow, RelationRow):
            if ids:
                self._connection.execute(delete(table).where(table.dataset.in_(ids)))
        index.remove(self._connection, ids)

    def _enter_datasets(self, writes: Sequence[_Write]) -> None:
        new = [self._dataset(w) | {"registered_at": self._now} for w in writes if w.number == 1]
        changed = [self._dataset(w) | {"known_id": w.id} for w in writes if w.number > 1]
        if new:
            self._connection.execute(insert(DatasetRow), new)
        if changed:
            names = [name for name in changed[0] if name not in {"id", "known_id"}]
            self._connection.execute(
                update(DatasetRow)
                .where(DatasetRow.id == bindparam("known_id"))
                .values({name: bindparam(name) for name in names}),
                [{name: value for name, value in row.items() if name != "id"} for row in changed],
            )
        versions = [
            {
                "dataset": w.id, "number": w.number, "recorded_at": self._now, "digest": w.digest,
                "changes": _json([change.to_dict() for change in w.changes]),
                **{name: getattr(w.record.version, name) for name in _VERSION},
            }
            for w in writes
        ]  # fmt: skip
        self._connection.execute(insert(VersionRow), versions)

    def _dataset(self, write: _Write) -> dict[str, Any]:
        record = write.record
        row = {
            name: getattr(record, name)
            for name in (
                "source", "identifier", "name", "name_en", "abstract", "kind", "category", "place",
                "format", "format_type", "cycle", "published", "updated", "system", "grade",
            )
        }  # fmt: skip
        for name, access in (("sharing", record.sharing), ("opening", record.opening)):
            row |= {
                name: access.attribute,
                f"{name}_condition": access.condition,
                f"{name}_method": access.method,
            }
        return row | {
            "id": write.id, "state": "registered", "number": write.number, "digest": write.digest,
            "revision": self._revision, "changed_at": self._now,
            "path": _json(list(record.path)), "provider": record.provider.code,
        }  # fmt: skip

    def _enter_items(self, writes: Sequence[_Write]) -> None:
        rows: list[dict[str, Any]] = []
        shared: list[tuple[int, Claim]] = []
        for write in writes:
            for position, item in enumerate(write.record.items):
                datum: Datum | None = datum_of(item, write.record)
                if datum is not None:
                    department = item.source or write.record.provider.code
                    shared.append((len(rows), Claim(datum, department, write.id)))
                rows.append(
                    {
                        "dataset": write.id, "position": position, "name": item.name,
                        "name_en": item.name_en, "type": item.type, "length": item.length,
                        "description": item.description, "code_list": item.code_list,
                        "grade": item.grade, "uses": " ".join(sorted(item.uses)),
                        "subject": item.subject, "named_source": item.source,
                        "datum": None, "claimed": None, "source": None,
                    }
                )  # fmt: skip
        standings = self.claims.settle(claim for _, claim in shared)
        for (place, _), standing in zip(shared, standings, strict=True):
            rows[place] |= {
                "datum": standing.key,
                "claimed": standing.claimed,
                "source": standing.source,
            }
        self._connection.execute(insert(ItemRow), rows)

    def _enter_tags(self, writes: Sequence[_Write]) -> None:
        self._enter_scenarios(dict.fromkeys(s for w in writes for s in w.record.scenarios))
        for table, rows in (
            (
                ThemeRow,
                [{"dataset": w.id, "position": i, "theme": theme}
                 for w in writes for i, theme in enumerate(w.record.themes)],
            ),
            (
                DatasetScenarioRow,
                [{"dataset": w.id, "position": i, "scenario": self._scenarios[name]}
                 for w in writes for i, name in enumerate(w.record.scenarios)],
            ),
            (
                RelationRow,
                [{"dataset": w.id, "position": i, "kind": r.kind, "source": r.source,
                  "identifier": r.identifier}
                 for w in writes for i, r in enumerate(w.record.relations)],
            ),
        ):  # fmt: skip
            if rows:
                self._connection.execute(insert(table), rows)

    def _enter_scenarios(self, names: Iterable[str]) -> None:
        fresh = [name for name in names if name not in self._scenarios]
        if fresh:
            first = max(self._scenarios.values(), default=0) + 1
            self._scenarios |= {name: first + i for i, name in enumerate(fresh)}
            self._connection.execute(
                insert(ScenarioRow),
                [{"id": self._scenarios[name], "name": name} for name in fresh],
            )


def harvested(connection: Connection) -> set[str]:
    """Returns the names of harvests, which begin the sources of all that came by them."""
    return set(connection.execute(select(HarvestRow.name)).scalars())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
