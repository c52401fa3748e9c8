"""Columns as numbers: equal cells have equal codes, also cells of two columns together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from desensitize.recognisers.digits import Ints

Pair = tuple[Ints, Ints]
"""Codes of one column in two tables, such as a release and its original."""


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


def together(first: Pair, second: Pair) -> Pair:
    """Numbers the combinations of two columns of two tables; equal ones alike."""
    width = 1 + max(int(side.max(initial=0)) for side in second)
    both = [one * width + other for one, other in zip(first, second, strict=True)]
    member, _ = pd.factorize(np.concatenate(both))
    here, there = np.split(member.astype(np.int64), [len(both[0])])
    return here, there
