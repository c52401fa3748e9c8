"""A synthetic release, for people: what was spent; and, apart from it, what is not protected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from desensitize.releasing.facts import Release
from desensitize.synthesis.facts import StewardFigures, SynthesisFacts
from protos import terminal
from protos.language import Text

_HEADINGS: Final = (
    Text("Column", "列"),
    Text("Drawn from", "取值范围"),
    Text("Values", "取值数"),
    Text("Type", "类型"),
)
_ALONE: Final = Text(
    "For you alone (exact figures of the data: unprotected, written nowhere, not for publication)",
    "仅供数据管理员查看（数据的精确统计：未受保护，未写入任何文件，不得公开）",
)


def show_synthesis(release: Release) -> None:
    """Prints what a synthetic release says of itself."""
    facts = release.synthesis
    if facts is None:
        raise RuntimeError("a copy is shown by `show_release`")
    terminal.table(
        [str(heading) for heading in _HEADINGS],
        [
            (
                " ".join(column.name.split()),
                _domain(facts.domains[column.name]),
                f"{facts.domains[column.name]['values']:,}",
                column.stored,
            )
            for column in release.columns
        ],
        right=[2],
    )
    terminal.say(f"! {facts.claim}", style=terminal.WARN)
    for sentence in (_spent(facts), _subject(facts), _pairs(facts), *_left_out(release)):
        terminal.say(sentence)
    terminal.say(
        Text(
            f"{release.output.rows:,} synthetic rows, {len(release.columns)} columns; "
            f"SHA-256 {release.output.sha256}.",
            f"合成数据 {release.output.rows:,} 行，{len(release.columns)} 列；"
            f"SHA-256 {release.output.sha256}。",
        )
    )


def show_steward(figures: StewardFigures) -> None:
    """Prints exact figures of the data, and that they are nobody else's."""
    terminal.heading(_ALONE)
    terminal.say(
        Text(
            f"{figures.rows_in:,} rows were read, {figures.counted:,} of them count.",
            f"读取 {figures.rows_in:,} 行，其中 {figures.counted:,} 行计入。",
        )
    )
    if figures.outside:
        listed = ", ".join(f"{name!r} {rows:,}" for name, rows in figures.outside.items())
        terminal.say(
            Text(
                f"Values that no declared domain has count as empty: {listed}.",
                f"不在声明取值范围内的值按空值计：{listed}。",
            )
        )
    terminal.say(
        Text(
            f"Distance from the data (total variation, 0 to 1): columns {figures.one_way:.3f} on "
            "average.",
            f"与原数据的距离（全变差，0 到 1）：单列平均 {figures.one_way:.3f}。",
        )
    )
    if figures.two_way is not None and figures.worst is not None:
        one, other, distance = figures.worst
        terminal.say(
            Text(
                f"Pairs of columns {figures.two_way:.3f} on average; farthest {one!r} with "
                f"{other!r}, {distance:.3f}.",
                f"列对平均 {figures.two_way:.3f}；最远的是“{one}”与“{other}”，为 {distance:.3f}。",
            )
        )
    if figures.unmentioned:
        listed = ", ".join(map(repr, figures.unmentioned))
        terminal.say(
            Text(
                f"Left out, because the policy does not mention them: {listed}.",
                f"策略未提及，未合成：{listed}。",
            )
        )
    for note in figures.notes:
        terminal.say(f"! {note}", style=terminal.WARN)


def _domain(says: Mapping[str, Any]) -> str:
    shown = {key: value for key, value in says.items() if key not in {"values", "nullable"}}
    return ", ".join(f"{key} {_written(value)}" for key, value in shown.items())


def _written(value: object) -> str:
    return "–".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _spent(facts: SynthesisFacts) -> Text:
    figures = f"epsilon {facts.epsilon:g}, delta {facts.delta:g} (rho {facts.rho:.3g})"
    return Text(
        f"Spent on every subject: {figures}. Another synthesis of the same people adds to it.",
        f"对每个主体消耗：{figures}。对同一人群再次合成将累加。",
    )


def _subject(facts: SynthesisFacts) -> Text:
    if not facts.subject:
        return Text(
            f"A row is a subject, as the policy declares. Compared are {facts.neighbours.en}.",
            f"按策略声明，每行为一个主体。所比较的是{facts.neighbours.zh}。",
        )
    return Text(
        f"The first {facts.max_rows_per_subject:,} rows of each {facts.subject!r} count. Compared "
        f"are {facts.neighbours.en}.",
        f"每个“{facts.subject}”只计入前 {facts.max_rows_per_subject:,} 行。"
        f"所比较的是{facts.neighbours.zh}。",
    )


def _pairs(facts: SynthesisFacts) -> Text:
    pairs = [each.columns for each in facts.marginals if len(each.columns) == 2]
    if not pairs:
        return Text(
            "No pair of columns rose above the noise: columns are independent of each other.",
            "没有列对高于噪声水平：各列相互独立。",
        )
    listed = ", ".join(" – ".join(pair) for pair in pairs)
    return Text(f"Pairs that hang together: {listed}.", f"保留关联的列对：{listed}。")


def _left_out(release: Release) -> list[Text]:
    if not release.dropped:
        return []
    listed = ", ".join(map(repr, release.dropped))
    return [Text(f"Not synthesised: {listed}.", f"未合成的列：{listed}。")]
