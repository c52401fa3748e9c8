"""``veil logout``: revokes the key of a login, and forgets it."""

from __future__ import annotations

from typing import Annotated

import typer

from catalog.cli_options import said
from protos.language import Text

app = typer.Typer(add_completion=False)


@app.command(help=said("Log out: the key of the login ends at the server, and is forgotten here.",
                       "退出登录：在服务端吊销密钥，并删除本地记录。"))  # fmt: skip
def logout(
    server: Annotated[
        str,
        typer.Argument(help=said("Where; by default at your last login.",
                                 "服务地址；缺省为最近一次登录。")),
    ] = "",
    here_only: Annotated[
        bool,
        typer.Option("--here-only", help=said("Only forget the key here: it holds until it ends.",
                                              "仅删除本地记录；密钥到期前仍然有效。")),
    ] = False,
) -> None:  # fmt: skip
    """Revokes and forgets a key."""
    from catalog.client import profile
    from protos import terminal
    from protos.faults import InputError, LoginError

    logins = profile.Logins(profile.folder())
    kept = logins.find(profile.address(server) if server else "")
    if kept is None:
        raise InputError(
            Text("there is no login", "没有登录记录"),
            remedy=Text("nothing is to do", "无需操作"),
            code="login.none",
        )
    if not here_only:
        try:
            with profile.speaking(kept.server, kept.key, ca=kept.ca) as catalog:
                catalog.send("POST", "/api/logout")
        except LoginError:
            pass  # it has ended already
    logins.forget(kept.server)
    terminal.done(Text(f"Logged out at {kept.server}.", f"已退出 {kept.server}。"))
