"""For developers: the doors for programs, and the REST interface as a plain page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from catalog.portal.languages import PREFIX
from catalog.portal.links import link
from catalog.portal.visit import Looking
from protos.language import Language, Text

router = APIRouter(include_in_schema=False)
_METHODS: Final = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Door:
    """One way in for programs.

    Attributes:
        title: What it is.
        says: One sentence.
        example: To copy.
        links: Labels and addresses.
    """

    title: Text
    says: Text
    example: str
    links: tuple[tuple[Text, str], ...] = ()


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    place: str
    type: str
    needed: bool


@dataclass(frozen=True)
class Operation:
    """One operation, as OpenAPI describes it."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    body: str
    answers: tuple[str, ...]


@router.get(PREFIX + "/about")
def about(visit: Looking) -> Response:
    """Says how it works, and what is protected."""
    return visit.page("about")


@router.get(PREFIX + "/developers")
def developers(visit: Looking) -> Response:
    """Shows the doors for programs."""
    origin = visit.services.site.address(visit.request)
    return visit.page("developers", doors=list(_doors(origin, visit.language)))


@router.get(PREFIX + "/developers/api")
def api(visit: Looking) -> Response:
    """Shows the REST interface, out of its own description."""
    described = visit.request.app.openapi()
    groups: dict[str, list[Operation]] = defaultdict(list)
    for path, methods in described["paths"].items():
        for method in _METHODS:
            if method in methods:
                tag = (methods[method].get("tags") or ["catalog"])[0]
                groups[tag].append(_operation(method, path, methods[method]))
    return visit.page("api", version=described["openapi"], groups=sorted(groups.items()))


def _doors(origin: str, language: Language) -> Iterator[Door]:
    yield Door(
        Text("REST", "REST 接口"),
        Text("Search and records as JSON; described by OpenAPI 3.1.",
             "以 JSON 检索和读取元数据；提供 OpenAPI 3.1 描述。"),
        f'curl "{origin}/api/catalog/datasets?q=医疗&theme=health"',
        ((Text("Reference", "接口说明"), link(language, "developers", "api")),
         (Text("OpenAPI", "OpenAPI"), "/api/openapi.json")),
    )  # fmt: skip


def _operation(method: str, path: str, body: Mapping[str, Any]) -> Operation:
    content = body.get("requestBody", {}).get("content", {})
    kinds = [f"{kind} {_type(each.get('schema', {}))}".strip() for kind, each in content.items()]
    return Operation(
        method,
        path,
        str(body.get("summary", "")),
        str(body.get("description", "")),
        tuple(
            Parameter(each["name"], each["in"], _type(each.get("schema", {})),
                      bool(each.get("required")))
            for each in body.get("parameters", ())
        ),
        ", ".join(kinds),
        tuple(body.get("responses", ())),
    )  # fmt: skip


def _type(schema: Mapping[str, Any]) -> str:
    """Returns a schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        parts = (_type(each) for each in schema["anyOf"] if each.get("type") != "null")
        return " or ".join(dict.fromkeys(filter(None, parts)))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    limits = [
        f"{word} {schema[name]}"
        for name, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"))
        if name in schema
    ]
    return " ".join([str(schema.get("type", "")), *limits]).strip()
