"""What programs that walk the web look for: robots.txt, the site map, security.txt."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final
from xml.sax.saxutils import escape

from fastapi import APIRouter, Path
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import func, select

from catalog.portal.languages import TAGS
from catalog.portal.links import link
from catalog.portal.visit import Looking, Reading
from catalog.registry.tables import DatasetRow
from protos.faults import MissingError
from protos.language import Language, Text

router = APIRouter(include_in_schema=False)
_PIECE: Final = 5000
"""Datasets in one piece of the site map; each has an address in two languages."""
_PAGES: Final = ("", "search", "market", "departments", "certificates", "developers", "about")
_KEPT: Final = {"Cache-Control": "public, max-age=3600"}
"""What is said here is the same to everybody, whoever asks."""
_VALID: Final = dt.timedelta(days=180)
_LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


@router.get("/robots.txt")
def robots(visit: Looking) -> Response:
    """Lets everybody read all but searches without end and what members do."""
    lines = ["User-agent: *"]
    for language in _LANGUAGES:
        lines += [f"Disallow: /{language}/search?", f"Disallow: /{language}/workbench"]
    lines += ["Disallow: /api/", "", f"Sitemap: {_origin(visit)}/sitemap.xml", ""]
    return PlainTextResponse("\n".join(lines), headers=_KEPT)


@router.get("/.well-known/security.txt")
def security(visit: Looking) -> Response:
    """Says whom to tell of a security hole (RFC 9116).

    Raises:
        MissingError: The operator has not said so.
    """
    site = visit.services.site
    if not site.contact:
        raise MissingError(
            Text("nobody is named here", "未登记安全联系人"),
            remedy=Text("set contact in portal.toml", "请在 portal.toml 中填写 contact"),
            code="portal.contact",
        )
    until = dt.datetime.fromtimestamp(visit.services.registry.now(), dt.UTC) + _VALID
    lines = [
        f"Contact: {site.contact}",
        f"Expires: {until:%Y-%m-%dT00:00:00Z}",
        "Preferred-Languages: zh, en",
    ]
    if site.url:
        lines.append(f"Canonical: {site.url}/.well-known/security.txt")
    return PlainTextResponse("\n".join([*lines, ""]), headers=_KEPT)


@router.get("/sitemap.xml")
def site_map(visit: Reading) -> Response:
    """Lists the pieces of the site map (sitemaps.org)."""
    with visit.services.registry.database.read() as connection:
        last = connection.execute(select(func.max(DatasetRow.id)).where(*_OPEN)).scalar() or 0
    pieces = range(last // _PIECE + 1)
    origin = escape(_origin(visit))
    listed = (f"<sitemap><loc>{origin}/sitemap/{number}.xml</loc></sitemap>" for number in pieces)
    return _xml(visit, f'<sitemapindex xmlns="{_NAMESPACE}">{"".join(listed)}</sitemapindex>')


@router.get("/sitemap/{number}.xml")
def piece(visit: Reading, number: Annotated[int, Path(ge=0, le=10**6)]) -> Response:
    """Lists the datasets of a range of numbers; the first piece has the other pages, too."""
    first = number * _PIECE
    statement = select(DatasetRow.source, DatasetRow.identifier, DatasetRow.changed_at)
    with visit.services.registry.database.read() as connection:
        rows = connection.execute(
            statement.where(*_OPEN, DatasetRow.id >= first, DatasetRow.id < first + _PIECE)
        ).all()
    origin = _origin(visit)
    parts = [_page(origin, (page,) if page else ()) for page in _PAGES] if number == 0 else []
    parts += [
        _page(origin, ("dataset", source, identifier), changed)
        for source, identifier, changed in rows
    ]
    return _xml(
        visit,
        f'<urlset xmlns="{_NAMESPACE}" xmlns:xhtml="http://www.w3.org/1999/xhtml">'
        f"{''.join(parts)}</urlset>",
    )


_OPEN: Final = (DatasetRow.state == "registered", DatasetRow.opening != "none")
_NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"


def _origin(visit: Reading) -> str:
    return visit.services.site.address(visit.request)


def _page(origin: str, parts: tuple[str, ...], changed: int | None = None) -> str:
    addresses = {language: escape(origin + link(language, *parts)) for language in _LANGUAGES}
    others = "".join(
        f'<xhtml:link rel="alternate" hreflang="{TAGS[language]}" href="{address}"/>'
        for language, address in addresses.items()
    )
    when = (
        f"<lastmod>{dt.datetime.fromtimestamp(changed, dt.UTC):%Y-%m-%d}</lastmod>"
        if changed is not None else ""
    )  # fmt: skip
    return "".join(
        f"<url><loc>{address}</loc>{when}{others}</url>" for address in addresses.values()
    )


def _xml(visit: Reading, body: str) -> Response:
    made = Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', media_type="application/xml")
    made = visit.compared(made)
    made.headers.update(_KEPT)
    return made
