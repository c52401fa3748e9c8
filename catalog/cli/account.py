"""``veil account``: who may log in, for the operator of a catalog's directory.

Whoever can write the directory is the operator: these commands ask for no login. They stand in
the audit journal like calls from elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from catalog.cli_options import (
    DEFAULT,
    AsJson,
    CatalogDirectory,
    PasswordFile,
    print_json,
    read_password,
    said,
)
from protos.language import Text

if TYPE_CHECKING:
    from catalog.access.accounts import Account
    from catalog.access.gate import Gate

_SHOWN: Final = 3  # scopes of a key that a table lists

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=said("Who may log in to a catalog, and as what (for its operator).",
              "管理目录的登录账号及其角色（供运维人员使用）。"),
)  # fmt: skip
NameArgument = Annotated[str, typer.Argument(help=said("The account.", "账号。"))]


@app.command(help=said("Add an account.", "新增账号。"))
def add(
    name: NameArgument,
    directory: CatalogDirectory = DEFAULT,
    title: Annotated[str, typer.Option(help=said("What people read.", "显示名称。"))] = "",
    role: Annotated[
        list[str] | None, typer.Option(help=said("A role; may be repeated.", "角色，可重复指定。"))
    ] = None,
    department: Annotated[
        str, typer.Option(help=said("Code of its department.", "所属部门代码。"))
    ] = "",
    subject: Annotated[
        str,
        typer.Option(help=said("The person or firm that it stands for.",
                               "账号所代表的个人或企业。")),
    ] = "",
    password_file: PasswordFile = None,
    without_password: Annotated[
        bool,
        typer.Option("--without-password", help=said("It will log in in another way.",
                                                     "不设密码，使用其他方式登录。")),
    ] = False,
) -> None:  # fmt: skip
    """Adds an account."""
    from catalog.access.accounts import Account, read_roles
    from protos import terminal

    roles = read_roles(role or [])
    account = Account(name, title, roles, department, subject)
    told = _told({"roles": roles, "department": department, "subject": subject})
    with _opened(directory, f"add {name}: {told}") as gate:
        kept = ""
        if not without_password:
            kept = gate.logins.new_password(name, _new_password(password_file))
        gate.accounts.add(account, password=kept)
    terminal.done(Text(f"Account {name} is there.", f"账号 {name} 已创建。"))


@app.command("list", help=said("List accounts.", "列出账号。"))
def list_all(directory: CatalogDirectory = DEFAULT, as_json: AsJson = False) -> None:
    """Lists all accounts."""
    from catalog.access.roles import ROLES, TITLES
    from protos import terminal

    with _opened(directory) as gate:
        accounts: list[Account] = []
        while page := gate.accounts.page(accounts[-1].name if accounts else ""):
            accounts += page
        factors = gate.accounts.with_second_factor()
    if as_json:
        print_json([each.to_dict() | {"second_factor": each.name in factors} for each in accounts])
        return
    columns = (Text("Account", "账号"), Text("Name", "名称"), Text("Roles", "角色"),
               Text("Department", "部门"), Text("Second factor", "双因素"),
               Text("Enabled", "启用"))  # fmt: skip
    rows = [
        (each.name, each.title,
         str(Text(", ", "、")).join(
             str(TITLES[role]) for role in sorted(each.roles, key=ROLES.index)),
         each.department, "✓" if each.name in factors else "", "✓" if each.enabled else "✗")
        for each in accounts
    ]  # fmt: skip
    terminal.table([str(column) for column in columns], rows)


@app.command(help=said("Give an account these roles, and no others.", "设定账号的全部角色。"))
def roles(
    name: NameArgument,
    role: Annotated[
        list[str] | None, typer.Argument(help=said("All that it holds; none for no role.",
                                                   "全部角色；留空表示无角色。"))
    ] = None,
    directory: CatalogDirectory = DEFAULT,
    department: Annotated[
        str | None, typer.Option(help=said("Code of its department; stays by default.",
                                           "所属部门代码；缺省不变。"))
    ] = None,
) -> None:  # fmt: skip
    """Sets roles, and the department in which they are held."""
    from catalog.access.accounts import read_roles

    changes: dict[str, object] = {"roles": read_roles(role or [])}
    if department is not None:
        changes["department"] = department
    _change(directory, name, changes, Text("roles are set", "角色已设定"))


@app.command(help=said("Shut an account out: its sessions and keys end at once.",
                       "停用账号：其会话与密钥立即失效。"))  # fmt: skip
def disable(name: NameArgument, directory: CatalogDirectory = DEFAULT) -> None:
    """Disables an account."""
    _change(directory, name, {"enabled": False}, Text("may not log in any more", "已停用"))


@app.command(help=said("Let an account in again.", "恢复账号。"))
def enable(name: NameArgument, directory: CatalogDirectory = DEFAULT) -> None:
    """Enables an account."""
    _change(directory, name, {"enabled": True}, Text("may log in again", "已恢复"))


@app.command(help=said("Give an account another password; its sessions end. Its API keys go on.",
                       "重设账号密码；其会话随即失效，API 密钥继续有效。"))  # fmt: skip
def password(
    name: NameArgument,
    directory: CatalogDirectory = DEFAULT,
    password_file: PasswordFile = None,
    end_keys: Annotated[
        bool,
        typer.Option("--end-keys", help=said("End all its API keys, too.",
                                             "同时吊销其全部 API 密钥。")),
    ] = False,
) -> None:  # fmt: skip
    """Sets a password."""
    from protos import terminal

    with _opened(directory, f"password {name}{' --end-keys' if end_keys else ''}") as gate:
        gate.accounts.get(name)
        gate.logins.set_password(name, _new_password(password_file))
        if end_keys:
            gate.keys.revoke_all(name)
    terminal.done(Text(f"{name} has another password.", f"{name} 的密码已重设。"))


@app.command(help=said("Give an account a second factor (one-time codes), or take it away.",
                       "为账号启用或移除双因素验证（一次性验证码）。"))  # fmt: skip
def totp(
    name: NameArgument,
    directory: CatalogDirectory = DEFAULT,
    remove: Annotated[
        bool, typer.Option("--remove", help=said("Take it away.", "移除。"))
    ] = False,
) -> None:  # fmt: skip
    """Shows the secret for an authenticator app, and asks for a code of it."""
    import io

    import segno

    from protos import terminal

    with _opened(directory, f"totp {name}{' --remove' if remove else ''}") as gate:
        gate.accounts.get(name)
        if remove:
            gate.factors.remove(name)
            terminal.done(Text(f"{name} logs in without it.", f"{name} 已移除双因素验证。"))
            return
        secret = gate.factors.begin(name)
        picture = io.StringIO()
        segno.make(secret.url).terminal(picture, compact=True)
        typer.echo(picture.getvalue())
        terminal.say(Text(f"Secret: {secret.text}", f"密钥：{secret.text}"))
        code = typer.prompt(said("A code of the app", "请输入应用中的验证码"))
        codes = gate.factors.confirm(name, code)
    terminal.done(Text("It counts from now on. Recovery codes, each for one login:",
                       "双因素验证已启用。恢复码（每个限用一次）："))  # fmt: skip
    for each in codes:
        terminal.say(each, indent=2)


@app.command(help=said("List an account's API keys, or revoke one.",
                       "列出或吊销账号的 API 密钥。"))  # fmt: skip
def keys(
    name: NameArgument,
    directory: CatalogDirectory = DEFAULT,
    revoke: Annotated[
        int, typer.Option(help=said("Number of the key that ends.", "要吊销的密钥编号。"))
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Lists keys; the keys themselves are kept nowhere."""
    from catalog.access.keys import unknown, usual_scopes
    from protos import terminal

    with _opened(directory, f"keys {name} --revoke {revoke}" if revoke else "") as gate:
        holder = gate.accounts.get(name).principal()
        if revoke:
            if gate.keys.get(revoke).account != name:
                raise unknown(revoke)
            gate.keys.revoke(revoke)
        found = gate.keys.all(name)
    if as_json:
        print_json([each.to_dict() for each in found])
        return
    columns = (Text("Key", "编号"), Text("For", "用途"), Text("Until", "有效期至"),
               Text("Last used", "最近使用"), Text("Scopes", "权限范围"))  # fmt: skip
    usual = usual_scopes(holder)
    rows = [
        (each.number, each.label,
         str(Text("revoked", "已吊销")) if each.revoked_at else _day(each.expires_at),
         _day(each.used_at), _scopes(each.scopes, usual))
        for each in found
    ]  # fmt: skip
    terminal.table([str(column) for column in columns], rows, right=[0])


