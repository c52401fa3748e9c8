"""What differs between two versions of a record: fields, and data items by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from catalog.registry.record import Record
from catalog.registry.record_json import to_dict


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        what: ``changed``, ``added`` or ``removed``.
        field: Such as ``abstract``, or ``items`` for a whole item.
        item: Name of the data item; empty if it is a field of the record.
        was: Before, JSON types; None if it was not there.
        now: After; None if it is not there any more.
    """

    what: str
    field: str
    item: str = ""
    was: Any = None
    now: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        body = {"what": self.what, "field": self.field, "item": self.item}
        return {name: text for name, text in body.items() if text} | {
            name: value
            for name, value in (("was", self.was), ("now", self.now))
            if value is not None
        }


def compare(old: Record, new: Record) -> tuple[Change, ...]:
    """Returns what is different in ``new``."""
    return tuple(_changes(to_dict(old), to_dict(new)))


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    was_items = {item["name"]: item for item in old.pop("items")}
    now_items = {item["name"]: item for item in new.pop("items")}
    yield from _fields("", old, new)
    for name in was_items.keys() - now_items.keys():
        yield Change("removed", "items", name)
    for name, item in now_items.items():
        if name not in was_items:
            yield Change("added", "items", name)
        else:
            yield from _fields(name, was_items[name], item)
    common = [name for name in was_items if name in now_items]
    if common != [name for name in now_items if name in was_items]:
        yield Change("changed", "items.order")


def _fields(item: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    for field in sorted(old.keys() | new.keys()):
        was, now = old.get(field), new.get(field)
        if was != now:
            yield Change("changed", field, item, was, now)
