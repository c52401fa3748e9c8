"""A sensitive column whose cells stay in the engine: looked at as a stream, once for each question.

What is kept in memory is a figure for each class, and for distances some 32 bytes for each value.
"""

# ruff: noqa: S608 - own SQL: names are made here

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from desensitize.generalise.groups import ints
from desensitize.generalise.spread import Floats, Ints, Steps
from desensitize.generalise.stream import Told, told

BATCH: Final = 1 << 18
"""Lines that leave the engine at once."""


@dataclass(frozen=True)
class StreamedColumn:
    """A sensitive column beside groups that are the classes of one node; a `spread.Column`.

    Attributes:
        name: Of the column.
        values: How many distinct values it has; no value counts as one.
        ordered: Whether its codes stand in the order of its values.
        engine: Which has its cells.
        cells: Table of them: ``class``, its rows ``size``, rows ``n`` of the cell, value ``s``.
    """

    name: str
    values: int
    ordered: bool
    engine: duckdb.DuckDBPyConnection
    cells: str

    def over(self, member: Ints, sizes: Ints) -> StreamedSpread:
        """See `spread.Column`.

        Raises:
            ValueError: Other classes are asked about.
        """
        if not np.array_equal(member, np.arange(len(sizes))):
            raise ValueError("cells were counted for the classes of another node")
        return StreamedSpread(self, len(sizes))


@dataclass(frozen=True)
class StreamedSpread:
    """How it lies over the classes; a `spread.Over`.

    Attributes:
        column: The column.
        classes: How many there are.
    """

    column: StreamedColumn
    classes: int

    @property
    def distinct(self) -> Ints:
        """See `spread.Over`."""
        return self._alone[0]

    @property
    def entropies(self) -> Floats:
        """See `spread.Over`."""
        return self._alone[1]

    def distances(self, kept: NDArray[np.bool_] | None = None) -> Floats:
        """See `spread.Over`."""
        kept = np.ones(self.classes, bool) if kept is None else kept
        counted = np.zeros(max(self.column.values, 1), np.int64)
        for member, _, count, code in self._cells(""):
            within = kept[member]
            # Cells of a batch have few values or many; `add.at` takes the same time for both.
            np.add.at(counted, code[within], count[within])
        seen = counted > 0
        place = np.cumsum(seen) - 1
        rows = max(int(counted.sum()), 1)
        steps = None
        if self.column.ordered:
            steps = Steps.over(int(seen.sum()), [counted[seen] / rows])

        def cells() -> Iterator[Ints]:
            for batch in self._cells("ORDER BY class, s"):
                member, size, count, code = batch[:, kept[batch[0]]]
                yield np.stack([member, size, count, place[code], counted[code]])

        found = np.zeros(self.classes)
        for some in told(cells(), rows, steps):
            found[some.classes] = some.distances
        return found

    @cached_property
    def _alone(self) -> tuple[Ints, Floats]:
        distinct, entropies = np.zeros(self.classes, np.int64), np.zeros(self.classes)
        for some in self._told():
            distinct[some.classes], entropies[some.classes] = some.distinct, some.entropies
        return distinct, entropies

    def _told(self) -> Iterator[Told]:
        # What the value has in the table does not matter for these.
        cells = (np.vstack([batch, batch[1]]) for batch in self._cells("ORDER BY class, s"))
        return told(cells, 1, None)

    def _cells(self, order: str) -> Iterator[Ints]:
        sql = f"SELECT class, size, n, s FROM {self.column.cells} {order}"
        return batches(self.column.engine, sql)


def batches(engine: duckdb.DuckDBPyConnection, sql: str) -> Iterator[Ints]:
    """Returns whole numbers by batches, a line for each column."""
    for batch in engine.sql(sql).to_arrow_reader(BATCH):
        yield np.stack([ints(column) for column in batch.columns])
