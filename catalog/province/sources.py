"""Reads the two lists behind the sample province."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, cast

from catalog.registry.record import Item
from desensitize.column import Use

_USES: Final[dict[str, Use]] = {"j": "join", "f": "filter", "g": "group", "a": "aggregate"}


@dataclass(frozen=True)
class Thing:
    """Something that departments keep data about."""

    name: str
    name_en: str
    kind: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Domain:
    """What one kind of department does.

    Attributes:
        province: Pattern of its name at the province, empty if there is none.
        city: … in a city.
        district: … in a district.
        county: … in a county or a county-level city.
        name_en: English.
        theme: Code of the theme.
        systems: Where its data come from.
        scenarios: What they are good for.
        things: What it keeps data about.
    """

    province: str
    city: str
    district: str
    county: str
    name_en: str
    theme: str
    systems: tuple[str, ...]
    scenarios: tuple[str, ...]
    things: tuple[Thing, ...]


@dataclass(frozen=True)
class Aspect:
    """What is recorded about things of some kinds.

    Attributes:
        of: Kinds of things.
        name: Ends the dataset's name.
        name_en: English.
        kind: Of the dataset.
        cycles: Codes of update cycles.
        says: What the abstract says, with ``{thing}``.
        items: Each an item with the English name of the department that answers for it, or
            None for the thing's own items.
    """

    of: tuple[str, ...]
    name: str
    name_en: str
    kind: str
    cycles: tuple[str, ...]
    says: str
    items: tuple[tuple[Item, str] | None, ...]


@cache
def domains() -> tuple[Domain, ...]:
    """Returns what there is to do in a province."""
    return tuple(_domain(body) for body in _read("domains.toml")["domain"])


@cache
def overrides() -> Mapping[str, str]:
    """Returns names that do not follow their pattern."""
    return cast("dict[str, str]", _read("domains.toml")["override"])


@cache
def aspects() -> tuple[Aspect, ...]:
    """Returns what is recorded."""
    body = _read("aspects.toml")
    items = {key: _item(row) for key, row in body["items"].items()}
    return tuple(
        Aspect(
            tuple(a["of"]),
            a["name"],
            a["en"],
            a["kind"],
            tuple(a["cycles"]),
            a["says"],
            tuple(None if key == "own" else items[key] for key in a["items"]),
        )
        for a in body["aspect"]
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(name).read_text("utf-8"))


def _domain(body: Mapping[str, Any]) -> Domain:
    province, city, district, *county = body["names"]
    return Domain(
        province,
        city,
        district,
        county[0] if county else district,
        body["en"],
        body["theme"],
        tuple(body["systems"]),
        tuple(body["scenarios"]),
        tuple(_thing(line) for line in body["things"]),
    )


def _thing(line: str) -> Thing:
    name, name_en, kind, items = (part.strip() for part in line.split("|"))
    return Thing(name, name_en, kind, tuple(_own(text.strip()) for text in items.split(",")))


def _own(text: str) -> Item:
    name, kind, grade = text.split(":")
    # What is graded L3 or L4 may be counted, not looked at.
    uses: frozenset[Use] = frozenset({"filter", "group"} if int(grade) < 3 else {"aggregate"})
    if kind in {"decimal", "integer"}:
        uses |= {"aggregate"}
    length = {"string": 100, "decimal": 16, "integer": 10}.get(kind)
    return Item(name, kind, length=length, grade=int(grade), uses=uses)


def _item(row: list[Any]) -> tuple[Item, str]:
    name, name_en, kind, length, grade, uses, code_list, description, subject, source = row
    item = Item(
        name, kind, length or None, name_en, description, code_list, grade,
        frozenset(_USES[letter] for letter in uses), subject,
    )  # fmt: skip
    return item, source
