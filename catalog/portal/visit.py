"""One visit to a page: who calls, in which language, and all that answering needs."""

# Annotations are read as they stand: an action is known inside its function only.

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response

from catalog.access.permissions import Action
from catalog.access.principal import Principal
from catalog.portal import rendering, unchanged
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
        follows: What the page follows from (`unchanged.page_key`); None of a page that is not
            compared with what a visitor has, b"" of one that follows from more.
    """

    request: Request
    caller: Principal
    services: Services
    language: Language
    follows: bytes | None = None

    @property
    def scope(self) -> Scope:
        """Which datasets the visitor may know of."""
        return scope_of(self.caller)

    @property
    def today(self) -> dt.date:
        """The catalog's day, UTC."""
        return dt.datetime.fromtimestamp(self.services.registry.now(), dt.UTC).date()

    @property
    def own_authority(self) -> bool:
        """Whether programs have to be told the authority of this server's certificate.

        An exchange serves under its own, which no program knows; a site with an address of its own
        stands behind a proxy, whose certificate programs know.
        """
        site = self.services.site
        https = site.address(self.request).startswith("https:")
        return not self.services.public and not site.url and https

    def page(self, template: str, *, status: int = 200, **facts: Any) -> Response:  # noqa: ANN401 - what the template shows
        """Renders a page; see `rendering.page`."""
        made = rendering.page(
            self.request, self.language, template, caller=self.caller, status=status, **facts
        )
        return made if status != 200 else self.compared(made)

    def compared(self, made: Response) -> Response:
        """Returns what was made with its tag, or that the visitor has it already."""
        if self.follows is None:
            return made
        return _pages(self.request).tagged(self.request, self.follows, made)


def _pages(request: Request) -> unchanged.KnownPages:
    found: unchanged.KnownPages = request.app.state.pages
    return found


def visiting(action: Action) -> Callable[..., Visit]:
    """Returns the dependency of a page that is one action: who may, visits it."""

    def visit(request: Request, caller: Annotated[Principal, Depends(May(action))]) -> Visit:
        found = Visit(request, caller, services_of(request), of_path(request))
        if action != "dataset.read" or caller.account:
            return found
        # A broker's licence ends with a day of the clocks' own time zone.
        over = found.services.cases.clocks.day(found.services.registry.now())
        key = unchanged.page_key(found.services, request, f"{found.today} {over}")
        _pages(request).check(request, key)
        return replace(found, follows=key)

    return visit


Reading = Annotated[Visit, Depends(visiting("dataset.read"))]
"""A visit to what records say."""
Looking = Annotated[Visit, Depends(visiting("page.read"))]
"""A visit to what says nothing about any record."""
Certifying = Annotated[Visit, Depends(visiting("certificate.read"))]
"""A visit to certificates."""
