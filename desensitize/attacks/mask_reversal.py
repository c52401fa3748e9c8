"""Mask reversal: how many values a masked number could have been, alone and with what is beside it.

The 6 + 8 stars + 4 mask of a resident id leaves some 3,000 candidates, with a five-year band
beside it 166, with the month of birth 3. Counted over the type's own space, for every row. What FF1
leaves clear at the beginning of a value is such a mask, and so are its first characters as a level:
the rest tells nothing. Two columns with one number are laid over each other.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitize.attacks import other_spaces, resident_space, vague_numbers
from desensitize.attacks.beside import Told, labels_beside, told
from desensitize.attacks.findings import Finding
from desensitize.attacks.kinds import COUNTED, RESIDENT, SAMPLE, kind_of, number_in
from desensitize.attacks.one_number import together
from desensitize.attacks.tally import Tally
from desensitize.attacks.view import THERE, View, numbered, text
from desensitize.generalise.levels import Beginning
from desensitize.masking.format_preserving import FormatPreserving, ends_left
from desensitize.masking.visible import Ends
from desensitize.recognisers import by_name
from desensitize.recognisers.digits import Ints, matrix
from protos.language import Text

_LENGTHS: Final = {RESIDENT: 18, "cn_mobile": 11, "bank_card": 16, "cn_plate": 7}
_YEARS: Final = 90
_WORST: Final = 5_000
_NO_CELLS: Final = pa.table({"mask": pa.nulls(0, pa.string())})  # made without pandas
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
    shown = {name: ends for name in view.known if (ends := _ends(view, name))}
    masked = [name for name in shown if view.policy.columns[name].hierarchy is None]
    kinds = {n: kind_of(view, n) if n in masked else number_in(view, n) for n in shown}
    found = []
    for name, ends in shown.items():
        alike = {n: shown[n] for n in masked if kinds[n] == kinds[name]}
        # The beginning of a code is a level like any other; of a number of a person it is a mask.
        if kinds[name] in COUNTED or name in masked:
            found.append(_column(view, name, kinds[name], ends, alike, births))
    return found + vague_numbers.attack(view, _MEASURES)


def _ends(view: View, name: str) -> Ends | None:
    if view.policy.columns[name].hierarchy is None:
        return ends_left(view.policy.columns[name].methods)
    match view.methods[name]:
        case (Beginning(length=length),):
            return Ends(length)
    return None


def births_until(today: dt.date) -> tuple[dt.date, dt.date]:
    """Returns the days on which anybody was born: ninety years, until a day."""
    return today.replace(year=today.year - _YEARS, day=min(today.day, 28)), today


def _column(
    view: View,
    name: str,
    kind: str,
    ends: Ends,
    alike: Mapping[str, Ends],
    births: tuple[dt.date, dt.date],
) -> Finding:
    if kind not in COUNTED:
        return _not_counted(view, name, kind)
    known = _told(view, name) if kind == RESIDENT else Told()

    def count(cells: pa.Table) -> Ints:
        return _residents(cells, known, births) if kind == RESIDENT else other_spaces.count(
            kind, cells.column("mask").to_pylist()
        )  # fmt: skip

    mask = _mask(view, name, kind, ends)
    alone, worst = _counted(_cells(view, mask, ends, Told(), births), count)
    both, beside, ours = alone, known.columns, True
    if known.clues:
        both, worst = _counted(_cells(view, mask, ends, known, births), count)
    elif kind != RESIDENT and name in alike and (all_ := together(view, name, alike)):
        both, worst = _counted(_cells(view, all_.mask, None, Told(), births), count)
        beside, ours = all_.columns, False
    return _finding(
        view, name, alone, both, beside, _assumed(kind, births),
        (lambda first, last: count(_hidden(worst, first, last))) if ours else None,
    )  # fmt: skip


# ---- cells, each different one once ------------------------------------------------------------


def _mask(view: View, name: str, kind: str, ends: Ends) -> str:
    """The expression of what is shown of a number, ``*`` or a mark for each other character."""
    cell = text(view.release, name)
    if _encrypted(view, name):  # else each cell is another
        return f"left({cell}, {ends.first}) || repeat('*', length({cell}) - {ends.first})"
    if view.policy.columns[name].hierarchy is not None:
        missing = f"greatest({_LENGTHS[kind]} - length({cell}), 0)"
        return f"CASE WHEN {cell} <> '' THEN {cell} || repeat('*', {missing}) END"
    return cell


def _cells(
    view: View, mask: str, ends: Ends | None, known: Told, births: tuple[dt.date, dt.date]
) -> Iterator[pa.Table]:
    """Yields the different masks with what is told beside them, a batch at a time.

    The columns are ``mask``, ``first``, ``last``, ``parity``, ``division`` (see `Beside`), ``n``,
    in how many rows they stand, and ``line``, the first of these.
    """
    labels = {f"k{i}": clue.cell for i, clue in enumerate(known.clues)}
    rows = numbered(view.release, {"mask": mask} | labels)
    joined = "".join(
        f" LEFT JOIN {clue.table} t{i} ON t{i}.label IS NOT DISTINCT FROM r.k{i}"
        for i, clue in enumerate(known.clues)
    )
    about = {each: [f"t{i}" for i, clue in enumerate(known.clues) if clue.about == each]
             for each in ("birth", "sex", "place")}  # fmt: skip
    first, last = (str(resident_space.days_of(day)) for day in births)
    sql = (
        f"SELECT mask, greatest({', '.join([first, *(f'{t}.first' for t in about['birth'])])}) "
        f"AS first, least({', '.join([last, *(f'{t}.last' for t in about['birth'])])}) AS last, "
        f"{_last(about['sex'], 'parity')} AS parity, "
        f"{_last(about['place'], 'division')} AS division, "
        f"count(*) AS n, min(line) AS line FROM {rows} r{joined} WHERE mask IS NOT NULL "
        "GROUP BY ALL"
    )
    for batch in view.stream(sql):
        cells = pa.Table.from_batches([batch])
        yield cells if ends is None else _hidden(cells, ends.first, ends.last)


def _encrypted(view: View, name: str) -> bool:
    steps = view.policy.columns[name].methods
    return bool(steps) and isinstance(steps[-1], FormatPreserving)


def _last(tables: list[str], column: str) -> str:
    return f"coalesce({tables[-1]}.{column}, -1)" if tables else "-1"


def _hidden(cells: pa.Table, first: int, last: int) -> pa.Table:
    """Writes every mask with ``*`` for what lies between two ends, whatever mark it uses."""
    masks = cells.column("mask").cast(pa.string())
    length = pc.utf8_length(masks)
    hidden = pc.subtract(length, first + last)
    whole = pc.less_equal(hidden, 0)
    stars = pc.binary_repeat("*", pc.max_element_wise(hidden, 0))
    begin = pc.utf8_slice_codeunits(masks, 0, first)
    end = pc.utf8_slice_codeunits(masks, -last) if last else ""
    mixed = pc.binary_join_element_wise(begin, stars, end, "")
    shown = pc.if_else(whole, pc.binary_repeat("*", length), mixed)
    return cells.set_column(0, "mask", shown)


def _counted(
    cells: Iterable[pa.Table], count: Callable[[pa.Table], Ints]
) -> tuple[Tally, pa.Table]:
    """Counts candidates; returns the figures, and the cells that have fewest of them."""
    tally = Tally()
    worst: list[pa.Table] = []
    for batch in cells:
        found = count(batch)
        tally.add(found, batch.column("n").to_numpy())
        worst.append(batch.append_column("found", pa.array(found)).filter(pa.array(found >= 0)))
        every = pa.concat_tables(worst)
        order = pc.sort_indices(every, [("found", "ascending"), ("line", "ascending")])
        worst = [every.take(order[:_WORST]).combine_chunks()]
    return tally, worst[0] if worst else _NO_CELLS


def _residents(cells: pa.Table, known: Told, births: tuple[dt.date, dt.date]) -> Ints:
    """Counts the resident ids that fit; -1 where a mask is of another length."""
    masks = cells.column("mask").combine_chunks()
    right = pc.equal(pc.utf8_length(masks), resident_space.LENGTH)
    shown, _ = matrix(masks.filter(right), resident_space.LENGTH, compact=False)
    rows = right.to_numpy(zero_copy_only=False)
    first, last, parity, division = (
        cells.column(name).to_numpy().astype(np.int64)[rows]
        for name in ("first", "last", "parity", "division")
    )
    beside = resident_space.Beside(first, last, parity, division, known.places)
    found = np.full(len(cells), -1, dtype=np.int64)
    found[rows] = resident_space.count(shown, beside, births)
    return found


def _told(view: View, name: str) -> Told:
    """Looks for columns beside the ids that tell something, in the first rows of the release."""
    if not view.origin:
        return Told()
    cell = numbered(view.original, {"v": text(view.original, name)})
    values = view.fetch(
        f"SELECT o.v FROM (SELECT rowid AS place, line FROM {THERE} "
        f"WHERE rowid < {min(SAMPLE, view.rows)}) t JOIN {cell} o USING (line) ORDER BY place"
    ).column(0).combine_chunks().cast(pa.string())  # fmt: skip
    values = pc.fill_null(values, "")
    right = pc.match_substring_regex(values, "^[0-9]{17}[0-9Xx]$")
    values = pc.if_else(right, values, "1")
    good = right.to_numpy(zero_copy_only=False) & by_name()[RESIDENT].valid(values)
    ids, _ = matrix(values.filter(pa.array(good)), resident_space.LENGTH)
    beside = labels_beside(view, name)
    if not beside:
        return Told()
    listed = ", ".join(f"{each.cell} AS l{i}" for i, each in enumerate(beside))
    labels = view.fetch(f"SELECT {listed} FROM {view.release.sql} LIMIT {SAMPLE}")
    read = labels.filter(pa.array(good)).columns
    return told(view, ids, dict(zip(beside, (c.to_pylist() for c in read), strict=True)))


def _assumed(kind: str, births: tuple[dt.date, dt.date]) -> Text:
    if kind != RESIDENT:
        return other_spaces.ASSUMED[kind]
    return Text(
        f"every division below a province that GB/T 2260 has listed since 1980, every day from "
        f"{births[0]} to {births[1]}, sequence numbers 000 to 999, the right check character; all "
        "equally likely",
        f"1980 年以来 GB/T 2260 所列的全部省级以下区划、{births[0]} 至 {births[1]} 的每一天、"
        "顺序码 000 至 999、校验码正确；各值等可能",
    )


# ---- what it says ------------------------------------------------------------------------------


def _finding(
    view: View,
    name: str,
    alone: Tally,
    both: Tally,
    columns: tuple[str, ...],
    assumption: Text,
    again: Callable[[int, int], Ints] | None,
) -> Finding:
    limit = view.policy.attacks.mask_candidates_min
    if not both.rows:
        return _nothing(view, name)
    least, least_alone, half = both.least, alone.least, both.median
    below = both.below(limit) / both.rows if limit is not None else 0.0
    what_en, what_zh = "the mask of", "掩码"
    if _encrypted(view, name):
        what_en, what_zh = "what FF1 leaves clear of", "未加密部分"
    beside_en = f" with {', '.join(columns)} beside it" if columns else ""
    beside_zh = f"，结合{'、'.join(columns)}" if columns else ""
    reason = Text(
        f"{what_en} {name!r} alone leaves at least {least_alone:,} candidates"
        + (f";{beside_en} at least {least:,}" if columns else "")
        + f", half of the cells {int(half):,} or fewer",
        f"“{name}”的{what_zh}本身至少留下 {least_alone:,} 个候选值"
        + (f"{beside_zh}后至少 {least:,} 个" if columns else "")
        + f"，半数单元格不超过 {int(half):,} 个",
    )
    broken = limit is not None and least < limit
    remedy = _remedy(view, name, columns, least_alone, again) if broken else Text("", "")
    return Finding(
        "mask_reversal", (name, *columns), least, _MEASURES, limit, reason, remedy, assumption,
        at_least=True,
        figures={
            "alone_least": least_alone,
            "alone_median": alone.median,
            "beside_median": half,
            "cells_below": below,
            "cells": both.rows,
        },
    )  # fmt: skip


def _remedy(
    view: View,
    name: str,
    columns: tuple[str, ...],
    alone: int,
    again: Callable[[int, int], Ints] | None,
) -> Text:
    """Says the mildest masks that would hold."""
    limit = view.policy.attacks.mask_candidates_min or 0
    english, chinese = [], []
    ends = _ends(view, name) or Ends()
    encrypted = _encrypted(view, name)
    level = view.policy.columns[name].hierarchy is not None
    for first, last in sorted(
        {(f, r) for f in {ends.first, min(ends.first, 6), min(ends.first, 3), 0}
         for r in {ends.last, 0}} - {(ends.first, ends.last)},
        key=lambda each: -sum(each),
    ):  # fmt: skip
        if again is None:  # another column shows the rest
            break
        found = again(first, last)
        found = found[found > 0]
        if len(found) and int(found.min()) >= limit:
            how = f"keep_first = {first}, keep_last = {last}"
            how = f"clear_first = {first}" if encrypted else f"first{first}" if level else how
            english.append(f"{how} (at least {found.min():,})")
            chinese.append(f"{how}（至少 {found.min():,} 个）")
            break
    if columns and alone >= limit:
        kept_en, kept_zh = ("FF1", " FF1 ") if encrypted else ("the mask", "该掩码")
        english.append(f"drop {', '.join(columns)}, and keep {kept_en} (at least {alone:,})")
        chinese.append(f"删除{'、'.join(columns)}并保留{kept_zh}（至少 {alone:,} 个）")
    english.append("drop the column, or a keyed token")
    chinese.append("删除该列，或改用带密钥的令牌（token）")
    return Text(f"would hold: {'; or '.join(english)}", f"可行的做法：{'；或'.join(chinese)}")


def _not_counted(view: View, name: str, kind: str) -> Finding:
    """A type whose space is unknown: a limit for it cannot be checked, so it is not met."""
    limit = view.policy.attacks.mask_candidates_min
    known = kind in by_name()
    say = "" if known else "; or say its type in the policy: " + ", ".join(COUNTED)
    say_zh = "" if known else "；或在策略中注明类型：" + "、".join(COUNTED)
    return Finding(
        "mask_reversal", (name,), None if limit is not None else 0.0, _MEASURES, limit,
        Text(
            f"nobody can say how many values fit what is shown of {name!r}: how {kind or 'its'} "
            "values are made is not known here",
            f"无法计算“{name}”的可见部分对应多少候选值：未收录该类型"
            f"（{kind or '未注明'}）的编码规则",
        ),
        Text(
            f"would hold: drop the column, or a keyed token{say}",
            f"可行的做法：删除该列或改用令牌（token）{say_zh}",
        ),
        at_least=True,
    )  # fmt: skip


def _nothing(view: View, name: str) -> Finding:
    """No cell of the type's length: not counted, so not held, unless the column is empty."""
    limit = view.policy.attacks.mask_candidates_min
    [cells] = view.ask(f"SELECT count({text(view.release, name)}) FROM {view.release.sql}")
    empty = not cells
    return Finding(
        "mask_reversal", (name,), float(limit or 0) if empty else None, _MEASURES, limit,
        Text(f"{name!r} holds no value of its type", f"“{name}”中没有该类型的值"),
        Text("", "") if empty else Text("drop the column", "请删除该列"),
        at_least=True,
    )  # fmt: skip
