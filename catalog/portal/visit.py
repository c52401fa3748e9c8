"""One visit to a page: who calls, in which language, and all that answering needs."""

# Annotations are read as they stand: an action is known inside its function only.

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from catalog.access.permissions import Action
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


def visiting(action: Action) -> Callable[..., Visit]:
    """Returns the dependency of a page that is one action: who may, visits it."""

    def visit(request: Request, caller: Annotated[Principal, Depends(May(action))]) -> Visit:
        return Visit(request, caller, services_of(request), of_path(request))

    return visit


Reading = Annotated[Visit, Depends(visiting("dataset.read"))]
"""A visit to what records say."""
Looking = Annotated[Visit, Depends(visiting("page.read"))]
"""A visit to what says nothing about any record."""
Certifying = Annotated[Visit, Depends(visiting("certificate.read"))]
"""A visit to certificates."""
