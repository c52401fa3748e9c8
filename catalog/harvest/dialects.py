"""What other catalogs speak: DCAT, paged by Hydra, and CKAN's ``package_search``.

A dialect knows how its pages are asked for and what stands in one; where a page comes from, and
what becomes of it, it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import rdflib
from rdflib.namespace import RDF
from rdflib.term import Node

from catalog.harvest.fetching import Answer
from catalog.interchange import ckan
from catalog.interchange.dcat import HYDRA
from catalog.interchange.dcat_reading import graph_of, read_named, read_responsible
from catalog.interchange.problems import Parsed
from catalog.registry.record import Department
from protos.faults import InputError
from protos.language import Text

Name = Literal["dcat", "ckan"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)
OWN: Final = "local"
"""What a catalog calls itself, and so what records are from that do not say it."""
_ROWS: Final = 500
_VIEWS: Final = (HYDRA.PartialCollectionView, HYDRA.PagedCollection)
_NEXT: Final = (HYDRA.next, HYDRA.nextPage)
_TYPES: Final = {
    "text/turtle": "turtle", "application/x-turtle": "turtle", "application/n-triples": "turtle",
    "application/ld+json": "json-ld", "application/json": "json-ld",
    "application/rdf+xml": "xml", "application/xml": "xml", "text/xml": "xml",
}  # fmt: skip
_SUFFIXES: Final = {".ttl": "turtle", ".nt": "turtle", ".jsonld": "json-ld", ".json": "json-ld",
                    ".rdf": "xml", ".xml": "xml"}  # fmt: skip


def read_dialect(text: str) -> Name:
    """Returns the dialect that an operator wrote.

    Raises:
        InputError: It is none of `NAMES`.
    """
    for name in NAMES:
        if text == name:
            return name
    raise InputError(
        Text(f"no catalog is read as {text[:20]!r}", f"不支持“{text[:20]}”"),
        remedy=Text(f"use {' or '.join(NAMES)}", f"可用：{'、'.join(NAMES)}"),
        code="harvest.dialect",
    )


@dataclass(frozen=True)
class Page:
    """What a page of another catalog says.

    Attributes:
        found: What the source calls each record, and the record or why it is none.
        following: Where the next page is; empty if this is the last.
        total: How many records the source says that it has; None if it does not say.
        departments: Those that it names besides the providers: sources of data items.
    """

    found: tuple[tuple[str, Parsed], ...]
    following: str = ""
    total: int | None = None
    departments: tuple[Department, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """How to read a catalog.

    Attributes:
        first: Where its first page is, for the address that an operator gave.
        read: Reads a page; takes the division of what does not say where it is from.
        headers: To ask for a page with.
    """

    first: Callable[[str], str]
    read: Callable[[Answer, str], Page]
    headers: Mapping[str, str] = field(default_factory=dict)


# ---- DCAT --------------------------------------------------------------------------------------


def _read_graph(answer: Answer, place: str) -> Page:
    graph = graph_of(_text(answer), _format(answer))
    views = {view for kind in _VIEWS for view in graph.subjects(RDF.type, kind)}
    return Page(
        tuple(read_named(graph, OWN, place)), _next(graph, views, answer), _total(graph, views),
        read_responsible(graph, place),
    )  # fmt: skip


def _format(answer: Answer) -> str:
    said = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    path = urlsplit(answer.url).path.lower()
    by_name = next((kind for end, kind in _SUFFIXES.items() if path.endswith(end)), "")
    if found := _TYPES.get(said) or by_name:
        return found
    raise InputError(
        Text(f"the answer is {said[:60] or 'of no type'}, not RDF",
             f"应答类型为 {said[:60] or '未知'}，不是 RDF"),
        remedy=Text("give the address of a catalog in Turtle, JSON-LD or RDF/XML, "
                    "such as https://host/catalog.ttl; of CKAN with --as ckan",
                    "请填写 Turtle、JSON-LD 或 RDF/XML 目录的地址，如 https://主机/catalog.ttl；"
                    "CKAN 请加 --as ckan"),
        code="harvest.type",
    )  # fmt: skip


def _next(graph: rdflib.Graph, views: set[Node], answer: Answer) -> str:
    found = {
        urljoin(answer.url, str(link))
        for view in views
        for name in _NEXT
        for link in graph.objects(view, name)
    }
    if len(found) > 1:
        raise InputError(
            Text("the page names several next pages", "该页给出了多个下一页"),
            remedy=Text("tell its operator; it must be one", "请联系对方修正，下一页应唯一"),
            code="harvest.next",
        )
    return next(iter(found), "")


def _total(graph: rdflib.Graph, views: set[Node]) -> int | None:
    found = {str(count) for view in views for count in graph.objects(view, HYDRA.totalItems)}
    text = next(iter(found)) if len(found) == 1 else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


# ---- CKAN --------------------------------------------------------------------------------------


def _first_search(url: str) -> str:
    base = (
        url.partition("?")[0].rstrip("/").removesuffix("/api/3/action").removesuffix("/api/action")
    )
    return _search(f"{base}/api/3/action/package_search", 0)


def _search(path: str, start: int) -> str:
    # In an order that stays, or a page would repeat what another lost.
    return f"{path}?{urlencode({'rows': _ROWS, 'start': start, 'sort': 'id asc'})}"


def _read_search(answer: Answer, place: str) -> Page:
    try:
        body = json.loads(_text(answer))
        result = body["result"]
        total, listed = result["count"], result["results"]
        if body["success"] is not True or not isinstance(listed, list):
            raise TypeError("success")
        if not isinstance(total, int) or not 0 <= total < 10**9:
            raise TypeError("count")
        start = int(parse_qs(urlsplit(answer.url).query).get("start", ["0"])[0])
        done = start + len(listed)
        more = bool(listed) and done < total
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            Text("the answer is not that of a CKAN", "应答不是 CKAN 接口的格式"),
            remedy=Text(
                "give the address of the portal, such as https://host/, or use --as dcat",
                "请填写门户地址，如 https://主机/，或使用 --as dcat",
            ),
            code="harvest.ckan",
            detail=repr(error),
        ) from error
    path = answer.url.partition("?")[0]
    following = _search(path, done) if more else ""
    return Page(tuple(ckan.read_named(listed, OWN, place)), following, total)


def _text(answer: Answer) -> str:
    try:
        return answer.body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            Text("the answer is not UTF-8", "应答不是 UTF-8 编码"),
            remedy=Text("tell its operator", "请联系对方修正"),
            code="harvest.text",
        ) from error


DIALECTS: Final[Mapping[Name, Dialect]] = {
    "dcat": Dialect(
        lambda url: url,
        _read_graph,
        {"Accept": "text/turtle, application/ld+json;q=0.9, application/rdf+xml;q=0.8"},
    ),
    "ckan": Dialect(_first_search, _read_search, {"Accept": "application/json"}),
}
