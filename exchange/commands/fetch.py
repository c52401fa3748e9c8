"""``veil fetch``."""

from __future__ import annotations

from typing import Annotated

import typer

from exchange.commands.options import CertificateFile, Output, ProfileFile, ReceiptFile
from protos.language import Text

app = typer.Typer(add_completion=False)


@app.command(
    help=str(
        Text(
            "Take the answer of a question that was asked before, or wait for it.",
            "取回先前提问的结果，未完成则等待。",
        )
    )
)
def fetch(
    job: Annotated[
        str,
        typer.Argument(
            help=str(
                Text(
                    "The job, or the beginning of its number (veil jobs).",
                    "任务编号或其开头（见 veil jobs）。",
                )
            )
        ),
    ],
    profile: ProfileFile = None,
    output: Output = None,
    receipt: ReceiptFile = None,
    certificate: CertificateFile = None,
) -> None:
    """Waits for a job's answer as ``veil sql`` does; Ctrl-C cancels it here, too."""
    from exchange.analyst.client import connect
    from exchange.analyst.saving import check_places
    from exchange.commands.following import deliver

    check_places(output, receipt, certificate)
    with connect(profile) as veil:
        deliver(veil, veil.job(job), output, receipt, certificate)
