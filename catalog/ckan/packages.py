"""Datasets as CKAN packages with their resources: what harvesters and libraries read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, select, tuple_

from catalog.ckan.catalogue import View
from catalog.ckan.groups import Group, groups, id_of, moment, tag_dict
from catalog.ckan.matches import LICENCES
from catalog.datastore.resources import Resource, Resources
from catalog.feeds import places as places_of
from catalog.interchange.ckan import package
from catalog.registry.reading import records
from catalog.registry.record import Record, Relation
from catalog.registry.tables import DatasetRow
from catalog.search.columns import Ints

LICENCE_TITLES: Final[Mapping[str, str]] = {
    "other-open": "Other (Open)", "other-closed": "Other (Not Open)",
}  # fmt: skip
_AT_ONCE: Final = 300  # keys in one statement


def packages(view: View, places: Ints, published: Resources, site: str) -> list[dict[str, Any]]:
    """Returns datasets as packages, in the order of their places.

    Args:
        view: What the caller may know of; the places are among it.
        places: Of the datasets.
        published: Public rows.
        site: Address of this server, for links.
    """
    numbers = view.names.ids[places].tolist()
    found = dict(records(view.connection, numbers))
    if view.scope == "open":
        found = _among_open(view.connection, found)
    themes = {group.code: group for group in groups(view, "group")}
    return [
        _package(
            view, place, found[number], published.of(number, view.scope), themes, site
        )
        for place, number in zip(places.tolist(), numbers, strict=True)
    ]  # fmt: skip


def _package(
    view: View,
    place: int,
    record: Record,
    public: Sequence[Resource],
    themes: Mapping[str, Group],
    site: str,
) -> dict[str, Any]:
    names = view.names
    name, number = names.slugs[place], names.uuids[place]
    code = record.provider.code
    licence = LICENCES[record.opening.attribute]
    resources = [part for each in public for part in resource_dicts(each, site)]
    body = package(record)
    return body | {
        "id": number, "name": name, "url": places_of.dataset(site, *record.key),
        "metadata_created": moment(int(names.created[place])),
        "metadata_modified": moment(int(names.changed[place])),
        "isopen": licence == "other-open", "license_id": licence,
        "license_title": LICENCE_TITLES[licence],
        "author": record.provider.name, "author_email": "", "maintainer": "",
        "maintainer_email": "", "creator_user_id": None,
        "owner_org": id_of("organization", code),
        "organization": body["organization"] | {
            "id": id_of("organization", code), "type": "organization", "description": "",
            "image_url": "", "is_organization": True, "state": "active",
            "approval_status": "approved", "created": moment(int(names.created[place])),
        },
        "groups": [
            each | {"id": themes[each["name"]].id, "display_name": each["title"],
                    "description": "", "image_display_url": ""}
            for each in body["groups"]
        ],
        "num_tags": len(body["tags"]), "tags": [tag_dict(tag["name"]) for tag in body["tags"]],
        "num_resources": len(resources),
        "resources": [part | {"position": n} for n, part in enumerate(resources)],
        "relationships_as_object": [], "relationships_as_subject": [],
    }  # fmt: skip


def resource_dicts(resource: Resource, site: str) -> list[dict[str, Any]]:
    """Returns a publication as CKAN's resources: its rows, and the file that was attested."""
    made = resource.publication
    when = moment(made.published_at)
    both = {
        "package_id": resource.dataset_id, "created": when, "last_modified": when,
        "metadata_modified": when, "state": "active", "resource_type": "file",
        "cache_url": None, "mimetype_inner": None, "version": made.number,
        "kind": made.kind, "rows": made.rows,
    }  # fmt: skip
    said = "synthetic rows" if made.kind == "synthetic" else "desensitized rows"
    return [
        both | {
            "id": resource.id, "name": f"{made.name} v{made.number} (CSV)", "format": "CSV",
            "mimetype": "text/csv", "datastore_active": True, "url_type": "datastore",
            "description": f"Version {made.number}: {made.rows} {said}",
            "url": f"{site}/datastore/dump/{resource.id}", "hash": "", "size": None,
        },
        both | {
            "id": resource.file_id, "name": f"{made.name} v{made.number} (Parquet)",
            "format": "Parquet", "mimetype": "application/vnd.apache.parquet",
            "datastore_active": False, "url_type": None,
            "description": f"Version {made.number}: the attested file, byte by byte",
            "url": f"{site}/datastore/dump/{resource.id}?format=parquet",
            "hash": f"sha256:{made.sha256}", "size": made.bytes,
        },
    ]  # fmt: skip


def _among_open(connection: Connection, found: Mapping[int, Record]) -> dict[int, Record]:
    """Leaves out relations to datasets that the public knows nothing of."""
    named = {(r.source, r.identifier) for record in found.values() for r in record.relations}
    if not named:
        return dict(found)
    there: set[tuple[str, str]] = set()
    listed = sorted(named)
    for begin in range(0, len(listed), _AT_ONCE):
        rows = connection.execute(
            select(DatasetRow.source, DatasetRow.identifier).where(
                DatasetRow.state == "registered",
                DatasetRow.opening != "none",
                tuple_(DatasetRow.source, DatasetRow.identifier).in_(
                    listed[begin : begin + _AT_ONCE]
                ),
            )
        )
        there |= {(row.source, row.identifier) for row in rows}

    def kept(relations: tuple[Relation, ...]) -> tuple[Relation, ...]:
        return tuple(each for each in relations if (each.source, each.identifier) in there)

    return {
        number: replace(record, relations=kept(record.relations))
        for number, record in found.items()
    }
