"""Records as CKAN packages (``package_show``), and packages as records.

What CKAN has a place for stands there; the rest stands in ``extras`` as JSON, where harvesters
look for it. Packages of other catalogs, which say nothing about sharing or data items, get what
can be inferred: one item for each field of a resource's schema, or else for each resource.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from catalog.interchange.problems import Parsed, judged, problem_of
from catalog.registry import vocabulary as v
from catalog.registry.cities import GUANGDONG
from catalog.registry.record import Access, Department, Item, Record
from catalog.registry.record_json import from_dict, to_dict
from catalog.registry.rules import SEPARATORS
from protos.faults import InputError
from protos.language import Text

# What a package's own members say in full; all other members of a record's JSON go to extras.
_OWN: Final = frozenset({"name", "abstract"})
_NOT_SLUG: Final = re.compile("[^a-z0-9_-]+")
_NOT_TAG: Final = re.compile(r"[^\w .-]")
_TEXTS: Final = frozenset(
    {"source", "identifier", "place", "kind", "category", "name_en", "format", "format_type",
     "cycle", "system", "published", "updated"}
)  # fmt: skip
_PREFIX: Final = "veil:"
_TYPES: Final = {"text": "string", "numeric": "decimal", "number": "decimal", "int": "integer",
                 "int4": "integer", "int8": "integer", "float8": "decimal", "bool": "boolean",
                 "timestamp": "datetime"}  # fmt: skip


# ---- writing -----------------------------------------------------------------------------------


def package(record: Record) -> dict[str, Any]:
    """Returns a record as a CKAN package."""
    body = to_dict(record)
    extras = [
        {
            "key": f"{_PREFIX}{name}",
            "value": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
        }
        for name, value in body.items()
        if name not in _OWN
    ]
    provider = record.provider
    return {
        "name": slug_of(*record.key),
        "title": record.name,
        "notes": record.abstract,
        "type": "dataset",
        "state": "active",
        "private": record.opening.attribute == "none",
        "version": record.version.label,
        "owner_org": provider.code.lower(),
        "organization": {"name": provider.code.lower(), "title": provider.name},
        "groups": [{"name": theme, "title": v.THEMES.title(theme).zh} for theme in record.themes],
        "tags": [{"name": tag_of(name)} for name in record.scenarios],
        "resources": [
            {
                "name": record.name,
                "format": record.format_type or v.FORMATS.title(record.format).en,
                "description": record.version.notes,
            }
        ],
        "extras": extras,
    }


def slug_of(source: str, identifier: str) -> str:
    """Returns a name as CKAN wants it: 2 to 100 lower-case letters, digits, ``-`` and ``_``."""
    plain = _NOT_SLUG.sub("-", f"{source}-{identifier}".lower()).strip("-")[:80]
    mark = hashlib.sha256(f"{source}\n{identifier}".encode()).hexdigest()[:8]
    return f"{plain}-{mark}"


def tag_of(scenario: str) -> str:
    """Returns a scenario's name with the signs only that CKAN allows in a tag."""
    return _NOT_TAG.sub("-", scenario)


# ---- reading -----------------------------------------------------------------------------------


def packages(body: object) -> list[Any]:
    """Returns the packages of a file: one, a list, or an answer of CKAN's API.

    Raises:
        InputError: It is none of these.
    """
    if isinstance(body, dict) and body.get("success") is True:
        body = body.get("result")
    if isinstance(body, dict) and isinstance(body.get("results"), list):
        body = body["results"]
    if isinstance(body, dict) and ("title" in body or "name" in body):
        body = [body]
    if isinstance(body, list):
        return body
    raise InputError(
        Text("the file holds no CKAN packages", "文件中没有 CKAN 数据包"),
        remedy=Text(
            "give a package, a list of them, or an answer of package_show or package_search",
            "请提供一个数据包、数据包列表，或 package_show、package_search 的返回结果",
        ),
        code="import.ckan",
    )


def read_packages(body: object, source: str) -> Iterator[Parsed]:
    """Yields the records of a file's packages; the line is the package's number."""
    return (parsed for _, parsed in read_named(body, source))


def read_named(body: object, source: str, place: str = GUANGDONG) -> Iterator[tuple[str, Parsed]]:
    """Yields the same, each behind what its catalog calls it; empty for what has no name.

    ``place`` is the division of what does not say where it is from.
    """
    for number, raw in enumerate(packages(body), 1):
        try:
            parsed = judged(number, _record(raw, source, place), raw)
        except InputError as error:
            parsed = Parsed(number, None, [problem_of(error, number, "")], [raw])
        yield _line(raw.get("id") or raw.get("name")) if isinstance(raw, dict) else "", parsed


