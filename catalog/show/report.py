"""What an import did."""

from __future__ import annotations

from typing import Final

from catalog.interchange.importing import Report
from catalog.show.words import titled
from protos import terminal
from protos.language import Text

_SHOWN_PROBLEMS: Final = 20


def show_report(report: Report, name: str) -> None:
    """Prints what an import did, or why it did nothing."""
    if report.problems:
        rows = [
            (str(p.line), p.column, str(p.said), str(p.remedy))
            for p in report.problems[:_SHOWN_PROBLEMS]
        ]
        columns = titled(
            Text("Line", "行"), Text("Column", "列"), Text("Problem", "问题"),
            Text("What to do", "建议"),
        )  # fmt: skip
        terminal.table(columns, rows, right=[0])
        if (more := len(report.problems) - _SHOWN_PROBLEMS) > 0:
            terminal.say(Text(f"… and {more:,} more", f"……另有 {more:,} 个"), style=terminal.SOFT)
    counts = Text(
        f"{report.new:,} new, {report.changed:,} changed, {report.unchanged:,} unchanged",
        f"新增 {report.new:,} 个，变更 {report.changed:,} 个，未变 {report.unchanged:,} 个",
    )
    if report.written:
        terminal.done(Text(f"{name}: {counts.en}.", f"{name}：{counts.zh}。"))
    elif report.bad == 0 or report.new + report.changed + report.unchanged:
        terminal.say(
            Text(f"A trial, nothing was kept: {counts.en}.", f"试运行，未写入：{counts.zh}。"),
            style=terminal.WARN,
        )
    if report.bad:
        kept = Text("not registered", "未登记")
        terminal.say(
            Text(
                f"{report.bad:,} of {report.records:,} records have problems"
                f"{f' and were {kept.en}' if report.written else ''}.",
                f"{report.records:,} 个资源中有 {report.bad:,} 个存在问题"
                f"{f'，{kept.zh}' if report.written else ''}。",
            ),
            style=terminal.WARN,
        )
    if report.conflicts:
        terminal.say(
            Text(
                f"Claimed by a second department: {report.conflicts:,} of the data items. "
                "See veil catalog conflicts",
                f"{report.conflicts:,} 个数据项被第二个部门主张为数源，"
                "请查看 veil catalog conflicts",
            ),
            style=terminal.WARN,
        )
