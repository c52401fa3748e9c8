"""``veil certificate``: an office that issues certificates, its log, and its witnesses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from catalog.cli_options import AsJson, print_json
from exchange.commands import certificate_log, certificate_witness
from exchange.commands.certificate_options import DEFAULT, OfficeDirectory, opened
from protos.language import Text

if TYPE_CHECKING:
    from catalog.certificates.office import CertificateOffice
    from catalog.certificates.records import Record
    from catalog.certificates.status import Purpose

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(Text("Issue, log, show and revoke certificates.", "签发、记录、查看、撤销证书。")),
)
issue_app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(Text("Issue a certificate.", "签发证书。")),
)
app.add_typer(issue_app, name="issue")
app.add_typer(certificate_log.app, name="log")
app.add_typer(certificate_witness.app, name="witness")

Identifier = Annotated[
    str, typer.Argument(help=str(Text("Beginning of the certificate's id.", "证书编号的开头。")))
]
Reason = Annotated[
    str, typer.Option(help=str(Text("Why; it is signed and logged.", "原因；将被签名并记录。")))
]
PinsFile = Annotated[
    Path,
    typer.Option(
        help=str(
            Text(
                "pins.toml: departments and analysts whom you believe.", "pins.toml：您信任的身份。"
            )
        )
    ),
]


@app.command(
    help=str(
        Text("Make an office: keys, log, public files.", "新建证书机构：密钥、日志、公开文件。")
    )
)
def init(
    directory: OfficeDirectory = DEFAULT,
    name: Annotated[
        str, typer.Option(help=str(Text("Name of the issuer.", "签发者名称。")))
    ] = "exchange",
    log: Annotated[
        str,
        typer.Option(
            help=str(
                Text(
                    "Name of the log, like a web address without https://.",
                    "日志名称，形如不带 https:// 的网址。",
                )
            )
        ),
    ] = "exchange.example/certificates",
    key: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "The exchange's identity.key, to sign with; a new key if not given.",
                    "用于签名的交换中心 identity.key；缺省则生成新密钥。",
                )
            )
        ),
    ] = None,
) -> None:
    """Makes a new directory."""
    from catalog.certificates.office_files import OfficeFiles
    from protos import terminal
    from protos.identity import IdentityKey

    files = OfficeFiles(directory)
    files.create(name, log, None if key is None else IdentityKey.load(key))
    terminal.done(
        Text(
            f"Made {directory}. Hand out what is in {files.pins_file.parent}.",
            f"已创建 {directory}。请公开 {files.pins_file.parent} 中的文件。",
        )
    )


@issue_app.command(help=str(Text("Register a dataset by its declaration.", "按声明登记数据集。")))
def registration(
    dataset: Annotated[
        Path, typer.Argument(help=str(Text("The declaration (TOML).", "数据集声明（TOML）。")))
    ],
    grade: Annotated[
        Literal["L1", "L2", "L3", "L4"],
        typer.Option(help=str(Text("Of its most sensitive column.", "最敏感列的分级。"))),
    ],
    valid_days: Annotated[
        int, typer.Option(min=1, max=36_500, help=str(Text("Days it is valid.", "有效天数。")))
    ] = 1095,
    directory: OfficeDirectory = DEFAULT,
) -> None:
    """Issues a registration."""
    import time

    from catalog.certificates.kinds import registration_of
    from catalog.certificates.office import Application
    from catalog.config import load_dataset

    subject = registration_of(load_dataset(dataset), grade)
    until = int(time.time()) + valid_days * 24 * 3600
    with opened(directory) as office:
        _say_issued(office.issue(Application(subject, until)))


@issue_app.command(
    help=str(
        Text("Certify the grants that a receipt's plan carries.", "为回执所含的授权签发证书。")
    )
)
def authorisation(
    receipt: Annotated[
        Path, typer.Argument(help=str(Text("The receipt (JSON).", "回执文件（JSON）。")))
    ],
    pins: PinsFile,
    directory: OfficeDirectory = DEFAULT,
) -> None:
    """Issues one authorisation for each grant that has none yet."""
    from exchange.proof.certifying import certify_grants, verified_receipt
    from protos import terminal

    document = verified_receipt(receipt, pins)
    with opened(directory) as office:
        issued = certify_grants(office, document)
    for record in issued:
        _say_issued(record)
    if not issued:
        terminal.say(
            Text("Nothing to do: no grant without a certificate.", "无需签发：没有未认证的授权。")
        )


@issue_app.command(help=str(Text("Certify a result by its receipt.", "按回执为结果签发证书。")))
def circulation(
    receipt: Annotated[
        Path, typer.Argument(help=str(Text("The receipt (JSON).", "回执文件（JSON）。")))
    ],
    pins: PinsFile,
    directory: OfficeDirectory = DEFAULT,
) -> None:
    """Issues a circulation that leads to registration and authorisations."""
    from exchange.proof.certifying import certify_result, verified_receipt

    document = verified_receipt(receipt, pins)
    with opened(directory) as office:
        _say_issued(certify_result(office, document))


@app.command(
    "list", help=str(Text("List certificates, the latest first.", "列出证书，最新的在前。"))
)
def list_(
    kind: Annotated[
        Literal["registration", "authorisation", "circulation", "status"] | None,
        typer.Option(help=str(Text("Only of this kind.", "仅列出该类型。"))),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help=str(Text("Only about this dataset.", "仅列出该数据集。")))
    ] = None,
    directory: OfficeDirectory = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Lists certificates."""
    from exchange.proof.certificate_views import as_dicts, show_records

    with opened(directory) as office:
        records = office.listed(None if kind is None else _KINDS[kind], dataset)
        states = [office.state(record) for record in records]
    if as_json:
        print_json(as_dicts(records, states))
    else:
        show_records(records, states)


