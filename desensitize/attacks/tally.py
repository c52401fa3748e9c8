"""Figures over all rows, of which only the different ones are held, with how often they occur."""

from __future__ import annotations

import numpy as np

from desensitize.recognisers.digits import Ints


class Tally:
    """Takes counts of candidates; knows the least, the median, and how many are small.

    Counts of 0 are left out: mask and neighbours contradict each other (a typing error), which
    hides nobody's value. So are those below: they could not be counted.
    """

    def __init__(self) -> None:
        self._values: Ints = np.zeros(0, dtype=np.int64)
        self._rows: Ints = np.zeros(0, dtype=np.int64)

    def add(self, values: Ints, rows: Ints) -> None:
        """Takes values, and in how many rows each is."""
        use = values > 0
        every = np.concatenate([self._values, values[use]])
        weights = np.concatenate([self._rows, rows[use].astype(np.int64)])
        self._values, place = np.unique(every, return_inverse=True)
        self._rows = np.bincount(place, weights, len(self._values)).astype(np.int64)

    @property
    def rows(self) -> int:
        """In how many rows there was a value."""
        return int(self._rows.sum())

    @property
    def least(self) -> int:
        """The least value; there must be one."""
        return int(self._values[0])

    @property
    def median(self) -> float:
        """The median over rows; there must be a value."""
        upto = np.cumsum(self._rows)
        middle = [(self.rows - 1) // 2, self.rows // 2]
        return float(self._values[np.searchsorted(upto, middle, side="right")].mean())

    def below(self, limit: float) -> int:
        """In how many rows the value is below a limit."""
        return int(self._rows[self._values < limit].sum())
