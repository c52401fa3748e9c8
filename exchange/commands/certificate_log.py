"""``veil certificate log``: the log of certificates, for who keeps it and who audits it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.commands.certificate_options import DEFAULT, OfficeDirectory, opened
from protos.language import Text

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(Text("Keep and audit the log of certificates.", "维护和审计证书日志。")),
)


@app.command(
    help=str(
        Text(
            "Show the log's latest checkpoint and who has cosigned.", "查看日志最新检查点及会签方。"
        )
    )
)
def show(directory: OfficeDirectory = DEFAULT) -> None:
    """Shows size, root, witnesses."""
    from catalog.certificates.office_files import OfficeFiles
    from exchange.proof.certificate_views import show_log

    with opened(directory) as office, office.db.read() as db:
        policy = OfficeFiles(directory).policy()
        seen = policy.open(office.log.note(db))
        behind = {name: office.log.seen_by(db, name) for name in policy.witnesses}
    show_log(seen, policy, behind)


@app.command(
    "add-witness",
    help=str(Text("Add a witness to the public policy.", "在公开策略中添加见证方。")),
)
def add_witness(
    name: Annotated[str, typer.Argument(help=str(Text("A short name.", "简称。")))],
    key: Annotated[
        str,
        typer.Argument(
            help=str(Text("The witness's key, as it was told.", "见证方提供的公钥（整行）。"))
        ),
    ],
    needed: Annotated[
        int,
        typer.Option(min=1, help=str(Text("How many of all must cosign.", "须会签的见证方数目。"))),
    ] = 1,
    directory: OfficeDirectory = DEFAULT,
) -> None:
    """Rewrites the policy: so many of all witnesses."""
    from catalog.certificates.office_files import OfficeFiles
    from catalog.transparency.notes import NoteKey
    from protos import terminal

    files = OfficeFiles(directory)
    policy = files.add_witness(name, NoteKey.parse(key), needed)
    terminal.done(
        Text(
            f"{policy.asked.en} must cosign. Hand out {files.policy_file} again.",
            f"会签要求：{policy.asked.zh}。请重新公开 {files.policy_file}。",
        )
    )


@app.command(help=str(Text("Write what a witness is asked to cosign.", "导出提交给见证方的请求。")))
def submit(
    witness: Annotated[
        str, typer.Argument(help=str(Text("Its name in the policy.", "策略中的名称。")))
    ],
    output: Annotated[Path, typer.Argument(help=str(Text("The file to write.", "输出文件。")))],
    directory: OfficeDirectory = DEFAULT,
) -> None:
    """Writes the body of an add-checkpoint request (C2SP tlog-witness)."""
    from exchange.proof.files import write_file
    from protos import terminal

    with opened(directory) as office:
        submission = office.submission(witness)
    write_file(output, str(submission).encode())
    terminal.done(
        Text(f"Wrote {output}; {witness} signs it: veil certificate witness sign {output}",
             f"已写入 {output}；由 {witness} 签署：veil certificate witness sign {output}")
    )  # fmt: skip


@app.command(
    help=str(Text("Take a checkpoint that a witness has cosigned.", "收取已由见证方会签的检查点。"))
)
def cosign(
    checkpoint: Annotated[
        Path, typer.Argument(help=str(Text("The cosigned checkpoint.", "已会签的检查点文件。")))
    ],
    directory: OfficeDirectory = DEFAULT,
) -> None:
    """Checks the cosignatures and keeps them."""
    from catalog.certificates.office_files import OfficeFiles
    from exchange.proof.files import read_file
    from protos import terminal

    policy = OfficeFiles(directory).policy()
    with opened(directory) as office:
        names = office.cosign(read_file(checkpoint).decode("utf-8", "replace"), policy)
    if not names:
        terminal.say(Text("No known witness has signed this.", "没有已知见证方的签名。"))
        raise typer.Exit(1)
    terminal.done(Text(f"Cosigned by {', '.join(names)}.", f"会签方：{'、'.join(names)}。"))


@app.command(help=str(Text("Write a copy of the log for auditors.", "导出供审计的日志副本。")))
def copy(
    output: Annotated[Path, typer.Argument(help=str(Text("The file to write.", "输出文件。")))],
    directory: OfficeDirectory = DEFAULT,
) -> None:
    """Writes every entry and the latest checkpoint: commitments, nothing personal."""
    from catalog.transparency.audit import write_copy
    from exchange.proof.files import write_file
    from protos import terminal

    with opened(directory) as office, office.db.read() as db:
        content = write_copy(office.log.entries(db), office.log.note(db))
    write_file(output, content.encode())
    terminal.done(Text(f"Wrote {output}.", f"已写入 {output}。"))


@app.command(
    help=str(
        Text(
            "Recompute a log; name the entry that was altered, cut, reordered or forked.",
            "重算日志，指出被改动、截断、调换或分叉的条目。",
        )
    )
)
def verify(
    log_copy: Annotated[
        Path | None,
        typer.Argument(
            help=str(
                Text(
                    "A copy of the log; the office's own by default.", "日志副本；缺省为本机日志。"
                )
            )
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help=str(Text("log.policy; the office's by default.", "log.policy；缺省为本机的。"))
        ),
    ] = None,
    noted: Annotated[
        list[Path] | None,
        typer.Option(
            help=str(Text("A checkpoint that was noted earlier.", "先前留存的检查点文件。"))
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help=str(Text("Another copy, to find where they differ.", "另一份副本，用于比对。"))
        ),
    ] = None,
    directory: OfficeDirectory = DEFAULT,
) -> None:
    """Audits a log; exit code 1 if anything is wrong."""
    from exchange.proof.auditing import audit_copy, audit_office
    from protos import terminal

    if log_copy is None:
        with opened(directory) as office:
            found = audit_office(office, policy or _policy_of(directory), noted or [], against)
    else:
        found = audit_copy(log_copy, policy or _policy_of(directory), noted or [], against)
    terminal.done(
        Text(
            f"{found.size} entries, {found.checkpoints} checkpoints: nothing is wrong. "
            f"Root {found.root.hex()[:16]}…",
            f"{found.size} 条，{found.checkpoints} 个检查点：未发现问题。"
            f"根哈希 {found.root.hex()[:16]}…",
        )
    )


def _policy_of(directory: Path) -> Path:
    from catalog.certificates.office_files import OfficeFiles

    return OfficeFiles(directory).policy_file
