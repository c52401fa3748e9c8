"""Accounts, logins, sessions, keys, audit over REST: as they are meant to be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access_world import DEPARTMENT, PASSWORD, World, access_world, logged_in, login
from tests.catalog_world import record


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("access") / "c"
    with access_world(directory) as made:
        made.services.registry.register([record()])
        made.person("root", "administrator")
        made.person("li", "analyst")
        made.person("audit", "auditor")
        yield made


def test_log_in_look_around_and_out(world: World) -> None:
    li = logged_in(world, "li")
    me = li.get("/api/me").json()
    assert (me["name"], me["roles"], me["key"]) == ("li", ["analyst"], 0)
    assert me["may"]["dataset.read"] == "all"
    assert me["may"]["me.write"] == "own"
    assert "account.write" not in me["may"]
    assert li.post("/api/logout").status_code == 204
    assert li.get("/api/me").status_code == 401


def test_a_session_cookie_cannot_be_read_or_sent_elsewhere(world: World) -> None:
    answer = login(world.browser(), "li")
    for cookie in answer.headers.get_list("set-cookie"):
        name, _, rest = cookie.partition("=")
        assert name.startswith("__Host-")
        words = {word.strip().lower() for word in rest.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= words
        assert not any(word.startswith("domain") for word in words)
    assert answer.headers["cache-control"] == "no-store"


def test_an_administrator_makes_and_changes_accounts(world: World) -> None:
    root = logged_in(world, "root")
    body = {"name": "wu", "title": "吴伟", "roles": ["steward"], "password": PASSWORD}
    refused = root.post("/api/accounts", json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "account.department")
    body["department"] = "999999"
    assert root.post("/api/accounts", json=body).json()["code"] == "account.department"
    body["department"] = DEPARTMENT
    department = world.services.registry.providers()[0].department.code
    body["department"] = department
    made = root.post("/api/accounts", json=body)
    assert made.status_code == 201, made.text
    assert root.post("/api/accounts", json=body).status_code == 409
    wu = logged_in(world, "wu")
    assert wu.get("/api/me").json()["may"]["dataset.write"] == "department"
    assert wu.get("/api/accounts").status_code == 403
    changed = root.patch("/api/accounts/wu", json={"roles": ["analyst"], "title": "吴"})
    assert (changed.json()["roles"], changed.json()["department"]) == (["analyst"], department)
    assert wu.get("/api/me").status_code == 401, "rights have changed: the session is over"
    listed = root.get("/api/accounts", params={"limit": 1, "after": "root"}).json()
    assert [each["name"] for each in listed["accounts"]] == ["wu"]
    assert listed["total"] == 4
    assert root.get("/api/accounts/none").status_code == 404
    assert root.patch("/api/accounts/wu", json={"roles": ["visitor"]}).status_code == 400
    assert root.patch("/api/accounts/wu", json={"rights": 0}).status_code == 422
    root.patch("/api/accounts/wu", json={"enabled": False})
    assert login(world.browser(), "wu").status_code == 401


def test_a_password_is_changed_with_the_old_one(world: World) -> None:
    world.person("zhao")
    one, other = logged_in(world, "zhao"), logged_in(world, "zhao")
    new = "quite another set of words"
    body = {"password": "wrong wrong wrong", "new": new}
    assert one.post("/api/me/password", json=body).status_code == 401
    weak = one.post("/api/me/password", json={"password": PASSWORD, "new": "short"})
    assert weak.json()["code"] == "password.weak"
    assert one.post("/api/me/password", json={"password": PASSWORD, "new": new}).status_code == 204
    assert one.get("/api/me").status_code == 200, "the session goes on, as a new one"
    assert other.get("/api/me").status_code == 401, "all others are over"
    assert login(world.browser(), "zhao").status_code == 401
    assert login(world.browser(), "zhao", new).status_code == 200


def test_a_second_factor_from_secret_to_recovery(world: World) -> None:
    import pyotp

    world.person("qian")
    qian = logged_in(world, "qian")
    made = qian.post("/api/me/second-factor", json={"password": PASSWORD}).json()
    assert made["url"].startswith("otpauth://totp/Veil:qian?secret=")
    totp = pyotp.TOTP(made["secret"])
    assert login(world.browser(), "qian").status_code == 200, "not confirmed yet"
    wrong = qian.post("/api/me/second-factor/confirm", json={"code": "000000"})
    assert wrong.status_code == 401 or totp.at(world.now()) == "000000"
    answer = qian.post("/api/me/second-factor/confirm", json={"code": totp.at(world.now())})
    codes = answer.json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert login(world.browser(), "qian").status_code == 401, "now it needs a code"
    assert login(world.browser(), "qian", code=codes[0].upper()).status_code == 200
    assert login(world.browser(), "qian", code=codes[0]).status_code == 401, "a code serves once"
    later = totp.at(world.now() + 30)
    assert login(world.browser(), "qian", code=later).status_code == 200
    root = logged_in(world, "root")
    assert root.get("/api/accounts/qian").json()["second_factor"] is True
    assert root.delete("/api/accounts/qian/second-factor").status_code == 204
    assert login(world.browser(), "qian").status_code == 200


def test_a_key_for_a_program(world: World) -> None:
    body = {"name": "li", "password": PASSWORD, "label": "nightly", "scopes": ["dataset.read"]}
    made = world.program().post("/api/login/key", json=body)
    assert made.status_code == 201, made.text
    key, number = made.json()["key"], made.json()["number"]
    assert key.startswith("veil_")
    datasets = "/api/catalog/datasets"
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": key},
        {"X-CKAN-API-Key": key},
        {"X-CKAN-API-Key": key, "Authorization": key},
    ):
        assert world.program().get(datasets, headers=headers).status_code == 200  # fmt: skip
    li = logged_in(world, "li")
    (listed,) = [each for each in li.get("/api/keys").json()["keys"] if each["number"] == number]
    assert (listed["label"], listed["scopes"]) == ("nightly", ["dataset.read"])
    assert "key" not in listed
    assert key not in li.get("/api/keys").text
    world.gate.used.write()
    assert li.get("/api/keys").json()["keys"][-1]["used_at"]
    assert li.delete(f"/api/keys/{number}").status_code == 204
    assert world.program(key).get(datasets).status_code == 401


def test_quotas_are_the_administrators_to_raise(world: World) -> None:
    wish = {"label": "x", "scopes": ["dataset.read"], "per_minute": 5000}
    assert logged_in(world, "li").post("/api/keys", json=wish).json()["per_minute"] == 600
    assert logged_in(world, "root").post("/api/keys", json=wish).json()["per_minute"] == 5000


def test_an_auditor_reads_and_verifies(world: World) -> None:
    li = logged_in(world, "li")
    made = li.post("/api/keys", json={"label": "audited", "scopes": ["dataset.read"]})
    li.get("/api/audit")
    auditor = logged_in(world, "audit")
    found = auditor.get("/api/audit", params={"limit": 500}).json()["entries"]
    records = [entry["record"] for entry in found]
    assert {"action": "audit.read", "account": "li", "outcome": "refused"}.items() <= next(
        each for each in records if each["action"] == "audit.read"
    ).items()
    assert any(each["action"] == "key.write" and each["path"] == "/api/keys" for each in records)
    assert made.json()["key"] not in str(records)
    assert PASSWORD not in str(records)
    page = auditor.get("/api/audit", params={"before": found[0]["index"], "limit": 2}).json()
    assert [each["index"] for each in page["entries"]] == [
        found[0]["index"] - 1, found[0]["index"] - 2,
    ]  # fmt: skip
    head = auditor.get("/api/audit/verify").json()
    assert head["intact"]
    noted = {"entries": head["entries"], "hash": head["hash"]}
    assert auditor.get("/api/audit/verify", params=noted).json()["intact"]
    noted["hash"] = "0" * 64
    assert not auditor.get("/api/audit/verify", params=noted).json()["intact"]
    assert auditor.get("/api/audit/verify", params={"entries": 1}).status_code == 400
    assert world.client.get("/api/audit").status_code == 401


def test_log_out_everywhere(world: World) -> None:
    one, other = logged_in(world, "li"), logged_in(world, "li")
    assert one.post("/api/me/sessions/end").status_code == 204
    assert one.get("/api/me").status_code == other.get("/api/me").status_code == 401


def test_a_public_server_knows_nobody(tmp_path: Path) -> None:
    from tests.web_world import served

    with served(tmp_path / "c", public=True) as (client, services):
        assert services.gate is None
        for path in ("/api/me", "/api/accounts", "/api/audit", "/api/keys"):
            assert client.get(path).status_code == 404
        headers = {"Authorization": "Bearer veil_whatever"}
        assert client.get("/api/catalog/datasets", headers=headers).status_code == 200
