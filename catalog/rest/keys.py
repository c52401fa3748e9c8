"""``/api/keys``: API keys of programs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from catalog.access.accounts import NAME
from catalog.access.keys import unknown
from catalog.access.principal import Principal
from catalog.rest.login import MOST_BYTES, NewKey
from catalog.web.guard import Doors, May
from protos.faults import LoginError, PolicyError

router = APIRouter(prefix="/api/keys", tags=["login"], max_body_size=MOST_BYTES)
Reader = Annotated[Principal, Depends(May("key.read"))]
Writer = Annotated[Principal, Depends(May("key.write"))]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
MOST = 200


@router.get("")
def find(
    doors: Doors,
    caller: Reader,
    account: Annotated[str, Query(pattern=f"^({NAME})?$")] = "",
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> dict[str, Any]:
    """Returns the caller's keys; an administrator's or auditor's list is everybody's."""
    if caller.reach("key.read") != "all":
        if account not in {"", caller.account}:
            return {"keys": []}  # as if it had none
        account = caller.account
    keys = doors.keys.all(account, after=after, limit=limit)
    return {"keys": [each.to_dict() for each in keys]}


@router.post("", status_code=201)
def make(doors: Doors, caller: Writer, body: NewKey) -> dict[str, Any]:
    """Makes a key of the caller's own account; it is shown this once."""
    made, key = doors.keys.add(caller, body.wish(caller))
    return made.to_dict() | {"key": key}


@router.delete("/{number}", status_code=204)
def revoke(doors: Doors, caller: Writer, number: Number) -> None:
    """Ends a key at once."""
    found = doors.keys.get(number)
    try:
        caller.require_of("key.write", owner=found.account)
    except (PolicyError, LoginError):
        raise unknown(number) from None  # another's key looks like none
    doors.keys.revoke(number)
