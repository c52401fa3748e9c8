"""``pin`` and ``cases``: what the operator of a catalog does for its workflows."""

from __future__ import annotations

from typing import Annotated

import typer

from catalog.cli_options import DEFAULT, CatalogDirectory, opened, said
from protos.language import Text

app = typer.Typer()


@app.command(
    help=said(
        "Confirm the key of a department's node: grants that it signs are taken, and no others. "
        "Without arguments, list the nodes that have enrolled.",
        "确认部门节点的密钥：只接受由其签署的授权。不带参数时列出已注册的节点。",
    )
)
def pin(
    department: Annotated[str, typer.Argument(help=said("Its code.", "部门代码。"))] = "",
    fingerprint: Annotated[
        str,
        typer.Argument(help=said("64 digits that the department has told; without them, you are "
                                 "shown those of the node that has enrolled, and asked.",
                                 "部门告知的 64 位指纹；缺省则显示已注册节点的指纹并要求确认。")),
    ] = "",
    directory: CatalogDirectory = DEFAULT,
) -> None:  # fmt: skip
    """Pins a department's node, or lists nodes."""
    from catalog.show.nodes import compare, show_nodes
    from catalog.workflows.node_pins import confirm, enrolled_nodes
    from protos import terminal

    with opened(directory) as registry:
        nodes = enrolled_nodes(registry.directory)
        if not department:
            show_nodes(nodes)
            return
        ours = [each for each in nodes if each.department == department]
        told = fingerprint or compare(department, ours)
        confirm(registry, department, told)
    terminal.done(Text(f"{department} is pinned.", f"{department} 已登记。"))
    if ours and "".join(told.split()).lower() not in {each.fingerprint for each in ours}:
        terminal.say(
            Text("The node that has enrolled for it has another key: ask who that is.",
                 "以该部门名义注册的节点使用的是其他密钥，请查明其身份。"),
            style=terminal.BAD,
        )  # fmt: skip


@app.command(
    help=said(
        "Verify every case: signatures, chains, officers' decisions, and that the log has no more.",
        "核验全部案件：签名、链条、签批决定，以及日志中没有多出的记录。",
    )
)
def cases(directory: CatalogDirectory = DEFAULT) -> None:
    """Verifies all cases."""
    from catalog.certificates.open_office import DIRECTORY, opened_to_read
    from catalog.workflows.all import WORKFLOWS
    from catalog.workflows.clocks import FILE, read_clocks
    from catalog.workflows.verifying import verify_all
    from protos import terminal

    own = len(read_clocks(directory, WORKFLOWS).days)
    with opened(directory) as registry, opened_to_read(directory / DIRECTORY) as office:
        count = verify_all(registry, None if office is None else office.book, WORKFLOWS)
    log = (
        Text("there is no log in this directory", "本目录中没有日志")
        if office is None
        else Text("none is missing that the log has", "日志所载无一缺失")
    )
    terminal.done(Text(f"{count} events hold; {log.en}.", f"{count} 条记录核验通过；{log.zh}。"))
    if (directory / FILE).exists():
        terminal.say(
            Text(f"{FILE} is well formed, states with days of its own: {own}. A running server "
                 "reads it at once.",
                 f"{FILE} 格式正确，自定义期限 {own} 项，运行中的服务立即采用。")
        )  # fmt: skip
