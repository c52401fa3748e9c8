"""Who calls, and whether they may: the first thing that every route asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from catalog.access.permissions import Action
from catalog.access.principal import NOBODY, Principal
from catalog.web.services import Services


def services_of(request: Request) -> Services:
    """Returns what this server works with."""
    found: Services = request.app.state.services
    return found


def principal_of(request: Request) -> Principal:
    """Returns who calls.

    Raises:
        LoginError: The request carries a login that does not hold.
    """
    for authenticator in services_of(request).authenticators:
        if (caller := authenticator(request)) is not None:
            return caller
    return NOBODY


class May:
    """A dependency: lets nobody through who may not do this at all.

    What it reaches (`Principal.require_of`) is asked where the thing is known.

    Args:
        action: What the route does.
    """

    def __init__(self, action: Action) -> None:
        self.action = action

    def __call__(self, request: Request) -> Principal:
        """Returns the caller.

        Raises:
            LoginError: It has not logged in, and somebody who has might.
            PolicyError: It may not.
        """
        caller = principal_of(request)
        caller.require(self.action)
        return caller


Everything = Annotated[Services, Depends(services_of)]
