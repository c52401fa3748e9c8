"""What a model can read in released cells: numbers where there is an order, else categories.

A band is read as its middle, a span of dates as the middle of the span, an open end as its edge:
whoever learns from a release does the same, for as categories ``[20,25)`` and ``[25,30)`` would be
no nearer than ``[20,25)`` and ``[80,85)``. What a level has made ``*`` is missing.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import pyarrow as pa

from desensitize.generalise.levels import ANYTHING
from desensitize.usefulness.columns import Feature

_N: Final = r"([+-]?[0-9]+(?:\.[0-9]+)?)"
_NUMBER: Final = re.compile(rf"{_N}(?:[eE]([+-]?[0-9]+))?")
_BAND: Final = re.compile(rf"[\[(]{_N},\s*{_N}[\])]")
_OPEN: Final = re.compile(rf"(?:<|<=|>=|>|≥|≤){_N}")
_SPAN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*[-–~至]\s*([0-9]+(?:\.[0-9]+)?)")
_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T].*)?")
_PART: Final = re.compile(r"([0-9]{4})-(Q|W)?([0-9]{1,2})")
_PARTS: Final = {"Q": 4, "W": 53, None: 12}
_ENOUGH: Final = 0.95


def middle(label: str) -> float:
    """Returns the number that a label stands for; NaN for a name."""
    if _NUMBER.fullmatch(label):
        return float(label)
    if band := _BAND.fullmatch(label):
        return (float(band[1]) + float(band[2])) / 2
    if edge := _OPEN.fullmatch(label):
        return float(edge[1])
    if day := _DAY.fullmatch(label):
        return int(day[1]) + (int(day[2]) - 1) / 12 + (int(day[3]) - 0.5) / 366
    if (part := _PART.fullmatch(label)) and 1 <= int(part[3]) <= _PARTS[part[2]]:
        return int(part[1]) + (int(part[3]) - 0.5) / _PARTS[part[2]]
    if (span := _SPAN.fullmatch(label)) and float(span[1]) <= float(span[2]):
        return (float(span[1]) + float(span[2])) / 2
    return np.nan


def feature(name: str, cells: Any) -> Feature:  # noqa: ANN401 - Arrow has no types
    """Reads released cells, as text.

    Args:
        name: Of the column.
        cells: An Arrow column of text.
    """
    coded = pa.chunked_array(cells).combine_chunks().dictionary_encode(null_encoding="mask")
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    labels = coded.dictionary.to_pylist()
    nothing = np.array([label in {ANYTHING, ""} for label in labels] + [True])
    middles = np.array([*map(middle, labels), np.nan])
    numbers = np.where(nothing, np.nan, middles)[codes]
    told = ~nothing[codes]
    if told.any() and np.isfinite(numbers[told]).mean() >= _ENOUGH:
        return Feature(name, numbers, categorical=False)
    return Feature(name, np.where(told, codes, np.nan).astype(np.float64), categorical=True)
