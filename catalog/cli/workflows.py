"""``pin`` and ``cases``: what the operator of a catalog does for its workflows."""

from __future__ import annotations

from typing import Annotated

import typer

from catalog.cli_options import DEFAULT, CatalogDirectory, opened, said
from protos.language import Text

app = typer.Typer()


@app.command(
    help=said(
        "Name the key of a department's node; grants that it signs are taken, and no others.",
        "登记部门节点的密钥指纹；只接受由其签署的授权。",
    )
)
def pin(
    department: Annotated[str, typer.Argument(help=said("Its code.", "部门代码。"))],
    fingerprint: Annotated[
        str,
        typer.Argument(help=said("64 digits, compared with the department by telephone.",
                                 "64 位指纹，须与该部门电话核对。")),
    ],
    directory: CatalogDirectory = DEFAULT,
) -> None:  # fmt: skip
    """Pins a department's node."""
    from catalog.workflows.lookups import department as known
    from catalog.workflows.request_rules import PINS
    from protos import terminal
    from protos.cards import Pins

    with opened(directory) as registry:
        with registry.database.read() as connection:
            known(connection, department)
        pins = Pins.load(registry.directory / PINS)
        pins.add("department", department, "".join(fingerprint.split()).lower())
        pins.save(registry.directory / PINS)
    terminal.done(Text(f"{department} is pinned.", f"{department} 已登记。"))


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
    from catalog.workflows.verifying import verify_all
    from protos import terminal

    with opened(directory) as registry, opened_to_read(directory / DIRECTORY) as office:
        count = verify_all(registry, None if office is None else office.book, WORKFLOWS)
    log = (
        Text("there is no log in this directory", "本目录中没有日志")
        if office is None
        else Text("none is missing that the log has", "日志所载无一缺失")
    )
    terminal.done(Text(f"{count} events hold; {log.en}.", f"{count} 条记录核验通过；{log.zh}。"))