def _record(raw: object, source: str, place: str) -> Record:
    if not isinstance(raw, dict):
        raise _no_package("it is no object", "不是对象")
    extras = _extras(raw)
    if f"{_PREFIX}items" not in extras:
        return _foreign(raw, extras, source, place)
    body: dict[str, Any] = {"name": raw.get("title"), "abstract": raw.get("notes") or ""}
    if not isinstance(body["name"], str) or not isinstance(body["abstract"], str):
        raise _no_package("its title or notes are no text", "title 或 notes 不是文本")
    for key, value in extras.items():
        name = key.removeprefix(_PREFIX)
        if key == name or name in _OWN:
            continue
        body[name] = value if name in _TEXTS else _json(value, key)
    body.setdefault("source", source)
    if not body["abstract"]:
        del body["abstract"]
    return from_dict(body)


def _extras(raw: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for extra in _list(raw, "extras"):
        key, value = extra.get("key"), extra.get("value")
        if isinstance(key, str) and isinstance(value, str):
            found[key] = value
    return found


def _list(raw: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = raw.get(name) or []
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise _no_package(f"{name} is no list of objects", f"{name} 不是对象列表")
    return cast("list[dict[str, Any]]", value)


def _json(text: str, key: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_package(f"{key} is no JSON", f"{key} 不是 JSON") from error


def _no_package(en: str, zh: str) -> InputError:
    return InputError(
        Text(f"this is no CKAN package: {en}", f"这不是 CKAN 数据包：{zh}"),
        remedy=Text("compare it with package_show", "请与 package_show 的返回结果比对"),
        code="import.package",
    )


def _foreign(raw: Mapping[str, Any], extras: Mapping[str, str], source: str, usual: str) -> Record:
    """Infers a record from what any CKAN says."""
    resources = _list(raw, "resources")
    organisation = raw.get("organization") or {}
    if not isinstance(organisation, dict):
        raise _no_package("its organization is no object", "organization 不是对象")
    place = extras.get("place") or extras.get("spatial") or usual
    closed = raw.get("private") is True
    form = str(resources[0].get("format") or "") if resources else ""
    return Record(
        source=source,
        identifier=_line(raw.get("name") or raw.get("id")),
        name=_line(raw.get("title") or raw.get("name")),
        provider=Department(
            _line(organisation.get("name") or raw.get("owner_org")),
            _line(organisation.get("title") or organisation.get("name")),
            place,
        ),
        items=tuple(_items(resources)),
        place=place,
        sharing=_INFERRED[closed][0],
        opening=_INFERRED[closed][1],
        kind="file",
        abstract=str(raw.get("notes") or "").replace("\r\n", "\n").strip()[:4000],
        format=v.FORMATS.find(form) or "other",
        format_type=_line(form),
        published=_day(raw.get("metadata_created")),
        updated=_day(raw.get("metadata_modified")),
        themes=tuple(dict.fromkeys(_themes(_list(raw, "groups")))),
        scenarios=tuple(dict.fromkeys(_tags(_list(raw, "tags")))),
    )


_INFERRED: Final = {
    True: (Access("conditional", "按来源目录的规定"), Access("none", "来源目录未公开")),
    False: (Access("unconditional"), Access("unconditional")),
}


def _line(value: object) -> str:
    return " ".join(str(value or "").split())[:200]


def _items(resources: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
    seen: set[str] = set()
    for number, resource in enumerate(resources, 1):
        schema = resource.get("schema")
        fields = schema.get("fields") if isinstance(schema, dict) else None
        if isinstance(fields, list) and fields:
            named = [(f.get("name") or f.get("id"), f.get("type")) for f in fields
                     if isinstance(f, dict)]  # fmt: skip
        else:
            named = [(resource.get("name") or f"资源 {number}", "binary")]
        for name, kind in named:
            text = _line(name)
            if text and text not in seen:
                seen.add(text)
                yield Item(text, _type_of(str(kind or "")), grade=1)


def _type_of(text: str) -> str:
    return v.TYPES.find(_TYPES.get(text, text)) or "string"


def _themes(groups: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for group in groups:
        found = (v.THEMES.find(str(group.get(name) or "")) for name in ("name", "title"))
        if theme := next(filter(None, found), None):
            yield theme


def _tags(tags: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for tag in tags:
        name = _line(tag.get("display_name") or tag.get("name"))
        if name and not set(name) & set(SEPARATORS):
            yield name


def _day(value: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
