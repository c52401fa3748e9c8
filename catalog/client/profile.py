"""Which server a command speaks to, and with which key: options, environment, or `veil login`.

What is said nearest counts: ``--server`` and ``--key-file``, then ``VEIL_SERVER`` and
``VEIL_KEY_FILE``, then the last ``veil login``. A key that ``veil login`` has stored goes to the
server that gave it and to no other, and no key travels unencrypted, except to this machine.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import httpx2
import typer

from catalog.cli_options import said
from catalog.client.connection import Connection
from protos.faults import InputError, UnavailableError
from protos.keyfile import read_private, write_private
from protos.language import Text

_TIMEOUT_S: Final = 30.0
_FILE: Final = "logins.json"

ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        help=said("The catalog's address; by default VEIL_SERVER, or that of your last login. "
                  "VEIL_CA names the authority of its certificate.",
                  "目录服务地址；缺省为 VEIL_SERVER 或最近一次登录的服务；"
                  "VEIL_CA 指定其证书机构文件。"),
    ),
]  # fmt: skip
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        help=said("File of mode 0600 with an API key; by default VEIL_KEY_FILE, or that of your "
                  "login.",
                  "存放 API 密钥的文件（权限 0600）；缺省为 VEIL_KEY_FILE 或登录时保存的密钥。"),
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Login:
    """One login that is kept.

    Attributes:
        server: ``https://host:port`` without a path.
        account: Whose.
        number: The key's number at the server.
        key: The API key.
        ca: PEM file of the server's certification authority; "" for those of this machine.
    """

    server: str
    account: str
    number: int
    key: str
    ca: str = ""

    def __repr__(self) -> str:
        """Returns all but the key."""
        return f"Login({self.server}, {self.account}, {self.number})"


class Logins:
    """The logins of one person, in a file of mode 0600; the newest first.

    Args:
        folder: Where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def all(self) -> list[Login]:
        """Returns all logins, the newest first.

        Raises:
            TrustError: Others can read the file.
            InputError: It is no such file.
        """
        if not self._file.exists():
            return []
        try:
            return [Login(**each) for each in json.loads(read_private(self._file))]
        except (ValueError, TypeError) as error:
            raise InputError(
                Text(f"{self._file} is no file of logins", f"{self._file} 不是登录信息文件"),
                remedy=Text("remove it, and run: veil login URL",
                            "请删除该文件，再运行：veil login URL"),
                code="login.file",
            ) from error  # fmt: skip

    def find(self, server: str) -> Login | None:
        """Returns the login at a server; the newest of all if none is named."""
        return next((each for each in self.all() if server in {"", each.server}), None)

    def keep(self, login: Login) -> None:
        """Adds a login, instead of an earlier one at the same server."""
        self._write([login, *(each for each in self.all() if each.server != login.server)])

    def forget(self, server: str) -> None:
        """Removes the login at a server."""
        self._write([each for each in self.all() if each.server != server])

    def _write(self, logins: list[Login]) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._file.with_name(f"{_FILE}.{secrets.token_hex(4)}")
        body = json.dumps([asdict(each) for each in logins], ensure_ascii=False, indent=1)
        write_private(temporary, body.encode())
        try:
            temporary.replace(self._file)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise UnavailableError(
                Text(f"cannot write {self._file}", f"无法写入 {self._file}"),
                remedy=Text("look at the disk and at whose the folder is",
                            "请检查磁盘以及该文件夹的所有者"),
                code="login.unwritable", detail=str(error),
            ) from error  # fmt: skip


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Returns where this person's settings are (XDG base directories)."""
    given = environ.get("XDG_CONFIG_HOME", "")
    # The specification ignores a relative path.
    base = Path(given) if given.startswith("/") else Path.home() / ".config"
    return base / "veil"