@app.command(
    help=str(
        Text(
            "Show a certificate; write its bundle or its QR code.",
            "查看证书，导出证书文件或二维码。",
        )
    )
)
def show(
    certificate: Identifier,
    output: Annotated[
        Path | None,
        typer.Option(
            help=str(Text("Write the bundle for veil verify.", "导出供 veil verify 核验的文件。"))
        ),
    ] = None,
    linked: Annotated[
        bool,
        typer.Option(
            "--linked",
            help=str(
                Text("… with all certificates that it leads to.", "……并附上其引用的全部证书。")
            ),
        ),
    ] = False,
    qr: Annotated[
        bool, typer.Option("--qr", help=str(Text("Print its QR code.", "显示二维码。")))
    ] = False,
    svg: Annotated[
        Path | None,
        typer.Option(help=str(Text("Write its QR code as SVG.", "将二维码写为 SVG。"))),
    ] = None,
    directory: OfficeDirectory = DEFAULT,
) -> None:
    """Shows a certificate with what it leads to, and what leads to it."""
    from exchange.proof.certificate_views import show_record

    with opened(directory) as office:
        record = office.find(certificate)
        show_record(record, office.state(record), office.cited_by(record), office.citing(record))
        _write(office, record, output, svg, linked=linked)
    if qr:
        from catalog.certificates.qr import for_terminal

        typer.echo(for_terminal(record))


def _changing(purpose: Purpose, *, value: bool = True) -> Callable[..., None]:
    """Returns the command that sets a bit, or clears it, and logs the signed change."""

    def change(
        certificate: Identifier, reason: Reason, directory: OfficeDirectory = DEFAULT
    ) -> None:
        with opened(directory) as office:
            _say_issued(office.change(certificate, purpose, reason, value=value))

    return change


app.command("revoke", help=str(Text("Revoke a certificate, for ever.", "撤销证书，不可恢复。")))(
    _changing("revocation")
)
app.command(
    "suspend", help=str(Text("Suspend a certificate until it is resumed.", "暂停证书，可恢复。"))
)(_changing("suspension"))
app.command("resume", help=str(Text("End a certificate's suspension.", "恢复被暂停的证书。")))(
    _changing("suspension", value=False)
)


def _write(
    office: CertificateOffice,
    record: Record,
    bundle: Path | None,
    svg: Path | None,
    *,
    linked: bool,
) -> None:
    from exchange.proof.files import write_file
    from protos import terminal

    if bundle is not None:
        write_file(bundle, office.bundle(record, linked=linked).to_bytes())
        terminal.done(Text(f"Wrote {bundle}. Check it: veil verify {bundle}",
                           f"已写入 {bundle}。核验：veil verify {bundle}"))  # fmt: skip
    if svg is not None:
        from catalog.certificates import qr

        write_file(svg, qr.svg(record).encode())
        terminal.done(Text(f"Wrote {svg}.", f"已写入 {svg}。"))


def _say_issued(record: Record) -> None:
    from catalog.certificates.kinds import TITLES
    from protos import terminal

    title = TITLES[record.kind]
    terminal.done(
        Text(
            f"{title.en} {record.id[:12]}, entry {record.entry} of the log",
            f"{title.zh} {record.id[:12]}，日志第 {record.entry} 条",
        )
    )


_KINDS: Final = {
    "registration": "VeilRegistration",
    "authorisation": "VeilAuthorisation",
    "circulation": "VeilCirculation",
    "status": "VeilStatusChange",
}
