"""How good a record is, in points of 100, and what would make it better."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from catalog.registry.record import Record
from catalog.registry.vocabulary import CYCLE_DAYS
from protos.language import Text

_ENOUGH: Final = 20  # characters of an abstract that says something


@dataclass(frozen=True)
class Mark:
    """One thing that was looked at.

    Attributes:
        what: What it is about.
        points: Points that it got.
        most: Points that it could have got.
        reason: Why it did not get them all; None if it did.
    """

    what: Text
    points: int
    most: int
    reason: Text | None


@dataclass(frozen=True)
class Quality:
    """A record's marks; their points add up to the score, 0 to 100."""

    marks: tuple[Mark, ...]

    @property
    def score(self) -> int:
        """Points of 100."""
        return sum(mark.points for mark in self.marks)


def judge(record: Record, today: dt.date) -> Quality:
    """Returns what the record is worth to somebody who looks for data."""
    items = record.items
    described = sum(bool(item.description) for item in items)
    coded = sum(bool(item.code_list or item.length or item.type != "string") for item in items)
    used = sum(bool(item.uses) for item in items)
    return Quality(
        (
            _all_or_none(
                Text("abstract", "摘要"),
                15,
                len(record.abstract) >= _ENOUGH,
                Text(
                    f"say in at least {_ENOUGH} characters what it is",
                    f"请用不少于 {_ENOUGH} 字说明内容",
                ),
            ),
            _part(
                Text("descriptions of data items", "信息项说明"),
                20,
                described,
                len(items),
                Text("describe the other data items", "请补充其余信息项的说明"),
            ),
            _part(
                Text("type, length or code list", "类型、长度或代码集"),
                15,
                coded,
                len(items),
                Text("give texts a length or a code list", "请为字符型信息项填写长度或标准代码集"),
            ),
            _part(
                Text("permitted uses", "允许用途"),
                10,
                used,
                len(items),
                Text("say what each data item may be used for", "请填写各信息项的允许用途"),
            ),
            _all_or_none(
                Text("theme and scenario", "主题与应用场景"),
                10,
                bool(record.themes and record.scenarios),
                Text("name a theme and a scenario", "请填写主题和应用场景"),
            ),
            _all_or_none(
                Text("English name", "英文名称"),
                5,
                bool(record.name_en),
                Text("give it an English name", "请填写英文名称"),
            ),
            _freshness(record, today),
        )
    )


def _all_or_none(what: Text, most: int, holds: bool, reason: Text) -> Mark:  # noqa: FBT001 - one fact
    return Mark(what, most if holds else 0, most, None if holds else reason)


def _part(what: Text, most: int, have: int, of: int, reason: Text) -> Mark:
    points = most * have // max(of, 1)
    return Mark(what, points, most, None if points == most else reason)


def _freshness(record: Record, today: dt.date) -> Mark:
    what, most = Text("up to date", "更新及时性"), 25
    days = CYCLE_DAYS.get(record.cycle)
    if days is None:
        return Mark(what, most, most, None)
    if record.updated is None:
        return Mark(what, 0, most, Text("say when it was updated", "请填写更新日期"))
    late = (today - record.updated).days - days
    if late <= 0:
        return Mark(what, most, most, None)
    points = max(0, most - most * late // days)
    return Mark(
        what, points, most, Text(f"update it: {late} days late", f"请更新：已逾期 {late} 天")
    )