@app.command(help=said("Make an API key of an account, into a file of mode 0600.",
                       "为账号生成 API 密钥，写入权限为 0600 的文件。"))  # fmt: skip
def key(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help=said("A new file.", "新文件。"))],
    directory: CatalogDirectory = DEFAULT,
    label: Annotated[str, typer.Option(help=said("What for.", "用途。"))] = "veil account key",
    scope: Annotated[
        list[str] | None,
        typer.Option(help=said("An action that it allows; may be repeated. By default all but "
                               "those that change logins.",
                               "允许的操作，可重复指定；缺省为除变更登录外的全部操作。")),
    ] = None,
    days: Annotated[int, typer.Option(help=said("How long it holds.", "有效天数。"))] = 90,
    per_minute: Annotated[
        int, typer.Option(help=said("Most calls a minute.", "每分钟调用上限。"))
    ] = 600,
    per_day: Annotated[
        int, typer.Option(help=said("Most calls a day.", "每日调用上限。"))
    ] = 50_000,
) -> None:  # fmt: skip
    """Makes a key without a login."""
    from catalog.access.keys import Wish, usual_scopes
    from protos import terminal
    from protos.keyfile import write_private

    with _opened(directory, f"key {name}") as gate:
        maker = gate.accounts.get(name).principal()
        wish = Wish(label, scope or usual_scopes(maker), days * 86_400, per_minute, per_day)
        made, text = gate.keys.add(maker, wish)
        try:
            write_private(file, text.encode())
        except BaseException:
            gate.keys.revoke(made.number)  # nobody will ever have it
            raise
    terminal.done(Text(f"Key {made.number} of {name} is in {file}.",
                       f"{name} 的密钥 {made.number} 已写入 {file}。"))  # fmt: skip


