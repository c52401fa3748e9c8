"""Pictures as numbers: what the page's templates draw, scaled to a width of 100.

Every picture stands beside the figures that it shows, so that nothing is told by colour or length
alone (WCAG 2.2, 1.4.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from desensitize.attacks.findings import AttackReport, Finding
from desensitize.generalise.alternatives import Alternative
from desensitize.releasing.facts import Release
from desensitize.risks import PRESENT, RiskReport
from desensitize.shares import share
from desensitize.vocabulary import TITLES
from protos.language import Text, joined

Tone = Literal["good", "warn", "bad", "plain"]
_WIDE: Final = 640
_HIGH: Final = 220
_LEVELS: Final = {
    "value": "原值", "*": "全部合并", "day": "日", "week": "周", "month": "月", "quarter": "季度",
    "year": "年", "5y": "五年", "10y": "十年", "street": "街道", "district": "区县", "city": "市",
    "province": "省",
}  # fmt: skip
_MEANT: Final = {"value": "as it was", "*": "all in one"}
_EDGE: Final = (52, 16, 36, 40)  # left, top, right, bottom of a plot
_FIRST: Final = 26  # from the axis to the first point: its figure does not cover the axis' own


@dataclass(frozen=True)
class Bar:
    """One bar of a picture.

    Attributes:
        label: On its left.
        said: On its right: the figure.
        width: 0 to 100.
        tone: Colour.
        limit: Where a mark stands, 0 to 100; None for no mark.
        start: Where a second, lighter bar ends, 0 to 100; None for none.
    """

    label: Text
    said: Text
    width: float
    tone: Tone = "plain"
    limit: float | None = None
    start: float | None = None


@dataclass(frozen=True)
class Point:
    """One point of a plot, in its own units.

    Attributes:
        x: From the left.
        y: From the top.
        label: On the axis below.
        said: Beside the point.
        chosen: Whether it is the one that was taken.
    """

    x: float
    y: float
    label: str
    said: str
    chosen: bool


@dataclass(frozen=True)
class Plot:
    """Points that a line joins.

    Attributes:
        wide: Of the picture.
        high: Of the picture.
        left: Where the axes begin.
        bottom: The same.
        points: From left to right.
        lines: Heights of the grid, each with its label.
    """

    wide: int
    high: int
    left: int
    right: int
    bottom: int
    points: tuple[Point, ...]
    lines: tuple[tuple[float, str], ...]


def class_sizes(report: RiskReport) -> list[Bar]:
    """Rows by how many look like them: the picture of k."""
    most = max((each.rows for each in report.sizes), default=1)
    bars = []
    for each in report.sizes:
        many = f"{each.least:,}"
        if each.most is None:
            many = f"≥ {many}"
        elif each.most > each.least:
            many = f"{many}–{each.most:,}"
        tone: Tone = "bad" if each.least == 1 else "warn" if 1 / each.least > PRESENT else "good"
        bars.append(Bar(
            Text(f"{many} alike", f"{many} 行相同"),
            Text(f"{each.rows:,} row{'s' * (each.rows != 1)}, chance ≤ {share(1 / each.least)}",
                 f"{each.rows:,} 行，概率 ≤ {share(1 / each.least)}"),
            100 * each.rows / most,
            tone,
        ))  # fmt: skip
    return bars


def attackers(report: RiskReport) -> list[Bar]:
    """The three attackers beside the chance that open publication accepts, on a scale of roots.

    Roots, because one in a thousand and one in five both have to be seen.
    """
    named = [
        (Text("Prosecutor: knows that the person is in the table",
              "检察官型：知道此人在表中"), report.prosecutor),
        (Text("Journalist: knows the population only", "记者型：只了解总体"), report.journalist),
        (Text("Marketer: share of all rows picked rightly", "营销者型：全部行中选对的比例"),
         report.marketer),
    ]  # fmt: skip
    return [
        Bar(label, Text(share(risk), share(risk)), 100 * math.sqrt(risk),
            "good" if risk <= PRESENT else "warn" if risk < 1 else "bad",
            limit=100 * math.sqrt(PRESENT))
        for label, risk in named
        if risk is not None
    ]  # fmt: skip


def inferences(report: AttackReport) -> list[Bar]:
    """How much better than knowing nothing a guess at each sensitive column becomes."""
    bars = []
    for each in report.of("inference"):
        if each.figure is None or not each.columns:
            continue
        base = each.figures.get("base_rate", 0.0)
        guess = each.figures.get("right_without_own_row", base)
        gain = guess - base
        tone: Tone = "good" if gain <= PRESENT else "warn" if gain <= 0.25 else "bad"
        name = " ".join(each.columns[0].split())
        bars.append(Bar(
            Text(name, name),
            Text(f"{share(base)} → {share(guess)}; certain for {share(each.figure)} of rows",
                 f"{share(base)} → {share(guess)}；{share(each.figure)} 的行可确定"),
            100 * max(guess, base), tone, start=100 * base,
        ))  # fmt: skip
    return bars


def candidates(report: AttackReport) -> list[Bar]:
    """How many values fit each mask, on a scale of powers of ten up to a hundred million."""
    bars = []
    for each in report.of("mask_reversal"):
        name = " ".join(each.columns[0].split()) if each.columns else "?"
        if each.figure is None:
            bars.append(Bar(Text(name, name), Text("not known", "无法判定"), 0, "bad"))
            continue
        limit = None if each.threshold is None else _log(each.threshold)
        bars.append(Bar(
            Text(name, name),
            Text(f"{each.figure:,.0f} values fit", f"{each.figure:,.0f} 个取值相符"),
            _log(each.figure), "bad" if each.verdict == "broken" else "good", limit=limit,
        ))  # fmt: skip
    return bars


def _log(figure: float) -> float:
    return min(100.0, 100 * math.log10(max(figure, 1)) / 8)


def level_name(level: object) -> Text:
    """What a level is called: as in the policy, with what that means where it does not tell."""
    written = str(level)
    plain = f"{written} ({_MEANT[written]})" if written in _MEANT else written
    meant = TITLES[written].zh if written in TITLES else _LEVELS.get(written)
    return Text(plain, f"{written}（{meant}）" if meant else written)


def losses(release: Release) -> list[Bar]:
    """What each quasi-identifier has lost of its detail, and how many values besides."""
    emptied = {column.name: column.lost for column in release.columns if column.lost}
    bars = []
    for name, loss in release.figures.get("losses", {}).items():
        level = level_name(release.levels.get(name, "–"))
        said = Text(f"{share(loss)} – level {level.en}", f"{share(loss)}，层级 {level.zh}")
        if name in emptied:
            said = joined([said, Text(
                f"{emptied[name]:,} values could not be read", f"{emptied[name]:,} 个值无法识别"
            )])  # fmt: skip
        bars.append(Bar(Text(name, name), said, 100 * loss))
    return bars


def loss_against_k(costs: Sequence[Alternative], chosen: int | None) -> Plot | None:
    """Loss against k, k on a scale of logarithms; None with fewer than two points."""
    met = [each for each in costs if each.met]
    if len(met) < 2:
        return None
    left, top, right, bottom = _EDGE
    low, high = math.log(met[0].k), math.log(met[-1].k)
    most = _nice(max(each.loss for each in met))

    def at(each: Alternative) -> Point:
        along = (math.log(each.k) - low) / (high - low)
        x = left + _FIRST + (_WIDE - left - _FIRST - right) * along
        y = top + (_HIGH - top - bottom) * (1 - each.loss / most)
        return Point(x, y, str(each.k), share(each.loss), each.k == chosen)

    steps = tuple(
        (top + (_HIGH - top - bottom) * (1 - step / 4), share(most * step / 4)) for step in range(5)
    )
    return Plot(_WIDE, _HIGH, left, _WIDE - right, _HIGH - bottom, tuple(map(at, met)), steps)


def _nice(most: float) -> float:
    """The next round number, so that the axis can be read."""
    return next((each for each in (0.04, 0.1, 0.2, 0.4, 0.6, 0.8) if most <= each), 1.0)


def worst_first(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Findings as a reader wants them: what is broken, what is not known, what held, the rest."""
    order = {"broken": 0, "unknown": 1, "held": 2, "measured": 3}
    yield from sorted(findings, key=lambda each: order[each.verdict])
