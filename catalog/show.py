"""What the commands of ``veil catalog`` print for people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from catalog.interchange.importing import Report
from catalog.registry import vocabulary as v
from catalog.registry.conflict_views import Conflict
from catalog.registry.registry import Provider
from catalog.search.find import Hit, Page
from catalog.search.query import FACETS, TITLES, VOCABULARIES, Facet, Query
from desensitize.divisions import divisions
from protos import terminal
from protos.language import Text

_SHOWN_PROBLEMS: Final = 20
_SHOWN_VALUES: Final = 6
_NAME: Final = Text("Name", "名称")
_DEPARTMENT: Final = Text("Department", "部门")
_STATES: Final = {
    "open": Text("open", "待裁定"),
    "kept": Text("the holder keeps it", "维持原数源"),
    "moved": Text("moved to the claimant", "变更数源"),
    "different": Text("two different things", "属不同数据项"),
}
_STEPS: Final = _STATES | {
    "opened": Text("claimed by", "提出主张"),
    "holder": Text("now held by", "现数源变更为"),
}


def titled(*texts: Text) -> list[str]:
    """Returns headings in the language of this process."""
    return [str(text) for text in texts]


def place_name(code: str) -> str:
    """Returns a division's name, its city's in front of a district's."""
    known = divisions()
    if code not in known:
        return code
    city = known.get(f"{code[:4]}00")
    name = known[code].name
    return name if city is None or city.code == code else f"{city.name}{name}"


def day(seconds: int) -> str:
    """Returns a time as a day in UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()


# ---- import and export -------------------------------------------------------------------------


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


# ---- search ------------------------------------------------------------------------------------


def show_page(page: Page, query: Query, departments: dict[str, str], *, facets: bool) -> None:
    """Prints one page of hits, and what else there is."""
    for hit in page.hits:
        terminal.say(f"{hit.name}  {hit.identifier}", style="bold", hang=2)
        terminal.say(" · ".join(filter(None, _facts_of(hit))), indent=2, hang=2)
    terminal.say(
        Text(
            f"{page.total:,} dataset{'' if page.total == 1 else 's'}"
            f"{f', {len(page.hits)} shown' if page.hits else ''}.",
            f"共 {page.total:,} 个数据资源{f'，显示 {len(page.hits)} 个' if page.hits else ''}。",
        )
    )
    if facets and page.total:
        for facet in FACETS:
            if values := list(page.facets[facet].items()):
                _show_facet(facet, values, departments)
    if page.cursor:
        terminal.say(
            Text(f"Next page: --cursor {page.cursor}", f"下一页：--cursor {page.cursor}"),
            style=terminal.SOFT,
        )
    elif not page.hits and query.text:
        terminal.say(
            Text(
                "Every word must be in a record: try fewer, or shorter ones.",
                "每个词都须出现在同一资源中：请减少或缩短检索词。",
            ),
            style=terminal.SOFT,
        )


def _facts_of(hit: Hit) -> tuple[str, ...]:
    return (
        hit.provider_name,
        f"L{hit.grade}",
        str(v.OPENING.title(hit.opening)),
        str(v.CYCLES.title(hit.cycle)),
        "" if hit.updated is None else hit.updated.isoformat(),
    )


def _show_facet(
    facet: Facet, values: Sequence[tuple[str, int]], departments: dict[str, str]
) -> None:
    shown = [
        f"{value_name(facet, code, departments)} {count:,}"
        for code, count in values[:_SHOWN_VALUES]
    ]
    more = "" if len(values) <= _SHOWN_VALUES else f" … ({len(values):,})"
    colon = str(Text(": ", "："))
    line = f"{TITLES[facet]}{colon}{' · '.join(shown)}{more}"
    terminal.say(line, style=terminal.SOFT, hang=2)


def value_name(facet: Facet, code: str, departments: dict[str, str]) -> str:
    """Returns what a facet's code is called."""
    if facet in VOCABULARIES:
        return str(VOCABULARIES[facet].title(code))
    if facet == "place":
        return place_name(code)
    if facet == "grade":
        return f"L{code}"
    return departments.get(code, code) if facet == "department" else code


# ---- departments and conflicts -----------------------------------------------------------------


def show_providers(providers: Sequence[Provider]) -> None:
    """Prints departments and what they have registered."""
    rows = [
        (
            p.department.name,
            p.department.code,
            f"{p.datasets:,}",
            "" if p.newest is None else day(p.newest),
        )
        for p in providers
    ]
    terminal.table(
        titled(
            _DEPARTMENT, Text("Code", "代码"),
            Text("Datasets", "资源数"), Text("Last change", "最近变更"),
        ),
        rows,
        right=[2],
    )  # fmt: skip


def show_conflicts(conflicts: Sequence[Conflict]) -> None:
    """Prints conflicts, a line each."""
    rows = [
        (
            str(c.number),
            f"{c.subject} · {c.name}",
            place_name(c.place),
            c.holder.name,
            c.claimant.name,
            str(_STATES[c.state]),
        )
        for c in conflicts
    ]
    terminal.table(
        titled(
            Text("No.", "编号"), Text("Datum", "数据项"), Text("Place", "区域"),
            Text("Source now", "现数源"), Text("Claimed by", "主张方"), Text("State", "状态"),
        ),
        rows,
        right=[0],
    )  # fmt: skip


def show_conflict(conflict: Conflict) -> None:
    """Prints one conflict: both sides, and every step."""
    terminal.heading(f"{place_name(conflict.place)} · {conflict.subject} · {conflict.name}")
    sides = (
        (Text("Source", "数源"), conflict.holder),
        (Text("Claimant", "主张方"), conflict.claimant),
    )
    terminal.table(
        titled(Text("Side", "一方"), _DEPARTMENT, Text("By its dataset", "依据的数据资源")),
        [
            (
                str(title),
                side.name,
                "" if side.dataset is None else f"{side.dataset_name}\n{side.dataset[1]}",
            )
            for title, side in sides
        ],
    )
    names = {side.code: side.name for _, side in sides}
    for step in conflict.steps:
        parts = (day(step.at), str(_STEPS[step.what]), names.get(step.who, step.who), step.note)
        terminal.say(" · ".join(filter(None, parts)), hang=2)
