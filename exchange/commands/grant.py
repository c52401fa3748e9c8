"""``veil grant``: the analyst's side of exact answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from exchange.commands.options import ProfileFile
from protos.language import Text

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=str(Text("Ask for grants of exact answers, and see them.", "申请并查看精确结果的授权。")),
)


@app.command(
    help=str(
        Text("Ask every owner for exact figures of one statement.", "向全部数据方申请精确结果。")
    )
)
def request(
    statement: Annotated[
        str,
        typer.Argument(
            help=str(Text("The statement; not with --signed.", "SQL 语句；不与 --signed 同用。"))
        ),
    ] = "",
    purpose: Annotated[
        str, typer.Option(help=str(Text("What the figures are for.", "用途。")))
    ] = "",
    draft: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "Only sign, into this file; officers decide on it.",
                    "仅签名并写入此文件，供签批人作出决定。",
                )
            )
        ),
    ] = None,
    signed: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text("Hand in a file that --draft has written.", "提交由 --draft 写出的文件。")
            )
        ),
    ] = None,
    decisions: Annotated[
        list[Path] | None,
        typer.Option(
            help=str(
                Text(
                    "A file of officers' decisions on it; owners check them by their own rules.",
                    "签批人的决定文件；由数据方按各自规则核验。",
                )
            )
        ),
    ] = None,
    profile: ProfileFile = None,
) -> None:
    """Signs a request and leaves it with every owner, with decisions on it if there are any."""
    from exchange.analyst.client import connect
    from exchange.analyst.grant_files import read_decisions, read_signed, write_draft
    from protos import terminal

    given = None if signed is None else read_signed(signed, statement=statement, draft=draft)
    files = read_decisions(decisions or [])
    with connect(profile) as veil:
        token = veil.sign_request(statement, purpose) if given is None else given
        if draft is not None:
            digest = write_draft(draft, token)
            terminal.done(
                Text(
                    f"Signed: {digest}. Officers decide on {draft}; then hand it in: "
                    f"veil grant request --signed {draft} --decisions FILE",
                    f"已签名：{digest}。签批人对 {draft} 作出决定后提交："
                    f"veil grant request --signed {draft} --decisions 文件",
                )
            )
            return
        for file in files or [b""]:
            identifier = veil.hand_in_request(token, file)
    terminal.done(
        Text(
            f"Requested: {identifier[:12]}. Owners answer by: veil node grants approve|deny",
            f"已申请：{identifier[:12]}。数据方答复：veil node grants approve|deny",
        )
    )


@app.command(
    help=str(
        Text(
            "As an officer, sign a decision on a signed request, into a file.",
            "由签批人对已签名的申请作出决定并签名，写入文件。",
        )
    )
)
def decide(
    file: Annotated[
        Path,
        typer.Argument(
            help=str(Text("The request, as --draft has written it.", "由 --draft 写出的申请。"))
        ),
    ],
    department: Annotated[
        str, typer.Option(help=str(Text("For which it is decided.", "代表哪个部门。")))
    ],
    office: Annotated[
        Literal["steward", "chief"], typer.Option(help=str(Text("In which office.", "签批职务。")))
    ],
    key: Annotated[
        Path,
        typer.Option(
            help=str(
                Text(
                    "The officer's own key (veil desensitize keys signing).",
                    "签批人自己的密钥（veil desensitize keys signing）。",
                )
            )
        ),
    ],
    output: Annotated[
        Path, typer.Option(help=str(Text("The decision's new file.", "决定文件（新建）。")))
    ],
    refuse: Annotated[
        bool,
        typer.Option("--refuse", help=str(Text("Say no; with --reasons.", "不同意，须附理由。"))),
    ] = False,
    reasons: Annotated[str, typer.Option(help=str(Text("Why.", "理由。")))] = "",
) -> None:
    """Shows what is asked, and signs yes or no."""
    from exchange.analyst.grant_files import read_signed, sign_decision
    from protos import terminal

    token = read_signed(file)
    shown = sign_decision(token, department, office, key, output, yes=not refuse, reasons=reasons)
    terminal.table(["", ""], shown)
    terminal.done(
        Text(
            f"Signed into {output}. Hand it in: veil grant request --signed {file} "
            f"--decisions {output}",
            f"已签名并写入 {output}。提交：veil grant request --signed {file} --decisions {output}",
        )
    )


@app.command("list", help=str(Text("Show requests and answers.", "查看申请与答复。")))
def list_(profile: ProfileFile = None) -> None:
    """Shows every request with each owner's answer."""
    from compute_nodes.state_names import state_name
    from exchange.analyst.client import connect
    from protos import terminal

    with connect(profile) as veil:
        entries: list[dict[str, Any]] = veil.grants()
    if not entries:
        terminal.say(
            Text(
                'Nothing was requested yet. Ask:  veil grant request "SELECT …" --purpose "…"',
                '尚无申请。申请：veil grant request "SELECT …" --purpose "…"',
            )
        )
        return
    rows = [
        (
            entry["id"][:12],
            ", ".join(
                f"{a['department']}: {state_name(a['state'])} {a['certificate'][:12]}".rstrip()
                for a in entry["answers"]
            ),
            entry["purpose"],
            entry["statement"],
        )
        for entry in entries
    ]
    columns = (
        Text("Id", "编号"),
        Text("Answers", "答复"),
        Text("Purpose", "用途"),
        Text("Statement", "语句"),
    )
    terminal.table([str(c) for c in columns], rows)
    for entry in entries:
        for answer in entry["answers"]:
            if answer["state"] in {"denied", "ended"} and answer["body"]:
                state, why = state_name(answer["state"]), answer["body"]
                terminal.say(
                    Text(f"{entry['id'][:12]} {answer['department']}: {state.en}: {why}",
                         f"{entry['id'][:12]} {answer['department']}：{state.zh}：{why}"),
                    hang=2,
                )  # fmt: skip
