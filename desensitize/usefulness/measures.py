"""Measures that need no model: losses of columns, errors of marginals, discernibility.

Original and release are compared at the labels that the release has: what wider labels hide is said
by loss and entropy, what leaving rows out, noise and shuffling have moved by the marginals.
"""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np

from desensitize.attacks.view import text
from desensitize.generalise.utility import discernibility, entropy_lost, variation
from desensitize.recognisers.digits import Ints
from desensitize.sources import Table
from desensitize.usefulness.classes import Pair, codes_of, together
from desensitize.usefulness.columns import Floats
from desensitize.usefulness.laid_out import LaidOut, numbers
from desensitize.usefulness.report import ColumnUse, Error

MOST_COMPARED: Final = 20
"""Columns whose pairs are compared: 190 tables of two."""
_PARTS: Final = 20


def columns(view: LaidOut, origin: Ints, sides: dict[str, Pair]) -> tuple[ColumnUse, ...]:
    """Returns what each published column has lost.

    Args:
        view: Release and original.
        origin: The original's row of each released row.
        sides: See `comparable`.
    """
    return tuple(_column(view, origin, c.name, sides) for c in view.policy.published)


def _column(view: LaidOut, origin: Ints, name: str, sides: dict[str, Pair]) -> ColumnUse:
    marginal = None
    if name in sides:
        marginal = _variation(*sides[name])
    if name not in view.known:
        return ColumnUse(name, None, None, marginal)
    [values], width = codes_of(view.cells(view.original, name))
    labels = np.zeros(width, np.int64)
    labels[values] = view.masked[name]  # equal values have equal labels: so the column is known
    before = np.bincount(values, minlength=width)
    after = np.bincount(values[origin], minlength=width)
    share = (np.bincount(labels)[labels] - 1) / max(width - 1, 1)
    rows = max(len(values), 1)
    loss = float((share * after).sum() + len(values) - len(origin)) / rows
    return ColumnUse(name, loss, entropy_lost(before, after, labels), marginal)


def comparable(view: LaidOut) -> dict[str, Pair]:
    """Returns codes in release and original of the columns that can be compared, by name.

    Labels as they are; numbers that are not repeated exactly, and those of many values, in parts
    that the original's quantiles make.
    """
    found: dict[str, Pair] = {}
    for column in view.policy.published:
        name = column.name
        if name in view.known:
            pair = view.published[name], view.masked[name]
            width = int(max(pair[0].max(initial=0), pair[1].max(initial=0))) + 1
            if width <= _PARTS * _PARTS:
                found[name] = pair
                continue
        here, there = numbers(view.release, name), numbers(view.original, name)
        if np.isfinite(here).any() and np.isfinite(there).any():
            edges = np.unique(np.nanquantile(there, np.linspace(0, 1, _PARTS + 1)[1:-1]))
            found[name] = _parts(here, edges), _parts(there, edges)
        elif name in view.known:
            found[name] = view.published[name], view.masked[name]
    return found


def _parts(values: Floats, edges: Floats) -> Ints:
    """Numbers the parts between edges in which values lie; what is none has a number of its own."""
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, "right"))


def marginals(sides: dict[str, Pair]) -> tuple[Error, Error]:
    """Returns the errors of the marginals of one column, and of two."""
    one = [_variation(*pair) for pair in sides.values()]
    two = []
    for first, second in combinations(list(sides.values())[:MOST_COMPARED], 2):
        two.append(_variation(*together(first, second)))
    return _error(one), _error(two)


def _error(found: Sequence[float]) -> Error:
    if not found:
        return Error(0, 0.0, 0.0)
    return Error(len(found), float(np.mean(found)), float(max(found)))


def _variation(here: Ints, there: Ints) -> float:
    width = int(max(here.max(initial=0), there.max(initial=0))) + 1
    return variation(np.bincount(here, minlength=width), np.bincount(there, minlength=width))


def indiscernible(view: LaidOut) -> tuple[int, int]:
    """Returns the discernibility of the quasi-identifiers, in the release and in the original."""
    names = [column.name for column in view.policy.published if column.quasi]
    now, before = (_sizes(table, names) for table in (view.release, view.original))
    rows = int(before.sum())
    return discernibility(now, rows), discernibility(before, rows)


def _sizes(table: Table, names: Sequence[str]) -> Ints:
    """Counts the rows that look alike in some columns; without any, all do."""
    by = ", ".join(text(table, name) for name in names)
    sql = f"SELECT count(*) AS n FROM {table.sql} GROUP BY {by or '()'}"
    sizes: Ints = table.engine.sql(sql).fetchnumpy()["n"]
    return sizes
