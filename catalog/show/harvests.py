"""Harvests: what is read, how far it came, and what could not be taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from catalog.harvest.changing import Changed
from catalog.harvest.sources import Harvest, Problem, Run
from catalog.harvest.withdrawing import Gone
from catalog.show.words import day, titled
from protos import terminal
from protos.language import Text, both

_SHOWN: Final = 20
_EXAMPLES: Final = 2
_SETTINGS: Final = {
    "url": Text("address", "地址"),
    "place": Text("speaks for", "代表区划"),
    "networks": Text("may call", "可访问"),
    "authorities": Text("certificate authorities", "CA 证书"),
    "most_withdrawn": Text("may vanish unasked", "无须确认的消失比例"),
    "pause_ms": Text("pause between pages", "分页间隔"),
}
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
    refused = Text(f", {len(problems):,} not taken", f"，未采集 {len(problems):,} 个")
    more = refused if problems else Text("", "")
    said = Text(
        f"{harvest.name}: {run.new:,} new, {run.changed:,} changed, {run.unchanged:,} unchanged, "
        f"{run.withdrawn:,} withdrawn{more.en}.",
        f"{harvest.name}：新增 {run.new:,} 个，变更 {run.changed:,} 个，未变 {run.unchanged:,} 个，"
        f"撤回 {run.withdrawn:,} 个{more.zh}。",
    )
    if run.state == "complete":
        terminal.done(said)
        return
    terminal.say(said)
    terminal.say(_pending(harvest, run, gone), style=terminal.WARN)
    if gone:
        terminal.say(
            Text(
                f"If that is right: veil catalog harvest run {harvest.name} --withdraw",
                f"确认无误后运行：veil catalog harvest run {harvest.name} --withdraw",
            )
        )


def _pending(harvest: Harvest, run: Run, gone: Sequence[Gone]) -> Text:
    """Why a whole run is not complete."""
    foreign = sum(bool(each.foreign) for each in gone)
    outside = Text(
        f" ({foreign:,} of departments outside {harvest.place})",
        f"（其中 {foreign:,} 个的部门不属 {harvest.place}）",
    )
    which = outside if foreign else Text("", "")
    listed = ", ".join(each.identifier for each in gone[:5]) + (" …" if len(gone) > 5 else "")
    if run.state == "asks":
        return Text(
            f"{len(gone):,} would be withdrawn{which.en}, more than may vanish unasked: {listed}",
            f"将撤回 {len(gone):,} 个资源{which.zh}，超过无须确认的数量：{listed}",
        )
    if not gone:
        return Text(
            "The source changed while it was read; another run makes sure that nothing is missing.",
            "读取期间来源有变动，请再运行一次以确认没有遗漏。",
        )
    return Text(
        f"The source changed while it was read, so {len(gone):,}{which.en} are not withdrawn yet: "
        f"{listed}",
        f"读取期间来源有变动，{len(gone):,} 个资源{which.zh}暂不撤回：{listed}",
    )


def show_problems(problems: Sequence[Problem]) -> None:
    """Prints why records could not be taken as they are, each reason once, the most frequent first.

    The list of all of them is in the commands' JSON.
    """
    if not problems:
        return
    reasons = grouped(problems)
    rows = [
        (
            f"{len(some):,}",
            str(some[0].said) + ("" if len({each.said for each in some}) == 1 else " …"),
            str(some[0].remedy),
            ", ".join(each.origin[:60] for each in some[:_EXAMPLES])
            + (" …" if len(some) > _EXAMPLES else ""),
        )
        for some in reasons[:_SHOWN]
    ]  # fmt: skip
    columns = titled(
        Text("Records", "记录数"),
        Text("Problem", "问题"),
        Text("What to do", "建议"),
        Text("For example", "示例"),
    )
    terminal.table(columns, rows, right=[0])
    if (more := len(reasons) - _SHOWN) > 0:
        terminal.say(
            Text(f"… and {more:,} more reasons", f"……另有 {more:,} 种原因"), style=terminal.SOFT
        )


def grouped(problems: Sequence[Problem]) -> list[list[Problem]]:
    """Returns problems by field and remedy, the most frequent first: what is said names names."""
    reasons: dict[tuple[str, Text], list[Problem]] = {}
    for each in problems:
        reasons.setdefault((each.said.en.partition(":")[0], each.remedy), []).append(each)
    return sorted(reasons.values(), key=len, reverse=True)


def show_change(done: Changed) -> None:
    """Prints what is different, and what happens next."""
    name = done.after.name
    if not done.fields:
        terminal.say(Text(f"{name}: that is so already; nothing is changed.",
                          f"{name}：设置与原来相同，未作修改。"))  # fmt: skip
        return
    for field in done.fields:
        title = _SETTINGS[field]
        old, new = _setting(done.before, field), _setting(done.after, field)
        terminal.done(Text(f"{name}: {title.en} {old.en} → {new.en}",
                           f"{name}：{title.zh} {old.zh} → {new.zh}"))  # fmt: skip
    if done.given_up is not None:
        terminal.say(Text(f"Run {done.given_up} had stopped in the middle and does not go on.",
                          f"第 {done.given_up} 次采集曾中途停止，不再继续。"))  # fmt: skip
    if done.foreign:
        listed = ", ".join(each.identifier for each in done.foreign[:5])
        listed += " …" if len(done.foreign) > 5 else ""
        terminal.say(
            Text(
                f"{len(done.foreign):,} of its datasets are of departments outside "
                f"{done.after.place}: {listed}. A run withdraws those that still are, and asks "
                f"first if more than {done.after.most_withdrawn} % go; what is withdrawn stays so.",
                f"{len(done.foreign):,} 个资源的部门不属 {done.after.place}：{listed}。"
                f"下次采集将撤回届时仍不属者，超过 {done.after.most_withdrawn}% 时先行确认；"
                "撤回后不可恢复。",
            ),
            style=terminal.WARN,
        )
    if done.anew:
        terminal.say(
            Text(
                f"The next run reads everything again: veil catalog harvest run {name}",
                f"下次采集将重新读取全部记录：veil catalog harvest run {name}",
            )
        )


def _setting(harvest: Harvest, field: str) -> Text:
    value = getattr(harvest, field)
    if field == "networks":
        return both(", ".join(value)) if value else Text("public addresses only", "仅公网地址")
    if field == "authorities":
        return both(value) if value else Text("the system's", "系统证书")
    if field == "pause_ms":
        return Text(f"{value / 1000:g} s", f"{value / 1000:g} 秒")
    return both(f"{value} %" if field == "most_withdrawn" else value)
