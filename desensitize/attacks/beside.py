"""Which columns of a release tell something about a resident id beside it: birth, age, sex, place.

Masks of ids, and ids of which FF1 leaves the beginning clear, tell place and birth as well. Not by
their names: a column tells the birth if, row by row, the births within the ids agree with
it. That a label such as 男 stands for an odd sequence number is seen the same way; an attacker
knows it from the standard.
"""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal, get_args

import numpy as np
import pyarrow as pa

from desensitize.attacks.resident_space import days_of
from desensitize.attacks.view import View, make, text
from desensitize.divisions import divisions
from desensitize.masking.district import Level, full_name
from desensitize.masking.format_preserving import ends_left
from desensitize.recognisers.digits import Bytes, Ints

AGREE: Final = 0.95
"""Share of rows that must agree for a column to tell something; the rest are typing errors."""
_FEWEST: Final = 8
_YEAR: Final = 365.2425
_ALWAYS: Final = (-(1 << 40), 1 << 40)
_SEXES: Final = 6
_DIVISION: Final = 6
_BEFORE_SEQUENCE: Final = 14
"""Characters of a resident id: division; division and birth."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Labels:
    """What a reader sees in a column, or in a part of it.

    Attributes:
        column: Its name.
        cell: Expression of the text.
        born: Whether it could be the beginning of a birth (1990, 199003) within an id.
    """

    column: str
    cell: str
    born: bool = False


def labels_beside(view: View, masked: str) -> tuple[Labels, ...]:
    """Returns what can be read beside a masked column.

    Of a mask, or of what FF1 leaves clear, the beginning: six characters, and the birth behind
    them; its marks and encrypted characters would make each cell another.
    """
    found: list[Labels] = []
    for name in view.known:
        if name == masked:
            continue
        whole = Labels(name, text(view.release, name))
        ends = ends_left(view.policy.columns[name].methods)
        if ends is None:
            found.append(whole)
            continue
        found.append(replace(whole, cell=f"left({whole.cell}, {min(ends.first, _DIVISION)})"))
        if (more := min(ends.first, _BEFORE_SEQUENCE) - _DIVISION) > 0:
            cell = f"substr({whole.cell}, {_DIVISION + 1}, {more})"
            found.append(replace(whole, cell=cell, born=True))
    return tuple(found)


@dataclass(frozen=True)
class Clue:
    """A column that tells something.

    Attributes:
        column: Its name.
        cell: Expression of its label, in the release.
        about: What it tells of.
        table: Table of the engine that says what each ``label`` tells: ``first`` and ``last`` day
            of birth since 1970, ``parity`` of the sequence number, or ``division``, a place in
            `Told.places`.
    """

    column: str
    cell: str
    about: Literal["birth", "sex", "place"]
    table: str


@dataclass(frozen=True)
class Told:
    """All that is told.

    Attributes:
        clues: By which columns.
        places: Sets of division codes.
    """

    clues: tuple[Clue, ...] = ()
    places: tuple[frozenset[str], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, each once."""
        return tuple(dict.fromkeys(clue.column for clue in self.clues))


@dataclass(frozen=True)
class Sample:
    """Ids as they were, of some rows of the release, and what stands beside them.

    Attributes:
        born: Days of birth.
        odd: 1 for an odd sequence number, 0 for an even one.
        codes: Division codes.
        beside: What is read in them.
    """

    born: Ints
    odd: Ints
    codes: list[str]
    beside: Mapping[Labels, list[str | None]]


def told(view: View, ids: Bytes, beside: Mapping[Labels, list[str | None]]) -> Told:
    """Looks for columns that tell something about the ids.

    Args:
        view: Both tables.
        ids: The ids as they were, of some rows of the release.
        beside: What is read in these rows.
    """
    if len(ids) < _FEWEST:
        return Told()
    codes = [bytes(each).decode() for each in ids[:, :6]]
    sample = Sample(_born(ids), (ids[:, 16] & 1).astype(np.int64), codes, beside)
    clues: list[Clue] = []
    places: tuple[frozenset[str], ...] = ()

    def found(read: Labels, about: Literal["birth", "sex", "place"], table: pa.Table) -> None:
        clues.append(Clue(read.column, read.cell, about, f"veil_told{len(clues)}"))
        view.release.engine.register("veil_labels", table)
        make(view.release, clues[-1].table, "SELECT * FROM veil_labels")
        view.release.engine.unregister("veil_labels")

    for read in beside:
        if (births := _births(view, read, sample)) is not None:
            found(read, "birth", births)
        elif (sexes := _sexes(view, read, sample)) is not None:
            found(read, "sex", sexes)
        elif not places and (divided := _places(view, read, sample)) is not None:
            table, places = divided
            found(read, "place", table)
    return Told(tuple(clues), places)


def _seen(labels: list[str | None]) -> tuple[list[str | None], Ints]:
    """Different labels, and which of them stands in each row of the sample."""
    places = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    return list(places), np.array([places[label] for label in labels], dtype=np.int64)


def _labels(view: View, read: Labels) -> Iterator[str | None]:
    """Every label of the release, each once."""
    for batch in view.stream(f"SELECT DISTINCT {read.cell} AS label FROM {view.release.sql}"):
        yield from batch.column(0).to_pylist()