def _change(directory: Path, name: str, changes: dict[str, object], done: Text) -> None:
    from protos import terminal

    with _opened(directory, f"change {name}: {_told(changes)}") as gate:
        gate.accounts.change(name, changes, anyway=True)
    terminal.done(Text(f"{name}: {done.en}.", f"{name}：{done.zh}。"))


def _told(changes: Mapping[str, object]) -> str:
    """Returns what is to be changed into what, for the journal."""
    said = {
        name: " ".join(sorted(value)) if isinstance(value, frozenset) else str(value)
        for name, value in changes.items()
    }
    return ", ".join(f"{name}={value!r}" for name, value in sorted(said.items()))


@contextmanager
def _opened(directory: Path, does: str = "") -> Iterator[Gate]:
    """Opens the gate; what a command does is written to the journal first."""
    import getpass

    from catalog.web.services import services

    with services(directory, public=False) as found:
        if does:
            found.audit.write({
                "action": "account.write", "account": "", "operator": getpass.getuser(),
                "command": f"veil account {does}",
            })  # fmt: skip
        if found.gate is None:
            raise AssertionError
        yield found.gate


def _scopes(scopes: Collection[str], usual: Collection[str]) -> str:
    """What a key allows, on a line: a key may do some forty things, and --json has them all."""
    if set(scopes) == set(usual):
        return str(Text(f"all the usual ones ({len(scopes)})", f"常用权限（{len(scopes)} 项）"))
    shown = sorted(scopes)
    more = len(shown) - _SHOWN
    if more <= 0:
        return ", ".join(shown)
    listed = ", ".join(shown[:_SHOWN])
    return str(
        Text(f"{listed} and {more} more (--json)", f"{listed} 等 {more + _SHOWN} 项（--json）")
    )


def _new_password(file: Path | None) -> str:
    return read_password(file, Text("New password", "新密码"), twice=True)


def _day(second: int | None) -> str:
    import datetime as dt

    return "" if second is None else f"{dt.datetime.fromtimestamp(second, dt.UTC):%Y-%m-%d}"
