"""One visit to a page: who calls, in which language, and all that answering needs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from catalog.access.principal import Principal
from catalog.portal import rendering
from catalog.portal.languages import of_path
from catalog.rest.datasets import scope_of
from catalog.search.find import Scope
from catalog.web.guard import May, services_of
from catalog.web.services import Services
from protos.language import Language


@dataclass(frozen=True)
class Visit:
    """A visit.

    Attributes:
        request: What is asked.
        caller: Who calls.
        services: What the server works with.
        language: Of the page.
    """

    request: Request
    caller: Principal
    services: Services
    language: Language

    @property
    def scope(self) -> Scope:
        """Which datasets the visitor may know of."""
        return scope_of(self.caller)

    @property
    def today(self) -> dt.date:
        """The catalog's day, UTC."""
        return dt.datetime.fromtimestamp(self.services.registry.now(), dt.UTC).date()

    def page(self, template: str, *, status: int = 200, **facts: Any) -> HTMLResponse:  # noqa: ANN401 - what the template shows
        """Renders a page; see `rendering.page`."""
        return rendering.page(
            self.request, self.language, template, caller=self.caller, status=status, **facts
        )


def _reader(request: Request, caller: Annotated[Principal, Depends(May("dataset.read"))]) -> Visit:
    return Visit(request, caller, services_of(request), of_path(request))


def _anybody(request: Request, caller: Annotated[Principal, Depends(May("page.read"))]) -> Visit:
    return Visit(request, caller, services_of(request), of_path(request))


Reading = Annotated[Visit, Depends(_reader)]
"""A visit to what records say."""
Looking = Annotated[Visit, Depends(_anybody)]
"""A visit to what says nothing about any record."""
