"""One dataset: all of its record, its history, and the first rows of what is public."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from catalog.datastore.ask import Ask
from catalog.datastore.glance import Glance
from catalog.datastore.resources import Resource
from catalog.portal.certificates import registration_of
from catalog.portal.languages import PREFIX
from catalog.portal.schema_org import described
from catalog.portal.visit import Reading, Visit
from catalog.publishing.listing import publications
from catalog.publishing.rules import release_name
from catalog.registry.entries import Entry, Neighbour
from catalog.registry.quality import judge
from catalog.registry.withdrawal import read_tombstone
from catalog.rest.datasets import visible
from catalog.show.changes import change_words
from protos.faults import UnavailableError, VeilError

router = APIRouter(include_in_schema=False)
_PREVIEW_ROWS: Final = 10
_CELL: Final = 80
"""Characters of a cell that a preview shows."""
_LOG: Final = logging.getLogger("veil.portal")


@dataclass(frozen=True)
class Preview:
    """The first rows of what is public, and under which name programs have all of them.

    Attributes:
        resource: What they are of.
        columns: Names.
        rows: Cells as text; None is an empty one.
        glances: What stands in the columns.
        problem: Why there are none to see; None if there are.
    """

    resource: Resource
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    glances: tuple[Glance, ...] = ()
    problem: VeilError | None = None


@router.get(PREFIX + "/dataset/{source}/{identifier:path}")
def dataset(visit: Reading, source: str, identifier: str) -> Response:
    """Shows one dataset; a withdrawn one's tombstone, and that it is gone (410)."""
    entry = visible(visit.services, visit.caller, source, identifier)
    with visit.services.registry.database.read() as connection:
        public = publications(connection, dataset=entry.number)
    resources = visit.services.datastore.resources.of(entry.number, visit.scope)
    gone = entry.state == "withdrawn"
    preview = _preview(visit, resources[0]) if resources else None
    if preview and preview.problem:  # it may be mended without any change of the catalog
        visit = replace(visit, follows=b"")
    return visit.page(
        "dataset",
        status=410 if gone else 200,
        entry=entry,
        record=entry.record,
        quality=judge(entry.record, visit.today),
        tombstone=_tombstone(visit, entry),
        neighbours=list(_neighbours(entry)),
        changes={version.number: [change_words(each) for each in version.changes]
                 for version in entry.versions},
        publications=list(reversed(public)),
        preview=preview,
        own_authority=visit.own_authority,
        english={item.name: item.name_en for item in entry.record.items},
        registration=registration_of(visit.services, _names(entry)),
        schema=described(
            visit.services.site.address(visit.request), visit.language, entry, resources
        ),
    )  # fmt: skip


def _names(entry: Entry) -> set[str]:
    """Names under which a dataset may be known to the exchange."""
    source, identifier = entry.record.key
    return {identifier, *(release_name(source, identifier, unique=each) for each in (True, False))}


def _tombstone(visit: Visit, entry: Entry) -> dict[str, Any] | None:
    if not entry.tombstone:
        return None
    return read_tombstone(entry.tombstone, visit.services.registry.key().public)


def _neighbours(entry: Entry) -> Iterator[tuple[tuple[str, bool], list[Neighbour]]]:
    """Other datasets, by what they are to this one."""
    kinds = dict.fromkeys((each.kind, each.outward) for each in entry.neighbours)
    for kind in kinds:
        yield kind, [each for each in entry.neighbours if (each.kind, each.outward) == kind]


def _preview(visit: Visit, resource: Resource) -> Preview:
    """Reads some rows; a store that cannot be read spoils nothing but the preview.

    The first column of a table is the row's number, which is no datum.
    """
    try:
        table = visit.services.datastore.table(resource)
        names = tuple(table.columns)[1:]
        [some] = list(table.rows(Ask(fields=names, limit=_PREVIEW_ROWS))) or [[]]
        cells = tuple(tuple(map(_cell, row)) for row in some)
        return Preview(resource, names, cells, _glances(visit, resource))
    except VeilError as error:
        _LOG.warning("%s: %r", error.code, error.detail)
        return Preview(resource, problem=error)


def _glances(visit: Visit, resource: Resource) -> tuple[Glance, ...]:
    """Looks at the columns; a table that takes too long for that is shown without."""
    try:
        return visit.services.datastore.glances(resource)
    except UnavailableError as error:
        _LOG.warning("%s: %r", error.code, error.detail)
        return ()


def _cell(value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"
