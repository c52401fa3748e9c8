"""``/feed.atom`` and ``/feed.rss``: what is new, of any search; saved ones by their names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Annotated, Any, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from sqlalchemy import select

from catalog.feeds import places
from catalog.feeds.shown import Shown, last_change, shown, visible
from catalog.interchange.dcat import dataset_iri
from catalog.interchange.rdf_text import xml_safe
from catalog.registry.tables import DatasetRow
from catalog.rest.datasets import Asked, Reader, scope_of
from catalog.search.find import Scope
from catalog.search.query import Query
from catalog.search.saved import LONGEST, saved
from catalog.web.caching import cached
from catalog.web.guard import Everything
from catalog.web.services import Services
from protos.faults import MissingError
from protos.language import Text

router = APIRouter(tags=["feeds"])
ENTRIES: Final = 50
_ATOM: Final = "http://www.w3.org/2005/Atom"
_TYPES: Final = {"atom": "application/atom+xml", "rss": "application/rss+xml"}
_TOLD: Final[dict[str, dict[int | str, dict[str, Any]]]] = {
    form: {
        200: {"content": {media_type: {"schema": {"type": "string"}}}},
        304: {"description": "As the caller has it"},
    }
    for form, media_type in _TYPES.items()
}


@dataclass(frozen=True)
class News:
    """A feed.

    Attributes:
        title: Of the site, and of the search if it has a name.
        here: The feed's own address, which is also its id.
        site: Address of the site.
        entries: Newest first.
    """

    title: str
    here: str
    site: str
    entries: Sequence[Shown]


def _newest(services: Services, scope: Scope, query: Query) -> tuple[Sequence[Shown], int]:
    """The datasets of a search that were registered or changed last, and the last change at all."""
    wanted = services.search.numbers(query, scope)
    with services.registry.database.read() as connection:
        newest = DatasetRow.changed_at.desc(), DatasetRow.id.desc()
        rows = connection.execute(select(DatasetRow.id).where(visible(scope)).order_by(*newest))
        ids: list[int] = []
        for number in rows.scalars():
            if number in wanted:
                ids.append(number)
                if len(ids) == ENTRIES:
                    break
        return shown(connection, ids, scope), last_change(connection)


# ---- documents ---------------------------------------------------------------------------------


def atom(news: News) -> bytes:
    """Writes a feed as Atom (RFC 4287)."""
    feed = ET.Element("feed", xmlns=_ATOM)
    newest = max((each.changed_at for each in news.entries), default=0)
    _add(feed, "title", news.title)
    _add(feed, "id", news.here)
    _add(feed, "updated", _moment(newest))
    _add(feed, "link", rel="self", href=news.here)
    _add(feed, "link", rel="alternate", href=f"{news.site}/")
    for each in news.entries:
        record = each.record
        entry = _add(feed, "entry")
        _add(entry, "title", record.name)
        _add(entry, "id", dataset_iri(*record.key))
        _add(entry, "link", rel="alternate", href=places.dataset(news.site, *record.key))
        _add(entry, "published", _moment(each.registered_at))
        _add(entry, "updated", _moment(each.changed_at))
        _add(_add(entry, "author"), "name", record.provider.name)
        _add(entry, "summary", record.abstract or record.name)
        for theme in record.themes:
            _add(entry, "category", term=theme)
    return _written(feed)


def rss(news: News) -> bytes:
    """Writes a feed as RSS 2.0."""
    root = ET.Element("rss", {"version": "2.0", "xmlns:atom": _ATOM})
    channel = ET.SubElement(root, "channel")
    for name, text in (
        ("title", news.title), ("link", f"{news.site}/"), ("description", news.title)
    ):  # fmt: skip
        _add(channel, name, text)
    _add(channel, "atom:link", rel="self", type=_TYPES["rss"], href=news.here)
    for each in news.entries:
        record = each.record
        item = ET.SubElement(channel, "item")
        _add(item, "title", record.name)
        _add(item, "link", places.dataset(news.site, *record.key))
        _add(item, "guid", dataset_iri(*record.key)).set("isPermaLink", "false")
        _add(item, "pubDate", formatdate(each.changed_at, usegmt=True))
        _add(item, "description", record.abstract or record.name)
        for theme in record.themes:
            _add(item, "category", theme)
    return _written(root)


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    safe = {key: xml_safe(value) for key, value in attributes.items()}
    element = ET.SubElement(parent, name, safe)
    element.text = xml_safe(text) or None
    return element


def _moment(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _written(root: ET.Element) -> bytes:
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


# ---- routes ------------------------------------------------------------------------------------


def _answer(
    request: Request, services: Services, scope: Scope, query: Query, form: str, name: str = ""
) -> Response:
    site = services.site.address(request)
    here = f"{site}{quote(request.url.path)}"
    if request.url.query:
        here += f"?{request.url.query}"
    title = " · ".join(filter(None, (services.site.title.zh, name or query.text)))
    entries, changed = _newest(services, scope, query)
    news = News(title, here, site, entries)
    body = atom(news) if form == "atom" else rss(news)
    return cached(
        request, body, f"{_TYPES[form]}; charset=utf-8", scope=scope,
        modified=changed, now=services.registry.now(),
    )  # fmt: skip


@router.get("/feed.atom", response_class=Response, responses=_TOLD["atom"])
def newest_atom(request: Request, services: Everything, caller: Reader, wanted: Asked) -> Response:
    """What was registered or changed last, of what a search finds; in Atom."""
    return _answer(request, services, scope_of(caller), wanted, "atom")


@router.get("/feed.rss", response_class=Response, responses=_TOLD["rss"])
def newest_rss(request: Request, services: Everything, caller: Reader, wanted: Asked) -> Response:
    """What was registered or changed last, of what a search finds; in RSS."""
    return _answer(request, services, scope_of(caller), wanted, "rss")


Name = Annotated[str, Path(max_length=LONGEST)]


@router.get("/feed/saved/{name}.atom", response_class=Response, responses=_TOLD["atom"])
def saved_atom(request: Request, services: Everything, caller: Reader, name: Name) -> Response:
    """What is new of a search that was saved under a name; in Atom."""
    return _saved(request, services, scope_of(caller), name, "atom")


@router.get("/feed/saved/{name}.rss", response_class=Response, responses=_TOLD["rss"])
def saved_rss(request: Request, services: Everything, caller: Reader, name: Name) -> Response:
    """What is new of a search that was saved under a name; in RSS."""
    return _saved(request, services, scope_of(caller), name, "rss")


def _saved(request: Request, services: Services, scope: Scope, name: str, form: str) -> Response:
    query = saved(services.registry.database).get(name)
    if query is None:
        raise MissingError(
            Text("there is no saved search of this name", "没有该名称的检索"),
            remedy=Text("ask whoever has told you the name", "请向提供名称的人确认"),
            code="search.not_saved",
        )
    return _answer(request, services, scope, query, form, name)
