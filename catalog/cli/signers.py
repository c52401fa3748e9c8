"""``veil catalog signers``: keys that may sign for a department."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from catalog.cli_options import (
    DEFAULT,
    AsJson,
    ByOption,
    CatalogDirectory,
    ReasonOption,
    opened,
    print_json,
    said,
)
from protos.language import Text

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=said(
        "Keys that may sign for a department: attestations, and officers' sign-offs.",
        "可代表部门签署的密钥：签署证明，以及负责人签批。",
    ),
)


@app.command(help=said("Enrol a key for a department.", "为部门登记密钥。"))
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


@app.command(name="list", help=said("Who may sign, and who might.", "查看签署人。"))
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


@app.command(
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
    from catalog.publishing.show import say_gone
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
    say_gone(gone)
