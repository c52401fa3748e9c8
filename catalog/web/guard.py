"""Who calls, and whether they may: the first thing that every route asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant

from catalog.access.gate import Gate
from catalog.access.permissions import Action, audited
from catalog.access.principal import NOBODY, Principal
from catalog.access.strangers import Share
from catalog.web.callers import source_of
from catalog.web.services import Services
from protos.faults import MissingError, PolicyError
from protos.language import Text


async def everything(request: Request) -> Services:
    """Returns what this server works with; without a detour by the thread pool."""
    return services_of(request)


def services_of(request: Request) -> Services:
    """Returns what this server works with."""
    found: Services = request.app.state.services
    return found


def gate_of(request: Request) -> Gate:
    """Returns who has an account at this server.

    Raises:
        MissingError: It is for the public alone.
    """
    gate = services_of(request).gate
    if gate is None:
        raise MissingError(
            Text("nobody logs in here", "此服务不提供登录"),
            remedy=Text("this server is for the public alone", "本服务仅面向公众"),
            code="access.public",
        )
    return gate


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
    """A dependency: lets nobody through who may not do this at all, and writes down who does it.

    What it reaches (`Principal.require_of`) is asked where the thing is known.

    Args:
        action: What the route does.
    """

    def __init__(self, action: Action) -> None:
        self.action = action

    async def __call__(self, request: Request) -> Principal:
        """Returns the caller; no thread waits for the disk.

        Raises:
            LoginError: It has not logged in, and somebody who has might.
            PolicyError: It may not.
            UnavailableError: The call cannot be written to the audit journal.
        """
        caller = await run_in_threadpool(principal_of, request)
        try:
            caller.require(self.action)
        except PolicyError:
            await _write(request, caller, self.action, outcome="refused")
            raise
        if audited(self.action):
            await _write(request, caller, self.action)
        return caller


def actions_of(dependant: Dependant) -> list[Action]:
    """Returns the actions that a route asks for, however deep they stand."""
    found = [dependant.call.action] if isinstance(dependant.call, May) else []
    return found + [action for inner in dependant.dependencies for action in actions_of(inner)]


async def _write(request: Request, caller: Principal, action: Action, **more: str) -> None:
    """Writes a call to the audit journal; a login's own words stay out of it."""
    raw: bytes = request.scope.get("raw_path") or b""  # as sent: percent signs, no line breaks
    query: bytes = b"" if action.startswith("login.") else request.scope["query_string"]
    share: Share | None = None if caller.roles else "members" if caller.account else "visitors"
    await services_of(request).audit.written({
        "action": action, "account": caller.account, "key": caller.key,
        "method": request.method, "path": raw.decode("latin-1"), "query": query.decode("latin-1"),
        "source": source_of(request), **more,
    }, share=share)  # fmt: skip


Doors = Annotated[Gate, Depends(gate_of)]
Everything = Annotated[Services, Depends(everything)]
