"""How many resident ids fit a mask and what stands beside it: counted, never listed.

The space (GB 11643-1999): every division that GB/T 2260 has ever listed below the province, every
day of birth in a span, sequence numbers 000 to 999, and the one check character of each (ISO 7064
MOD 11-2). All are taken to be equally likely, which no attacker has to believe: what he knows of
people only makes candidates fewer.

The check character is a sum over the digits modulo 11. So each part (division, birth, sequence)
becomes a histogram of the sums of its values that fit, eleven figures; the histogram of all three
together is their cyclic convolution, and the visible check character picks one figure of it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from desensitize.divisions import divisions
from desensitize.recognisers.digits import Bytes, Ints, Mask
from desensitize.recognisers.resident_id import CHECK, WEIGHTS

LENGTH: Final = 18
HIDDEN: Final = ord("*")
_MODULUS: Final = 11
_CHUNK: Final = 1 << 16
_ZERO: Final = 0x30
_BIRTH: Final = slice(6, 14)
_SEQUENCE: Final = slice(14, 17)


@dataclass(frozen=True)
class Beside:
    """What the release tells of each id beside its mask, one entry a row.

    Attributes:
        first: Earliest day of birth, days since 1970.
        last: Latest day of birth.
        parity: Of the sequence number: 1 male, 0 female, -1 not told.
        division: Place in ``places``; -1 for not told.
        places: Sets of division codes.
    """

    first: Ints
    last: Ints
    parity: Ints
    division: Ints
    places: tuple[frozenset[str], ...] = ()


def nothing_beside(rows: int, births: tuple[dt.date, dt.date]) -> Beside:
    """Returns what is known without any other column: the span of births."""
    first, last = (days_of(day) for day in births)
    no = np.full(rows, -1, dtype=np.int64)
    return Beside(np.full(rows, first), np.full(rows, last), no, no)


def days_of(day: dt.date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - dt.date(1970, 1, 1).toordinal()


def count(masks: Bytes, beside: Beside, births: tuple[dt.date, dt.date]) -> Ints:
    """Counts the ids that fit.

    Args:
        masks: One row per mask, 18 bytes: a digit (or X at the end), or `HIDDEN`.
        beside: What else is told of each.
        births: First and last day of birth of anybody.

    Returns:
        Candidates, one figure a mask. The right one is among them unless mask and table
        contradict each other.
    """
    result = np.zeros(len(masks), dtype=np.int64)
    for start in range(0, len(masks), _CHUNK):
        part = slice(start, start + _CHUNK)
        known = Beside(
            beside.first[part], beside.last[part], beside.parity[part], beside.division[part],
            beside.places,
        )  # fmt: skip
        result[part] = _count(masks[part], known, births)
    return result


def _count(masks: Bytes, beside: Beside, births: tuple[dt.date, dt.date]) -> Ints:
    body = _together(_divisions(masks, beside), _sequences(masks, beside))
    born = _births(masks, beside, births)
    check = masks[:, LENGTH - 1]
    wanted = _place_of_check()[check]
    # Of the last convolution one figure is asked for, or the sum of all.
    others = (wanted[:, np.newaxis] - np.arange(_MODULUS)) % _MODULUS
    fixed = (np.take_along_axis(body, others, axis=1) * born).sum(axis=1)
    every = body.sum(axis=1) * born.sum(axis=1)
    return np.asarray(np.where(check == HIDDEN, every, np.where(wanted < 0, 0, fixed)))


def _together(one: Ints, other: Ints) -> Ints:
    """Cyclic convolution, row by row."""
    total = np.zeros_like(one)
    twice = np.concatenate([other, other], axis=1)
    for shift in range(_MODULUS):
        turned = twice[:, _MODULUS - shift : 2 * _MODULUS - shift]
        total += one[:, shift : shift + 1] * turned
    return total


@cache
def _place_of_check() -> Ints:
    table = np.full(256, -1, dtype=np.int64)
    table[CHECK] = np.arange(_MODULUS)
    table[ord("x")] = table[ord("X")]
    return table


def _distinct(*columns: Ints) -> tuple[Ints, Ints]:
    """First place of each distinct row, and which of these each row is."""
    import pandas as pd  # a server that only reads findings goes without

    member, width = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        codes, values = pd.factorize(column)
        member, values = pd.factorize(member * len(values) + codes)
        member, width = member.astype(np.int64), len(values)
    places = np.zeros(width if len(member) else 0, dtype=np.int64)
    places[member[::-1]] = np.arange(len(member))[::-1]
    return places, member


def _packed(cells: Bytes) -> Ints:
    total = np.zeros(len(cells), dtype=np.int64)
    for column in cells.T:
        total = total * 256 + column
    return total


def _fits(table: Bytes, pattern: Bytes) -> Mask:
    shown = pattern != HIDDEN
    return np.asarray((table[:, shown] == pattern[shown]).all(axis=1))


def _sums(digits: Bytes, part: slice) -> Ints:
    values = digits.astype(np.int64) - _ZERO
    return np.asarray(values @ WEIGHTS[part] % _MODULUS)


def _histogram(sums: Ints) -> Ints:
    return np.bincount(sums, minlength=_MODULUS).astype(np.int64)


@cache
def _codes() -> Bytes:
    known = sorted(code for code in divisions() if not code.endswith("0000"))
    return np.frombuffer("".join(known).encode(), dtype=np.uint8).reshape(-1, 6)


def _divisions(masks: Bytes, beside: Beside) -> Ints:
    cells = masks[:, :6]
    places, member = _distinct(_packed(cells), beside.division)
    table = np.zeros((len(places), _MODULUS), dtype=np.int64)
    inside: dict[int, Mask] = {}
    names = [bytes(code).decode() for code in _codes()]
    for row, place in enumerate(places):
        pattern, division = cells[place], int(beside.division[place])
        if (pattern != HIDDEN).all():  # shown in full: also a code that no list has
            table[row] = _histogram(_sums(pattern[np.newaxis], slice(0, 6)))
            continue
        fits = _fits(_codes(), pattern)
        if division >= 0:
            if division not in inside:
                wanted = beside.places[division]
                inside[division] = np.array([name in wanted for name in names])
            fits &= inside[division]
        table[row] = _histogram(_sums(_codes()[fits], slice(0, 6)))
    return table[member]


@cache
def _days(births: tuple[dt.date, dt.date]) -> Bytes:
    first, last = births[0].toordinal(), births[1].toordinal()
    text = "".join(dt.date.fromordinal(day).strftime("%Y%m%d") for day in range(first, last + 1))
    return np.frombuffer(text.encode(), dtype=np.uint8).reshape(-1, 8)


def _births(masks: Bytes, beside: Beside, births: tuple[dt.date, dt.date]) -> Ints:
    days, cells = _days(births), masks[:, _BIRTH]
    sums = _sums(days, _BIRTH)
    start = days_of(births[0])
    low = np.clip(beside.first - start, 0, len(days))
    high = np.clip(beside.last - start + 1, low, len(days))
    result = np.zeros((len(masks), _MODULUS), dtype=np.int64)
    places, member = _distinct(_packed(cells))
    order = np.argsort(member, kind="stable")
    ends = np.searchsorted(member[order], np.arange(len(places) + 1))
    for row, place in enumerate(places):
        rows = order[ends[row] : ends[row + 1]]
        fits = np.flatnonzero(_fits(days, cells[place]))
        # Histograms of everything up to each fitting day: a span is a difference of two.
        until = np.zeros((len(fits) + 1, _MODULUS), dtype=np.int64)
        until[np.arange(1, len(fits) + 1), sums[fits]] = 1
        np.cumsum(until, axis=0, out=until)
        result[rows] = until[np.searchsorted(fits, high[rows])]
        result[rows] -= until[np.searchsorted(fits, low[rows])]
    return result


@cache
def _numbers() -> Bytes:
    text = "".join(f"{number:03d}" for number in range(1000))
    return np.frombuffer(text.encode(), dtype=np.uint8).reshape(-1, 3)


def _sequences(masks: Bytes, beside: Beside) -> Ints:
    cells = masks[:, _SEQUENCE]
    places, member = _distinct(_packed(cells), beside.parity)
    table = np.zeros((len(places), _MODULUS), dtype=np.int64)
    for row, place in enumerate(places):
        fits = _fits(_numbers(), cells[place])
        if (parity := int(beside.parity[place])) >= 0:
            fits &= _numbers()[:, 2] % 2 == parity
        table[row] = _histogram(_sums(_numbers()[fits], _SEQUENCE))
    return table[member]
