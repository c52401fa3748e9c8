"""``/dataset/…``, the address that a dataset is known by: to people it is a page, to programs RDF.

The last of all routers of feeds: an identifier may look like the name of a form.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from catalog.feeds import places
from catalog.feeds.graphs import one
from catalog.feeds.negotiation import preferred
from catalog.rest.datasets import Reader, scope_of
from catalog.web.guard import Everything

router = APIRouter(tags=["feeds"])
_FORMS: Final = [
    ("text/html", ""), ("application/xhtml+xml", ""), ("text/turtle", ".ttl"),
    ("application/ld+json", ".jsonld"), ("application/rdf+xml", ".xml"),
    ("application/json", ".jsonld"), ("application/xml", ".xml"), ("text/xml", ".xml"),
]  # fmt: skip
_LANGUAGES: Final = [("zh", "/zh"), ("en", "/en")]


@router.get("/dataset/{source}/{identifier:path}", status_code=303, response_class=RedirectResponse)
def known_by(
    request: Request, services: Everything, caller: Reader, source: str, identifier: str
) -> Response:
    """Leads to the page in the reader's language, or to the form that a program asks for."""
    one(services, scope_of(caller), source, identifier)
    site = services.site.address(request)
    suffix = preferred(request.headers.get("accept", ""), _FORMS)
    if not suffix:
        site += preferred(_languages(request), _LANGUAGES)
    address = places.dataset(site, source, identifier, suffix)
    return RedirectResponse(address, 303, {"Vary": "Accept, Accept-Language"})


def _languages(request: Request) -> str:
    """The languages that a browser asks for, without their countries: ``zh-CN`` is ``zh``."""
    asked = request.headers.get("accept-language", "")[:200].split(",")
    return ",".join(part.partition("-")[0] if "-" in part.partition(";")[0] else part
                    for part in asked)  # fmt: skip
