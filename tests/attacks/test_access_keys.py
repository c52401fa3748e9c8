"""Attacks on keys for programs, on the journal of logins, and through pages of accounts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog.access.keys import ApiKeys, Wish
from catalog.access.quotas import Quotas
from catalog.web.callers import SESSION
from catalog.web.headers import HEADERS
from protos.faults import InputError, LimitError, PolicyError
from tests.access_world import PASSWORD, World, access_world, logged_in, login

WRONG = "entirely wrong words"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with access_world(tmp_path / "c") as made:
        made.person("root", "administrator")
        made.person("li", "analyst")
        yield made


# ---- keys ------------------------------------------------------------------------------------


def test_one_kind_of_token_is_none_of_the_others(world: World) -> None:
    _, key = world.key("li")
    session = logged_in(world, "li").cookies[SESSION]
    browser = world.browser()
    browser.cookies.set(SESSION, key)
    assert browser.get("/api/me").status_code == 401, "a key as session"
    path = "/api/catalog/datasets"
    jws = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJsaSJ9."
    for token in (
        session,
        f"veil_{session}",
        jws,
        f"veil_{jws}",
        key[:-1],
        key + "x",
        key.upper(),
        "veil_",
        "Basic bGk6eA==",
        "Bearer",
        f"Bearer Bearer {key}",
        f"Token {key}",
    ):
        for header in ("Authorization", "X-CKAN-API-Key"):  # fmt: skip
            answer = world.program().get(path, headers={header: token})
            assert (answer.status_code, answer.json()["code"]) == (401, "access.key"), token
    cookie_and_bad_key = logged_in(world, "li")
    answer = cookie_and_bad_key.get(path, headers={"Authorization": "veil_x"})
    assert answer.status_code == 401, "a bad key is not covered up by a session"


def test_expired_and_revoked_keys_and_those_of_disabled_accounts(world: World) -> None:
    path = "/api/catalog/datasets"
    made, key = world.key("li", lasts_s=60)
    assert world.program(key).get(path).status_code == 200
    world.later[0] += 60
    assert world.program(key).get(path).status_code == 401
    made, key = world.key("li")
    world.gate.keys.revoke(made.number)
    assert world.program(key).get(path).status_code == 401
    _, key = world.key("li")
    world.gate.accounts.change("li", {"enabled": False})
    assert world.program(key).get(path).status_code == 401


def test_a_key_makes_no_key_that_outlives_it_or_calls_more_often(world: World) -> None:
    _, maker = world.key("root", "key.write", lasts_s=3600, per_minute=50, per_day=60)
    body = {"label": "x", "scopes": ["key.write"], "lasts_days": 366, "per_minute": 10**6,
            "per_day": 10**9}  # fmt: skip
    made = world.program(maker).post("/api/keys", json=body).json()
    assert made["expires_at"] - world.now() <= 3600
    assert (made["per_minute"], made["per_day"]) == (50, 60)


def test_half_a_character_in_an_error_is_no_mistake_of_the_server(world: World) -> None:
    root = logged_in(world, "root")
    for path, body in (("accounts", '{"name":"abc","roles":["\\ud800"]}'),
                       ("keys", '{"label":"x","scopes":["\\ud800"]}')):  # fmt: skip
        answer = root.post(
            f"/api/{path}", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, answer.text
        assert {"?", "\\"} & set(answer.json()["title"])


def test_scopes_do_not_widen(world: World) -> None:
    li = world.gate.accounts.get("li").principal()
    with pytest.raises(PolicyError) as raised:
        world.gate.keys.add(li, Wish("x", ["account.write"]))
    assert raised.value.code == "key.wider"
    # A key makes no key that may do more than itself.
    _, maker = world.key("root", "key.write", "dataset.read")
    program = world.program(maker)
    body = {"label": "x", "scopes": ["account.write"]}
    assert program.post("/api/keys", json=body).json()["code"] == "key.wider"
    body["scopes"] = ["dataset.read"]
    assert program.post("/api/keys", json=body).status_code == 201
    # A role that is taken away is gone from keys that were made before.
    world.person("wu", "administrator")
    _, key = world.key("wu", "account.read")
    assert world.program(key).get("/api/accounts").status_code == 200
    world.gate.accounts.change("wu", {"roles": frozenset()})
    assert world.program(key).get("/api/accounts").status_code == 403


def test_another_s_keys_look_like_none(world: World) -> None:
    made, _ = world.key("root")
    li = logged_in(world, "li")
    other, none = li.delete(f"/api/keys/{made.number}"), li.delete("/api/keys/999")
    assert other.status_code == none.status_code == 404
    assert other.text.replace(str(made.number), "999") == none.text
    assert li.get("/api/keys", params={"account": "root"}).json() == {"keys": []}
    _, narrow = world.key("root", "dataset.read")
    assert world.program(narrow).delete(f"/api/keys/{made.number}").status_code == 403


def test_quotas_hold_against_calls_at_once_and_two_servers(world: World) -> None:
    key, _ = world.key("li", per_day=250, per_minute=10_000)
    database = world.services.registry.database
    servers = [Quotas(database, world.now), Quotas(database, world.now)]

    def call(n: int) -> bool:
        try:
            servers[n % 2].take(key)
        except LimitError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(600))) == 250
    # A server that starts anew gives nothing twice.
    with pytest.raises(LimitError) as raised:
        Quotas(database, world.now).take(key)
    assert 0 < raised.value.retry_after_s <= 24 * 3600
    world.later[0] += 24 * 3600
    servers[0].take(key)


def test_calls_a_minute(world: World) -> None:
    _, key = world.key("li", per_minute=3)
    world.later[0] += 60 - world.now() % 60  # the beginning of a minute
    program = world.program(key)
    answers = [program.get("/api/catalog/datasets") for _ in range(5)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    world.later[0] += 60
    assert program.get("/api/catalog/datasets").status_code == 200


def test_many_keys_are_no_way_around_a_quota(world: World) -> None:
    keys = ApiKeys(world.services.registry.database, world.services.registry.now)
    li = world.gate.accounts.get("li").principal()
    for _ in range(20):
        keys.add(li, Wish("x", ["dataset.read"]))
    with pytest.raises(InputError) as raised:
        keys.add(li, Wish("x", ["dataset.read"]))
    assert raised.value.code == "key.most"


# ---- the journal -----------------------------------------------------------------------------


def test_nothing_is_done_that_cannot_be_written_down(world: World) -> None:
    root = logged_in(world, "root")
    world.services.audit._writing.close()
    answer = root.patch("/api/accounts/li", json={"roles": ["administrator"]})
    assert (answer.status_code, answer.json()["code"]) == (503, "audit.failed")
    assert world.gate.accounts.get("li").roles == {"analyst"}
    assert login(world.browser(), "li").status_code == 503
    assert root.get("/api/catalog/datasets").status_code == 200, "reading goes on"


def test_line_breaks_in_a_call_do_not_make_entries(world: World) -> None:
    root = logged_in(world, "root")
    name = "li%0D%0A%7B%22action%22%3A%22forged%22%7D"
    root.patch(f"/api/accounts/{name}?x=%0d%0aforged", json={"roles": []})
    login(world.browser(), 'x\r\n{"action":"forged"}', WRONG)
    assert not [each for each in world.audit() if each["action"] == "forged"]
    (entry,) = [each for each in world.audit() if each["action"] == "account.write"]
    assert entry["path"] == f"/api/accounts/{name}"
    assert (entry["account"], entry["query"]) == ("root", "x=%0d%0aforged")


def test_an_administrator_who_becomes_auditor_for_a_moment_stands_in_the_journal(
    world: World,
) -> None:
    root = logged_in(world, "root")
    roles = ["administrator", "auditor"]
    assert root.patch("/api/accounts/root", json={"roles": roles}).status_code == 200
    root = logged_in(world, "root")
    assert root.patch("/api/accounts/root", json={"roles": roles[:1]}).status_code == 200
    root = logged_in(world, "root")
    new = {"name": "ghost", "roles": ["auditor"], "password": PASSWORD}
    assert root.post("/api/accounts", json=new).status_code == 201
    exchange = new | {"name": "exchange"}  # whose steps would look like carried ones
    assert root.post("/api/accounts", json=exchange).json()["code"] == "account.name"
    told = [each for each in reversed(world.audit()) if "changed" in each]
    told = [each for each in told if each["changed"] != "exchange"]
    assert [(each["account"], each["changed"]) for each in told] == [
        ("root", "root"), ("root", "root"), ("root", "ghost"),
    ]  # fmt: skip
    assert ["auditor" in each["changes"] for each in told] == [True, False, True]
    assert PASSWORD not in str(told)


def test_what_was_typed_is_not_written_down(world: World) -> None:
    client = world.browser()
    login(client, "my secret password", WRONG)
    client.post(f"/api/login?password={WRONG.replace(' ', '+')}", json={})
    text = str(world.audit())
    assert "my secret" not in text
    assert "entirely" not in text


# ---- pages -----------------------------------------------------------------------------------


def test_a_form_is_taken_from_its_own_page_and_session_only(world: World) -> None:
    client, other = logged_in(world, "li"), logged_in(world, "root")
    token = client.get("/api/me").json()["csrf"]
    assert f'value="{token}"' in client.get("/login").text
    foreign = other.get("/api/me").json()["csrf"]
    for csrf in ("", foreign, token[:-1], "é"):
        answer = client.post("/logout", data={"csrf": csrf}, follow_redirects=False)
        assert answer.status_code == 403
    assert client.get("/api/me").status_code == 200
    assert client.post("/logout", data={"csrf": token}, follow_redirects=False).status_code == 303
    assert client.get("/api/me").status_code == 401


def test_the_page_of_the_login_escapes_and_leads_nowhere_else(world: World) -> None:
    client = world.browser()
    form = {"name": "li", "password": PASSWORD, "next": "https://evil.test/"}
    answer = client.post("/login", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    evil = '/"><script>alert(1)</script>'
    page = world.browser().get("/login", params={"next": evil})
    assert "<script>" not in page.text
    refused = world.browser().post("/login", data=form | {"password": WRONG, "next": evil})
    assert refused.status_code == 401
    assert "<script>" not in refused.text
    assert PASSWORD not in refused.text
    english = world.browser().get("/login", headers={"Accept-Language": "en"}).text
    assert "Password" in english
    assert "密码" in world.browser().get("/login").text


def test_a_stranger_s_body_is_bounded(world: World) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1024

    stranger = world.program()
    refused = [stranger.post("/api/verify", content=b"x" * (9 << 20))]
    for path in ("/api/login", "/api/login/key", "/login"):
        form = {"Content-Type": "application/x-www-form-urlencoded"} if path == "/login" else {}
        refused.append(stranger.post(path, content=b"{" + b" " * 40_000))
        refused.append(stranger.post(path, content=endless(), headers=form))
    refused.append(stranger.post("/api/nothing/there", content=b"x" * (9 << 20)))
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (413, "http.413")
        assert answer.headers["content-type"] == "application/problem+json"
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    page = stranger.post("/login", content=b" " * 40_000, headers={"Accept": "text/html"})
    assert (page.status_code, "请求内容过大" in page.text) == (413, True)
