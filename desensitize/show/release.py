"""A release and token keys, for people: what was done, what is left, what was left out."""

from __future__ import annotations

from typing import Final

from desensitize.keys import TokenKeys
from desensitize.releasing.earlier import Changes
from desensitize.releasing.facts import ColumnFacts, Release
from desensitize.shares import share
from desensitize.show.scan import ROLES
from protos import terminal
from protos.language import Text, joined

_HEADINGS: Final = (
    Text("Column", "列"),
    Text("Role", "角色"),
    Text("Done", "处理"),
    Text("A reader can conclude", "读者可推断"),
    Text("Detail lost", "细节损失"),
)
_KEY_HEADINGS: Final = (
    Text("Domain", "域"),
    Text("Id", "编号"),
    Text("Made", "生成时间"),
    Text("Retired", "停用时间"),
)
_COUNTED: Final = Text(
    "Detail lost is counted from the finest level that the policy names; rows left out count as "
    "all lost.",
    "细节损失以策略所列最细层级为基准；删去的行按全部丢失计。",
)


def show_release(release: Release) -> None:
    """Prints what was done."""
    terminal.table(
        [str(heading) for heading in _HEADINGS],
        [_row(column, release) for column in release.columns],
        right=[4],
    )
    if release.figures.get("losses"):
        terminal.say(_COUNTED, style=terminal.SOFT)
    for note in (*_notes(release), *release.notes):
        terminal.say(f"! {note}", style=terminal.WARN)
    for since in release.figures.get("earlier", ()):
        for place, said in enumerate(Changes(**since).sentences()):
            terminal.say(said, indent=2 * bool(place), hang=2)
    rows_in = release.output.rows + release.suppressed_rows
    terminal.say(
        Text(
            f"{release.output.rows:,} of {rows_in:,} rows, "
            f"{len(release.columns)} columns; SHA-256 {release.output.sha256}.",
            f"输出 {release.output.rows:,} 行（输入 {rows_in:,} 行），"
            f"{len(release.columns)} 列；SHA-256 {release.output.sha256}。",
        )
    )


def show_keys(keys: TokenKeys) -> None:
    """Prints which keys there are; never a secret."""
    terminal.table(
        [str(heading) for heading in _KEY_HEADINGS],
        [(key.domain, key.id, key.made, key.retired or "–") for key in keys.keys],
        styles=[terminal.SOFT if key.retired else "" for key in keys.keys],
    )


def _row(column: ColumnFacts, release: Release) -> tuple[str, ...]:
    done = " → ".join(
        " ".join([each.method, *(_written(value) for value in each.parameters.values())]).strip()
        for each in column.methods
    )
    return (
        " ".join(column.name.split()),
        str(ROLES[column.role]),
        done,
        str(joined(each.concludes for each in column.methods)) or "–",
        str(joined(detail_lost(column, release))),
    )


def detail_lost(column: ColumnFacts, release: Release) -> list[Text]:
    """Says how much of its detail a column has lost, or that nobody has measured it; and emptied.

    The search for levels measures what they cost; a method of the policy is applied unmeasured. Of
    a row that was left out all is lost, as the search counts it.
    """
    methods = {each.method for each in column.methods}
    said = Text("not measured", "未度量")
    loss = release.figures.get("losses", {}).get(column.name)
    if loss is None and methods == {"keep"} and release.input is not None and release.input.rows:
        loss = release.suppressed_rows / release.input.rows
    if loss is not None:
        said = Text(share(loss), share(loss))
    emptied = Text(f"{column.lost:,} emptied", f"置空 {column.lost:,}")
    return [said, emptied] if column.lost else [said]


def _written(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def _notes(release: Release) -> list[Text]:
    notes = []
    if not release.output.rows:
        notes.append(Text("no row is published", "没有发布任何数据行"))
    if release.unmentioned:
        listed = ", ".join(map(repr, release.unmentioned))
        notes.append(
            Text(
                f"dropped, because the policy does not mention them: {listed}",
                f"策略未提及，已删除：{listed}",
            )
        )
    if lost := {column.name: column.lost for column in release.columns if column.lost}:
        listed = ", ".join(f"{name!r} {count:,}" for name, count in lost.items())
        notes.append(
            Text(
                "values that the methods could not read or the bounds exclude are empty now: "
                f"{listed}",
                f"无法识别或超出范围的值已置空：{listed}",
            )
        )
    if unclear := {column.name: column.unclear for column in release.columns if column.unclear}:
        listed = ", ".join(f"{name!r} {count:,}" for name, count in unclear.items())
        notes.append(
            Text(
                f"of these are empty because divisions of several cities have the name: {listed}. "
                'Write within = "COLUMN" of a city or division code under [columns] of the policy',
                f"其中因多个城市有同名区县、无法判定而置空：{listed}。请在策略的 [columns] 中用 "
                'within = "列名" 指明可据以判定的城市或行政区划代码列',
            )
        )
    if release.suppressed_rows:
        notes.append(
            Text(
                f"{release.suppressed_rows:,} rows were left out so that the models hold",
                f"为满足隐私模型，删去 {release.suppressed_rows:,} 行",
            )
        )
    if release.fresh:
        listed = ", ".join(map(repr, release.fresh))
        notes.append(
            Text(
                f"drawn afresh, so the next run differs: {listed}",
                f"使用了新的随机数，再次运行结果会不同：{listed}",
            )
        )
    if release.rescan and release.rescan.hits:
        listed = ", ".join(map(repr, release.rescan.hits))
        notes.append(
            Text(
                f"the output still holds direct identifiers: {listed}",
                f"输出中仍有直接标识符：{listed}",
            )
        )
    return notes
