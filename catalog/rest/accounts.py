"""``/api/accounts``: who may log in, and as what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from catalog.access.accounts import MOST, NAME, Account, read_roles
from catalog.access.principal import Principal
from catalog.rest.login import MOST_BYTES
from catalog.web.guard import Doors, Everything, May
from catalog.web.services import Services
from protos.canonical import canonical

router = APIRouter(prefix="/api/accounts", tags=["accounts"], max_body_size=MOST_BYTES)
Reader = Annotated[Principal, Depends(May("account.read"))]
Writer = Annotated[Principal, Depends(May("account.write"))]
Name = Annotated[str, Path(pattern=f"^{NAME}$")]
Line = Annotated[str, Field(max_length=100)]
Roles = Annotated[list[str], Field(max_length=20)]


class Changes(BaseModel):
    """New values; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    title: Line | None = None
    roles: Roles | None = None
    department: Line | None = None
    subject: Line | None = None
    enabled: bool | None = None

    def values(self) -> dict[str, Any]:
        """Returns what is to be changed."""
        found = self.model_dump(exclude_none=True)
        return found | ({"roles": read_roles(self.roles)} if self.roles is not None else {})


class NewAccount(BaseModel):
    """A new account."""

    model_config = ConfigDict(extra="forbid")
    name: Line
    title: Line = ""
    roles: Roles = []
    department: Line = ""
    subject: Line = ""
    password: Annotated[str, Field(max_length=1000)] = ""


class Password(BaseModel):
    """A new password; the account's API keys go on unless they are to end, too."""

    model_config = ConfigDict(extra="forbid")
    password: Annotated[str, Field(max_length=1000)]
    end_keys: bool = False


@router.get("")
def find(
    doors: Doors,
    _: Reader,
    after: Annotated[str, Query(pattern=f"^({NAME})?$")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> dict[str, Any]:
    """Returns accounts in the order of their names."""
    page = doors.accounts.page(after, limit)
    factors = doors.accounts.with_second_factor()
    return {
        "total": doors.accounts.count(),
        "accounts": [each.to_dict() | {"second_factor": each.name in factors} for each in page],
    }


@router.post("", status_code=201)
def add(services: Everything, doors: Doors, caller: Writer, body: NewAccount) -> dict[str, Any]:
    """Adds an account."""
    kept = doors.logins.new_password(body.name, body.password)
    account = Account(
        body.name, body.title, read_roles(body.roles), body.department, body.subject
    )  # fmt: skip
    _write_down(services, caller, body.name, body.model_dump(exclude={"name", "password"}))
    return doors.accounts.add(account, password=kept).to_dict()


@router.get("/{name}")
def show(doors: Doors, _: Reader, name: Name) -> dict[str, Any]:
    """Returns one account."""
    return doors.accounts.get(name).to_dict() | {"second_factor": doors.factors.has(name)}


@router.patch("/{name}")
def change(
    services: Everything, doors: Doors, caller: Writer, name: Name, body: Changes
) -> dict[str, Any]:
    """Changes an account; sessions that began with other rights are over."""
    changes = body.values()
    _write_down(services, caller, name, body.model_dump(exclude_none=True))
    return doors.accounts.change(name, changes).to_dict()


@router.put("/{name}/password", status_code=204)
def set_password(doors: Doors, _: Writer, name: Name, body: Password) -> None:
    """Gives an account a password."""
    doors.logins.set_password(name, body.password)
    if body.end_keys:
        doors.keys.revoke_all(name)


@router.delete("/{name}/second-factor", status_code=204)
def remove_second_factor(doors: Doors, _: Writer, name: Name) -> None:
    """Takes a second factor away that somebody has lost."""
    doors.factors.remove(doors.accounts.get(name).name)


def _write_down(services: Services, caller: Principal, name: str, changes: dict[str, Any]) -> None:
    """Writes to the audit journal who is to be what: an address alone does not say it."""
    services.audit.write({
        "action": "account.write", "account": caller.account, "key": caller.key,
        "changed": name, "changes": canonical(changes).decode("utf-8"),
    })  # fmt: skip
