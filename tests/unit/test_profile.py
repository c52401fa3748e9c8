"""Commands find their server and key: from options, the environment, or a login that is kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from catalog.client import profile
from catalog.client.connection import Connection
from catalog.client.profile import Login, Logins, connection
from protos.faults import InputError, TrustError
from protos.keyfile import write_private

HERE = "https://catalog.test:8443"
OTHER = "https://other.test"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def seen(made: Connection) -> tuple[str, str]:
    return str(made._http.base_url).rstrip("/"), made._headers.get("Authorization", "")


def test_the_last_login_is_used_and_each_key_goes_to_its_own_server(
    environ: dict[str, str],
) -> None:
    logins = Logins(profile.folder(environ))
    logins.keep(Login(OTHER, "wu", 1, "veil_other"))
    logins.keep(Login(HERE, "li", 7, "veil_here"))
    with connection(environ=environ) as made:
        assert seen(made) == (HERE, "Bearer veil_here")
    with connection(f"{OTHER}/some/page?x#y", environ=environ) as made:
        assert seen(made) == (OTHER, "Bearer veil_other")
    with connection("https://third.test", environ=environ) as made:
        assert seen(made) == ("https://third.test", "")
    with connection("http://catalog.test:8443", environ=environ) as made:
        assert seen(made)[1] == "", "the same name without TLS is another server"
    logins.forget(HERE)
    with connection(environ=environ) as made:
        assert seen(made)[0] == OTHER
    assert "veil_other" not in repr(logins.all())


def test_options_before_environment_before_login(environ: dict[str, str], tmp_path: Path) -> None:
    Logins(profile.folder(environ)).keep(Login(HERE, "li", 7, "veil_here"))
    for name in ("one", "two"):
        write_private(tmp_path / name, f"veil_{name}\n".encode())
    environ |= {"VEIL_SERVER": OTHER, "VEIL_KEY_FILE": str(tmp_path / "one")}
    with connection(environ=environ) as made:
        assert seen(made) == (OTHER, "Bearer veil_one")
    with connection(HERE, tmp_path / "two", environ=environ) as made:
        assert seen(made) == (HERE, "Bearer veil_two")


def test_without_a_server_it_says_what_to_do(environ: dict[str, str]) -> None:
    with pytest.raises(InputError, match="no server") as raised, connection(environ=environ):
        pass
    assert "veil login" in raised.value.remedy


@pytest.mark.parametrize("server", ["ftp://x", "https://", "https://u:p@x", "https://a b"])
def test_what_is_no_address(environ: dict[str, str], server: str) -> None:
    with pytest.raises(InputError) as raised, connection(server, environ=environ):
        pass
    assert raised.value.code == "login.address"


def test_a_key_does_not_travel_unencrypted(environ: dict[str, str], tmp_path: Path) -> None:
    write_private(tmp_path / "k", b"veil_x")
    for server in ("http://catalog.test", "http://127.0.0.1.evil.test", "http://10.0.0.1"):
        with (
            pytest.raises(InputError) as raised,
            connection(server, tmp_path / "k", environ=environ),
        ):
            pass  # fmt: skip
        assert raised.value.code == "login.plain"
    for server in ("http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080"):
        with connection(server, tmp_path / "k", environ=environ) as made:
            assert seen(made)[1] == "Bearer veil_x"


def test_files_are_private_and_refused_when_they_are_not(
    environ: dict[str, str], tmp_path: Path
) -> None:
    logins = Logins(profile.folder(environ))
    logins.keep(Login(HERE, "li", 7, "veil_here"))
    (file,) = (tmp_path / "veil").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    with pytest.raises(TrustError), connection(environ=environ):
        pass
    file.chmod(0o600)
    file.write_text("[{}]")
    with pytest.raises(InputError) as raised, connection(environ=environ):
        pass
    assert raised.value.code == "login.file"
    write_private(tmp_path / "k", b"two words")
    with pytest.raises(InputError) as raised, connection(HERE, tmp_path / "k"):
        pass
    assert raised.value.code == "login.key"
