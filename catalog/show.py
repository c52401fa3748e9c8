"""What the commands of ``veil catalog`` print for people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from catalog.interchange.form import HEADERS
from catalog.interchange.importing import Report
from catalog.registry import vocabulary as v
from catalog.registry.conflict_views import Conflict
from catalog.registry.entries import Entry, Neighbour, PastVersion
from catalog.registry.quality import Quality
from catalog.registry.record import Access, Record
from catalog.registry.registry import Provider
from catalog.search.find import Hit, Page
from catalog.search.query import FACETS, TITLES, VOCABULARIES, Facet, Query
from desensitize.divisions import divisions
from protos import terminal
from protos.language import Text

_SHOWN_PROBLEMS: Final = 20
_SHOWN_VALUES: Final = 6
_SHOWN_CHANGES: Final = 8
_GRADES: Final = {4: terminal.BAD, 3: terminal.WARN, 2: "", 1: terminal.SOFT}
_COMMA: Final = Text(", ", "、")
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


# ---- one dataset -------------------------------------------------------------------------------


def show_entry(entry: Entry, quality: Quality, tombstone: Mapping[str, Any] | None = None) -> None:
    """Prints all that the catalog knows about a dataset.

    Args:
        entry: The dataset.
        quality: Of its record.
        tombstone: What was signed when it was withdrawn; None while it is registered.
    """
    record = entry.record
    terminal.heading(record.name)
    if record.name_en:
        terminal.say(record.name_en, style=terminal.SOFT)
    if tombstone is not None:
        when, by, why = day(tombstone["iat"]), tombstone["by"], tombstone["reason"]
        terminal.say(
            Text(
                f"Withdrawn from the catalog on {when} by {by}: {why}",
                f"{when} 由{by}撤回：{why}",
            ),
            style=terminal.BAD,
        )
    if record.abstract:
        terminal.say(record.abstract)
    for name, value in _facts(entry):
        if value:
            terminal.say(f"{name}{Text(': ', '：')}{value}", hang=4)
    _show_items(entry)
    _show_neighbours(entry.neighbours)
    _show_versions(entry.versions)
    _show_quality(quality)


def _facts(entry: Entry) -> list[tuple[Text, str]]:
    record = entry.record
    path = " / ".join((str(v.CATEGORIES.title(record.category)), *record.path))
    kind = f"{v.KINDS.title(record.kind)}"
    form = " ".join(filter(None, (str(v.FORMATS.title(record.format)), record.format_type)))
    comma = str(_COMMA)
    return [
        (Text("Code", "代码"), f"{record.identifier} ({record.source})"),
        (Text("Provider", "提供方"), f"{record.provider.name} ({record.provider.code})"),
        (Text("Classification", "分类"), path),
        (Text("Kind and format", "类型与格式"), f"{kind}{comma}{form}"),
        (Text("Sharing", "共享"), _access(v.SHARING, record.sharing)),
        (Text("Open", "开放"), _access(v.OPENING, record.opening)),
        (Text("Updated", "更新"), comma.join(filter(None, _times(record)))),
        (Text("Place", "区域"), place_name(record.place)),
        (Text("System", "来源系统"), record.system),
        (Text("Themes", "主题"), comma.join(str(v.THEMES.title(t)) for t in record.themes)),
        (Text("Scenarios", "应用场景"), comma.join(record.scenarios)),
        (Text("Used", "使用次数"), f"{entry.usage:,}" if entry.usage else ""),
    ]


def _access(vocabulary: v.Vocabulary, access: Access) -> str:
    between = str(Text("; ", "；"))
    parts = (str(vocabulary.title(access.attribute)), access.condition, access.method)
    return between.join(filter(None, parts))


def _times(record: Record) -> tuple[str, ...]:
    return (
        str(v.CYCLES.title(record.cycle)),
        "" if record.updated is None else record.updated.isoformat(),
        ""
        if record.published is None
        else str(Text(f"first {record.published}", f"首次发布 {record.published}")),
    )


def _show_items(entry: Entry) -> None:
    """Prints the data items; columns in which nothing stands are left out."""
    columns = titled(
        Text("Data item", "信息项"), Text("Type", "类型"), Text("Grade", "分级"),
        Text("May be used to", "允许用途"), Text("Code list", "代码集"), Text("Source", "数源"),
    )  # fmt: skip
    rows = [_item(entry, number) for number in range(len(entry.record.items))]
    filled = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    terminal.table(
        [columns[place] for place in filled],
        [[row[place] for place in filled] for row in rows],
        styles=[_GRADES[item.grade] for item in entry.record.items],
    )


def _item(entry: Entry, number: int) -> tuple[str, ...]:
    item = entry.record.items[number]
    name = f"{item.subject} · {item.name}" if item.subject else item.name
    source = entry.sources.get(item.name)
    disputed = str(Text("disputed", "存在争议"))
    length = "" if item.length is None else f" ({item.length})"
    return (
        name,
        f"{v.TYPES.title(item.type)}{length}",
        f"L{item.grade}",
        str(_COMMA).join(str(v.USES.title(use)) for use in sorted(item.uses)),
        item.code_list,
        "" if source is None else source or disputed,
    )


def _show_neighbours(neighbours: Sequence[Neighbour]) -> None:
    for other in neighbours:
        title = v.RELATIONS.title(other.kind)
        name = other.name or str(Text("not registered here", "本目录未登记"))
        said = f"{name} ({other.identifier})"
        back = Text(f"is what this is {title.en}: ", f"被引用（{title.zh}）：")
        line = f"{title}{Text(': ', '：')}{said}" if other.outward else f"← {back}{said}"
        terminal.say(line, style=terminal.SOFT, hang=2)


def _show_versions(versions: Sequence[PastVersion]) -> None:
    for version in versions:
        said = version.said
        parts = [f"{Text('Version', '版本')} {version.number}", day(version.recorded_at)]
        parts += filter(None, (said.label, " ".join(said.notes.split())))
        if said.rows is not None:
            parts.append(str(Text(f"{said.rows:,} rows", f"{said.rows:,} 行")))
        for count, sign in ((said.added, "+"), (said.removed, "-"), (said.changed, "~")):
            if count is not None:
                parts.append(f"{sign}{count:,}")
        terminal.say(" · ".join(parts), hang=2)
        changes = version.changes[:_SHOWN_CHANGES]
        for change in changes:
            terminal.say(_change(change), indent=4, hang=2, style=terminal.SOFT)
        if (more := len(version.changes) - len(changes)) > 0:
            terminal.say(Text(f"… and {more} more", f"……另有 {more} 处"), indent=4)


_WHAT: Final = {
    "added": Text("added", "新增"),
    "removed": Text("removed", "删除"),
    "changed": Text("changed", "变更"),
}
_FIELDS: Final = {
    "items": Text("data item", "信息项"),
    "items.order": Text("order of data items", "信息项顺序"),
    "sharing": Text("sharing", "共享属性"),
    "opening": Text("opening", "开放属性"),
    "provider": Text("provider", "信息资源提供方"),
    "path": Text("classification", "信息资源分类"),
    "version": Text("version", "版本"),
}


def _change(change: dict[str, Any]) -> str:
    field, item = str(change["field"]), str(change.get("item", ""))
    header = HEADERS.get(f"items.{field}" if item else field, field)
    title = _FIELDS.get(field, Text(field.replace("_", " "), header))
    said = " ".join(filter(None, (str(_WHAT[change["what"]]), str(title), item)))
    was, now = change.get("was"), change.get("now")
    if any(isinstance(part, dict | list) for part in (was, now)) or (was is None and now is None):
        return said
    nothing = str(Text("nothing", "空"))
    return f"{said}{Text(': ', '：')}{was or nothing} → {now or nothing}"


def _show_quality(quality: Quality) -> None:
    terminal.say(
        Text(f"Quality of the record: {quality.score} of 100", f"元数据质量：{quality.score} 分")
    )
    for mark in quality.marks:
        if mark.reason is not None:
            line = Text(
                f"{mark.what.en} {mark.points}/{mark.most}: {mark.reason.en}",
                f"{mark.what.zh} {mark.points}/{mark.most}：{mark.reason.zh}",
            )
            terminal.say(line, indent=2, hang=2, style=terminal.SOFT)


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
