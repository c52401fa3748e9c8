"""``veil explain``."""

from __future__ import annotations

import typer

from exchange.commands.options import (
    Epsilon,
    ProfileFile,
    Project,
    ProtocolName,
    Sql,
    WaitSeconds,
    Without,
)
from protos.language import Text

app = typer.Typer(add_completion=False)


@app.command(
    help=str(
        Text("What a question would tell whom, before it is asked.", "提问之前说明谁会知道什么。")
    )
)
def explain(
    statement: Sql,
    profile: ProfileFile = None,
    epsilon: Epsilon = None,
    protocol: ProtocolName = None,
    project: Project = None,
    without: Without = None,
    wait_s: WaitSeconds = None,
) -> None:
    """Plans the question and prints what each party would learn, its cost, and its bytes."""
    from exchange.analyst.client import connect
    from exchange.analyst.views import show_explanation

    with connect(profile) as veil:
        show_explanation(
            veil.explain(
                statement,
                epsilon=epsilon,
                protocol=protocol,
                project=project,
                without=without or [],
                wait_s=wait_s,
            )
        )
