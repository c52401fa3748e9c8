"""Mask reversal: how many values a masked number could have been, alone and with what is beside it.

The 6 + 8 stars + 4 mask of a resident id leaves some 3,000 candidates, with a five-year band
beside it 166, with the month of birth 3. Counted over the type's own space, for every row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.attacks import other_spaces, resident_space
from desensitize.attacks.beside import Told, told
from desensitize.attacks.findings import Finding
from desensitize.attacks.view import View
from desensitize.masking.visible import Ends
from desensitize.recognisers import by_name
from desensitize.recognisers.digits import Bytes, Ints, matrix
from protos.language import Text

_ID: Final = "cn_resident_id"
_COUNTED: Final = (_ID, *other_spaces.SPACES)
_YEARS: Final = 90
_SAMPLE: Final = 5_000
_MOSTLY: Final = 0.8
_WORST: Final = 5_000
_MEASURES: Final = Text(
    "fewest values that one masked cell could have been", "单个掩码值最少可能对应的原值数"
)


def attack(view: View, today: dt.date) -> list[Finding]:
    """Counts the candidates of each masked column.

    Args:
        view: Both tables.
        today: Last possible day of birth; the first is ninety years before.
    """
    births = births_until(today)
    findings = []
    for name in view.known:
        steps = view.policy.columns[name].methods
        if steps and isinstance(steps[-1], Ends):
            findings.append(_column(view, name, steps[-1], births))
    return findings


def births_until(today: dt.date) -> tuple[dt.date, dt.date]:
    """Returns the days on which anybody was born: ninety years, until a day."""
    return today.replace(year=today.year - _YEARS, day=min(today.day, 28)), today


def _column(view: View, name: str, ends: Ends, births: tuple[dt.date, dt.date]) -> Finding:
    kind = kind_of(view, name)
    if kind not in _COUNTED:
        return _not_counted(view, name, kind)
    masks = view.cells(view.release, name)
    if kind == _ID:
        return _resident(view, name, ends, masks.combine_chunks(), births)
    shown = _starred(masks.combine_chunks(), ends)
    present = shown.drop_null().unique().to_pylist()
    counted = other_spaces.count(kind, present)
    table = dict(zip(present, counted.tolist(), strict=True))
    found = np.array([table.get(mask, -1) for mask in shown.to_pylist()], dtype=np.int64)
    return _finding(
        view, name, found, found, (), other_spaces.ASSUMED[kind],
        lambda first, last: _others(kind, shown, first, last),
    )  # fmt: skip


def kind_of(view: View, name: str) -> str:
    """Returns what a column holds: as the policy says, or else what most of its values are."""
    said = view.policy.columns[name].type
    if said in by_name():
        return said
    values = view.cells(view.original, name).slice(0, _SAMPLE).combine_chunks().drop_null()
    values = values.filter(pc.not_equal(values, ""))
    for kind in _COUNTED:
        recogniser = by_name()[kind]
        formed = values.filter(pc.match_substring_regex(values, f"^(?:{recogniser.pattern})$"))
        right = len(formed)
        if right and recogniser.check is not None:
            right = int(recogniser.check(formed).sum())
        if len(values) and right >= _MOSTLY * len(values):
            return kind
    return said


def _starred(masks: pa.Array, ends: Ends) -> pa.Array:
    """Writes every mask with ``*`` where the method hides, whatever mark it uses."""
    length = pc.utf8_length(masks)
    hidden = pc.subtract(length, ends.first + ends.last)
    whole = pc.less_equal(hidden, 0)
    stars = pc.binary_repeat("*", pc.max_element_wise(hidden, 0))
    first = pc.utf8_slice_codeunits(masks, 0, ends.first)
    last = pc.utf8_slice_codeunits(masks, -ends.last) if ends.last else ""
    mixed = pc.binary_join_element_wise(first, stars, last, "")
    return pc.if_else(whole, pc.binary_repeat("*", length), mixed)


# ---- resident ids ------------------------------------------------------------------------------


def _resident(
    view: View, name: str, ends: Ends, masks: pa.Array, births: tuple[dt.date, dt.date]
) -> Finding:
    cells, rows = _laid_out(_starred(masks, ends))
    known = _told(view, name, births)
    beside = _of(known, rows)
    nothing = resident_space.nothing_beside(len(rows), births)
    alone = _by_class(cells, nothing, births)
    both = _by_class(cells, beside, births)
    worst = np.argsort(both, kind="stable")[:_WORST]
    assumption = Text(
        f"every division below a province that GB/T 2260 has listed since 1980, every day from "
        f"{births[0]} to {births[1]}, sequence numbers 000 to 999, the right check character; all "
        "equally likely",
        f"1980 年以来 GB/T 2260 所列的全部省级以下区划、{births[0]} 至 {births[1]} 的每一天、"
        "顺序码 000 至 999、校验码正确；各值等可能",
    )
    return _finding(
        view, name, _spread(alone, rows, view.rows), _spread(both, rows, view.rows),
        known.columns, assumption,
        lambda first, last: _by_class(_hidden(cells[worst], first, last),
                                      _rows(beside, worst), births),
    )  # fmt: skip


def _laid_out(masks: pa.Array) -> tuple[Bytes, Ints]:
    """Masks of 18 characters as bytes, and their rows."""
    right = pc.fill_null(pc.equal(pc.utf8_length(masks), resident_space.LENGTH), False)  # noqa: FBT003
    rows = np.flatnonzero(right.to_numpy(zero_copy_only=False))
    cells, _ = matrix(masks.filter(right), resident_space.LENGTH, compact=False)
    return cells, rows


def _told(view: View, name: str, births: tuple[dt.date, dt.date]) -> Told:
    if view.origin is None:
        return Told((), resident_space.nothing_beside(view.rows, births))
    values = view.cells(view.original, name).combine_chunks().take(pa.array(view.origin[:_SAMPLE]))
    values = pc.fill_null(values, "")
    right = pc.match_substring_regex(values, "^[0-9]{17}[0-9Xx]$")
    values = pc.if_else(right, values, "1")
    good = right.to_numpy(zero_copy_only=False) & by_name()[_ID].check(values)  # type: ignore[misc]
    ids, _ = matrix(values.filter(pa.array(good)), resident_space.LENGTH)
    return told(view, ids, np.flatnonzero(good), births)


def _of(known: Told, rows: Ints) -> resident_space.Beside:
    return _rows(known.beside, rows)


def _rows(beside: resident_space.Beside, rows: Ints) -> resident_space.Beside:
    return replace(
        beside, first=beside.first[rows], last=beside.last[rows], parity=beside.parity[rows],
        division=beside.division[rows],
    )  # fmt: skip


def _by_class(cells: Bytes, beside: resident_space.Beside, births: tuple[dt.date, dt.date]) -> Ints:
    """Counts each different combination once."""
    if not len(cells):
        return np.zeros(0, dtype=np.int64)
    return resident_space.count(cells, beside, births)


def _hidden(cells: Bytes, first: int, last: int) -> Bytes:
    cells = cells.copy()
    cells[:, first : resident_space.LENGTH - last] = resident_space.HIDDEN
    return cells


def _spread(counted: Ints, rows: Ints, every: int) -> Ints:
    result = np.full(every, -1, dtype=np.int64)
    result[rows] = counted
    return result


def _others(kind: str, masks: pa.Array, first: int, last: int) -> Ints:
    texts = masks.drop_null().unique().to_pylist()
    hidden = [
        text[:first] + "*" * max(len(text) - first - last, 0) + text[len(text) - last :]
        if len(text) >= first + last else "*" * len(text)
        for text in texts[:_WORST]
    ]  # fmt: skip
    return other_spaces.count(kind, hidden)


# ---- what it says ------------------------------------------------------------------------------


def _finding(
    view: View,
    name: str,
    alone: Ints,
    both: Ints,
    columns: tuple[str, ...],
    assumption: Text,
    again: Callable[[int, int], Ints],
) -> Finding:
    limit = view.policy.attacks.mask_candidates_min
    # 0: mask and neighbours contradict each other (a typing error); it hides nobody's value.
    alone, both = alone[alone > 0], both[both > 0]
    if not len(both):
        return _nothing(view, name)
    least, least_alone = int(both.min()), int(alone.min())
    below = float((both < limit).mean()) if limit is not None else 0.0
    beside_en = f" with {', '.join(columns)} beside it" if columns else ""
    beside_zh = f"，结合{'、'.join(columns)}" if columns else ""
    reason = Text(
        f"the mask of {name!r} alone leaves at least {least_alone:,} candidates"
        + (f";{beside_en} at least {least:,}" if columns else "")
        + f", half of the cells {int(np.median(both)):,} or fewer",
        f"“{name}”的掩码本身至少留下 {least_alone:,} 个候选值{beside_zh and f'{beside_zh}后至少 '}"
        + (f"{least:,} 个" if columns else "")
        + f"，半数单元格不超过 {int(np.median(both)):,} 个",
    )
    broken = limit is not None and least < limit
    remedy = _remedy(view, name, columns, least_alone, again) if broken else Text("", "")
    return Finding(
        "mask_reversal", (name, *columns), least, _MEASURES, limit, reason, remedy, assumption,
        at_least=True,
        figures={
            "alone_least": least_alone,
            "alone_median": float(np.median(alone)),
            "beside_median": float(np.median(both)),
            "cells_below": below,
            "cells": len(both),
        },
    )  # fmt: skip


def _remedy(
    view: View, name: str, columns: tuple[str, ...], alone: int, again: Callable[[int, int], Ints]
) -> Text:
    """Says the mildest masks that would hold."""
    limit = view.policy.attacks.mask_candidates_min or 0
    english, chinese = [], []
    ends: Any = view.policy.columns[name].methods[-1]
    for first, last in sorted(
        {(f, r) for f in {ends.first, min(ends.first, 6), min(ends.first, 3), 0}
         for r in {ends.last, 0}} - {(ends.first, ends.last)},
        key=lambda each: -sum(each),
    ):  # fmt: skip
        found = again(first, last)
        found = found[found > 0]
        if len(found) and int(found.min()) >= limit:
            english.append(f"keep_first = {first}, keep_last = {last} (at least {found.min():,})")
            chinese.append(f"keep_first = {first}, keep_last = {last}（至少 {found.min():,} 个）")
            break
    if columns and alone >= limit:
        english.append(f"drop {', '.join(columns)}, and keep the mask (at least {alone:,})")
        chinese.append(f"删除{'、'.join(columns)}并保留该掩码（至少 {alone:,} 个）")
    english.append("drop the column, or a keyed token")
    chinese.append("删除该列，或改用带密钥的令牌（token）")
    return Text(f"would hold: {'; or '.join(english)}", f"可行的做法：{'；或'.join(chinese)}")


def _not_counted(view: View, name: str, kind: str) -> Finding:
    """A type whose space is unknown: a limit for it cannot be checked, so it is not met."""
    limit = view.policy.attacks.mask_candidates_min
    return Finding(
        "mask_reversal", (name,), None if limit is not None else 0.0, _MEASURES, limit,
        Text(
            f"nobody can say how many values the mask of {name!r} leaves: how {kind or 'its'} "
            "values are made is not known here",
            f"无法计算“{name}”的掩码留下多少候选值：未收录该类型（{kind or '未注明'}）的编码规则",
        ),
        Text(
            "would hold: drop the column, or a keyed token; or say its type in the policy: "
            + ", ".join(_COUNTED),
            "可行的做法：删除该列或改用令牌（token）；或在策略中注明类型：" + "、".join(_COUNTED),
        ),
        at_least=True,
    )  # fmt: skip


def _nothing(view: View, name: str) -> Finding:
    """No cell of the type's length: not counted, so not held, unless the column is empty."""
    limit = view.policy.attacks.mask_candidates_min
    empty = view.cells(view.release, name).null_count == view.rows
    return Finding(
        "mask_reversal", (name,), float(limit or 0) if empty else None, _MEASURES, limit,
        Text(f"{name!r} holds no value of its type", f"“{name}”中没有该类型的值"),
        Text("", "") if empty else Text("drop the column", "请删除该列"),
        at_least=True,
    )  # fmt: skip
