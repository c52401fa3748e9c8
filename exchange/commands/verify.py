"""``veil verify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from protos.language import Text

app = typer.Typer(add_completion=False)


@app.command(help=str(Text("Check a receipt, offline.", "离线核验回执。")))
def verify(
    receipt: Annotated[
        Path, typer.Argument(help=str(Text("The receipt (JSON).", "回执文件（JSON）。")))
    ],
    pins: Annotated[
        Path | None,
        typer.Option(help=str(Text("pins.toml: whom you believe.", "pins.toml：您信任的身份。"))),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "The result's file, to see that the receipt is its own.", "回执对应的结果文件。"
                )
            )
        ),
    ] = None,
) -> None:
    """Checks every signature and figure of a receipt, and says what failed and where."""
    from exchange.receipt import verify_receipt
    from exchange.views import show_report
    from protos.cards import Pins
    from protos.faults import InputError

    try:
        document = json.loads(receipt.read_text("utf-8"))
        body = None if table is None else table.read_bytes()
    except OSError as error:
        raise InputError(
            Text(
                f"cannot read {error.filename}: {error.strerror}",
                f"无法读取 {error.filename}：{error.strerror}",
            ),
            remedy=Text(
                "veil sql … --receipt FILE writes a receipt, --output FILE its table",
                "veil sql … --receipt FILE 写出回执，--output FILE 写出结果表",
            ),
            code="receipt.missing",
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            Text(f"{receipt} is not a receipt: it is not JSON", f"{receipt} 不是回执：不是 JSON"),
            remedy=Text(
                "give the file that veil sql … --receipt wrote",
                "请给出由 veil sql … --receipt 写出的文件",
            ),
            code="receipt.malformed",
        ) from error
    if pins is not None and not pins.is_file():
        raise InputError(
            Text(f"there is no file {pins}", f"没有文件 {pins}"),
            remedy=Text(
                "an analyst's pins.toml lies beside its keys; leave out --pins to go without",
                "分析员的 pins.toml 与其密钥在同一目录；不用时去掉 --pins",
            ),
            code="pins.missing",
        )
    trusted = None if pins is None else Pins.load(pins)
    report = verify_receipt(document, pins=trusted, table=body)
    show_report(report)
    if not report.ok:
        raise typer.Exit(1)
