"""``veil sql``."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.commands.options import (
    CertificateFile,
    Epsilon,
    Exact,
    Output,
    ProfileFile,
    Project,
    ProtocolName,
    ReceiptFile,
    Sql,
    WaitSeconds,
    Without,
)
from protos.language import Text

app = typer.Typer(add_completion=False)


@app.command(help=str(Text("Ask a question over all departments' data.", "跨部门查询。")))
def sql(
    statement: Sql,
    profile: ProfileFile = None,
    epsilon: Epsilon = None,
    exact: Exact = False,
    protocol: ProtocolName = None,
    project: Project = None,
    purpose: Annotated[str, typer.Option(help=str(Text("What the answer is for.", "用途。")))] = "",
    without: Without = None,
    wait_s: WaitSeconds = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help=str(
                Text(
                    "Ask anew, and pay again, although the same question was answered before.",
                    "即使相同问题已有答案，也重新查询并再次消耗预算。",
                )
            ),
        ),
    ] = False,
    output: Output = None,
    receipt: ReceiptFile = None,
    certificate: CertificateFile = None,
) -> None:
    """Asks, shows progress by round, and prints the answer with its error bars."""
    from exchange.analyst.client import connect
    from exchange.analyst.saving import check_places
    from exchange.commands.following import deliver
    from protos import terminal

    check_places(output, receipt, certificate)
    with connect(profile) as veil:
        with terminal.progress(Text("Planning", "正在规划")):
            job = veil.submit(
                statement,
                epsilon=epsilon,
                exact=exact,
                protocol=protocol,
                project=project,
                purpose=purpose,
                without=without or [],
                wait_s=wait_s,
                fresh=fresh,
            )
        deliver(veil, job, output, receipt, certificate)
