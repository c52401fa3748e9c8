"""``veil jobs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from exchange.commands.options import ProfileFile
from protos.language import Text

if TYPE_CHECKING:
    from exchange.analyst.job import Job, State

app = typer.Typer(add_completion=False)


@app.command(
    help=str(
        Text(
            "Show your questions that are still out, and how they stand.",
            "查看尚未取回结果的提问及其状态。",
        )
    )
)
def jobs(profile: ProfileFile = None) -> None:
    """Lists what was asked and not fetched yet; what has failed is shown once."""
    from exchange.analyst.client import connect
    from exchange.analyst.waiting import local_time
    from protos import terminal

    with connect(profile) as veil:
        listed = veil.jobs()
    if not listed:
        terminal.say(Text("Nothing is out.", "没有待取的任务。"))
        return
    columns = (
        Text("Job", "任务"),
        Text("Asked", "提问时间"),
        Text("State", "状态"),
        Text("Protocol", "协议"),
        Text("Statement", "语句"),
    )
    rows = [
        (
            job.id[:12],
            local_time(job.plan.issued_at),
            _said(job, state),
            job.plan.protocol,
            " ".join(job.plan.statement.split()),
        )
        for job, state in listed
    ]
    terminal.table([str(column) for column in columns], rows)
    if any(state.what != "failed" for _, state in listed):
        terminal.say(_FETCH, style=terminal.SOFT)


def _said(job: Job, state: State) -> Text:
    from exchange.analyst.waiting import local_time

    if state.what == "failed" and state.error is not None:
        why = state.error.message
        return Text(f"failed: {why}", f"失败：{why}")
    return _STATES[state.what].format(until=local_time(job.plan.expires_at))


_STATES: Final = {
    "waiting": Text("waiting, until {until} at most", "等待中，最迟至 {until}"),
    "answered": Text("answered", "已有结果"),
    "unsent": Text("never arrived at the exchange", "未送达交换中心"),
}
_FETCH: Final = Text(
    "veil fetch JOB brings an answer, or waits for it (Ctrl-C there cancels it).",
    "veil fetch JOB 取回结果，未完成则等待（此时按 Ctrl-C 会取消任务）。",
)
