"""Arithmetic over many short strings at once: the ground under every check digit.

A check gets values that match its pattern, so they are ASCII. ``matrix`` lays them out as bytes,
one row a value, padded with zeros; everything else is NumPy over that matrix.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_SEPARATORS: Final = "[ -]"
_UNKNOWN: Final = 255
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2099


def matrix(values: pa.StringArray, width: int, *, compact: bool = True) -> tuple[Bytes, Ints]:
    """Lays out values as bytes.

    Args:
        values: ASCII, without NULL.
        width: Columns of the matrix; longer values are cut (their length tells).
        compact: Whether spaces and hyphens are taken out first.

    Returns:
        The matrix (len(values), width), letters in upper case, and each value's whole length.
    """
    offsets, data = _buffers(values)
    # Separators sort before digits: where the least byte is a digit there is none to look for.
    if compact and len(data) and data.min() < 0x30:
        values = pc.replace_substring_regex(values, _SEPARATORS, "")
        offsets, data = _buffers(values)
    lengths = np.diff(offsets).astype(np.int64)
    # Column by column throughout: that is how checks read it, and several times quicker.
    cells = np.zeros((len(values), width), dtype=np.uint8, order="F")
    starts = offsets[:-1] - offsets[0]
    shortest = int(lengths.min()) if len(values) else 0
    for place in range(min(width, int(lengths.max())) if len(values) else 0):
        column = data.take(starts + place, mode="clip")
        cells[:, place] = column if place < shortest else np.where(place < lengths, column, 0)
    if cells.size and cells.max() >= 0x61:
        cells[(cells >= 0x61) & (cells <= 0x7A)] -= 0x20
    return cells, lengths


def _buffers(values: pa.StringArray) -> tuple[npt.NDArray[np.int32], Bytes]:
    _, raw, text = values.buffers()
    offsets = np.frombuffer(raw, dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(text, dtype=np.uint8) if text is not None else np.empty(0, np.uint8)
    return offsets, data[offsets[0] : offsets[-1]]


def number(cells: Bytes, start: int, stop: int) -> Ints:
    """Reads the digits of columns ``start`` to ``stop`` as numbers; no digit gives nonsense."""
    total = np.zeros(len(cells), dtype=np.int64)
    for column in cells[:, start:stop].T:
        total *= 10
        total += column
    # Each digit was counted with its code, 0x30 too much.
    return np.asarray(total - 0x30 * (10 ** (stop - start) // 9))


def digits(cells: Bytes) -> Mask:
    """Which bytes are digits."""
    return (cells >= 0x30) & (cells <= 0x39)


def luhn(cells: Bytes, lengths: Ints) -> Mask:
    """Which rows of digits pass the formula of ISO/IEC 7812-1, annex B (Luhn)."""
    even, odd = cells[:, ::2], cells[:, 1::2]
    # Every other digit from the right is doubled: which ones those are depends on the length.
    odd_length = _sum(_PLAIN, even) + _sum(_DOUBLED, odd)
    even_length = _sum(_DOUBLED, even) + _sum(_PLAIN, odd)
    return np.asarray(np.where(lengths % 2 == 1, odd_length, even_length) % 10 == 0)


def _sum(table: Bytes, cells: Bytes) -> npt.NDArray[np.uint16]:
    # Column by column: a sum along short rows is several times slower.
    total = np.zeros(len(cells), dtype=np.uint16)
    for column in table[cells].T:
        total += column
    return total


def _digit_values(*, doubled: bool) -> Bytes:
    """A digit's value, or the digit sum of twice its value; 0 for every other byte."""
    table = np.zeros(256, dtype=np.uint8)
    table[0x30:0x3A] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9] if doubled else range(10)
    return table


_PLAIN: Final = _digit_values(doubled=False)
_DOUBLED: Final = _digit_values(doubled=True)


def dates(year: Ints, month: Ints, day: Ints) -> Mask:
    """Which dates there are in the Gregorian calendar, in the years 1900 to 2099."""
    month_lengths = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    in_year = (month >= 1) & (month <= 12)
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    last = month_lengths[np.where(in_year, month, 0)] + (leap & (month == 2))
    in_range = (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    return np.asarray(in_range & in_year & (day >= 1) & (day <= last))


def weighted(cells: Bytes, weights: npt.NDArray[np.int64], alphabet: str) -> tuple[Ints, Mask]:
    """Returns the weighted sum of the first characters' values, and where all are known.

    Args:
        cells: One row a value.
        weights: One for each of the first columns.
        alphabet: A character's value is its place in here.
    """
    values = np.full(256, _UNKNOWN, dtype=np.uint8)
    values[np.frombuffer(alphabet.encode(), dtype=np.uint8)] = np.arange(len(alphabet))
    found = values[cells[:, : len(weights)]]
    total = np.zeros(len(cells), dtype=np.int64)
    for weight, column in zip(weights.tolist(), found.T, strict=True):
        total += column * np.int64(weight)
    return total, np.asarray(found.max(axis=1, initial=0) != _UNKNOWN)
