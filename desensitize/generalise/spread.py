"""How a sensitive column lies over equivalence classes: as the cells that are not empty.

Classes times values would be laid out quickly for a few values and never for many, such as amounts
of money; what occurs are at most as many cells as there are rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_DENSE: Final = 8
"""Cells laid out for each one that is filled, up to which counting is quicker than sorting."""


@dataclass(frozen=True)
class Steps:
    """The shares of a table's values, in their order, added up: for the ordered distance.

    Attributes:
        below: Share of the rows up to each value, before the first one 0.
        sums: Of those shares, up to each value.
    """

    below: Floats
    sums: Floats

    @classmethod
    def over(cls, values: int, shares: Iterable[Floats]) -> Steps:
        """Adds the values' shares up; they come in parts, and are not held beside the sums."""
        below, sums = np.zeros(values + 1), np.zeros(values + 1)
        at = 1
        for part in shares:
            below[at : at + len(part)] = part
            at += len(part)
        np.cumsum(below, out=below)
        np.cumsum(below, out=sums)
        return cls(below, sums)

    @property
    def last(self) -> int:
        """Place of the last value."""
        return len(self.below) - 2

    @property
    def many(self) -> int:
        """Steps from the first value to the last one; 1 if there is none."""
        return max(self.last, 1)

    def apart(self, first: NDArray[np.bool_], place: Ints, until: Ints, reached: Floats) -> Floats:
        """Returns what each filled cell adds to its class's sum of |P - Q| over the values.

        Args:
            first: Whether it is the first one of its class: before it P is 0.
            place: Its value.
            until: Value of the class's next cell, of its last one `last`: P changes there only.
            reached: P from its value on.
        """
        # From `place` to `until` P is `reached`; Q rises, and passes it at `cross`.
        cross = np.clip(np.searchsorted(self.below[1:], reached), place, until)
        sums = self.sums
        apart = reached * (2 * cross - place - until) - 2 * sums[cross] + sums[place] + sums[until]
        found: Floats = apart + sums[place] * first
        return found


@dataclass(frozen=True)
class Spread:
    """The filled cells of classes x values, by class, then by value.

    Attributes:
        ordered: Whether codes stand in the order of the values.
        values: How many distinct values the table has.
        sizes: Rows of each class.
        member: Class of each cell.
        code: Value of each cell.
        count: Rows of each cell.
    """

    ordered: bool
    values: int
    sizes: Ints
    member: Ints
    code: Ints
    count: Ints

    @cached_property
    def distinct(self) -> Ints:
        """How many different values each class has."""
        return np.bincount(self.member, minlength=len(self.sizes))

    @cached_property
    def entropies(self) -> Floats:
        """Entropy of each class's values, nats."""
        share = self.count / self.sizes[self.member]
        return self._summed(self.member, -share * np.log(share))

    def distances(self, kept: NDArray[np.bool_] | None = None) -> Floats:
        """Returns the earth mover's distance of each class from the table, 0 to 1.

        Args:
            kept: Classes of which the table consists, and the only ones of which the distance is
                told; of the others it is 0. All by default.
        """
        member, code, count = self.member, self.code, self.count
        if kept is not None:
            within = kept[member]
            member, code, count = member[within], code[within], count[within]
        counted = np.bincount(code, weights=count, minlength=max(self.values, 1))
        # A value that is in none of the kept classes is in no published table: nothing moves past
        # it.
        seen = counted > 0
        table = counted[seen] / max(counted.sum(), 1)
        place = (np.cumsum(seen) - 1)[code]
        found = self._ordered if self.ordered else self._equal
        return found(member, place, count, table)

    def _equal(self, member: Ints, place: Ints, count: Ints, table: Floats) -> Floats:
        """Half of the sum of |p - q|, that is, of p - q where p is greater: never where p is 0."""
        more = np.maximum(count / self.sizes[member] - table[place], 0.0)
        return self._summed(member, more)

    def _ordered(self, member: Ints, place: Ints, count: Ints, table: Floats) -> Floats:
        if not len(member):
            return np.zeros(len(self.sizes))
        steps = Steps.over(len(table), [table])
        first = np.concatenate(([True], member[1:] != member[:-1]))
        starts = np.flatnonzero(first)
        running = np.cumsum(count)
        before = np.concatenate(([0], running[starts[1:] - 1]))
        reached = (running - before[np.cumsum(first) - 1]) / self.sizes[member]
        until = np.append(place[1:], steps.last)
        until[starts[1:] - 1] = steps.last
        return self._summed(member, steps.apart(first, place, until, reached)) / steps.many

    def _summed(self, member: Ints, figures: Floats) -> Floats:
        total = np.bincount(member, weights=figures, minlength=len(self.sizes))
        return total.astype(np.float64)  # of nothing, integers


@dataclass(frozen=True)
class Sensitive:
    """A sensitive column, beside the groups.

    Attributes:
        name: Of the column.
        values: How many distinct values it has; no value counts as one.
        ordered: Whether its codes stand in the order of its values.
        group: Group of each line.
        code: Value of each line.
        count: Rows of each line.
    """

    name: str
    values: int
    ordered: bool
    group: Ints
    code: Ints
    count: Ints

    def over(self, member: Ints, sizes: Ints) -> Spread:
        """Puts its lines together by class.

        Args:
            member: Class of each group.
            sizes: Rows of each class.
        """
        width = max(self.values, 1)
        keys = member[self.group] * width + self.code
        if len(sizes) * width <= _DENSE * len(keys):
            laid = np.bincount(keys, weights=self.count, minlength=len(sizes) * width)
            filled = np.flatnonzero(laid)
            count = laid[filled].astype(np.int64)
        else:
            order = np.argsort(keys, kind="stable")
            ordered = keys[order]
            starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
            filled, count = ordered[starts], np.add.reduceat(self.count[order], starts)
        return Spread(self.ordered, self.values, sizes, filled // width, filled % width, count)


class Over(Protocol):
    """How a sensitive column lies over classes: as `Spread` says it, however it is found out."""

    @property
    def distinct(self) -> Ints:
        """How many different values each class has."""

    @property
    def entropies(self) -> Floats:
        """Entropy of each class's values, nats."""

    def distances(self, kept: NDArray[np.bool_] | None = None) -> Floats:
        """Returns the earth mover's distance of each class; see `Spread.distances`."""


class Values(Protocol):
    """What is known of a sensitive column without its lines."""

    @property
    def name(self) -> str:
        """Of the column."""

    @property
    def values(self) -> int:
        """How many distinct values it has."""

    @property
    def ordered(self) -> bool:
        """Whether its codes stand in the order of its values."""


class Column(Values, Protocol):
    """A sensitive column: `Sensitive` in memory, or one whose lines are in the engine."""

    def over(self, member: Ints, sizes: Ints) -> Over:
        """Puts its lines together by class; see `Sensitive.over`."""
