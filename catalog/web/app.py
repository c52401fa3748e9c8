"""The catalog as one web application: the public part, and what members have besides."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI

from catalog.ckan import router as ckan
from catalog.feeds import graphs, pages
from catalog.rest import accounts, audit, cases, data, datasets, dumps, keys, login, me
from catalog.web import problems
from catalog.web.headers import SafeHeaders
from catalog.web.origin import SameOrigin
from catalog.web.services import Services

PUBLIC: Final[tuple[APIRouter, ...]] = (
    data.router,
    datasets.router,
    dumps.router,
    ckan.router,
    graphs.router,
    pages.router,
    *cases.PUBLIC,
)
MEMBERS: Final[tuple[APIRouter, ...]] = (
    login.router,
    me.router,
    keys.router,
    accounts.router,
    audit.router,
    *cases.MEMBERS,
)


def create_app(services: Services) -> FastAPI:
    """Returns the application; what `Services.public` says decides which part."""
    app = FastAPI(
        title="Veil catalog",
        version=version("veil-exchange"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        responses={"4XX": {"model": problems.Problem}, "5XX": {"model": problems.Problem}},
    )
    app.state.services = services
    problems.install(app)
    app.add_middleware(SameOrigin)
    app.add_middleware(SafeHeaders)  # the outermost: refusals have them, too
    for router in PUBLIC if services.public else PUBLIC + MEMBERS:
        app.include_router(router)
    return app
