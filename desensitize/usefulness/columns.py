"""One column as a model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """One column.

    Attributes:
        name: Of the column.
        values: Numbers, or codes of categories; NaN for what is missing.
        categorical: Whether they are codes.
    """

    name: str
    values: Floats
    categorical: bool


def matrix(features: Sequence[Feature], rows: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns features side by side, and which of them are categories."""
    if not features:
        return np.zeros((rows, 1)), np.zeros(1, np.bool_)
    stacked = np.stack([each.values for each in features], axis=1)
    return stacked, np.array([each.categorical for each in features])