def _at_most(view: View, read: Labels, most: int) -> bool:
    """Says whether the release has no more labels than that."""
    labels = f"SELECT DISTINCT {read.cell} FROM {view.release.sql} LIMIT {most + 1}"
    [there] = view.ask(f"SELECT count(*) FROM ({labels})")
    return there <= most


def _born(ids: Bytes) -> Ints:
    text = ids[:, 6:14].astype(np.int64) - 0x30
    digits = text @ (10 ** np.arange(7, -1, -1))
    dates = [f"{d // 10000:04d}-{d // 100 % 100:02d}-{d % 100:02d}" for d in digits.tolist()]
    return np.array(dates, dtype="datetime64[D]").astype(np.int64)


# ---- birth, as a date or as an age -------------------------------------------------------------


def _births(view: View, beside: Labels, sample: Sample) -> pa.Table | None:
    labels, seen = _seen(sample.beside[beside])
    ages = _from_ages(labels, seen, sample.born)
    for read in (_begun,) if beside.born else (span_of, ages):
        if read is None:
            continue
        spans = [_ALWAYS if label is None else read(label) or _ALWAYS for label in labels]
        low, high = (np.array(ends, dtype=np.int64)[seen] for ends in zip(*spans, strict=True))
        agree = (low <= sample.born) & (sample.born <= high) & (low > _ALWAYS[0])
        if agree.mean() >= AGREE:
            every = {each: read(each) for each in _labels(view, beside) if each is not None}
            return _table({label: span for label, span in every.items() if span},
                          "first", "last")  # fmt: skip
    return None


def _table(told: Mapping[str | None, tuple[int, ...]], *names: str) -> pa.Table:
    """Labels with what they tell."""
    columns = {name: [each[i] for each in told.values()] for i, name in enumerate(names)}
    whole = {name: pa.array(column, pa.int64()) for name, column in columns.items()}
    return pa.table({"label": pa.array(told.keys(), pa.string()), **whole})


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


def _begun(label: str) -> Span | None:
    """Reads the beginning of a birth of eight digits as its first and last day."""
    if not re.fullmatch(r"[12][0-9]{0,7}", label):
        return None
    (year, last_year), (month, last_month), (day, last_day) = (
        (int(part.ljust(width, "0")), int(part.ljust(width, "9")))
        for part, width in ((label[:4], 4), (label[4:6], 2), (label[6:], 2))
    )
    try:
        first, last = _days(year, max(month, 1), last_year, min(last_month, 12))
    except ValueError:  # a month that no calendar has
        return None
    return first + max(day, 1) - 1, min(last, first + last_day - 1) if label[6:] else last


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


def _from_ages(
    labels: list[str | None], seen: Ints, born: Ints
) -> Callable[[str], Span | None] | None:
    """Reads ages as births, on the day on which most ages of the table are right."""
    bands = [None if label is None else _ages(label) for label in labels]
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

    def read(label: str) -> Span | None:
        band = _ages(label)
        if band is None:
            return None
        return today - int(np.ceil(band[1] * _YEAR)), today - int(np.floor(band[0] * _YEAR))

    return read


# ---- sex and place -----------------------------------------------------------------------------


def _sexes(view: View, read: Labels, sample: Sample) -> pa.Table | None:
    labels, seen = _seen(sample.beside[read])
    if not 2 <= len(labels) <= _SEXES:
        return None
    counts = np.bincount(seen)
    share = np.bincount(seen, weights=sample.odd) / counts
    sure = (share >= AGREE) | (share <= 1 - AGREE)
    if counts[sure].sum() < AGREE * len(seen) or len({bool(s > 0.5) for s in share[sure]}) < 2:
        return None
    if not _at_most(view, read, _SEXES):
        return None
    found = zip(labels, share.tolist(), sure.tolist(), strict=True)
    return _table({label: (int(odd > 0.5),) for label, odd, known in found if known}, "parity")


def _places(
    view: View, read: Labels, sample: Sample
) -> tuple[pa.Table, tuple[frozenset[str], ...]] | None:
    by_name = _codes_by_name()
    labels = sample.beside[read]
    agree = sum(code in by_name.get(label or "", ())
                for code, label in zip(sample.codes, labels, strict=True))  # fmt: skip
    if agree < AGREE * len(labels) or not _at_most(view, read, len(divisions())):
        return None
    # A label that nobody can read tells nothing.
    readable = [each for each in _labels(view, read) if each in by_name]
    table = _table({label: (place,) for place, label in enumerate(readable)}, "division")
    return table, tuple(by_name[label] for label in readable)


@cache
def _codes_by_name() -> dict[str | None, frozenset[str]]:
    """The division codes that each name or beginning of a code stands for."""
    by_name: dict[str | None, set[str]] = {}
    for code in divisions():
        for level in get_args(Level):
            by_name.setdefault(full_name(code, level), set()).add(code)
        for end in (2, 4, 6):
            by_name.setdefault(code[:end], set()).add(code)
    return {name: frozenset(codes) for name, codes in by_name.items() if name}
