"""Harvests: what is read, how far it came, and what could not be taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from catalog.harvest.sources import Harvest, Problem, Run
from catalog.harvest.withdrawing import Gone
from catalog.show.words import day, titled
from protos import terminal
from protos.language import Text

_SHOWN: Final = 20
STATES: Final = {
    "running": Text("running, or stopped in the middle", "进行中或中途停止"),
    "failed": Text("failed; goes on where it was", "失败，下次从中断处继续"),
    "given up": Text("given up; begins anew", "已放弃，下次重新开始"),
    "complete": Text("complete", "已完成"),
    "unsteady": Text("read, but the source changed meanwhile", "已读完，但期间来源有变动"),
    "asks": Text("read; asks before it withdraws", "已读完，撤回前须确认"),
}


def show_harvests(found: Sequence[tuple[Harvest, Run | None]]) -> None:
    """Prints harvests, a line each."""
    rows = [
        (
            harvest.name,
            harvest.dialect,
            harvest.place,
            harvest.url,
            day(last.begun_at) if last else "",
            str(STATES[last.state]) if last else str(Text("not read yet", "尚未采集")),
        )
        for harvest, last in found
    ]
    columns = titled(
        Text("Name", "名称"), Text("Speaks", "协议"), Text("For", "区划"), Text("Address", "地址"),
        Text("Last run", "最近一次"), Text("State", "状态"),
    )  # fmt: skip
    terminal.table(columns, rows)


def show_harvest(
    harvest: Harvest, runs: Sequence[Run], registered: int, problems: Sequence[Problem]
) -> None:
    """Prints one harvest: its settings, runs and problems."""
    terminal.heading(f"{harvest.name} · {harvest.url}")
    networks = ", ".join(harvest.networks) or str(Text("public addresses only", "仅公网地址"))
    terminal.say(Text(
        f"{registered:,} datasets; speaks for {harvest.place}; may call: {networks}; "
        f"asks if more than {harvest.most_withdrawn} % vanish",
        f"数据资源 {registered:,} 个；代表区划：{harvest.place}；可访问：{networks}；"
        f"消失超过 {harvest.most_withdrawn}% 时须确认",
    ))  # fmt: skip
    columns = titled(
        Text("Run", "次数"), Text("Begun", "开始"), Text("Pages", "页数"), Text("New", "新增"),
        Text("Changed", "变更"), Text("Unchanged", "未变"), Text("Withdrawn", "撤回"),
        Text("State", "状态"),
    )  # fmt: skip
    rows = [
        (
            str(run.number), day(run.begun_at), f"{run.pages:,}", f"{run.new:,}",
            f"{run.changed:,}", f"{run.unchanged:,}", f"{run.withdrawn:,}",
            " · ".join(filter(None, (str(STATES[run.state]), str(run.error)))),
        )
        for run in runs
    ]  # fmt: skip
    terminal.table(columns, rows, right=[0, 2, 3, 4, 5, 6])
    show_problems(problems)


def show_run(harvest: Harvest, run: Run, gone: Sequence[Gone], problems: Sequence[Problem]) -> None:
    """Prints what a run did, and what it asks."""
    show_problems(problems)
    counts = Text(
        f"{run.new:,} new, {run.changed:,} changed, {run.unchanged:,} unchanged, "
        f"{run.withdrawn:,} withdrawn",
        f"新增 {run.new:,} 个，变更 {run.changed:,} 个，未变 {run.unchanged:,} 个，"
        f"撤回 {run.withdrawn:,} 个",
    )
    terminal.done(Text(f"{harvest.name}: {counts.en}.", f"{harvest.name}：{counts.zh}。"))
    if run.state == "complete" or not gone:
        return
    listed = ", ".join(each.identifier for each in gone[:5])
    more = f" … ({len(gone):,})" if len(gone) > 5 else ""
    why = {
        "asks": Text(
            f"The source no longer has {len(gone):,} of them, more than may vanish unasked",
            f"来源中有 {len(gone):,} 个资源消失，超过无须确认的数量",
        ),
        "unsteady": Text(
            f"The source changed while it was read, so {len(gone):,} are not withdrawn yet",
            f"读取期间来源有变动，{len(gone):,} 个资源暂不撤回",
        ),
    }[run.state]
    terminal.say(
        Text(f"{why.en}: {listed}{more}", f"{why.zh}：{listed}{more}"), style=terminal.WARN
    )
    terminal.say(
        Text(
            f"If that is right: veil catalog harvest run {harvest.name} --withdraw",
            f"确认无误后运行：veil catalog harvest run {harvest.name} --withdraw",
        )
    )


def show_problems(problems: Sequence[Problem]) -> None:
    """Prints the records that could not be taken as they are."""
    if not problems:
        return
    rows = [(p.origin[:60], str(p.said), str(p.remedy)) for p in problems[:_SHOWN]]
    columns = titled(
        Text("Record of the source", "来源记录"),
        Text("Problem", "问题"),
        Text("What to do", "建议"),
    )
    terminal.table(columns, rows)
    if (more := len(problems) - _SHOWN) > 0:
        terminal.say(Text(f"… and {more:,} more", f"……另有 {more:,} 个"), style=terminal.SOFT)
