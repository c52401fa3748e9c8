"""Departments, themes and scenarios as CKAN shows organizations, groups and tags."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from catalog.ckan.catalogue import View
from catalog.interchange.ckan import tag_of
from catalog.publishing.names import SPACE
from catalog.registry import vocabulary as v
from catalog.registry.tables import DepartmentRow
from catalog.registry.withdrawal import unknown
from catalog.search.find import count
from catalog.search.query import Facet

Kind = Literal["organization", "group", "tag"]
FACET: Final[Mapping[Kind, Facet]] = {
    "organization": "department", "group": "theme", "tag": "scenario",
}  # fmt: skip


@dataclass(frozen=True)
class Group:
    """A department, theme or scenario that a caller may know of.

    Attributes:
        kind: Which of these.
        code: In the catalog.
        name: In CKAN.
        title: For people.
        datasets: How many the caller may know of.
    """

    kind: Kind
    code: str
    name: str
    title: str
    datasets: int

    @property
    def id(self) -> str:
        """An UUID that follows from kind and code."""
        return id_of(self.kind, self.code)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as CKAN does."""
        if self.kind == "tag":
            return tag_dict(self.name)
        return {
            "id": self.id, "name": self.name, "title": self.title, "display_name": self.title,
            "description": "", "image_url": "", "image_display_url": "", "type": self.kind,
            "is_organization": self.kind == "organization", "state": "active",
            "approval_status": "approved", "package_count": self.datasets, "num_followers": 0,
        }  # fmt: skip


def id_of(kind: Kind, code: str) -> str:
    """Returns the id of a department, theme or scenario."""
    return str(uuid.uuid5(SPACE, f"{kind}\n{code}"))


def tag_dict(name: str) -> dict[str, Any]:
    """Returns a tag as CKAN does."""
    return {
        "id": id_of("tag", name), "name": name, "display_name": name, "state": "active",
        "vocabulary_id": None,
    }  # fmt: skip


def groups(view: View, kind: Kind) -> list[Group]:
    """Returns all of a kind that have a dataset which the caller may know of, by name."""
    counted = count(view.columns.facets[FACET[kind]], view.mask)
    titles = titles_of(view.connection, kind)
    found: Iterator[Group] = (
        Group(kind, code, name_of(kind, code), titles.get(code, code), number)
        for code, number in counted.items()
    )
    return sorted(found, key=lambda group: group.name)


def group(view: View, kind: Kind, name: str) -> Group:
    """Returns one of them, by name or id.

    Raises:
        MissingError: There is none with a dataset that the caller may know of.
    """
    for each in groups(view, kind):
        if name in {each.name, each.id}:
            return each
    raise unknown("", name)


def name_of(kind: Kind, code: str) -> str:
    """Returns what CKAN calls a department, theme or scenario."""
    return code.lower() if kind == "organization" else code if kind == "group" else tag_of(code)


def titles_of(connection: Connection, kind: Kind) -> dict[str, str]:
    """Returns code → title of departments or themes; a scenario's name is its title."""
    if kind == "organization":
        rows = connection.execute(select(DepartmentRow.code, DepartmentRow.name))
        return {row.code: row.name for row in rows}
    if kind == "group":
        return {code: title.zh for code, title in v.THEMES.terms.items()}
    return {}


def moment(seconds: int) -> str:
    """Returns a time as CKAN writes it: UTC, without saying so."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
