"""``veil account``, ``veil login`` and ``veil logout``, called as people would."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pyotp
import pytest
from typer import Typer
from typer.testing import CliRunner

from catalog.cli import account
from catalog.client import profile
from catalog.client.cli import login, logout
from catalog.client.connection import Connection
from catalog.registry.registry import create
from catalog.web.app import create_app
from catalog.web.server import HttpServer, Tls
from catalog.web.services import services
from protos.faults import InputError, LoginError, MissingError, UnavailableError, VeilError
from protos.keyfile import write_private
from tests.access_world import PASSWORD
from tests.openid_provider import certificate

Say = Callable[..., str]


def run(app: Typer, *words: str, typed: str = "") -> str:
    result = CliRunner().invoke(app, list(words), input=typed)
    if isinstance(result.exception, VeilError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("account") / "c"
    create(made)
    return made


@pytest.fixture(scope="module")
def say(directory: Path) -> Say:
    return lambda *words, typed="": run(account.app, *words, "--dir", str(directory), typed=typed)


def listed(say: Say) -> dict[str, dict[str, object]]:
    return {each["name"]: each for each in json.loads(say("list", "--json"))}


def test_an_account_from_its_beginning_to_its_end(say: Say) -> None:
    twice = f"{PASSWORD}\n{PASSWORD}\n"
    say("add", "li", "--title", "李伟", "--role", "analyst", "--role", "auditor", typed=twice)
    assert listed(say)["li"]["roles"] == ["analyst", "auditor"]
    said = say("list")
    assert "李伟" in said
    assert "analyst, auditor" in said
    say("roles", "li", "broker")
    assert listed(say)["li"]["roles"] == ["broker"]
    say("roles", "li")
    assert listed(say)["li"]["roles"] == []
    with pytest.raises(InputError, match="held in a department"):
        say("roles", "li", "steward")
    say("disable", "li")
    assert not listed(say)["li"]["enabled"]
    say("enable", "li")
    assert listed(say)["li"]["enabled"]
    with pytest.raises(InputError, match="at least 12"):
        say("password", "li", typed="short\nshort\n")
    say("password", "li", typed="quite other words now\nquite other words now\n")
    with pytest.raises(InputError, match="no terminal"):
        say("password", "li")
    with pytest.raises(MissingError):
        say("password", "nobody")


def test_a_second_factor_by_the_operator(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    say("add", "zhao", "--without-password")
    shown: list[str] = []

    def prompt(_: str) -> str:
        return pyotp.TOTP(shown[0]).now()

    random = pyotp.random_base32

    def secret() -> str:
        shown.append(random())
        return shown[0]

    monkeypatch.setattr(pyotp, "random_base32", secret)
    monkeypatch.setattr("typer.prompt", prompt)
    said = say("totp", "zhao")
    assert f"Secret: {shown[0]}" in said
    assert "█" in said, "a QR code"
    assert len([line for line in said.splitlines() if line.strip().count("-") == 3]) == 10
    assert listed(say)["zhao"]["second_factor"] is True
    say("totp", "zhao", "--remove")
    assert listed(say)["zhao"]["second_factor"] is False


def test_keys_by_the_operator(say: Say, directory: Path, tmp_path: Path) -> None:
    say("add", "robot", "--role", "analyst", "--without-password")
    file = tmp_path / "robot.key"
    say("key", "robot", str(file), "--scope", "dataset.read", "--per-minute", "60000")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = file.read_text()
    assert key.startswith("veil_")
    with pytest.raises(InputError):
        say("key", "robot", str(file))
    (made, lost) = json.loads(say("keys", "robot", "--json"))
    assert (made["per_minute"], made["scopes"]) == (60000, ["dataset.read"])
    assert lost["revoked_at"], "a key that could not be written is of no use to anybody"
    with pytest.raises(MissingError):
        say("keys", "li", "--revoke", str(made["number"]))
    assert len(lost["scopes"]) > 3
    assert max(map(len, say("keys", "robot").splitlines())) <= 80, "scopes are folded"
    assert "revoked" in say("keys", "robot", "--revoke", str(made["number"]))
    with services(directory, public=False) as found:
        assert found.gate is not None
        assert found.gate.keys.find(key) is None
        records = [entry.record for entry in found.audit.before(None, 500)]
    commands = [record["command"] for record in records]
    assert f"veil account keys robot --revoke {made['number']}" in commands
    assert any("roles='analyst'" in command for command in commands), "which role was given"
    assert PASSWORD not in str(records)
    assert all(record["operator"] for record in records)


@pytest.fixture
def server(directory: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The catalog, over real TLS."""
    file, key = certificate(tmp_path)
    with services(directory, public=False) as found:
        made = HttpServer(create_app(found), "localhost:0", tls=Tls(key, file))
        made.start()
        try:
            yield made.url, file
        finally:
            made.stop()


def test_log_in_and_out_at_a_server(
    say: Say, server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    url, ca = server
    write_private(tmp_path / "password", PASSWORD.encode())
    words = [url, "--account", "wang", "--ca", str(ca), "--password-file",
             str(tmp_path / "password")]  # fmt: skip
    with pytest.raises(LoginError) as raised:
        run(login.app, *words)
    assert raised.value.code == "login.refused"
    say("add", "wang", "--role", "analyst", "--password-file", str(tmp_path / "password"))
    assert "as wang" in run(login.app, *words)
    with profile.connection() as catalog:
        me = catalog.get("/api/me")
        assert (me["name"], me["roles"]) == ("wang", ["analyst"])
        assert "dataset.read" in me["may"]
        assert "key.write" not in me["may"], "by default a key makes no keys"
    (kept,) = profile.Logins(profile.folder()).all()
    assert f"Logged out at {url}" in run(logout.app)
    with profile.speaking(url, kept.key, ca=str(ca)) as catalog, pytest.raises(LoginError):
        catalog.get("/api/me")
    with pytest.raises(InputError):
        run(logout.app)
    with pytest.raises(InputError) as plain:
        run(login.app, "http://catalog.test", *words[1:])
    assert plain.value.code == "login.plain"


def test_why_a_server_does_not_answer_is_told_apart(server: tuple[str, Path]) -> None:
    url, ca = server
    port = url.rpartition(":")[2]
    for at, authority, code, remedy in (
        (url, "", "catalog.untrusted", "VEIL_CA"),
        (f"https://127.0.0.1:{port}", str(ca), "catalog.other_name", "the name"),
        (f"http://localhost:{port}", "", "catalog.unreachable", "https://"),
    ):
        with profile.client(at, ca=authority) as http, pytest.raises(UnavailableError) as raised:
            Connection(http).get("/api/me")
        assert (raised.value.code, remedy in raised.value.advice.en) == (code, True)
