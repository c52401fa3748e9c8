"""``veil verify``: a receipt, a certificate bundle, or somebody else's signed credential."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from protos.language import Text

if TYPE_CHECKING:
    from catalog.certificates.report import Report
    from protos.cards import Pins

INCOMPLETE: Final = 3

app = typer.Typer(add_completion=False)


@app.command(help=str(Text("Check a receipt or a certificate, offline.", "离线核验回执或证书。")))
def verify(
    file: Annotated[
        Path,
        typer.Argument(
            help=str(Text("The receipt or certificate (JSON).", "回执或证书文件（JSON）。"))
        ),
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
    policy: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "log.policy: the log of certificates and its witnesses.",
                    "log.policy：证书日志及其见证方。",
                )
            )
        ),
    ] = None,
    status: Annotated[
        list[Path] | None,
        typer.Option(
            help=str(
                Text(
                    "A newer bundle of the same issuer, for its status lists.",
                    "同一签发者较新的证书文件，取其状态列表。",
                )
            )
        ),
    ] = None,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial",
            help=str(
                Text(
                    "Accept a certificate whose file lacks what it names.",
                    "证书文件缺少其所指明的内容时也予以接受。",
                )
            ),
        ),
    ] = False,
) -> None:
    """Checks every signature and figure, and says what failed and where.

    Exit codes: 0 if nothing is wrong; 1 if something does not hold; 3 if a bundle lacks what its
    certificate names, as whoever hands it in must not decide what is looked at.
    """
    document, content = _read(file)
    trusted = _pins(pins)
    if document.get("type") == "veil-certificate-bundle":
        report = _certificate(content, trusted, policy, status or [])
    elif "proof" in document:
        report = _foreign(document)
    else:
        report = _receipt(document, trusted, table)
    if not report.sound:
        raise typer.Exit(1)
    if report.lacking and not partial:
        raise typer.Exit(INCOMPLETE)


def _receipt(document: object, pins: Pins | None, table: Path | None) -> Report:
    from exchange.proof.receipt import verify_receipt
    from exchange.proof.receipt_views import show_report

    body = None if table is None else _bytes(table)
    report = verify_receipt(document, pins=pins, table=body)
    show_report(report)
    return report


def _certificate(
    content: bytes, pins: Pins | None, policy: Path | None, status: list[Path]
) -> Report:
    import time

    from catalog.certificates.bundle import MOST_BYTES, Bundle
    from catalog.certificates.evidence import Trust
    from catalog.certificates.verification import verify_bundle
    from catalog.transparency.policy import LogPolicy
    from exchange.proof.certificate_views import show_verification

    newer = [
        token for path in status for token in Bundle.from_bytes(_bytes(path, MOST_BYTES)).status
    ]
    trust = Trust(
        int(time.time()), pins, None if policy is None else LogPolicy.load(policy), tuple(newer)
    )
    report = verify_bundle(content, trust)
    show_verification(report)
    return report


def _foreign(document: dict[str, Any]) -> Report:
    import time

    from catalog.certificates.foreign import verify_foreign
    from exchange.proof.certificate_views import show_verification

    report = verify_foreign(document, int(time.time()))
    show_verification(report, ours=False)
    return report


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Reads what is to be believed: what two readers would see two things in is nothing.

    Raises:
        InputError: It is too long, no JSON, or can be read in two ways.
    """
    from catalog.certificates.bundle import MOST_BYTES
    from protos.faults import InputError
    from protos.strict_json import read_strict

    content = _bytes(path, MOST_BYTES)
    try:
        return read_strict(content, most=MOST_BYTES), content
    except (ValueError, RecursionError) as error:
        raise InputError(
            Text(
                f"{path} is neither a receipt nor a certificate: it is no JSON object, or can be "
                "read in two ways",
                f"{path} 不是回执或证书：不是 JSON 对象，或可以有两种解读",
            ),
            remedy=Text(
                "give the file that veil sql … --receipt or veil certificate show … --output wrote",
                "请给出由 veil sql … --receipt 或 veil certificate show … --output 写出的文件",
            ),
            code="receipt.malformed",
            detail=str(error),
        ) from error


def _bytes(path: Path, most: int | None = None) -> bytes:
    """Reads a file; of a longer one than ``most`` bytes no more than that."""
    from protos.faults import InputError

    try:
        with path.open("rb") as file:
            content = file.read() if most is None else file.read(most + 1)
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
    if most is not None and len(content) > most:
        raise InputError(
            Text(f"{path} is longer than {most:,} bytes", f"{path} 超过 {most:,} 字节"),
            remedy=Text("is it the file that you meant?", "请确认是否选错了文件"),
            code="file.too_long",
        )
    return content


def _pins(path: Path | None) -> Pins | None:
    from protos.cards import Pins
    from protos.faults import InputError

    if path is None:
        return None
    if not path.is_file():
        raise InputError(
            Text(f"there is no file {path}", f"没有文件 {path}"),
            remedy=Text(
                "an analyst's pins.toml lies beside its keys; leave out --pins to go without",
                "分析员的 pins.toml 与其密钥在同一目录；不用时去掉 --pins",
            ),
            code="pins.missing",
        )
    return Pins.load(path)
