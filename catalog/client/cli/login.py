"""``veil login``: exchanges a password for an API key, which other commands use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.cli_options import PasswordFile, read_password, said
from protos.language import Text

app = typer.Typer(add_completion=False)


@app.command(help=said("Log in to a catalog's server: other commands then speak to it. The "
                       "password is exchanged for a key, kept in a file of mode 0600.",
                       "登录目录服务，供其他命令使用。"
                       "密码换取密钥，密钥保存在权限为 0600 的文件中。"))  # fmt: skip
def login(
    server: Annotated[str, typer.Argument(help=said("https://host:port", "https://主机:端口"))],
    account: Annotated[
        str, typer.Option(help=said("The account; asked for by default.", "账号；缺省为交互输入。"))
    ] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help=said("An action that the key allows; may be repeated. By default all "
                               "but those that change logins.",
                               "密钥允许的操作，可重复指定；缺省为除变更登录外的全部操作。")),
    ] = None,
    days: Annotated[
        int, typer.Option(help=said("How long the key holds.", "密钥有效天数。"))
    ] = 30,
    ca: Annotated[
        Path | None,
        typer.Option(help=said("PEM file of the server's certification authority.",
                               "服务器证书颁发机构的 PEM 文件。")),
    ] = None,
    password_file: PasswordFile = None,
    code: Annotated[
        str,
        typer.Option(help=said("One-time code, if the account has a second factor.",
                               "验证码（启用双因素验证的账号）。")),
    ] = "",
) -> None:  # fmt: skip
    """Makes a key and keeps it."""
    import platform

    from catalog.client import profile
    from protos import terminal

    at = profile.address(server)
    name = account or typer.prompt(said("Account", "账号"))
    password = read_password(password_file, Text("Password", "密码"))
    trusted = str(ca.resolve()) if ca is not None else ""
    with profile.speaking(at, ca=trusted) as catalog:
        made = catalog.send("POST", "/api/login/key", {
            "name": name, "password": password, "code": code, "lasts_days": days,
            "label": f"veil login: {platform.node() or '?'}"[:100], "scopes": scope or [],
        })  # fmt: skip
    kept = profile.Login(at, made["account"], made["number"], made["key"], trusted)
    profile.Logins(profile.folder()).keep(kept)
    terminal.done(Text(f"Logged in at {at} as {kept.account}.", f"已以 {kept.account} 登录 {at}。"))
