"""The page of a member's own account: what ends with a password, and what is shown once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from fastapi.testclient import TestClient

from tests.access_world import PASSWORD, World, access_world, logged_in

NEW = "another four odd words"
KEY = re.compile(r"veil_[A-Za-z0-9_-]+")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with access_world(tmp_path / "c") as made:
        made.person("li", "analyst")
        made.person("wang", "analyst")
        yield made


def post(client: TestClient, path: str, **said: object) -> str:
    """Fills a form of the page in, with its hidden field, and returns the page behind it."""
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/en/account").text)
    assert csrf is not None
    return client.post(f"/en/account/{path}", data={"csrf": csrf[1], **said}).text


def works(world: World, key: str) -> int:
    return world.program(key).get("/api/catalog/datasets").status_code


def test_a_new_password_ends_other_sessions_and_keys_only_if_that_is_wanted(world: World) -> None:
    here, there = logged_in(world, "li"), logged_in(world, "li")
    _, key = world.key("li")
    said = {"password": PASSWORD, "new": NEW, "again": NEW}
    assert "API keys go on" in here.get("/en/account").text
    assert "typed in two ways" in post(here, "password", **said | {"again": "other words here"})
    assert "name, password or" in post(here, "password", **said | {"password": NEW}).lower()
    assert "other sessions have ended" in post(here, "password", **said)
    assert there.get("/en/account").status_code == 401
    assert works(world, key) == 200
    back = {"password": NEW, "new": PASSWORD, "again": PASSWORD, "end_keys": "yes"}
    assert "all API keys have ended" in post(here, "password", **back)
    refused = world.program(key).get("/api/catalog/datasets")
    assert refused.status_code == 401
    assert "has been revoked" in refused.json()["detail"] + refused.json()["title"]


def test_a_key_is_shown_once_and_says_when_it_has_expired(world: World) -> None:
    client = logged_in(world, "li")
    page = post(client, "keys", label="robot", lasts_days=1, per_day=2, scope="dataset.read")
    key = KEY.findall(page)[0]
    assert key not in client.get("/en/account").text
    assert world.program(key).get("/api/audit").status_code in {401, 403}
    assert [works(world, key) for _ in range(2)] == [200, 429]  # the one above counts, too
    told = world.program(key).get("/api/catalog/datasets").json()
    assert re.search(r"come back in (\d+ h )?\d+ (min|s),", told["detail"])
    world.later[0] = 86_400 + 1
    answer = world.program(key).get("/api/catalog/datasets")
    assert answer.status_code == 401
    assert "expired on" in answer.text
    assert "过期" in answer.text
    assert "expired" in logged_in(world, "li").get("/en/account").text


def test_nobody_ends_another_ones_key(world: World) -> None:
    made, key = world.key("wang")
    client = logged_in(world, "li")
    assert "there is no key" in post(client, f"keys/{made.number}/end").lower()
    post(client, "keys/end")
    assert works(world, key) == 200


def test_a_second_factor_is_set_up_and_taken_away_on_the_page(world: World) -> None:
    client = logged_in(world, "li")
    page = post(client, "second-factor", password=PASSWORD)
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page)
    assert found is not None
    assert "data:image/svg+xml" in page
    totp = pyotp.TOTP(found[1])
    assert "code is not of this" in post(client, "second-factor/confirm", code="000000")
    shown = post(client, "second-factor/confirm", code=totp.at(world.now()))
    recovery = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", shown)
    assert len(recovery) == 10
    wrong = post(client, "second-factor/remove", password=PASSWORD, code="123456")
    assert "name, password or one-time code is wrong" in wrong.lower()
    gone = post(client, "second-factor/remove", password=PASSWORD, code=recovery[0])
    assert "second factor has been removed" in gone


def test_forms_of_other_sites_change_nothing(world: World) -> None:
    client = logged_in(world, "li")
    _, key = world.key("li")
    answer = client.post("/en/account/keys/end", data={"csrf": "0"})
    assert answer.status_code == 403
    assert works(world, key) == 200


def test_the_page_logs_out_everywhere(world: World) -> None:
    here, there = logged_in(world, "li"), logged_in(world, "li")
    assert "Log in" in post(here, "sessions/end")
    assert there.get("/en/account").status_code == 401


def test_login_has_an_address_in_each_language(world: World) -> None:
    client = world.browser()
    assert "密码" in client.get("/zh/login").text
    page = client.get("/en/login").text
    assert "Password" in page
    assert 'href="/zh/login"' in page
    moved = client.get("/login?next=/en/market", follow_redirects=False)
    assert moved.headers["location"] == "/en/login?next=%2Fen%2Fmarket"
