"""``veil verify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from protos.language import Text

app = typer.Typer()


@app.command(help=str(Text("Check a receipt, offline.", "离线核验回执。")))
def verify(
    receipt: Annotated[
        Path, typer.Argument(help=str(Text("The receipt (JSON).", "回执文件(JSON)。")))
    ],
    pins: Annotated[
        Path | None,
        typer.Option(help=str(Text("pins.toml: whom you believe.", "pins.toml:您信任的身份。"))),
    ] = None,
) -> None:
    """Checks every signature and figure of a receipt, and says what failed and where."""
    from exchange.receipt import verify_receipt
    from exchange.views import show_report
    from protos.cards import Pins
    from protos.faults import InputError

    try:
        document = json.loads(receipt.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {receipt}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{receipt} is not JSON", remedy="give the file of --receipt") from error
    report = verify_receipt(document, pins=None if pins is None else Pins.load(pins))
    show_report(report)
    if not report.ok:
        raise typer.Exit(1)
