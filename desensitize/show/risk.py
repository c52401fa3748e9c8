"""A measurement of risk for people: sentences, figures, and how large the classes are."""

from __future__ import annotations

from typing import Final

from desensitize.risks import PRESENT, Bucket, RiskReport
from protos import terminal
from protos.language import Text

_BAR: Final = 40
_HEADINGS: Final = (
    Text("Rows alike", "同类行数"),
    Text("Classes", "等价类"),
    Text("Rows", "行数"),
    Text("Share of rows", "占比"),
)
_SENSITIVE: Final = (
    Text("Sensitive column", "敏感属性"),
    Text("l", "l"),
    Text("Entropy l", "熵 l"),
    Text("t", "t"),
    Text("Rows that tell it", "可推断的行"),
)


def show_risk(report: RiskReport) -> None:
    """Prints a report."""
    for sentence in report.sentences():
        terminal.say(" ".join(str(sentence).split()))  # names of columns may hold line breaks
    if not report.rows:
        return
    terminal.table(
        [str(heading) for heading in _HEADINGS],
        [_row(bucket, report.rows) for bucket in report.sizes],
        right=[0, 1, 2],
        styles=[_style(bucket) for bucket in report.sizes],
    )
    if report.sensitive:
        terminal.table(
            [str(heading) for heading in _SENSITIVE],
            [
                (
                    " ".join(s.name.split()),
                    str(s.l),
                    f"{s.entropy_l:.2f}",
                    f"{s.t:.3f}",
                    f"{s.homogeneous_rows:,}",
                )
                for s in report.sensitive
            ],
            right=[1, 2, 3, 4],
        )
    terminal.say(_summary(report))


def _row(bucket: Bucket, rows: int) -> tuple[str, ...]:
    if bucket.most is None:
        size = f"≥ {bucket.least:,}"
    elif bucket.most == bucket.least:
        size = f"{bucket.least:,}"
    else:
        size = f"{bucket.least:,}–{bucket.most:,}"
    share = bucket.rows / rows
    bar = "█" * round(share * _BAR) or "▏"
    return size, f"{bucket.classes:,}", f"{bucket.rows:,}", f"{bar} {share:.1%}"


def _style(bucket: Bucket) -> str:
    if bucket.least == 1:
        return terminal.BAD
    return terminal.WARN if bucket.least * PRESENT < 1 else ""


def _summary(report: RiskReport) -> Text:
    journalist = report.journalist
    there = Text("", "")
    if journalist is not None:
        there = Text(f", journalist {journalist:.2%}", f"，记者 {journalist:.2%}")
    k, classes, rows = f"{report.k:,}", f"{report.classes:,}", f"{report.rows:,}"
    prosecutor, marketer = f"{report.prosecutor:.2%}", f"{report.marketer:.2%}"
    above, level = f"{report.above_present:,}", report.gbt42460_level
    return Text(
        f"k = {k}; {classes} classes of {rows} rows. Chances: prosecutor {prosecutor}{there.en}, "
        f"marketer {marketer}; {above} rows above {PRESENT:.0%}. GB/T 42460 level {level}.",
        f"k = {k}；{rows} 行分为 {classes} 个等价类。重标识概率：检察官 {prosecutor}{there.zh}，"
        f"营销者 {marketer}；超过 {PRESENT:.0%} 的有 {above} 行。GB/T 42460 等级 {level}。",
    )
