"""``veil catalog publish`` and what belongs to it: what is public, and how it gets in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.cli_options import (
    DEFAULT,
    AsJson,
    ByOption,
    CatalogDirectory,
    Identifier,
    ReasonOption,
    SourceOption,
    opened,
    print_json,
    said,
    source_of,
)
from protos.language import Text

app = typer.Typer()
Release = Annotated[
    Path,
    typer.Argument(help=said("Directory of an attested release.", "已签署证明的发布目录。")),
]
DatasetOption = Annotated[
    str, typer.Option("--dataset", help=said("The dataset's code.", "信息资源代码。"))
]


@app.command(
    help=said(
        "Make an attested release public, if every rule holds; else say all that is missing.",
        "在全部规则满足时公开已签署证明的发布；否则列出全部缺项。",
    )
)
def publish(
    release: Release,
    dataset: DatasetOption,
    sign_offs: Annotated[
        list[Path] | None,
        typer.Option(
            "--sign-off",
            help=said("An officer's decision; may be given again.", "负责人签批文件；可多次指定。"),
        ),
    ] = None,
    synthetic: Annotated[
        bool,
        typer.Option(
            "--synthetic",
            help=said(
                "The rows are synthetic; readers are told.", "数据为合成数据；将向读者标明。"
            ),
        ),
    ] = False,
    directory: CatalogDirectory = DEFAULT,
    source: SourceOption = "",
    as_json: AsJson = False,
) -> None:
    """Publishes, or prints every reason why not and ends with exit code 1."""
    from catalog.publishing import publish as gate
    from catalog.publishing.show import show_refusal
    from protos import terminal

    with opened(directory) as registry:
        try:
            made = gate.publish(
                registry, release, source_of(registry, dataset, source), dataset,
                sign_offs=sign_offs or (), synthetic=synthetic,
            )  # fmt: skip
        except gate.PublicationRefusedError as refused:
            if as_json:
                print_json({"refused": [
                    {"code": each.code, "reason": str(each.said), "remedy": str(each.remedy)}
                    for each in refused.objections
                ]})  # fmt: skip
            else:
                show_refusal(refused)
            raise typer.Exit(1) from None
    if as_json:
        print_json(made.to_dict())
        return
    terminal.done(
        Text(
            f"{dataset} version {made.number} is public: {made.rows:,} rows.",
            f"{dataset} 版本 {made.number} 已公开：{made.rows:,} 行。",
        )
    )


@app.command(
    name="sign-off",
    help=said(
        "As an officer, sign that exactly these bytes may be published as this dataset.",
        "由负责人签批：同意将这份数据作为该数据资源公开。",
    ),
)
def sign_off(
    release: Release,
    dataset: DatasetOption,
    key: Annotated[Path, typer.Option(help=said("The officer's key file.", "负责人的密钥文件。"))],
    out: Annotated[Path, typer.Option(help=said("File to write.", "写出的文件。"))],
    role: Annotated[
        str, typer.Option(help=said("steward or chief.", "steward 或 chief。"))
    ] = "steward",
    source: Annotated[
        str, typer.Option(help=said("Catalog that the code is from.", "代码所属的来源目录。"))
    ] = "local",
    days: Annotated[
        int,
        typer.Option(min=1, max=366, help=said("Days for which it holds.", "有效天数。")),
    ] = 30,
) -> None:
    """Signs; needs the release and the key, no catalog."""
    from catalog.publishing.sign_offs import sign_off_release
    from protos import terminal

    digest = sign_off_release(release, (source, dataset), role, key, out, valid_days=days)
    terminal.done(
        Text(
            f"{out}: the file {digest[:16]}… may be published as {dataset}.",
            f"{out}：同意将文件 {digest[:16]}… 作为 {dataset} 公开。",
        )
    )


@app.command(help=said("What is public, and what was.", "查看已公开和曾公开的数据。"))
def published(
    directory: CatalogDirectory = DEFAULT,
    dataset: Annotated[str, typer.Option(help=said("Only of this code.", "仅此代码。"))] = "",
    source: SourceOption = "",
    as_json: AsJson = False,
) -> None:
    """Lists publications."""
    from catalog.publishing.listing import publications
    from catalog.publishing.show import show_publications
    from protos import terminal

    with opened(directory) as registry:
        number = None
        if dataset:
            number = registry.entry(source_of(registry, dataset, source), dataset).number
        with registry.database.read() as connection:
            found = publications(connection, dataset=number)
    if as_json:
        print_json([each.to_dict() for each in found])
    elif found:
        show_publications(found)
    else:
        terminal.say(Text("Nothing was ever public.", "尚无公开数据。"))


@app.command(
    help=said(
        "Remove public bytes; the record stays, with a signed tombstone.",
        "撤下公开数据；记录和签名的撤下凭证将永久留存。",
    )
)
def unpublish(
    identifier: Identifier,
    version: Annotated[int, typer.Argument(help=said("Of the publication.", "发布版本。"))],
    reason: ReasonOption,
    by: ByOption,
    directory: CatalogDirectory = DEFAULT,
    source: SourceOption = "",
) -> None:
    """Unpublishes and prints the tombstone."""
    from catalog.publishing.unpublish import unpublish as end
    from protos import terminal

    with opened(directory) as registry:
        token = end(
            registry, source_of(registry, identifier, source), identifier, version,
            reason=reason, who=by,
        )  # fmt: skip
    terminal.done(
        Text(f"{identifier} version {version} is no longer public.",
             f"{identifier} 版本 {version} 已撤下。")
    )  # fmt: skip
    typer.echo(token)


@app.command(
    help=said(
        "Take note that a signer took an attestation back; unpublish what rests on it.",
        "登记签署者的撤销声明，并撤下据此公开的数据。",
    )
)
def revoked(
    file: Annotated[
        Path,
        typer.Argument(
            help=said(
                "Statement that 'veil desensitize revoke' wrote.",
                "veil desensitize revoke 写出的撤销声明。",
            )
        ),
    ],
    by: ByOption,
    directory: CatalogDirectory = DEFAULT,
) -> None:
    """Keeps a statement, and unpublishes."""
    from catalog.publishing.revoked import take_revocation
    from catalog.publishing.show import say_gone
    from protos import terminal

    with opened(directory) as registry:
        gone = take_revocation(registry, file, who=by)
    terminal.done(
        Text("Noted: nothing is published on that attestation any more.",
             "已登记：今后不再据此证明公开数据。")
    )  # fmt: skip
    say_gone(gone)


@app.command(
    help=said(
        "Keep public bytes elsewhere than in the catalog's own folder.",
        "将公开数据存放到目录库之外的存储。",
    )
)
def store(
    file: Annotated[
        Path,
        typer.Argument(
            help=said(
                "File of mode 0600 with one URI, such as file:///srv/public or s3://bucket/public.",
                "权限为 0600 的文件，内含一行地址，如 file:///srv/public 或 s3://bucket/public。",
            )
        ),
    ],
    directory: CatalogDirectory = DEFAULT,
) -> None:
    """Names the store, before anything is public."""
    from catalog.publishing.store import use_store
    from protos import terminal
    from protos.keyfile import read_private

    with opened(directory) as registry:
        use_store(registry, read_private(file).decode("utf-8", "replace").strip())
    terminal.done(Text("Public data will lie there.", "公开数据将存放于该存储。"))
