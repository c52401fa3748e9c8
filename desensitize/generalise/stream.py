"""What belonging to a class tells of a sensitive column, from its cells as a stream.

A cell is a class, a value that it has, and in how many rows. They come by class, then by value; no
more than a batch of them is in memory at once, however many rows, classes or values there are. The
figures are those of ``generalise.spread``, to the last bit and wherever batches end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from desensitize.generalise.spread import Floats, Ints, Steps

_NOTHING: Final = np.zeros((5, 0), np.int64)
_END: Final = np.array([[-1], [1], [1], [0], [1]], np.int64)  # a cell of no class


@dataclass(frozen=True)
class Told:
    """Of some classes, all of whose cells have been seen.

    Attributes:
        classes: Which ones, rising.
        sizes: Rows of each.
        distinct: How many different values each has.
        entropies: Of each one's values, nats.
        distances: Earth mover's distance of each from the table, 0 to 1.
    """

    classes: Ints
    sizes: Ints
    distinct: Ints
    entropies: Floats
    distances: Floats


@dataclass(frozen=True)
class _Begun:
    """What the cells so far of a class that goes on come to."""

    rows: int = 0
    distinct: int = 0
    entropy: float = 0.0
    distance: float = 0.0


def told(batches: Iterable[Ints], rows: int, steps: Steps | None) -> Iterator[Told]:
    """Returns what all classes tell, as they are completed.

    Args:
        batches: Cells in order, shape (5, cells): class, its rows, rows of the cell, value, the
            value's rows in the table.
        rows: Of the table.
        steps: Over the table's values, if they have an order.
    """
    held, begun = _NOTHING, _Begun()
    for batch in chain(batches, [_END]):
        cells = np.concatenate((held, batch), axis=1)
        # Of the last one it is not known yet what follows it.
        held = cells[:, -1:]
        if cells.shape[1] > 1:
            begun, found = _complete(begun, cells, rows, steps)
            yield found


def _complete(begun: _Begun, cells: Ints, rows: int, steps: Steps | None) -> tuple[_Begun, Told]:
    """Returns the classes that end before the last cell, and what the one that does not has."""
    member, size, count, place, total = cells[:, :-1]
    ends = member != cells[0, 1:]
    starts = np.flatnonzero(np.concatenate(([True], ends[:-1])))
    segment = np.concatenate(([0], np.cumsum(ends[:-1])))
    share = count / size
    running = np.cumsum(count) + begun.rows
    if steps is None:
        apart = np.maximum(share - total / rows, 0.0)
    else:
        reached = running - np.concatenate(([0], running[starts[1:] - 1]))[segment]
        until = np.where(ends, steps.last, cells[3, 1:])
        apart = steps.apart(reached == count, place, until, reached / size)
    entropies = _summed(segment, -share * np.log(share), begun.entropy)
    distances = _summed(segment, apart, begun.distance)
    distinct = np.bincount(segment)
    distinct[0] += begun.distinct
    done = len(starts) if ends[-1] else len(starts) - 1
    if ends[-1]:
        begun = _Begun()
    else:
        before = int(running[starts[-1] - 1]) if done else 0
        begun = _Begun(
            int(running[-1]) - before, int(distinct[-1]), float(entropies[-1]), float(distances[-1])
        )
    many = 1 if steps is None else steps.many
    whole = starts[:done]
    return begun, Told(
        member[whole], size[whole], distinct[:done], entropies[:done], distances[:done] / many
    )


def _summed(segment: Ints, figures: Floats, begun: float) -> Floats:
    """Adds one after the other, from what has begun: in which batch a cell is changes no bit."""
    figures[0] += begun
    return np.bincount(segment, weights=figures).astype(np.float64)
