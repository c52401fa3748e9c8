"""One call of an action: who calls, and what it works with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from catalog.access.permissions import Action as Permission
from catalog.access.principal import Principal
from catalog.ckan.arguments import Arguments
from catalog.ckan.catalogue import View
from catalog.ckan.matches import Matches
from catalog.datastore.places import Asker
from catalog.datastore.resources import Scope
from catalog.rest.requests import asker_of, data_scope
from catalog.web.services import Services


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        request: As it came.
        services: What the server works with.
        caller: Who.
    """

    request: Request
    services: Services
    caller: Principal

    @property
    def asker(self) -> Asker:
        """By whom places are counted."""
        return asker_of(self.request, self.caller)

    def place(self) -> Callable[[], None]:
        """Takes a place for a long answer; returns what gives it back."""
        return self.services.datastore.stream(self.asker)

    @property
    def site(self) -> str:
        """Address of this server, for links."""
        return self.services.site.address(self.request)

    @property
    def scope(self) -> Scope:
        """Whose public rows the caller may know of."""
        return data_scope(self.caller)

    @contextmanager
    def view(self, *, private: bool = True) -> Iterator[View]:
        """Lends what the caller may know of, in one transaction."""
        with self.services.registry.database.read() as connection:
            yield self.services.catalogue.view(connection, self.caller, private=private)

    def matches(self, view: View) -> Matches:
        """Returns what answers queries about a view."""
        public = {each.dataset for each in self.services.datastore.resources.all(view.scope)}
        numbers = view.names.ids
        places = [place for place, number in enumerate(numbers.tolist()) if number in public]
        return Matches(view, places, self.services.registry.now())


@dataclass(frozen=True)
class Action:
    """What can be called.

    Attributes:
        permission: That it takes.
        arguments: Its parameters.
        run: Returns JSON types, or a response.
    """

    permission: Permission
    arguments: type[Arguments]
    run: Callable[[Call, Any], object]

    @property
    def help(self) -> str:
        """What it does."""
        lines = [self.run.__doc__ or "", self.arguments.__doc__ or ""]
        return "\n\n".join(line.strip() for line in lines if line)
