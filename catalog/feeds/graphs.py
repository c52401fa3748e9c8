"""``/catalog.ttl`` and ``/dataset/….ttl``: DCAT-AP 3.0.1, also as JSON-LD and RDF/XML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from catalog.feeds.graph_text import FORMS, Form, catalog_nodes, dataset_node
from catalog.feeds.negotiation import preferred
from catalog.feeds.shown import MOST, Shown, last_change, number_of, page, shown
from catalog.registry.withdrawal import unknown
from catalog.rest.datasets import Reader, scope_of
from catalog.search.find import Scope
from catalog.web.caching import cached
from catalog.web.guard import Everything, May
from catalog.web.services import Services

router = APIRouter(tags=["feeds"])
PAGE: Final = 100
"""Datasets on a page, unless a reader asks for another number."""
_RDF: Final = [
    ("text/turtle", ".ttl"), ("application/ld+json", ".jsonld"), ("application/rdf+xml", ".xml"),
    ("application/json", ".jsonld"), ("application/xml", ".xml"), ("text/xml", ".xml"),
]  # fmt: skip


def one(services: Services, scope: Scope, source: str, identifier: str) -> tuple[Shown, int]:
    """Returns a dataset as a caller may see it, and when anything changed last.

    Raises:
        MissingError: There is none, or it is not for this caller: the two look alike.
    """
    with services.registry.database.read() as connection:
        number = number_of(connection, source, identifier, scope)
        if number is None:
            raise unknown(source, identifier)
        [found] = shown(connection, [number], scope)
        return found, last_change(connection)


def _serve(form: Form) -> None:
    """Adds the routes of one form, each with its own media type in the API's description."""
    shape = {"type": "object" if form.suffix == "jsonld" else "string"}
    told: dict[int | str, dict[str, Any]] = {
        200: {"content": {form.media_type.partition(";")[0]: {"schema": shape}}},
        304: {"description": "As the caller has it"},
    }
    for path, endpoint in (
        (f"/catalog.{form.suffix}", _catalog(form)),
        (f"/dataset/{{source}}/{{identifier:path}}.{form.suffix}", _dataset(form)),
    ):
        name = f"{endpoint.__name__}_{form.suffix}"
        router.add_api_route(path, endpoint, name=name, response_class=Response, responses=told)


def _catalog(form: Form) -> Callable[..., Response]:
    def catalog(
        request: Request,
        services: Everything,
        caller: Reader,
        after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST)] = PAGE,
    ) -> Response:
        """A page of the catalog; ``hydra:next`` leads to the one after it."""
        scope, url = scope_of(caller), services.site.address(request)
        with services.registry.database.read() as connection:
            found = page(connection, scope, after, limit)
            changed = last_change(connection)
        here = f"{url}/catalog.{form.suffix}"
        nodes = catalog_nodes(services.site, url, found, here=here, limit=limit)
        return cached(
            request, form.write(nodes), form.media_type,
            scope=scope, modified=changed, now=services.registry.now(),
        )  # fmt: skip

    return catalog


def _dataset(form: Form) -> Callable[..., Response]:
    def dataset(
        request: Request, services: Everything, caller: Reader, source: str, identifier: str
    ) -> Response:
        """One dataset."""
        scope, url = scope_of(caller), services.site.address(request)
        found, changed = one(services, scope, source, identifier)
        return cached(
            request, form.write([dataset_node(found, url)]), form.media_type,
            scope=scope, modified=changed, now=services.registry.now(),
        )  # fmt: skip

    return dataset


for _form in FORMS:
    _serve(_form)


@router.get(
    "/catalog", status_code=303, response_class=RedirectResponse,
    dependencies=[Depends(May("dataset.read"))],
)  # fmt: skip
def negotiated_catalog(request: Request, services: Everything) -> Response:
    """Leads to the form that the caller prefers; Turtle if it does not say."""
    suffix = preferred(request.headers.get("accept", ""), _RDF)
    address = f"{services.site.address(request)}/catalog{suffix}"
    return RedirectResponse(address, 303, {"Vary": "Accept"})
