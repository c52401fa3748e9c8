"""``/api/me``: the caller's own account, and how it logs in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from catalog.access.login import Typed
from catalog.access.permissions import ACTIONS
from catalog.access.principal import Principal
from catalog.rest.login import MOST_BYTES, Credentials
from catalog.web.callers import SESSION, begin_session
from catalog.web.guard import Doors, May
from catalog.web.origin import form_token

router = APIRouter(prefix="/api/me", tags=["login"], max_body_size=MOST_BYTES)
Reader = Annotated[Principal, Depends(May("me.read"))]
Writer = Annotated[Principal, Depends(May("me.write"))]


class Proof(BaseModel):
    """The caller's own password, once more: a session alone changes no login."""

    model_config = ConfigDict(extra="forbid")
    password: Annotated[str, Field(max_length=1000)]
    code: Annotated[str, Field(max_length=40)] = ""


class NewPassword(Proof):
    """A new password; keys of programs go on unless they are to end, too."""

    new: Annotated[str, Field(max_length=1000)]
    end_keys: bool = False


class Code(BaseModel):
    """A one-time code."""

    model_config = ConfigDict(extra="forbid")
    code: Annotated[str, Field(max_length=40)]


@router.get("")
def show(doors: Doors, caller: Reader, request: Request) -> dict[str, Any]:
    """Returns who the caller is, and how far each action reaches for it."""
    may = {action: reach for action in ACTIONS if (reach := caller.reach(action))}
    return doors.accounts.get(caller.account).to_dict() | {
        "may": may,
        "key": caller.key,
        "second_factor": doors.factors.has(caller.account),
        "csrf": "" if caller.key else form_token(request),
    }


@router.post("/password", status_code=204)
def change_password(
    doors: Doors, caller: Writer, request: Request, response: Response, body: NewPassword
) -> None:
    """Exchanges the password; every session ends, the caller's own goes on as a new one."""
    doors.logins.change_password(_typed(caller, body, request), body.new)
    if body.end_keys:
        doors.keys.revoke_all(caller.account)
    _go_on(doors, caller, request, response)


@router.post("/second-factor")
def begin_second_factor(
    doors: Doors, caller: Writer, request: Request, body: Proof
) -> dict[str, str]:
    """Makes the secret of a second factor; it counts once a code of it has been confirmed."""
    doors.logins.enter(_typed(caller, body, request))
    secret = doors.factors.begin(caller.account)
    return {"secret": secret.text, "url": secret.url}


@router.post("/second-factor/confirm")
def confirm_second_factor(
    doors: Doors, caller: Writer, request: Request, response: Response, body: Code
) -> dict[str, list[str]]:
    """Makes the second factor count; returns recovery codes, which are shown this once."""
    codes = doors.factors.confirm(caller.account, body.code)
    _go_on(doors, caller, request, response)
    return {"recovery_codes": codes}


@router.post("/second-factor/remove", status_code=204)
def remove_second_factor(
    doors: Doors, caller: Writer, request: Request, response: Response, body: Proof
) -> None:
    """Takes the second factor away, for whoever still has it."""
    doors.logins.enter(_typed(caller, body, request))
    doors.factors.remove(caller.account)
    _go_on(doors, caller, request, response)


@router.post("/sessions/end", status_code=204)
def log_out_everywhere(doors: Doors, caller: Writer) -> None:
    """Ends every session of the caller's account, this one too."""
    doors.accounts.end_sessions(caller.account)


def _typed(caller: Principal, proof: Proof, request: Request) -> Typed:
    return Credentials(
        name=caller.account, password=proof.password, code=proof.code
    ).typed(request)  # fmt: skip


def _go_on(doors: Doors, caller: Principal, request: Request, response: Response) -> None:
    """The account's rights have changed, so its sessions are over; the caller gets a new one."""
    if SESSION in request.cookies and not caller.key:
        begin_session(request, response, doors, doors.accounts.get(caller.account))
