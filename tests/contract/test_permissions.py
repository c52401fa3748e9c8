"""Every route of the catalog's app names what it does, and lets nobody else do it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from catalog.access.permissions import ACTIONS, PERMISSIONS, REACHES, Action
from catalog.access.principal import NOBODY, Principal
from catalog.access.roles import IMPLIED, OF_DEPARTMENTS, ROLES, Role
from catalog.web.app import MEMBERS, PUBLIC
from catalog.web.guard import actions_of
from protos.faults import LoginError, PolicyError
from tests.web_world import served

# What says what the service is.
WITHOUT_ACTION = {"/api/openapi.json"}


@pytest.mark.parametrize("public", [True, False], ids=["public", "members"])
def test_every_route_names_one_action(tmp_path: Path, *, public: bool) -> None:
    with served(tmp_path / "c", public=public) as (client, _):
        assert isinstance(client.app, FastAPI)
        answering = client.app.routes
    routers = PUBLIC if public else PUBLIC + MEMBERS
    declared = [route for router in routers for route in router.routes]
    beside = {getattr(each, "path", "") for each in answering if each not in declared}
    assert beside == WITHOUT_ACTION, "routes stand in routers"
    for router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            assert len(actions_of(route.dependant)) == 1, f"{route.methods} {route.path}"


def test_the_matrix_is_whole() -> None:
    assert set(PERMISSIONS) == set(ACTIONS)
    for table in PERMISSIONS.values():
        assert table, "nobody may: then it is no action"
        assert set(table.values()) <= set(REACHES)
        # A visitor has nothing of its own, and belongs nowhere.
        assert table.get("visitor") in {None, "open", "all"}
        assert table.get("member") != "department"


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_reaches_what_the_matrix_says(action: Action, role: Role) -> None:
    account = "" if role == "visitor" else "li"
    caller = Principal(account, frozenset({role} - IMPLIED), "440100-1" if account else "")
    reach = caller.reach(action)
    held: tuple[Role, ...] = ("visitor", "member", role) if account else ("visitor",)
    assert reach == max(
        (r for each in held if (r := PERMISSIONS[action].get(each))),
        key=REACHES.index, default=None,
    )  # fmt: skip
    if reach is None:
        with pytest.raises(PolicyError if account else LoginError):
            caller.require(action)
    if reach == "department":
        caller.require_of(action, department="440100-1")
        with pytest.raises(PolicyError):
            caller.require_of(action, department="440300-1")
        caller.require_of(action, department="440300-1", owner="li")
    if reach == "own":
        caller.require_of(action, owner="li")
        with pytest.raises(PolicyError):
            caller.require_of(action, department="440100-1", owner="wu")


def test_a_role_of_a_department_is_nothing_without_one() -> None:
    for role in OF_DEPARTMENTS:
        caller = Principal("li", frozenset({role}))
        assert all(caller.reach(action) == Principal("li").reach(action) for action in ACTIONS)
        with pytest.raises(PolicyError):
            Principal("li", frozenset({role}), "").require_of("dataset.write", department="")


def test_a_key_narrows_and_never_widens() -> None:
    key = Principal("li", frozenset({"steward"}), "440100-1", frozenset({"dataset.read"}))
    assert key.reach("dataset.read") == "all"
    with pytest.raises(PolicyError):
        key.require("dataset.write")
    wide = Principal("li", frozenset({"analyst"}), scopes=frozenset(ACTIONS))
    with pytest.raises(PolicyError):
        wide.require("dataset.write")


def test_nobody_is_asked_to_log_in() -> None:
    with pytest.raises(LoginError):
        NOBODY.require("dataset.write")
