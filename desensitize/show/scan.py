"""A scan's report for people: one table, the notes, and what to make of it."""

from __future__ import annotations

from typing import Final

from desensitize.column import Role
from desensitize.scanning.findings import ColumnFinding, ScanReport
from protos import terminal
from protos.language import Text

ROLES: Final[dict[Role, Text]] = {
    "direct": Text("direct identifier", "直接标识符"),
    "quasi": Text("quasi-identifier", "准标识符"),
    "sensitive": Text("sensitive", "敏感属性"),
    "other": Text("–", "–"),
}
_STYLES: Final = {4: terminal.BAD, 3: terminal.WARN, 2: "", 1: terminal.SOFT}
_HEADINGS: Final = (
    Text("Column", "列"),
    Text("Type", "类型"),
    Text("Role", "角色"),
    Text("Grade", "分级"),
    Text("Evidence", "依据"),
    Text("Examples, masked", "示例（已遮蔽）"),
)


def show(report: ScanReport) -> None:
    """Prints a report."""
    terminal.table(
        [str(heading) for heading in _HEADINGS],
        [_row(column) for column in report.columns],
        styles=[_STYLES[column.grade] for column in report.columns],
    )
    for note in report.notes:
        terminal.say(f"! {note}", style=terminal.WARN)
    terminal.say(_summary(report))
    if not report.complete:
        terminal.say(
            Text(
                "This was a sample: enough to see what columns are, not to release anything. "
                "Scan with --full before that.",
                "以上为抽样结果：可用于了解各列内容，不能作为发布依据。"
                "发布前请使用 --full 全量扫描。",
            ),
            style=terminal.WARN,
        )


def _row(column: ColumnFinding) -> tuple[str, ...]:
    separator = str(Text("; ", "；"))
    return (
        " ".join(column.name.split()),
        str(column.title) or "–",
        str(ROLES[column.role]),
        f"L{column.grade}",
        separator.join(str(reason) for reason in column.evidence),
        "  ".join(column.examples),
    )


def _summary(report: ScanReport) -> Text:
    direct = sum(column.role == "direct" for column in report.columns)
    rate = report.rows / report.seconds if report.seconds else 0
    return Text(
        f"{report.rows:,} rows, {len(report.columns)} columns, {direct} with direct identifiers; "
        f"{report.seconds:.1f} s ({rate:,.0f} rows/s).",
        f"共 {report.rows:,} 行、{len(report.columns)} 列，其中 {direct} 列含直接标识符；"
        f"用时 {report.seconds:.1f} 秒（{rate:,.0f} 行/秒）。",
    )
