"""Which columns of a release tell something about a resident id beside it: birth, age, sex, place.

Not by their names: a column tells the birth if, row by row, the births within the ids agree with
it. That a label such as 男 stands for an odd sequence number is seen the same way; an attacker
knows it from the standard.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, get_args

import numpy as np
import pyarrow.compute as pc

from desensitize.attacks.resident_space import Beside, days_of, nothing_beside
from desensitize.attacks.view import View
from desensitize.divisions import divisions
from desensitize.masking.district import Level, full_name
from desensitize.recognisers.digits import Bytes, Ints

AGREE: Final = 0.95
"""Share of rows that must agree for a column to tell something; the rest are typing errors."""
_SAMPLE: Final = 5_000
_FEWEST: Final = 8
_YEAR: Final = 365.2425
_ALWAYS: Final = (-(1 << 40), 1 << 40)
_SEXES: Final = 6

Span = tuple[int, int]


@dataclass(frozen=True)
class Told:
    """Columns that tell something, and what they tell of each row.

    Attributes:
        columns: Their names.
        beside: The same as figures.
    """

    columns: tuple[str, ...]
    beside: Beside


def told(view: View, ids: Bytes, rows: Ints, births: tuple[dt.date, dt.date]) -> Told:
    """Looks for columns that tell something about the ids.

    Args:
        view: Both tables.
        ids: The ids as they were, of some rows of the release.
        rows: Which rows these are; at most 5,000 are looked at.
        births: First and last day of birth of anybody.
    """
    found: list[str] = []
    beside = nothing_beside(view.rows, births)
    if len(rows) < _FEWEST:
        return Told((), beside)
    ids, rows = ids[:_SAMPLE], rows[:_SAMPLE]
    first, last, parity, division = (
        beside.first.copy(), beside.last.copy(), beside.parity.copy(), beside.division.copy(),
    )  # fmt: skip
    places: tuple[frozenset[str], ...] = ()
    born, odd = _born(ids), (ids[:, 16] & 1).astype(np.int64)
    codes = [bytes(code).decode() for code in ids[:, :6]]
    for name in view.known:
        cells = view.cells(view.release, name).combine_chunks().dictionary_encode("encode")
        labels = cells.dictionary.to_pylist()
        member = pc.fill_null(cells.indices, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        seen = member[rows]
        if (spans := _birth_spans(labels, seen, born)) is not None:
            first = np.maximum(first, spans[0][member])
            last = np.minimum(last, spans[1][member])
        elif (sexes := _sexes(labels, seen, odd)) is not None:
            parity = sexes[member]
        elif not places and (sets := _places(labels, seen, codes)) is not None:
            places, division = sets, member
        else:
            continue
        found.append(name)
    # A label that nobody can read tells nothing.
    empty = np.array([not place for place in places], dtype=np.bool_)
    if len(places):
        division = np.where(empty[division], -1, division)
    return Told(tuple(found), Beside(first, last, parity, division, places))


def _born(ids: Bytes) -> Ints:
    text = ids[:, 6:14].astype(np.int64) - 0x30
    digits = text @ (10 ** np.arange(7, -1, -1))
    dates = [f"{d // 10000:04d}-{d // 100 % 100:02d}-{d % 100:02d}" for d in digits.tolist()]
    return np.array(dates, dtype="datetime64[D]").astype(np.int64)


# ---- birth, as a date or as an age -------------------------------------------------------------


def _birth_spans(labels: list[Any], seen: Ints, born: Ints) -> tuple[Ints, Ints] | None:
    for spans in (_read(labels, span_of), _from_ages(labels, seen, born)):
        if spans is None:
            continue
        low, high = (np.array(ends, dtype=np.int64) for ends in zip(*spans, strict=True))
        told_something = low[seen] > _ALWAYS[0]
        agree = (low[seen] <= born) & (born <= high[seen]) & told_something
        if agree.mean() >= AGREE:
            return low, high
    return None


def _read(labels: list[Any], read: Callable[[str], Span | None]) -> list[Span] | None:
    spans = [None if label is None else read(label) for label in labels]
    if not any(spans):
        return None
    return [span or _ALWAYS for span in spans]


def span_of(label: str) -> Span | None:
    """Reads a date of any coarseness as its first and last day since 1970; None if it is none."""
    label = label.removesuffix(" 00:00:00")
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", label):
            day = days_of(dt.date.fromisoformat(label))
            return day, day
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}", label):
            year, month = map(int, label.split("-"))
            return _days(year, month, year, month)
        if re.fullmatch(r"[0-9]{4}-Q[1-4]", label):
            year, quarter = map(int, label.split("-Q"))
            return _days(year, quarter * 3 - 2, year, quarter * 3)
        if re.fullmatch(r"[0-9]{4}-W[0-9]{2}", label):
            monday = dt.date.fromisocalendar(int(label[:4]), int(label[6:]), 1)
            return days_of(monday), days_of(monday) + 6
        if years := re.fullmatch(r"([0-9]{4})(?:[-–]([0-9]{4}))?", label):
            return _days(int(years[1]), 1, int(years[2] or years[1]), 12)
    except ValueError:  # a month or week that no calendar has
        return None
    return None


def _days(year: int, month: int, last_year: int, last_month: int) -> Span:
    last = calendar.monthrange(last_year, last_month)[1]
    return days_of(dt.date(year, month, 1)), days_of(dt.date(last_year, last_month, last))


def _ages(label: str) -> Span | None:
    """Reads a band of whole years, or one year, as its ends; the upper one is not in it."""
    if band := re.fullmatch(r"\[([0-9]{1,3})(?:\.0)?,([0-9]{1,3})(?:\.0)?\)", label):
        return int(band[1]), int(band[2])
    if one := re.fullmatch(r"([0-9]{1,3})(?:\.0)?", label):
        return int(one[1]), int(one[1]) + 1
    if most := re.fullmatch(r"<([0-9]{1,3})", label):
        return 0, int(most[1])
    if least := re.fullmatch(r">=([0-9]{1,3})", label):
        return int(least[1]), 130
    return None


def _from_ages(labels: list[Any], seen: Ints, born: Ints) -> list[Span] | None:
    """Reads ages as births, on the day on which most ages of the table are right."""
    bands = [None if label is None else _ages(label) for label in labels]
    if not any(bands):
        return None
    low = np.array([band[0] if band else -1 for band in bands])[seen]
    high = np.array([band[1] if band else -1 for band in bands])[seen]
    use = low >= 0
    begins = born[use] + np.floor(low[use] * _YEAR).astype(np.int64)
    ends = born[use] + np.ceil(high[use] * _YEAR).astype(np.int64)
    if not len(begins):
        return None
    days = np.concatenate([begins, ends])
    order = np.argsort(days, kind="stable")
    right = np.cumsum(np.concatenate([np.ones(len(begins)), -np.ones(len(ends))])[order])
    today = int(days[order][int(right.argmax())])
    return [
        _ALWAYS if band is None
        else (today - int(np.ceil(band[1] * _YEAR)), today - int(np.floor(band[0] * _YEAR)))
        for band in bands
    ]  # fmt: skip


# ---- sex and place -----------------------------------------------------------------------------


def _sexes(labels: list[Any], seen: Ints, odd: Ints) -> Ints | None:
    if not 2 <= len(labels) <= _SEXES:
        return None
    counts = np.bincount(seen, minlength=len(labels))
    men = np.bincount(seen, weights=odd, minlength=len(labels))
    share = men / np.maximum(counts, 1)
    sure = (counts > 0) & ((share >= AGREE) | (share <= 1 - AGREE))
    if counts[sure].sum() < AGREE * len(seen) or len({bool(s > 0.5) for s in share[sure]}) < 2:
        return None
    return np.where(sure, (share > 0.5).astype(np.int64), -1)


def _places(labels: list[Any], seen: Ints, codes: list[str]) -> tuple[frozenset[str], ...] | None:
    if len(labels) > len(divisions()):
        return None
    by_name: dict[str, set[str]] = {}
    for code in divisions():
        for level in get_args(Level):
            by_name.setdefault(full_name(code, level), set()).add(code)
        for end in (2, 4, 6):
            by_name.setdefault(code[:end], set()).add(code)
    sets = tuple(frozenset(by_name.get(label or "", ())) for label in labels)
    agree = sum(code in sets[label] for code, label in zip(codes, seen.tolist(), strict=True))
    return sets if agree >= AGREE * len(seen) else None
