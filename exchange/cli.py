"""The root command ``veil``: a table of names, each imported only when it is called.

``veil --help`` must answer within 0.3 s, while some commands need libraries that take seconds
to import. So the help texts stand here, and a command's module is imported on its first use.
Every module of the table exports ``app``, a `typer.Typer` with one command or several; a
module that is not installed is not shown.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, cast

import typer
from typer.core import TyperGroup

from protos.faults import VeilError
from protos.language import Text, language

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter


@dataclass(frozen=True)
class Entry:
    """One line of the command table.

    Attributes:
        name: As typed.
        module: Exports ``app``.
        help: One line for ``veil --help``.
    """

    name: str
    module: str
    help: Text


COMMANDS: Final[tuple[Entry, ...]] = (
    Entry("demo", "exchange.commands.demo",
          Text("Show it all on this machine with generated data", "用生成的数据在本机完整演示")),
    Entry("up", "exchange.commands.up",
          Text("Start a whole exchange on this machine", "在本机启动整套交换系统")),
    Entry("down", "exchange.commands.down",
          Text("Stop what 'veil up' started", "停止由 veil up 启动的系统")),
    Entry("status", "exchange.commands.status",
          Text("Who takes part, and what runs here", "查看参与方和本机运行情况")),
    Entry("sql", "exchange.commands.sql",
          Text("Ask a question over all departments' data", "跨部门查询")),
    Entry("jobs", "exchange.commands.jobs",
          Text("Your questions that are still out", "尚未取回结果的提问")),
    Entry("fetch", "exchange.commands.fetch",
          Text("Take the answer of a question that was asked before", "取回先前提问的结果")),
    Entry("explain", "exchange.commands.explain",
          Text("What a question would tell whom, before it is asked", "提问之前说明谁会知道什么")),
    Entry("grant", "exchange.commands.grant",
          Text("Ask for, show and sign grants of exact answers", "申请、查看、签发精确结果的授权")),
    Entry("verify", "exchange.commands.verify",
          Text("Check a receipt or a certificate, offline", "离线核验回执或证书")),
    Entry("certificate", "exchange.commands.certificate",
          Text("Issue, log, show and revoke certificates", "签发、记录、查看、撤销证书")),
    Entry("exchange", "exchange.commands.exchange",
          Text("Run the exchange itself", "运行交换中心")),
    Entry("node", "compute_nodes.cli",
          Text("Run a department's node", "运行部门节点")),
    Entry("catalog", "catalog.cli",
          Text("Find and publish datasets", "检索与发布数据目录")),
    Entry("account", "catalog.cli.account",
          Text("Who may log in to a catalog, and as what", "管理目录的登录账号及其角色")),
    Entry("login", "catalog.client.cli.login",
          Text("Log in to a catalog's server", "登录目录服务")),
    Entry("logout", "catalog.client.cli.logout",
          Text("Log out again", "退出登录")),
    Entry("demand", "catalog.client.cases.demand",
          Text("Ask for data that is not there, and answer", "提出与答复数据需求")),
    Entry("request", "catalog.client.cases.request",
          Text("Ask to use data, and decide on it", "申请使用数据及签批")),
    Entry("asset", "catalog.client.cases.asset",
          Text("Register data assets", "数据资产登记")),
    Entry("authorise", "catalog.client.cases.authorise",
          Text("Authorise uses of your own data", "数据主体授权")),
    Entry("product", "catalog.client.cases.product",
          Text("Offer and order data products", "数据产品上架与订购")),
    Entry("portal", "catalog.cli.portal",
          Text("Serve the open-data portal", "运行开放数据门户")),
    Entry("desensitize", "desensitize.cli",
          Text("Grade, mask and measure a dataset", "数据分级、脱敏与风险评估")),
)  # fmt: skip

_ABOUT: Final = Text(
    "Veil answers questions over data that stays where it is.",
    "Veil：数据不出域，可用不可见。",
)


def _installed(module: str) -> bool:
    """Whether the module is there, without importing it."""
    return find_spec(module) is not None


class LazyCommands(Mapping[str, "Command"]):
    """The installed commands by name; a value is imported when it is looked up."""

    def __init__(self, table: tuple[Entry, ...]) -> None:
        self.entries = {entry.name: entry for entry in table if _installed(entry.module)}

    def __getitem__(self, name: str) -> Command:
        """Imports the command's module."""
        entry = self.entries[name]
        program = importlib.import_module(entry.module).app
        # As plain as the root's: Rich takes [words in brackets] for markup, and cuts off Chinese
        # text, which has no spaces to be broken at.
        program.rich_markup_mode = None
        command = typer.main.get_command(program)
        command.name = name
        command.help = command.help or str(entry.help)
        return command

    def __iter__(self) -> Iterator[str]:
        """Names in the order of the table."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Number of installed commands."""
        return len(self.entries)


class RootGroup(TyperGroup):
    """A group whose commands come from `COMMANDS`."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - Typer's own signature
        super().__init__(**attributes)
        self._lazy = LazyCommands(COMMANDS)
        # Typer only reads it; a plain dict would have to import every command first.
        self.commands = cast("MutableMapping[str, Command]", self._lazy)

    def format_commands(
        self,
        ctx: Context,  # noqa: ARG002 - Typer's own signature
        formatter: HelpFormatter,
    ) -> None:
        """Writes the table of commands from their names and texts alone."""
        rows = [(entry.name, str(entry.help)) for entry in self._lazy.entries.values()]
        if rows:
            with formatter.section(str(Text("Commands", "命令"))):
                formatter.write_dl(rows)


app = typer.Typer(
    cls=RootGroup,
    help=str(_ABOUT),
    no_args_is_help=True,
    add_completion=False,
    # Plain help: Rich would take longer to import than all the rest.
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"veil {version('veil-exchange')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False,
        "--version",
        is_eager=True,
        callback=_show_version,
        help=str(Text("Show the version and exit.", "显示版本并退出。")),
    ),
) -> None:
    del version  # its callback has done the work


def main() -> None:
    """Runs the command line; a `VeilError` becomes two lines and exit code 1."""
    # Before grpc is imported: otherwise every stranger's broken handshake writes a line.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    sys.excepthook = _own_mistake
    command = typer.main.get_command(app)
    try:
        _run_in_chinese(command) if language() == "zh" else command(prog_name="veil")
    except VeilError as error:
        from protos.terminal import print_error

        print_error(error)
        sys.exit(1)


def _run_in_chinese(command: Command) -> None:
    """Runs it with Typer's own words in Chinese, too."""
    from typer._click.exceptions import ClickException

    from exchange import command_words

    command_words.install()
    try:
        code = command(prog_name="veil", standalone_mode=False)
    except ClickException as error:
        typer.echo(command_words.mistake(error), err=True)
        sys.exit(error.exit_code)
    except typer.Abort:
        typer.echo("已中止", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _own_mistake(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Says that Veil itself went wrong; the traceback is for those who ask for it."""
    if os.environ.get("VEIL_TRACEBACK"):
        traceback.print_exception(kind, error, trace)
        return
    text = Text(
        "This is a mistake in Veil, not in what you did: {kind}. "
        "Set VEIL_TRACEBACK=1 and run it again to see where; please report it.",
        "这是 Veil 自身的错误，不是您的操作问题：{kind}。"
        "请设置 VEIL_TRACEBACK=1 后重试以查看位置，并报告给我们。",
    )
    sys.stderr.write(f"{text.format(kind=kind.__name__)}\n")


if __name__ == "__main__":
    main()
