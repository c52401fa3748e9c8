"""Commands of ``veil catalog`` about what is public, and who may sign for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from catalog.publishing.listing import Publication

signers_app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=said(
        "Keys that may sign for a department: attestations, and officers' sign-offs.",
        "可代表部门签署的密钥：签署证明，以及负责人签批。",
    ),
)
Release = Annotated[
    Path,
    typer.Argument(help=said("Directory of an attested release.", "已签署证明的发布目录。")),
]
DatasetOption = Annotated[
    str, typer.Option("--dataset", help=said("The dataset's code.", "信息资源代码。"))
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to those of ``veil catalog``."""
    app.add_typer(signers_app, name="signers")
    app.command(
        help=said(
            "Make an attested release public, if every rule holds; else say all that is missing.",
            "在全部规则满足时公开已签署证明的发布；否则列出全部缺项。",
        )
    )(publish)
    app.command(
        name="sign-off",
        help=said(
            "As an officer, sign that exactly these bytes may be published as this dataset.",
            "由负责人签批：同意将这份数据作为该数据资源公开。",
        ),
    )(sign_off)
    app.command(help=said("What is public, and what was.", "查看已公开和曾公开的数据。"))(published)
    app.command(
        help=said(
            "Remove public bytes; the record stays, with a signed tombstone.",
            "撤下公开数据；记录和签名的撤下凭证将永久留存。",
        )
    )(unpublish)
    app.command(
        help=said(
            "Take note that a signer took an attestation back; unpublish what rests on it.",
            "登记签署者的撤销声明，并撤下据此公开的数据。",
        )
    )(revoked)
    app.command(
        help=said(
            "Keep public bytes elsewhere than in the catalog's own folder.",
            "将公开数据存放到目录库之外的存储。",
        )
    )(store)


# ---- signers -----------------------------------------------------------------------------------


@signers_app.command(help=said("Enrol a key for a department.", "为部门登记密钥。"))
def add(
    key: Annotated[
        str,
        typer.Argument(
            help=said(
                "did:key:z6Mk…, or the fingerprint that its owner has told.",
                "did:key:z6Mk…，或持有人告知的指纹。",
            )
        ),
    ],
    department: Annotated[str, typer.Option(help=said("Code of the department.", "部门代码。"))],
    name: Annotated[str, typer.Option(help=said("Whose key it is.", "密钥持有人。"))],
    by: ByOption,
    role: Annotated[
        str,
        typer.Option(
            help=said(
                "signer (of attestations), steward or chief (data officer).",
                "signer（证明签署人）、steward（数据专员）或 chief（首席数据官）。",
            )
        ),
    ] = "signer",
    until: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help=said("Last day (UTC); a year by default.", "最后一天（UTC）；缺省一年。"),
        ),
    ] = None,
    directory: CatalogDirectory = DEFAULT,
) -> None:
    """Enrols a key."""
    from catalog.publishing.signers import ROLES, enrol
    from protos import terminal

    with opened(directory) as registry:
        made = enrol(
            registry, department, key, role=role, name=name, by=by,
            until=None if until is None else until.date(),
        )  # fmt: skip
    title = ROLES.terms[made.role]
    terminal.done(
        Text(
            f"Signer {made.number}: {made.name}, {title.en} of {department}.",
            f"签署人 {made.number}：{made.name}，{department} 的{title.zh}。",
        )
    )


@signers_app.command(name="list", help=said("Who may sign, and who might.", "查看签署人。"))
def list_(
    department: Annotated[
        str, typer.Option(help=said("Only of this department.", "仅此部门。"))
    ] = "",
    directory: CatalogDirectory = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Lists enrolments, also those that ended."""
    from dataclasses import asdict

    from catalog.publishing.show import show_signers
    from catalog.publishing.signers import signers

    with opened(directory) as registry, registry.database.read() as connection:
        found, now = signers(connection, department=department), registry.now()
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        show_signers(found, now)


@signers_app.command(
    help=said(
        "End an enrolment; its record stays, and what was published on it. A compromised key ends "
        "everywhere, and what became public on it is unpublished.",
        "移除签署人；其记录和已公开的数据保留。密钥泄露时，在所有部门移除该密钥并撤下据其公开的数据。",
    )
)
def remove(
    number: Annotated[int, typer.Argument(help=said("As listed.", "列表中的编号。"))],
    by: ByOption,
    reason: ReasonOption,
    compromised: Annotated[
        bool,
        typer.Option(
            "--compromised",
            help=said("Somebody else may hold the key.", "密钥可能为他人持有。"),
        ),
    ] = False,
    since: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help=said(
                "With --compromised: what became public before this day (UTC) stays public.",
                "与 --compromised 合用：此日（UTC）之前公开的数据保留。",
            ),
        ),
    ] = None,
    directory: CatalogDirectory = DEFAULT,
) -> None:
    """Removes a signer, or a key that is compromised with all that rests on it."""
    from catalog.publishing import signers
    from catalog.publishing.compromised import compromised as end_key
    from protos import terminal
    from protos.faults import InputError

    if since is not None and not compromised:
        raise InputError(
            Text("--since goes with --compromised", "--since 须与 --compromised 合用"),
            remedy=Text("give both, or none: who leaves unpublishes nothing",
                        "请同时指定或都不指定：人员离任不会撤下数据"),
            code="signer.since",
        )  # fmt: skip
    with opened(directory) as registry:
        if not compromised:
            signers.remove(registry, number, by=by, reason=reason)
            terminal.done(Text(f"Signer {number} signs no more.", f"签署人 {number} 已移除。"))
            return
        second = 0 if since is None else int(since.replace(tzinfo=dt.UTC).timestamp())
        gone = end_key(registry, number, by=by, reason=reason, since=second)
    terminal.done(
        Text(f"The key of signer {number} signs no more, for anybody.",
             f"签署人 {number} 的密钥已全部移除。")
    )  # fmt: skip
    _say_gone(gone)


# ---- in and out --------------------------------------------------------------------------------


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
    from protos import terminal

    with opened(directory) as registry:
        gone = take_revocation(registry, file, who=by)
    terminal.done(
        Text("Noted: nothing is published on that attestation any more.",
             "已登记：今后不再据此证明公开数据。")
    )  # fmt: skip
    _say_gone(gone)


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


def _say_gone(gone: Sequence[Publication]) -> None:
    from protos import terminal

    for each in gone:
        terminal.say(
            Text(f"{each.identifier} version {each.number} is no longer public.",
                 f"{each.identifier} 版本 {each.number} 已撤下。")
        )  # fmt: skip
