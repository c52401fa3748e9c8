"""The catalog as one web application: the public part, and what members have besides."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI

from catalog.ckan import router as ckan
from catalog.feeds import graphs, news, packages, pages
from catalog.portal import account as account_pages
from catalog.portal import login as login_pages
from catalog.portal import unchanged, workbench
from catalog.portal.errors import error_page
from catalog.portal.pages import PAGES
from catalog.rest import (
    accounts,
    audit,
    cases,
    certificates,
    data,
    datasets,
    dumps,
    keys,
    login,
    me,
    revoking,
)
from catalog.web import problems
from catalog.web.bodies import BodyLimit
from catalog.web.compressing import Compressed
from catalog.web.head import HeadAsGet
from catalog.web.headers import SafeHeaders
from catalog.web.origin import SameOrigin
from catalog.web.queries import QueryLimit
from catalog.web.services import Services

# A request tries one route after the other, a microsecond each: data and pages first, CKAN's
# eighty last. Otherwise their order matters for /dataset/ alone: what has an ending, then the rest.
PUBLIC: Final[tuple[APIRouter, ...]] = (
    data.router,
    *PAGES,
    datasets.router,
    certificates.router,
    dumps.router,
    graphs.router,
    news.router,
    packages.router,
    pages.router,
    *cases.PUBLIC,
    ckan.router,
)
MEMBERS: Final[tuple[APIRouter, ...]] = (
    login.router,
    me.router,
    keys.router,
    accounts.router,
    audit.router,
    revoking.router,
    *cases.MEMBERS,
    login_pages.router,
    account_pages.router,
    workbench.router,
)
_MOST_BYTES: Final = 8 << 20
"""Of any request's body; routes ask for less."""


def create_app(services: Services) -> FastAPI:
    """Returns the application; what `Services.public` says decides which part."""
    app = FastAPI(
        title="Veil catalog",
        version=version("veil-exchange"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host the request names
    )
    app.state.services = services
    app.state.pages = unchanged.KnownPages()
    problems.install(app, error_page)
    app.add_exception_handler(unchanged.UnchangedError, unchanged.answer)
    app.add_middleware(Compressed)
    app.add_middleware(HeadAsGet)
    app.add_middleware(SameOrigin)
    app.add_middleware(BodyLimit, most=_MOST_BYTES)
    app.add_middleware(QueryLimit)
    app.add_middleware(SafeHeaders)  # the outermost: refusals have them, too
    app.state.routers = PUBLIC if services.public else PUBLIC + MEMBERS
    # As they were declared: `include_router` would analyse all of them once more, at the first
    # request, which then takes half a second longer.
    for router in app.state.routers:
        app.router.routes.extend(router.routes)
    problems.describe(app)
    return app
