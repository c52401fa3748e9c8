"""A record as JSON and back: what programs read, and what its digest is made of.

What is empty or as by default is left out, so a field that a later version adds changes no digest.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from catalog.registry.record import (
    COUNTS,
    Access,
    Department,
    Item,
    Record,
    Relation,
    Version,
)
from desensitize.column import Use
from protos.faults import InputError
from protos.language import Text

_PLAIN = ("source", "identifier", "name", "place", "kind", "category", "name_en", "abstract",
          "format", "format_type", "cycle", "system")  # fmt: skip
_ACCESS = ("attribute", "condition", "method")
_VERSION = ("label", "notes", *COUNTS)
_ITEM = ("name", "type", "length", "name_en", "description", "code_list", "grade", "subject",
         "source")  # fmt: skip


def to_dict(record: Record) -> dict[str, Any]:
    """Returns a record as JSON types."""
    body: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(record, name))}
    provider = record.provider
    body["provider"] = {"code": provider.code, "name": provider.name, "place": provider.place}
    if provider.name_en:
        body["provider"]["name_en"] = provider.name_en
    body["sharing"] = _filled(record.sharing, _ACCESS)
    body["opening"] = _filled(record.opening, _ACCESS)
    for name in ("path", "themes", "scenarios"):
        if value := getattr(record, name):
            body[name] = list(value)
    for name in ("published", "updated"):
        if value := getattr(record, name):
            body[name] = value.isoformat()
    if record.relations:
        body["relations"] = [
            {"kind": r.kind, "source": r.source, "identifier": r.identifier}
            for r in record.relations
        ]
    if version := version_dict(record.version):
        body["version"] = version
    body["items"] = [_item_dict(item) for item in record.items]
    return body


def version_dict(version: Version) -> dict[str, Any]:
    """Returns what is said about a version as JSON types."""
    return _filled(version, _VERSION)


def _item_dict(item: Item) -> dict[str, Any]:
    body = _filled(item, _ITEM)
    if item.uses:
        body["uses"] = sorted(item.uses)
    return body


def _filled(part: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {n: value for n in names if (value := getattr(part, n)) not in {"", None}}


def from_dict(body: Mapping[str, Any]) -> Record:
    """Returns the record of a JSON object; `rules` says whether it may be registered.

    Raises:
        InputError: A member is missing, unknown, or of another type.
    """
    try:
        rest = dict(body)
        record = Record(
            provider=Department(**_texts(rest.pop("provider"))),
            sharing=Access(**_texts(rest.pop("sharing"))),
            opening=Access(**_texts(rest.pop("opening"))),
            items=tuple(_item(item) for item in rest.pop("items")),
            path=_tags(rest.pop("path", [])),
            themes=_tags(rest.pop("themes", [])),
            scenarios=_tags(rest.pop("scenarios", [])),
            relations=tuple(Relation(**_texts(r)) for r in rest.pop("relations", [])),
            published=_date(rest.pop("published", None)),
            updated=_date(rest.pop("updated", None)),
            version=_version(rest.pop("version", {})),
            **_texts(rest),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            Text("this is no record of the catalog", "这不是目录记录"),
            remedy=Text(
                "compare it with what 'veil catalog show --json' prints",
                "请与 veil catalog show --json 的输出比对",
            ),
            code="record.json",
            detail=repr(error),
        ) from error
    return record


def digest(record: Record) -> str:
    """Returns the SHA-256 of a record's JSON, 64 hex digits: equal for equal records."""
    text = json.dumps(to_dict(record), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _texts(body: Mapping[str, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in body.values()):
        raise TypeError("a text is no text")
    return dict(body)


def _tags(tags: object) -> tuple[str, ...]:
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise TypeError("not a list of texts")
    return tuple(tags)


def _item(body: Mapping[str, Any]) -> Item:
    rest = dict(body)
    uses = frozenset(cast("tuple[Use, ...]", _tags(rest.pop("uses", []))))
    length, grade = rest.pop("length", None), rest.pop("grade", 2)
    return Item(uses=uses, length=_number(length), grade=_number(grade) or 0, **_texts(rest))


def _version(body: Mapping[str, Any]) -> Version:
    rest = dict(body)
    rows, added, removed, changed = (_number(rest.pop(name, None)) for name in COUNTS)
    return Version(rows=rows, added=added, removed=removed, changed=changed, **_texts(rest))


def _number(value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError("a number is no whole number")
    return value


def _date(value: str | None) -> dt.date | None:
    return None if value is None else dt.date.fromisoformat(value)
