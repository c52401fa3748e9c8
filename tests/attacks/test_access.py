"""Attacks on logins, sessions and keys: guessing, shutting out, fixing, forging, confusing."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from catalog.access import passwords
from catalog.access.sessions import IDLE_S, LONGEST_S
from catalog.access.slowdown import FREE, Slowdown
from catalog.access.slowdown import LONGEST_S as SLOWEST_S
from catalog.access.vault import FILE, Vault, open_vault
from catalog.web.callers import BROWSER, SESSION
from protos.faults import InputError, LimitError, TrustError
from tests.access_world import HOST, PASSWORD, World, access_world, logged_in, login

WRONG = "entirely wrong words"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with access_world(tmp_path / "c") as made:
        made.person("root", "administrator")
        made.person("li", "analyst")
        yield made


def guess(world: World, name: str, times: int, source: str = "203.0.113.9") -> list[int]:
    client = TestClient(world.client.app, base_url=HOST, client=(source, 1))
    return [login(client, name, WRONG).status_code for _ in range(times)]


# ---- who is there? ------------------------------------------------------------------------


def test_an_absent_account_looks_and_costs_like_one_that_is_there(world: World) -> None:
    world.person("off")
    world.gate.accounts.change("off", {"enabled": False})
    from catalog.access.accounts import Account

    world.gate.accounts.add(Account("openid-only"))
    world.person("two")
    world.second_factor("two")
    verify = PasswordHasher.verify
    seen = set()
    for name, password in (("li", WRONG), ("nobody", WRONG), ("off", PASSWORD), ("off", WRONG),
                           ("openid-only", WRONG), ("two", PASSWORD), ("two", WRONG),
                           ("li", "x" * 900), ("", ""), ("Robert'); --", WRONG),
                           ("li\0", WRONG), ("a" * 99, "\0")):  # fmt: skip
        with patch.object(PasswordHasher, "verify", autospec=True, side_effect=verify) as hashing:
            answer = login(world.browser(), name, password)
        seen.add((answer.status_code, answer.text, hashing.call_count,
                  tuple(sorted(set(answer.headers) - {"content-length"}))))  # fmt: skip
    assert len(seen) == 1
    ((status, text, hashes, _),) = seen
    assert (status, hashes) == (401, 1)
    assert "login.refused" in text


def test_slowing_down_tells_nothing_about_who_is_there(world: World) -> None:
    present, absent = guess(world, "li", 8, "203.0.113.1"), guess(world, "nobody", 8, "203.0.113.2")
    assert present == absent == [401] * FREE["pair"] + [429] * (8 - FREE["pair"])
    client = TestClient(world.client.app, base_url=HOST, client=("203.0.113.1", 1))
    other = TestClient(world.client.app, base_url=HOST, client=("203.0.113.2", 1))
    one, two = login(client, "li", PASSWORD), login(other, "nobody", PASSWORD)
    assert one.text == two.text
    assert one.headers["retry-after"] == two.headers["retry-after"]


# ---- guessing and shutting out ---------------------------------------------------------------


def test_waiting_grows_and_ends(world: World) -> None:
    now = [0.0]
    slow = Slowdown(lambda: now[0])
    waits = []
    for _ in range(20):
        try:
            slow.begin("li", "a")
        except LimitError as error:
            waits.append(error.retry_after_s)
            now[0] += error.retry_after_s
            slow.begin("li", "a")
    assert waits == sorted(waits)
    assert waits[0] <= 2
    assert waits[-1] == SLOWEST_S + 1
    now[0] += 25 * 3600
    slow.begin("li", "a")


def test_a_hundred_guesses_at_once_are_not_more_than_one_after_the_other(world: World) -> None:
    slow = Slowdown(lambda: 0.0)
    begun = []

    def attempt(_: int) -> None:
        with suppress(LimitError):
            begun.append(slow.begin("li", "a"))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(attempt, range(100)))
    assert len(begun) == FREE["pair"]


def test_spraying_one_password_over_many_accounts_is_slowed(world: World) -> None:
    client = TestClient(world.client.app, base_url=HOST, client=("203.0.113.3", 1))
    statuses = [login(client, f"user{n}", WRONG).status_code for n in range(FREE["source"] + 3)]
    assert statuses == [401] * FREE["source"] + [429] * 3


def test_guessing_from_everywhere_is_slowed_and_shuts_nobody_out(world: World) -> None:
    totp, _ = world.second_factor("root")
    known = logged_in(world, "root", totp.at(world.now() + 30))
    known.post("/api/logout")
    for n in range(FREE["account"]):
        assert guess(world, "root", 1, f"198.51.100.{n}") == [401]
    assert guess(world, "root", 1, "198.51.100.200") == [429]
    stranger = TestClient(world.client.app, base_url=HOST, client=("198.51.100.201", 1))
    assert login(stranger, "root", PASSWORD).status_code == 429, "even the right password waits"
    assert login(stranger, "root", PASSWORD, "123456").status_code == 429
    world.later[0] += 60
    code = totp.at(world.now())
    assert login(stranger, "root", PASSWORD, code).status_code == 200, "the second factor gets in"
    world.later[0] += 60
    assert login(known, "root", PASSWORD, totp.at(world.now())).status_code == 200


def test_whoever_has_the_password_does_not_try_all_codes_while_slowed_down(world: World) -> None:
    totp, recovery = world.second_factor("root")
    world.later[0] += 90
    world.gate.logins._slowdown._clock = lambda: 0.0  # a slow machine gives no time to try more
    thief = TestClient(world.client.app, base_url=HOST, client=("203.0.113.7", 1))
    right = totp.at(world.now())
    good = {totp.at(world.now() + 30 * step) for step in range(-3, 4)}
    wrong = [code for n in range(67) if (code := f"{n:06}") not in good][:60]
    tried = [login(thief, "root", PASSWORD, code) for code in wrong]
    assert [each.status_code for each in tried[FREE["pair"] :]] == [429] * 55
    answer = login(thief, "root", PASSWORD, right)
    assert answer.status_code == 429, "the right one is no better among so many"
    assert answer.json().keys() == tried[-1].json().keys()
    # From everywhere, too; and the owner is not shut out: a recovery code cannot be tried.
    for n in range(FREE["account"] + FREE["shown anywhere"]):
        other = TestClient(world.client.app, base_url=HOST, client=(f"198.51.100.{n}", 1))
        login(other, "root", PASSWORD, wrong[n % len(wrong)])
    other = TestClient(world.client.app, base_url=HOST, client=("198.51.100.250", 1))
    assert login(other, "root", PASSWORD, right).status_code == 429
    assert login(other, "root", PASSWORD, recovery[0]).status_code == 200


def test_a_browser_that_has_logged_in_gets_through_and_only_for_its_account(world: World) -> None:
    known = logged_in(world, "root")
    assert BROWSER in known.cookies
    for n in range(FREE["account"]):
        guess(world, "root", 1, f"198.51.100.{n}")
        guess(world, "li", 1, f"198.51.101.{n}")
    assert login(known, "root").status_code == 200
    assert login(known, "li").status_code == 429
    # … and guesses from such a browser are slowed by themselves.
    statuses = [login(known, "root", WRONG).status_code for _ in range(FREE["browser"] + 1)]
    assert statuses[-1] == 429
    forged = world.browser()
    forged.cookies.set(BROWSER, "00112233.0" + "a" * 63)
    assert login(forged, "root").status_code == 429


def test_the_last_administrator_stays_one(world: World) -> None:
    root = logged_in(world, "root")
    for change in ({"enabled": False}, {"roles": ["auditor"]}):
        answer = root.patch("/api/accounts/root", json=change)
        assert (answer.status_code, answer.json()["code"]) == (409, "account.last")
    assert root.patch("/api/accounts/li", json={"roles": ["administrator"]}).status_code == 200
    assert root.patch("/api/accounts/root", json={"roles": []}).status_code == 200


def test_a_stolen_session_does_not_guess_the_password(world: World) -> None:
    thief = logged_in(world, "li")
    thief.cookies.delete(BROWSER)
    body = {"password": WRONG, "new": "the words of a thief"}
    statuses = [thief.post("/api/me/password", json=body).status_code for _ in range(8)]
    assert statuses == [401] * FREE["pair"] + [429] * (8 - FREE["pair"])


def test_guessing_from_everywhere_leaves_room_for_who_only_reads() -> None:
    slow = threading.Event()

    class Slow(PasswordHasher):
        def verify(self, *_: object) -> Literal[True]:
            slow.wait(30)
            return True

    made = passwords.Passwords(Slow(1, 8, 1))

    def guess_one(_: int) -> bool:
        try:
            return made.verify("kept", "x")
        except LimitError as error:
            assert error.code == "login.busy"
            return False

    with ThreadPoolExecutor(40) as pool:
        guesses = [pool.submit(guess_one, n) for n in range(40)]
        done, _ = wait(guesses, timeout=30, return_when=FIRST_COMPLETED)
        assert done, "there is no room to wait: it is said at once"
        while sum(each.done() for each in guesses) < 40 - 18:
            time.sleep(0.01)
        slow.set()
        assert sum(each.result() for each in guesses) == 18


# ---- passwords -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    ["short words", "password1234", "PassWord1234", "pass word 1234", "１２３４５６７８９０１２",
     "aaaaaaaaaaaaaaa", "abababababab", "abcdefghijklm", "woaini1314520", "my li.wei account",
     "zyxwvutsrqponm", "x" * 201],
)  # fmt: skip
def test_passwords_that_are_guessed_first(password: str) -> None:
    with pytest.raises(InputError) as raised:
        passwords.check(password, "li.wei")
    assert raised.value.code == "password.weak"


def test_long_passwords_need_no_signs_and_digits() -> None:
    for good in ("four odd words together", "山高月小水落石出清风徐来", "🐎🐎 staple battery"):
        passwords.check(good, "li")


def test_passwords_are_kept_as_argon2id_and_hashed_anew_when_parameters_change(
    world: World, tmp_path: Path
) -> None:
    kept = passwords.Passwords().hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    world.gate.accounts.set_password("li", PasswordHasher(1, 16, 1).hash(PASSWORD))
    before = world.gate.accounts.kept_password("li")[1]
    logged_in(world, "li")
    after = world.gate.accounts.kept_password("li")[1]
    assert before != after
    assert "m=8," in after
    with closing(sqlite3.connect(tmp_path / "c" / "catalog.db")) as db:
        assert PASSWORD not in "\n".join(db.iterdump())


# ---- second factors --------------------------------------------------------------------------


def test_a_one_time_code_serves_once(world: World) -> None:
    totp, _ = world.second_factor("li")
    assert login(world.browser(), "li", code=totp.at(world.now())).status_code == 401, (
        "the code that confirmed it is used up"
    )
    world.later[0] += 90
    code = totp.at(world.now())
    assert login(world.browser(), "li", code=code).status_code == 200
    assert login(world.browser(), "li", code=code).status_code == 401
    assert login(world.browser(), "li", code=totp.at(world.now() - 30)).status_code == 401, (
        "nor does one from before it"
    )
    world.later[0] += 30
    assert login(world.browser(), "li", code=totp.at(world.now())).status_code == 200
    assert login(world.browser(), "li", code=totp.at(world.now() + 120)).status_code == 401


def test_two_logins_at_once_with_one_code(world: World) -> None:
    totp, recovery = world.second_factor("li")
    world.later[0] += 90
    for code in (totp.at(world.now()), recovery[0]):
        gate = threading.Barrier(8)

        def use(_: int, code: str = code, gate: threading.Barrier = gate) -> bool:
            gate.wait()
            return world.gate.factors.use("li", code)

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(use, range(8))) == 1


def test_a_wrong_password_uses_no_code_up(world: World) -> None:
    totp, _ = world.second_factor("li")
    world.later[0] += 90
    code = totp.at(world.now())
    assert login(world.browser(), "li", WRONG, code).status_code == 401
    assert login(world.browser(), "li", PASSWORD, code).status_code == 200


def test_the_database_alone_gives_no_codes(world: World, tmp_path: Path) -> None:
    totp, recovery = world.second_factor("li")
    logged_in(world, "root")
    _, key = world.key("root")
    with closing(sqlite3.connect(tmp_path / "c" / "catalog.db")) as db:
        everything = "\n".join(db.iterdump())
        (sealed,) = db.execute("SELECT secret FROM second_factors").fetchone()
    for secret in (totp.secret, key, key.removeprefix("veil_"), *recovery):
        assert secret not in everything
    with pytest.raises(TrustError):
        Vault(b"x" * 32).open("second factor", sealed, bound="li")
    # A row that is copied to another account does not open there.
    with pytest.raises(TrustError):
        world.gate.vault.open("second factor", sealed, bound="root")


def test_the_secret_of_the_catalog_is_private(world: World, tmp_path: Path) -> None:
    file = tmp_path / "c" / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(TrustError):
        open_vault(tmp_path / "c")


# ---- sessions --------------------------------------------------------------------------------


def test_a_session_that_was_planted_is_not_taken_up(world: World) -> None:
    victim = world.browser()
    victim.cookies.set(SESSION, "planted", domain="catalog.test")
    login(victim, "li")
    attacker = world.browser()
    attacker.cookies.set(SESSION, "planted")
    assert attacker.get("/api/me").status_code == 401


def test_a_session_of_before_ends_at_login(world: World) -> None:
    client = logged_in(world, "li")
    before = client.cookies[SESSION]
    login(client, "li")
    assert client.cookies[SESSION] != before
    old = world.browser()
    old.cookies.set(SESSION, before)
    assert old.get("/api/me").status_code == 401


def test_sessions_end(world: World) -> None:
    client = logged_in(world, "li")
    for _ in range(3):
        world.later[0] += IDLE_S - 60
        assert client.get("/api/me").status_code == 200
    world.gate.used.write()
    world.later[0] += IDLE_S
    assert client.get("/api/me").status_code == 401, "idle for too long"
    client = logged_in(world, "li")
    for _ in range(LONGEST_S // (IDLE_S - 60)):
        world.later[0] += IDLE_S - 60
        client.get("/api/me")
    world.later[0] += IDLE_S - 60
    assert client.get("/api/me").status_code == 401, "the longest is over, whatever its use"


def test_a_session_is_gone_after_logout_and_with_its_rights(world: World) -> None:
    for end in ("logout", "roles", "disabled", "password", "second factor"):
        world.gate.accounts.change("li", {"roles": frozenset({"analyst"}), "enabled": True})
        client = logged_in(world, "li")
        copy = world.browser()
        copy.cookies.set(SESSION, client.cookies[SESSION])
        assert copy.get("/api/me").status_code == 200
        match end:
            case "logout":
                client.post("/api/logout")
            case "roles":
                world.gate.accounts.change("li", {"roles": frozenset({"auditor"})})
            case "disabled":
                world.gate.accounts.change("li", {"enabled": False})
            case "password":
                world.gate.logins.set_password("li", PASSWORD)
            case _:
                world.second_factor("li")
        assert copy.get("/api/me").status_code == 401, end


# ---- other sites -----------------------------------------------------------------------------

ELSEWHERE = [
    {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {"Origin": "http://catalog.test"},
    {"Origin": "https://catalog.test:444"},
    {"Origin": "https://catalog.test.evil.test"},
    {"Origin": "https://sub.catalog.test", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": HOST, "Sec-Fetch-Site": "cross-site"},
    {},
]


def test_another_site_sends_nothing_in_somebody_s_name(world: World) -> None:
    victim = logged_in(world, "root")
    forged = world.program()
    forged.cookies = victim.cookies
    calls: list[tuple[str, str, object]] = [
        ("POST", "/api/keys", {"label": "x", "scopes": ["account.write"]}),
        ("POST", "/api/logout", None),
        ("PATCH", "/api/accounts/li", {"roles": ["administrator"]}),
        ("PUT", "/api/accounts/li/password", {"password": "words of somebody else"}),
    ]
    for headers in ELSEWHERE:
        for method, path, body in calls:
            answer = forged.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "access.origin"), headers
    assert victim.get("/api/me").status_code == 200
    assert world.gate.accounts.get("li").roles == {"analyst"}


def test_a_browser_does_not_log_in_as_the_attacker(world: World) -> None:
    """Login CSRF: a page elsewhere logs its visitor in with the attacker's account."""
    victim = world.program()
    headers = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
    body = {"name": "li", "password": PASSWORD}
    answer = victim.post("/api/login", json=body, headers=headers)
    assert answer.status_code == 403
    assert not victim.cookies


def test_reading_by_a_link_from_elsewhere_works(world: World) -> None:
    client = logged_in(world, "li")
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.get("/api/catalog/datasets", headers=headers).status_code == 200
