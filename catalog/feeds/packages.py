"""``….croissant.json`` and ``….datapackage.json``: public rows, described for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from catalog.feeds import places
from catalog.feeds.croissant import croissant
from catalog.feeds.data_package import data_package
from catalog.feeds.graphs import one
from catalog.feeds.rows import Rows, rows_of
from catalog.registry.record import Record
from catalog.rest.datasets import Reader, scope_of
from catalog.search.find import Scope
from catalog.web.caching import cached
from catalog.web.guard import Everything
from catalog.web.services import Services
from protos.faults import MissingError
from protos.language import Text

router = APIRouter(tags=["feeds"])
Describe = Callable[[Record, Rows, str], dict[str, Any]]
_CROISSANT: Final = "application/ld+json"
_PACKAGE: Final = "application/json"


def _told(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"content": {media_type: {"schema": {"type": "object"}}}},
        304: {"description": "As the caller has it"},
    }


@router.get(
    "/dataset/{source}/{identifier:path}.croissant.json",
    response_class=Response,
    responses=_told(_CROISSANT),
)
def croissant_of(
    request: Request, services: Everything, caller: Reader, source: str, identifier: str
) -> Response:
    """What is public of a dataset, as Croissant 1.1."""
    key, scope = (source, identifier), scope_of(caller)
    return _described(request, services, scope, key, croissant, _CROISSANT)


@router.get(
    "/dataset/{source}/{identifier:path}.datapackage.json",
    response_class=Response,
    responses=_told(_PACKAGE),
)
def package_of(
    request: Request, services: Everything, caller: Reader, source: str, identifier: str
) -> Response:
    """What is public of a dataset, as a Data Package."""
    key, scope = (source, identifier), scope_of(caller)
    return _described(request, services, scope, key, data_package, _PACKAGE)


def _described(
    request: Request,
    services: Services,
    scope: Scope,
    key: tuple[str, str],
    describe: Describe,
    media_type: str,
) -> Response:
    found, changed = one(services, scope, *key)
    public = services.datastore.resources.of(found.number, scope)
    if not public:
        raise MissingError(
            Text(f"no rows of {key[1][:80]!r} are public", f"“{key[1][:80]}”没有公开的数据"),
            remedy=Text("read about the dataset itself", "请查看该数据资源的说明"),
            code="feeds.no_rows",
        )
    site = services.site.address(request)
    rows = rows_of(services.datastore, public[0], found.record, site)
    body = describe(found.record, rows, places.dataset(site, *key))
    return cached(
        request, json.dumps(body, ensure_ascii=False, indent=1).encode(), media_type,
        scope=scope, modified=changed, now=services.registry.now(),
    )  # fmt: skip
