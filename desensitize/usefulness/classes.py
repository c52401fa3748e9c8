"""Columns as numbers: equal cells have equal codes, and classes of rows are numbers too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from desensitize.recognisers.digits import Ints

_WIDEST: Final = 1 << 62


def codes_of(*parts: Any) -> tuple[list[Ints], int]:  # noqa: ANN401 - Arrow has no types
    """Gives equal cells of several Arrow columns the same code, from 0.

    A missing value is a value like any other: it is what a reader sees.

    Returns:
        One array a column, and how many codes there are.
    """
    chunks = [chunk for part in parts for chunk in pa.chunked_array(part).chunks]
    whole = pa.chunked_array(chunks, pa.string()).combine_chunks()
    coded = whole.dictionary_encode(null_encoding="encode")
    indices = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return np.split(indices, ends), len(coded.dictionary)


def classes(columns: Sequence[Ints], rows: int) -> tuple[Ints, int]:
    """Numbers the combinations of codes, from 0; returns each row's, and how many there are."""
    member, width = np.zeros(rows, dtype=np.int64), 1
    for column in columns:
        most = int(column.max(initial=0)) + 1
        if width * most >= _WIDEST:
            raise OverflowError("too many combinations for one number")
        found, values = pd.factorize(member * most + column)
        member, width = found.astype(np.int64), len(values)
    return member, width


def together(here: Sequence[Ints], there: Sequence[Ints]) -> tuple[Ints, Ints, int]:
    """Numbers the combinations of two tables with the same columns; equal ones alike."""
    first = len(here[0])
    member, width = classes(
        [np.concatenate(pair) for pair in zip(here, there, strict=True)], first + len(there[0])
    )
    return member[:first], member[first:], width
