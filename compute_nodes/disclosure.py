"""Which cells of an exact answer may be shown: ``min_group`` and complementary suppression.

Runs at the exchange on group counts in secret cell order (``compute_nodes.cell_order``), once per
exact job, between the two phases. The signed bitmap is all that nodes get to see.

**Primary**: a cell with fewer subjects than ``min_group`` is hidden, 0 included (that nobody is
in a group is also a fact about its members), and so is every cell that an owner vetoed.

**Complementary**: one hidden cell in a line is no secret to somebody who has the line's total
from another approved statement: total minus visible cells. So whoever knows *every* margin that
could itself be released (any keys summed away, at least ``min_group`` subjects in it) must not
arrive at a number from 1 to ``min_group`` - 1, nor at a vetoed cell, even by using what one
margin gives away in the next ("peeling"). Further cells are hidden, smallest first, until no
such step is left. See Hundepool et al., *Statistical Disclosure Control* (2012), chapter 4.

Not covered: bounds from inequalities (a hidden cell is at most its line's hidden sum), linear
programming over many margins, and what the attacker knows about rows of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from compute_nodes.cell_order import invert, permute_axes
from protos.faults import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

Flags = NDArray[np.bool_]
Lines = NDArray[np.int64]  # (lines, cells of a line): positions in the vector

_HIDDEN: Final = np.iinfo(np.int64).max


def strictest_min_group(min_groups: Iterable[int], *, subjects_disjoint: bool) -> int:
    """Derives the threshold of a job from every owner's ``min_group``.

    Unless the owners sign that no subject is at two departments, a summed count may count one
    person n times, so n times the strictest owner's number is asked for.

    Args:
        min_groups: One per department that answers, each at least 1.
        subjects_disjoint: As declared by the dataset.
    """
    numbers = tuple(min_groups)
    return max(numbers) * (1 if subjects_disjoint else len(numbers))


def suppress(
    counts: NDArray[np.int64],
    shape: Sequence[int],
    min_group: int,
    vetoes: Flags | None = None,
) -> Flags:
    """Decides which cells survive.

    Args:
        counts: Shape (cells,): subjects per cell, all at least 0, axes shuffled or not.
        shape: Size of each axis, last one fastest; ``()`` is a single cell.
        min_group: Fewest subjects of a visible cell, at least 1.
        vetoes: Shape (cells,): cells that some owner hides (dominance); none if None.

    Returns:
        Shape (cells,): True where the cell is visible.

    Raises:
        ProtocolError: The shapes do not fit, or a count is negative.
    """
    cells = prod(shape)
    if counts.shape != (cells,) or (vetoes is not None and vetoes.shape != (cells,)):
        raise ProtocolError(f"{counts.size} counts do not fill {cells} cells")
    if (counts < 0).any():
        raise ProtocolError("a group count is negative")
    vetoed = np.zeros(cells, dtype=np.bool_) if vetoes is None else vetoes
    margins = tuple(_margins(tuple(size for size in shape if size > 1)))
    hidden = (counts < min_group) | vetoed
    extra = 1
    while True:  # ends: every pass hides a cell, or returns
        _hide_beside_lone_cells(counts, hidden, margins, min_group)
        leaking = _leaks(counts, hidden, vetoed, margins, min_group)
        if not leaking or hidden.all():
            return ~hidden
        # Every cell of a leaking line is hidden already, and its neighbours' lines give it away.
        # Rare; hide the smallest visible cells of the whole table, twice as many each time.
        if not any(_hide_smallest(counts, hidden, line, 1) for line in leaking):
            _hide_smallest(counts, hidden, np.arange(cells), extra)
            extra *= 2


def pack_bitmap(visible: Flags) -> str:
    """Writes a bitmap as hex for signing; position 0 is the highest bit of the first byte."""
    return np.packbits(visible).tobytes().hex()


def unpack_bitmap(text: str, cells: int) -> Flags:
    """Reads ``pack_bitmap``; refuses a wrong length and set bits beyond the last cell.

    Raises:
        ProtocolError: It is not a bitmap of ``cells`` cells.
    """
    try:
        packed = np.frombuffer(bytes.fromhex(text), dtype=np.uint8)
    except ValueError as error:
        raise ProtocolError("the bitmap is not hexadecimal") from error
    bits = np.unpackbits(packed).astype(np.bool_)
    if len(packed) != (cells + 7) // 8 or bits[cells:].any():
        raise ProtocolError(f"the bitmap does not describe {cells} cells")
    return bits[:cells]


def _margins(shape: tuple[int, ...]) -> Iterator[Lines]:
    """Yields, for every way to sum some axes away, the lines that are summed."""
    grid = np.arange(prod(shape), dtype=np.int64).reshape(shape)
    axes = range(len(shape))
    for size in range(1, len(shape) + 1):
        for away in combinations(axes, size):
            kept = [axis for axis in axes if axis not in away]
            length = prod(shape[axis] for axis in away)
            yield grid.transpose(*kept, *away).reshape(-1, length)


def _hide_beside_lone_cells(
    counts: NDArray[np.int64], hidden: Flags, margins: tuple[Lines, ...], min_group: int
) -> None:
    """Adds to ``hidden`` until no line with a visible cell hides too little.

    Too little: the hidden cells hold 1 … min_group - 1 subjects together, or all their subjects
    sit in one cell. One more cell always mends it, because a visible cell holds min_group.
    """
    changed = True
    while changed:
        changed = False
        for lines in margins:
            here = hidden[lines]
            secret = np.where(here, counts[lines], 0)
            total, occupied = secret.sum(axis=1), (secret > 0).sum(axis=1)
            thin = ((total > 0) & (total < min_group)) | (occupied == 1)
            thin &= ~here.all(axis=1)
            if thin.any():
                open_cells = np.where(here[thin], _HIDDEN, counts[lines[thin]])
                chosen = lines[thin][np.arange(len(open_cells)), open_cells.argmin(axis=1)]
                hidden[chosen] = True
                changed = True


def _leaks(
    counts: NDArray[np.int64],
    hidden: Flags,
    vetoed: Flags,
    margins: tuple[Lines, ...],
    min_group: int,
) -> list[NDArray[np.int64]]:
    """Plays the attacker who knows every releasable margin; returns the lines that leak.

    A line gives away its unknown cells when there is one of them, or when they sum to 0.
    """
    unknown = hidden.copy()
    solved = True
    while solved:
        solved = False
        for lines in margins:
            here = unknown[lines]
            left = np.where(here, counts[lines], 0).sum(axis=1)
            number = here.sum(axis=1)
            known = (counts[lines].sum(axis=1) >= min_group) & (number > 0)
            veto = (here & vetoed[lines]).any(axis=1) & (number == 1)
            leak = known & (((left > 0) & (left < min_group)) | veto)
            if leak.any():
                return list(lines[leak])
            given = known & ((number == 1) | (left == 0))
            if given.any():
                unknown[lines[given]] = False
                solved = True
    return []


def _hide_smallest(
    counts: NDArray[np.int64], hidden: Flags, line: NDArray[np.int64], how_many: int
) -> bool:
    """Hides the smallest visible cells of a line; returns whether there was one."""
    candidates = line[~hidden[line]]
    chosen = candidates[np.argsort(counts[candidates], kind="stable")[:how_many]]
    hidden[chosen] = True
    return len(chosen) > 0


__all__ = [
    "invert",
    "pack_bitmap",
    "permute_axes",
    "strictest_min_group",
    "suppress",
    "unpack_bitmap",
]
