"""``veil sql``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from exchange.commands.options import (
    Epsilon,
    Exact,
    ProfileFile,
    Project,
    ProtocolName,
    Sql,
    WaitSeconds,
    Without,
)
from protos.language import Text

if TYPE_CHECKING:
    from exchange.ports import Progress
    from protos.terminal import Progress as Shown

# What a log of a pipe needs: the rounds, and everything that went otherwise.
MILESTONES: Final = frozenset({"round", "dropped", "refused", "failed"})

app = typer.Typer(add_completion=False)


@app.command(help=str(Text("Ask a question over all departments' data.", "跨部门查询。")))
def sql(
    statement: Sql,
    profile: ProfileFile = None,
    epsilon: Epsilon = None,
    exact: Exact = False,
    protocol: ProtocolName = None,
    project: Project = None,
    purpose: Annotated[str, typer.Option(help=str(Text("What the answer is for.", "用途。")))] = "",
    without: Without = None,
    wait_s: WaitSeconds = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help=str(
                Text(
                    "Ask anew, and pay again, although the same question was answered before.",
                    "即使相同问题已有答案，也重新查询并再次消耗预算。",
                )
            ),
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            help=str(
                Text(
                    "Write the table: .csv, .parquet or .json.",
                    "将结果写为文件：.csv、.parquet 或 .json。",
                )
            )
        ),
    ] = None,
    receipt: Annotated[
        Path | None,
        typer.Option(help=str(Text("Write the receipt as JSON.", "将回执写为 JSON 文件。"))),
    ] = None,
) -> None:
    """Asks, shows progress by round, and prints the answer with its error bars."""
    from exchange.client import connect
    from exchange.saving import check_places, save
    from exchange.views import show_answer
    from protos import terminal

    check_places(output, receipt)
    with connect(profile) as veil:
        with terminal.progress(Text("Planning", "正在规划")) as progress:
            answer = veil.sql(
                statement,
                watch=lambda step: tell(progress, step),
                epsilon=epsilon,
                exact=exact,
                protocol=protocol,
                project=project,
                purpose=purpose,
                without=without or [],
                wait_s=wait_s,
                fresh=fresh,
            )
        show_answer(answer)
        save(answer, veil.profile.identity, output, receipt)
        said(output, receipt)


def tell(progress: Shown, step: Progress) -> None:
    """Says a step: all of them on a terminal's one line, on a pipe only what one reads later."""
    if progress.lively or step.what in MILESTONES:
        progress.update(describe(step))


def describe(step: Progress) -> Text:
    """One step of a job in one line."""
    from exchange.step_names import step_name

    who, round_ = step.department, step_name(step.text)
    texts = {
        "submitted": Text("plan submitted", "计划已提交"),
        "accepted": Text(f"{who} has accepted the plan", f"{who} 已接受计划"),
        "round": round_,
        "answered": Text(f"{round_.en}: {who} has answered", f"{round_.zh}：{who} 已应答"),
        "absent": Text(
            f"{who} is away; it answers when it is back", f"{who} 不在线，恢复连接后应答"
        ),
        "dropped": Text(f"{who} has dropped out ({round_.en})", f"{who} 中途退出（{round_.zh}）"),
        "refused": Text(f"{who} refuses: {step.text}", f"{who} 拒绝"),
        "done": Text("done", "完成"),
        "failed": Text("no answer", "未得出结果"),
    }
    return texts.get(step.what, Text(step.what, step.what))


def said(output: Path | None, receipt: Path | None) -> None:
    """Says which files were written."""
    from protos import terminal

    if output is not None:
        terminal.done(Text(f"Table: {output}", f"结果表：{output}"))
    if receipt is not None:
        check = f"veil verify {receipt}" + (f" --table {output}" if output else "")
        terminal.done(
            Text(f"Receipt: {receipt} (check it: {check})", f"回执：{receipt}（核验：{check}）")
        )
