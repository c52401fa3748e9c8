"""Records out of the tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Connection, Row, select

from catalog.registry.record import Access, Department, Item, Record, Relation, Version
from catalog.registry.tables import (
    DatasetRow,
    DatasetScenarioRow,
    DepartmentRow,
    ItemRow,
    RelationRow,
    ScenarioRow,
    ThemeRow,
    VersionRow,
)
from desensitize.column import Use

_AT_ONCE: Final = 500  # ids in one statement
_ITEM: Final = (
    ItemRow.name, ItemRow.type, ItemRow.length, ItemRow.name_en, ItemRow.description,
    ItemRow.code_list, ItemRow.grade, ItemRow.uses, ItemRow.subject, ItemRow.named_source,
)  # fmt: skip


def records(
    connection: Connection, ids: Iterable[int], *, with_items: bool = True
) -> Iterator[tuple[int, Record]]:
    """Yields datasets with their records, in the order of the ids.

    Args:
        connection: To read with.
        ids: Numbers of datasets.
        with_items: Whether the data items are wanted; there are many of them.
    """
    rest = iter(ids)
    while some := tuple(islice(rest, _AT_ONCE)):
        found = _some(connection, some, _items(connection, some) if with_items else {})
        yield from ((number, found[number]) for number in some if number in found)


def item_texts(connection: Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    """Returns what is searched for in datasets' data items, as `terms.fields` has it."""
    found: dict[int, list[str]] = defaultdict(list)
    rows = connection.execute(
        select(ItemRow.dataset, ItemRow.name, ItemRow.name_en, ItemRow.description, ItemRow.subject)
        .where(_among(ItemRow.dataset, ids))
        .order_by(ItemRow.dataset, ItemRow.position)
    ).all()
    for dataset, name, name_en, description, subject in rows:
        found[dataset] += (name, name_en, description, subject)
    return found


def _items(connection: Connection, ids: Sequence[int]) -> dict[int, list[Item]]:
    items: dict[int, list[Item]] = defaultdict(list)
    found = connection.execute(
        select(ItemRow.dataset, *_ITEM)
        .where(_among(ItemRow.dataset, ids))
        .order_by(ItemRow.dataset, ItemRow.position)
    ).all()
    # In the order of Item's own fields: there are very many of them.
    for dataset, name, kind, length, name_en, says, codes, grade, uses, subject, source in found:
        items[dataset].append(
            Item(name, kind, length, name_en, says, codes, grade, _uses(uses), subject, source)
        )
    return items


def _some(
    connection: Connection, ids: Sequence[int], items: Mapping[int, Sequence[Item]]
) -> dict[int, Record]:
    themes = _tags(connection, select(ThemeRow.dataset, ThemeRow.theme), ThemeRow, ids)
    scenarios = _tags(
        connection,
        select(DatasetScenarioRow.dataset, ScenarioRow.name).join(
            ScenarioRow, ScenarioRow.id == DatasetScenarioRow.scenario
        ),
        DatasetScenarioRow,
        ids,
    )
    relations: dict[int, list[Relation]] = defaultdict(list)
    for row in connection.execute(
        select(RelationRow.__table__)
        .where(_among(RelationRow.dataset, ids))
        .order_by(RelationRow.dataset, RelationRow.position)
    ):
        relations[row.dataset].append(Relation(row.kind, row.source, row.identifier))
    statement = (
        select(
            DatasetRow.__table__,
            DepartmentRow.name.label("provider_name"),
            DepartmentRow.name_en.label("provider_name_en"),
            DepartmentRow.place.label("provider_place"),
            *(getattr(VersionRow, name) for name in Version.__dataclass_fields__),
        )
        .join(DepartmentRow, DepartmentRow.code == DatasetRow.provider)
        .join(
            VersionRow,
            (VersionRow.dataset == DatasetRow.id) & (VersionRow.number == DatasetRow.number),
        )
        .where(_among(DatasetRow.id, ids))
    )
    return {
        row.id: _record(
            row,
            items=tuple(items.get(row.id, ())),
            themes=tuple(themes[row.id]),
            scenarios=tuple(scenarios[row.id]),
            relations=tuple(relations[row.id]),
        )
        for row in connection.execute(statement)
    }


def _among(column: Any, ids: Sequence[int]) -> ColumnElement[bool]:  # noqa: ANN401 - of numbers
    """Whether a number is one of ids; hundreds that lie side by side are asked for as a range."""
    first, last = min(ids), max(ids)
    if last - first < 2 * len(ids):
        between: ColumnElement[bool] = column.between(first, last)
        return between
    listed: ColumnElement[bool] = column.in_(ids)
    return listed


def _tags(
    connection: Connection,
    statement: Any,  # noqa: ANN401 - of two columns; SQLAlchemy's type says more than we need
    table: type[ThemeRow | DatasetScenarioRow],
    ids: Sequence[int],
) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    ordered = statement.where(_among(table.dataset, ids)).order_by(table.dataset, table.position)
    for dataset, tag in connection.execute(ordered).all():
        found[dataset].append(tag)
    return found


@cache
def _uses(text: str) -> frozenset[Use]:
    return frozenset(cast("list[Use]", text.split()))


def _record(row: Row[Any], **lists: Any) -> Record:  # noqa: ANN401 - fields of Record
    return Record(
        source=row.source,
        identifier=row.identifier,
        name=row.name,
        provider=Department(
            row.provider, row.provider_name, row.provider_place, row.provider_name_en
        ),
        place=row.place,
        sharing=Access(row.sharing, row.sharing_condition, row.sharing_method),
        opening=Access(row.opening, row.opening_condition, row.opening_method),
        kind=row.kind,
        category=row.category,
        path=tuple(json.loads(row.path)),
        name_en=row.name_en,
        abstract=row.abstract,
        format=row.format,
        format_type=row.format_type,
        cycle=row.cycle,
        published=row.published,
        updated=row.updated,
        system=row.system,
        version=Version(row.label, row.notes, row.rows, row.added, row.removed, row.changed),
        **lists,
    )
