"""Every address of the served catalog, called as every role: the answer is what the matrix says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from httpx2 import Response

from catalog.access.permissions import Action
from catalog.access.principal import NOBODY, Principal
from catalog.access.roles import ROLES
from catalog.web.app import MEMBERS, PUBLIC
from catalog.web.callers import SESSION
from catalog.web.guard import actions_of
from tests.catalog_world import record
from tests.web_world import served

PEOPLE = {
    role: NOBODY if role == "visitor" else Principal(role, frozenset({role}), "440100-1")
    for role in ROLES
} | {
    "nothing": Principal("nothing", frozenset(ROLES), "440100-1", scopes=frozenset()),
    "elsewhere": Principal("elsewhere", frozenset(ROLES), "999999-9"),
}
REFUSED = {"access.login", "access.refused"}


def calls(routers: tuple[APIRouter, ...] = PUBLIC + MEMBERS) -> Iterator[tuple[str, str, Action]]:
    """Method, address with something in every place, and what it does."""
    places = {"language": "zh"}
    for router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            path = re.sub(
                r"\{(\w+)(?::\w+)?\}", lambda found: places.get(found[1], "1"), route.path
            )
            for method in sorted(route.methods - {"HEAD"}):
                yield method, path, actions_of(route.dependant)[0]


def refused(answer: Response) -> bool:
    """Whether the guard of the route has let nobody through; a handler has words of its own."""
    if answer.status_code not in {401, 403}:
        return False
    body = answer.json()
    if "error" in body:  # CKAN's words for it
        return bool(body["error"]["__type"] == "Authorization Error")
    return body["code"] in REFUSED


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, dict[str, str]]]:
    directory: Path = tmp_path_factory.mktemp("routes") / "c"
    with served(directory, people=PEOPLE) as (made, found):
        found.registry.register([record()])
        made.follow_redirects = False
        # Forms come from a page of this session's: who may is asked of everybody.
        made.headers.update({"Cookie": f"{SESSION}=any", "Origin": "https://catalog.test"})
        yield made, {"csrf": found.gate.vault.mac("form", "any")}


@pytest.mark.parametrize("who", PEOPLE)
def test_the_answer_is_what_the_matrix_says(
    opened: tuple[TestClient, dict[str, str]], who: str
) -> None:
    client, form = opened
    caller = PEOPLE[who]
    wrong = []
    for method, path, action in calls():
        sent = {"json": {}} if path.startswith("/api/") else {"data": form}
        body = sent if method in {"POST", "PUT", "PATCH"} else {}
        answer = client.request(method, path, headers={"X-As": who}, **body)
        reach = caller.reach(action)
        assert answer.status_code != 500, (method, path, answer.text)
        assert "access.origin" not in answer.text, (method, path)
        if reach is None:
            right = refused(answer) and answer.status_code == (403 if caller.account else 401)
        elif reach in {"open", "all"}:
            right = not refused(answer)
        else:  # what the address names may be another's: it is then refused, or looks like none
            right = answer.status_code != 401 or not refused(answer)
        if not right:
            wrong.append((method, path, action, reach, answer.status_code, answer.text[:200]))
    assert wrong == []


def test_a_server_for_the_public_has_no_addresses_of_members(tmp_path: Path) -> None:
    with served(tmp_path / "c", public=True) as (client, _):
        for method, path, _ in calls(MEMBERS):
            assert client.request(method, path).status_code in {404, 405}, path


def test_what_changes_something_is_audited() -> None:
    """A method that changes something names an action that is written down first."""
    reading = {path for method, path, action in calls()
               if method != "GET" and action.endswith(".read")}  # fmt: skip
    # CKAN's clients send questions as POST, too; a bundle to be verified is too long for a GET.
    others = {path for path in reading if not path.startswith(("/api/action", "/api/3"))}
    assert others <= {"/api/verify", "/zh/certificates/verify"}
