"""One dataset, as ``veil catalog show`` prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from catalog.registry import vocabulary as v
from catalog.registry.entries import Entry, Neighbour, PastVersion
from catalog.registry.quality import Quality
from catalog.registry.record import Access, Record
from catalog.show.changes import change_words
from catalog.show.words import day, place_name, titled
from protos import terminal
from protos.language import Text

_SHOWN_CHANGES: Final = 8
_GRADES: Final = {4: terminal.BAD, 3: terminal.WARN, 2: "", 1: terminal.SOFT}
_COMMA: Final = Text(", ", "、")


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
    elif entry.undeclared_since is not None:
        when = day(entry.undeclared_since)
        terminal.say(
            Text(
                f"Its department's node no longer declares it since {when}.",
                f"部门节点自 {when} 起不再申报该数据资源。",
            ),
            style=terminal.WARN,
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
            terminal.say(change_words(change), indent=4, hang=2, style=terminal.SOFT)
        if (more := len(version.changes) - len(changes)) > 0:
            terminal.say(Text(f"… and {more} more", f"……另有 {more} 处"), indent=4)


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
