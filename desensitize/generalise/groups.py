"""A table as the search sees it: distinct combinations of labels, as integers, with how often.

Combinations of any node of the lattice serve all nodes above it, for labels of a coarser level
follow from those of a finer one. They are written in codes of the finest level all the same: where
a label stands for many values, the code of the first of these stands for it. So nothing else needs
to know at which node combinations were taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from desensitize.generalise.spread import Column, Ints, Sensitive, Values

DATES: Final = frozenset({"DATE", "TIMESTAMP", "TIME"})

Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Domain:
    """The values of one column and what becomes of them.

    Attributes:
        names: Of the levels.
        codes: Label of each value at each level, shape (levels, values).
        labels: The label of each code, by level; None for no value.
        shares: Loss of each code, by level: see ``loss``.
    """

    names: tuple[str, ...]
    codes: Ints
    labels: tuple[tuple[str | None, ...], ...]
    shares: tuple[NDArray[np.float64], ...]

    def first_of(self, level: int) -> Ints:
        """Returns, for each label of a level, the first of its values."""
        return np.unique(self.codes[level], return_index=True)[1]


@dataclass(frozen=True)
class Groups:
    """Distinct combinations of labels.

    Attributes:
        domains: One per quasi-identifier.
        codes: Label of each combination, as its first value, shape (columns, groups).
        counts: Rows of each combination.
        sensitive: What models ask about.
        people: Of the population, by combination; None without one.
    """

    domains: tuple[Domain, ...]
    codes: Codes | Ints
    counts: Ints
    sensitive: tuple[Column, ...] = ()
    people: Ints | None = None

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return int(self.counts.sum())

    @property
    def marginals(self) -> tuple[Ints, ...]:
        """Rows of each value of each column."""
        return tuple(
            np.bincount(codes, weights=self.counts, minlength=domain.codes.shape[1]).astype(
                np.int64
            )
            for domain, codes in zip(self.domains, self.codes, strict=True)
        )

    def hopeless(self, node: Sequence[int], least: int, most: int) -> bool:  # noqa: ARG002 - one shape for all
        """Says no: what is in memory is quickly looked at."""
        return False

    def at(self, node: Sequence[int]) -> Groups:  # noqa: ARG002 - one shape for all
        """Returns itself: the finest combinations serve all nodes."""
        return self

    def rows_of(self, groups: Groups, some: Flags, node: Sequence[int]) -> tuple[Ints, ...]:  # noqa: ARG002 - one shape for all
        """See `Source.rows_of`."""
        return Groups(self.domains, self.codes[:, some], self.counts[some]).marginals

    def vanishing(self, place: int, most: int) -> int:
        """See `Source.vanishing`."""
        column = self.sensitive[place]
        if not isinstance(column, Sensitive):
            raise TypeError("what is streamed belongs to one node, and is no source")
        counted = np.sort(np.bincount(column.code, weights=column.count))
        return int((np.cumsum(counted[counted > 0]) <= most).sum())


class Source(Protocol):
    """What a search needs to know of a table; small ones are `Groups` in memory."""

    @property
    def domains(self) -> tuple[Domain, ...]:
        """One per quasi-identifier."""

    @property
    def rows(self) -> int:
        """Rows of the table."""

    @property
    def marginals(self) -> tuple[Ints, ...]:
        """Rows of each value of each column."""

    @property
    def sensitive(self) -> Sequence[Values]:
        """What models ask about."""

    def hopeless(self, node: Sequence[int], least: int, most: int) -> bool:
        """Says whether a node needs no look at its classes, which may be too many for memory.

        Args:
            node: Level of each quasi-identifier.
            least: Rows below which a class is left out whatever else is in it.
            most: Rows that may be left out.

        Returns:
            True if smaller classes have more rows than that; False also if it was not looked at.
        """

    def at(self, node: Sequence[int]) -> Groups:
        """Returns combinations from which the classes of a node can be told."""

    def rows_of(self, groups: Groups, some: Flags, node: Sequence[int]) -> tuple[Ints, ...]:
        """Returns the rows of each value of each column that are in some classes of a node.

        Args:
            groups: What `at` returned.
            some: All groups of these classes.
            node: Level of each quasi-identifier.
        """

    def vanishing(self, place: int, most: int) -> int:
        """Returns how many values of a sensitive column can vanish with so many rows."""


def ints(column: pa.ChunkedArray | pa.Array) -> Ints:
    """Returns an integer column as an array."""
    array: Ints = column.cast(pa.int64()).to_numpy()
    return array
