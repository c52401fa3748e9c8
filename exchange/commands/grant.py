"""``veil grant``: the analyst's side of exact answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from exchange.commands.options import ProfileFile, Sql
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
    statement: Sql,
    purpose: Annotated[str, typer.Option(help=str(Text("What the figures are for.", "用途。")))],
    profile: ProfileFile = None,
) -> None:
    """Signs a request and leaves it with every owner."""
    from exchange.client import connect
    from protos import terminal

    with connect(profile) as veil:
        identifier = veil.request_grant(statement, purpose)
    terminal.done(
        Text(
            f"Requested: {identifier[:12]}. Owners answer by: veil node grants approve|deny",
            f"已申请：{identifier[:12]}。数据方答复：veil node grants approve|deny",
        )
    )


@app.command("list", help=str(Text("Show requests and answers.", "查看申请与答复。")))
def list_(profile: ProfileFile = None) -> None:
    """Shows every request with each owner's answer."""
    from compute_nodes.state_names import state_name
    from exchange.client import connect
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
            ", ".join(f"{a['department']}: {state_name(a['state'])}" for a in entry["answers"]),
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
