"""For developers: the doors for programs, and the REST interface as a plain page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from catalog.portal.languages import PREFIX, preferred
from catalog.portal.links import link
from catalog.portal.visit import Looking
from catalog.portal.words import FORMS
from protos.language import Text

router = APIRouter(include_in_schema=False)
_STATEMENT: Final = "'sql=SELECT count(*) FROM \"RESOURCE-ID\"'"
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
    origin, own = visit.services.site.address(visit.request), visit.own_authority
    curl = "curl --cacert ca.crt" if own else "curl"
    return visit.page("developers", doors=list(_doors(origin, curl, visit)), own_authority=own)


@router.get("/docs")
@router.get("/api")
def guessed(visit: Looking) -> Response:
    """Leads from where people guess that interfaces are described to where they are."""
    return RedirectResponse(link(preferred(visit.request), "developers"), 302,
                            {"Vary": "Accept-Language"})  # fmt: skip


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


def _doors(origin: str, curl: str, visit: Looking) -> Iterator[Door]:
    language = visit.language
    yield Door(
        Text("REST", "REST 接口"),
        Text("Search and records as JSON; described by OpenAPI 3.1.",
             "以 JSON 检索和读取元数据；提供 OpenAPI 3.1 描述。"),
        f'{curl} --get "{origin}/api/catalog/datasets" --data-urlencode "q=医疗"',
        ((Text("Reference", "接口说明"), link(language, "developers", "api")),
         (Text("OpenAPI", "OpenAPI"), "/api/openapi.json")),
    )  # fmt: skip
    yield Door(
        Text("CKAN Action API", "CKAN 接口"),
        Text("Clients of CKAN work unmodified: ckanapi, harvesters, frictionless.",
             "ckanapi、采集器、frictionless 等 CKAN 客户端无需修改即可使用。"),
        f'ckanapi action package_search q=医疗 -r "{origin}"',
        ((Text("Status", "状态"), "/api/3/action/status_show"),),
    )  # fmt: skip
    yield Door(
        Text("Rows and SQL", "数据行与 SQL"),
        Text("Public rows by page, whole as CSV, JSON or Parquet, or by one governed SELECT.",
             "公开数据可分页读取，可整体下载为 CSV、JSON 或 Parquet，也可用受控 SQL 查询。"),
        f'{curl} --get "{origin}/api/sql" --data-urlencode ' + _STATEMENT,
        ((Text("Open datasets", "无条件开放的资源"),
          link(language, "search", opening="unconditional")),),
    )  # fmt: skip
    yield Door(
        Text("DCAT-AP 3", "DCAT-AP 3"),
        Text("The whole catalog as linked data, by page; each dataset in Turtle, JSON-LD, RDF/XML.",
             "全部目录以关联数据分页提供；每个资源提供 Turtle、JSON-LD 和 RDF/XML。"),
        f'{curl} "{origin}/catalog.ttl"',
        tuple((Text(form, form), f"/catalog.{form}") for form, _ in FORMS),
    )  # fmt: skip
    yield Door(
        Text("Feeds", "订阅"),
        Text("What is new, or new in any search: put its words and filters into the address.",
             "订阅最新资源，或任一检索的更新：将检索词和筛选条件写入网址即可。"),
        f'{curl} --get "{origin}/feed.atom" --data-urlencode "theme=health"',
        ((Text("Atom", "Atom"), "/feed.atom"), (Text("RSS", "RSS"), "/feed.rss")),
    )  # fmt: skip
    if visit.services.office:
        yield Door(
            Text("Certificates and their log", "证书与日志"),
            Text("Certificates with proofs, the log's checkpoints and tiles, status lists.",
                 "证书及证明、日志检查点与分片、状态列表，供审计使用。"),
            f'{curl} "{origin}/api/log/checkpoint"\n'
            "veil verify certificate.json --policy log.policy",
            ((Text("Certificates", "证书"), "/api/certificates"),),
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