@contextmanager
def connection(
    server: str = "",
    key_file: Path | None = None,
    *,
    ca: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Connection]:
    """Lends a connection to the server that was named, or logged in to.

    Args:
        server: ``https://host:port``; "" for ``VEIL_SERVER`` or the last login.
        key_file: Holds an API key; None for ``VEIL_KEY_FILE`` or that of the login at the server.
            Without any, the caller is a visitor.
        ca: PEM file of the server's certification authority; None for ``VEIL_CA``, that of the
            login, or those that this machine trusts.
        environ: The environment.

    Raises:
        InputError: No server is named, its address is none, or a key would travel unencrypted.
        TrustError: Others can read the key file.
        UnavailableError: A file cannot be read.
    """
    named = server or environ.get("VEIL_SERVER", "")
    login = Logins(folder(environ)).find(address(named) if named else "")
    if not named and login is None:
        raise InputError(
            Text("which catalog? no server is named", "未指定目录服务"),
            remedy=Text("log in with: veil login URL; or give --server",
                        "请先运行 veil login URL，或使用 --server"),
            code="login.server",
        )  # fmt: skip
    at = address(named) if named else login.server if login else ""
    file = key_file or (Path(given) if (given := environ.get("VEIL_KEY_FILE")) else None)
    key = read_key(file) if file else login.key if login else ""
    trusted = str(ca or environ.get("VEIL_CA", "") or (login.ca if login else ""))
    with client(at, ca=trusted) as http:
        if key:
            _check_safe(http.base_url)
        yield Connection(http, key)


@contextmanager
def speaking(server: str, key: str = "", *, ca: str = "") -> Iterator[Connection]:
    """Lends a connection over which a secret is sent: a key, or a password.

    Args:
        server: From `address`.
        key: API key; "" to call as a visitor.
        ca: PEM file of the server's certification authority; "" for those of this machine.

    Raises:
        InputError: The secret would travel unencrypted, or the file is none.
    """
    with client(server, ca=ca) as http:
        _check_safe(http.base_url)
        yield Connection(http, key)


def client(server: str, *, ca: str = "") -> httpx2.Client:
    """Returns an HTTP client of one server, which follows no redirects: they would take the key.

    Args:
        server: From `address`.
        ca: PEM file of its certification authority; "" for those of this machine.

    Raises:
        InputError: The file is none.
    """
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            Text(f"{ca} is no file of certificates", f"{ca} 不是证书文件"),
            remedy=Text("name a PEM file with --ca", "请用 --ca 指定 PEM 文件"),
            code="login.ca",
        ) from error
    return httpx2.Client(base_url=server, verify=context, timeout=_TIMEOUT_S)


def address(server: str) -> str:
    """Returns a server's address in one spelling: scheme, host and port, no path.

    Raises:
        InputError: It is no address of a server.
    """
    try:
        url = httpx2.URL(server if "//" in server else f"https://{server}")
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    odd = not url.host or "%" in url.host or url.userinfo
    if url.scheme not in {"http", "https"} or odd:
        raise InputError(
            Text(f"{server!r} is no address of a server", f"“{server}”不是服务地址"),
            remedy=Text("write it as https://host:port", "请写成 https://主机:端口"),
            code="login.address",
        )
    return str(url.copy_with(path="/", query=None, fragment=None)).rstrip("/")


def read_key(file: Path) -> str:
    """Reads an API key from a file of mode 0600.

    Raises:
        TrustError: Others can read it.
        UnavailableError: It cannot be read.
        InputError: It holds no key.
    """
    text = read_private(file).decode("utf-8", "replace").strip()
    if not text.isascii() or not text.isprintable() or not text or " " in text:
        raise InputError(
            Text(f"{file} holds no key", f"{file} 中没有密钥"),
            remedy=Text("make one with: veil login URL", "请用 veil login URL 生成"),
            code="login.key",
        )
    return text


def _check_safe(url: httpx2.URL) -> None:
    """Refuses to send a secret where it can be read on the way."""
    if url.scheme == "https" or url.host == "localhost":
        return
    try:
        safe = ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        safe = False
    if not safe:
        raise InputError(
            Text(f"a key or password does not travel unencrypted to {url}",
                 f"密钥与密码不得以明文发送到 {url}"),
            remedy=Text("use https://", "请使用 https:// 地址"),
            code="login.plain",
        )  # fmt: skip
