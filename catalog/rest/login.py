"""``/api/login``, ``/api/logout``: in with a password, and out; and a key for a program."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from catalog.access.keys import PER_DAY, PER_MINUTE, Wish, usual_scopes
from catalog.access.login import Typed
from catalog.access.principal import Principal
from catalog.web.callers import BROWSER, begin_session, end_session, source_of
from catalog.web.guard import Doors, May

MOST_BYTES: Final = 32 << 10
"""Of a body about logins: strangers send these."""
router = APIRouter(prefix="/api", tags=["login"], max_body_size=MOST_BYTES)


class Credentials(BaseModel):
    """What somebody types to log in."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=100)]
    password: Annotated[str, Field(max_length=1000)]
    code: Annotated[str, Field(max_length=40)] = ""

    def typed(self, request: Request) -> Typed:
        """Returns it with where it comes from."""
        browser = request.cookies.get(BROWSER, "")
        return Typed(self.name, self.password, self.code, source_of(request), browser)


class NewKey(BaseModel):
    """What somebody wants of a new API key; without scopes all but what changes logins."""

    model_config = ConfigDict(extra="forbid")
    label: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[str], Field(max_length=200)] = []
    lasts_days: Annotated[int, Field(ge=1, le=366)] = 90
    per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = PER_MINUTE
    per_day: Annotated[int, Field(ge=1, le=1_000_000_000)] = PER_DAY

    def wish(self, maker: Principal) -> Wish:
        """Returns it; only who hands out keys to all gets more calls than usual."""
        freely = maker.reach("key.write") == "all"
        return Wish(
            self.label, self.scopes or usual_scopes(maker), self.lasts_days * 24 * 3600,
            self.per_minute if freely else min(self.per_minute, PER_MINUTE),
            self.per_day if freely else min(self.per_day, PER_DAY),
        )  # fmt: skip


class LoginForKey(Credentials, NewKey):
    """A login that gives a key instead of a session."""


Anybody = Annotated[Principal, Depends(May("login.enter"))]


@router.post("/login")
def login(
    doors: Doors, _: Anybody, request: Request, response: Response, body: Credentials
) -> dict[str, Any]:
    """Begins a session of a browser; the session that it had ends."""
    account = doors.logins.enter(body.typed(request))
    begin_session(request, response, doors, account)
    return account.to_dict()


@router.post("/login/key", status_code=201)
def login_for_key(doors: Doors, _: Anybody, request: Request, body: LoginForKey) -> dict[str, Any]:
    """Makes an API key for a program; it is shown this once."""
    maker = doors.logins.enter(body.typed(request)).principal()
    made, key = doors.keys.add(maker, body.wish(maker))
    return made.to_dict() | {"key": key}


@router.post("/logout", status_code=204)
def logout(
    doors: Doors,
    caller: Annotated[Principal, Depends(May("login.end"))],
    request: Request,
    response: Response,
) -> None:
    """Ends the session; called with an API key it revokes the key."""
    if caller.key:
        doors.keys.revoke(caller.key)
    else:
        end_session(request, response, doors)
