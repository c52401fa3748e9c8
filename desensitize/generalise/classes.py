"""Equivalence classes at one node of the lattice, and which of them break the models.

Models: k-anonymity (Sweeney, "k-anonymity: a model for protecting privacy", 2002): every class
has k rows. l-diversity, distinct (Machanavajjhala et al., "l-diversity", ICDE 2006): every class
has l different sensitive values. t-closeness (Li, Li, Venkatasubramanian, "t-closeness", ICDE
2007): the earth mover's distance between a class's sensitive values and the table's is at most t,
with ordered distance for numbers and dates, equal distance for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desensitize.generalise.groups import Groups, Ints, Sensitive
from desensitize.policy import Models

Flags = NDArray[np.bool_]
_CELLS: Final = 4_000_000
"""Classes x sensitive values that are laid out at once."""
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Classes:
    """The classes of one node.

    Attributes:
        member: Class of each group.
        sizes: Rows of each class.
    """

    member: Ints
    sizes: Ints


def classes_at(groups: Groups, node: tuple[int, ...]) -> Classes:
    """Puts groups together that have the same labels at a node."""
    keys = np.zeros(len(groups.counts), np.int64)
    room = 1
    for column, (domain, level) in enumerate(zip(groups.domains, node, strict=True)):
        width = len(domain.labels[level])
        if room > (1 << 62) // max(width, 1):
            _, keys = np.unique(keys, return_inverse=True)
            room = int(keys.max(initial=0)) + 1
        keys = keys * width + domain.codes[level][groups.codes[column]]
        room *= max(width, 1)
    order = np.argsort(keys)
    ordered = keys[order]
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    member = np.empty(len(ordered), np.int64)
    member[order] = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    sizes = np.add.reduceat(groups.counts[order], starts) if len(starts) else groups.counts
    return Classes(member, sizes)


def broken(groups: Groups, classes: Classes, models: Models) -> Flags:
    """Returns the classes that break a model and have to be left out.

    What is published has to be close to itself: a reader knows no other table. So what breaks k or
    l goes first, for neither depends on other rows. Leaving classes out changes the distribution
    that the rest has to be close to, so for t they are looked at again until none breaks it.
    """
    wrong = alike(groups, classes, models)
    if models.t is None:
        return wrong
    before = -1
    while (now := int(wrong.sum())) != before:
        before = now
        far = [distances(each, classes, ~wrong) > models.t + _ROUNDING for each in groups.sensitive]
        for flags in far:
            wrong |= flags
    return wrong


def alike(groups: Groups, classes: Classes, models: Models) -> Flags:
    """Returns the classes that break k or l, whatever becomes of the other classes."""
    wrong = np.zeros(len(classes.sizes), bool)
    if models.k is not None:
        wrong |= classes.sizes < models.k
    if models.l is not None:
        for column in groups.sensitive:
            wrong |= distinct(column, classes) < models.l
    return wrong


def distinct(column: Sensitive, classes: Classes) -> Ints:
    """Returns how many different sensitive values each class has."""
    pairs = np.unique(classes.member[column.group] * column.values + column.code)
    return np.bincount(pairs // max(column.values, 1), minlength=len(classes.sizes))


def distances(
    column: Sensitive, classes: Classes, kept: Flags | None = None
) -> NDArray[np.float64]:
    """Returns the earth mover's distance of each class from the table, 0 to 1.

    Args:
        column: The sensitive values.
        classes: The classes.
        kept: Classes of which the table consists; all by default.
    """
    width, number = max(column.values, 1), len(classes.sizes)
    weights = column.count if kept is None else column.count * kept[classes.member[column.group]]
    counted = np.bincount(column.code, weights=weights, minlength=width)
    # A value that is in none of the kept classes is in no published table: nothing moves past it.
    seen = counted > 0
    table = counted[seen] / max(counted.sum(), 1)
    found = np.zeros(number)
    member = classes.member[column.group]
    order = np.argsort(member, kind="stable")
    member, code, count = member[order], column.code[order], column.count[order]
    step = max(1, _CELLS // width)
    for start in range(0, number, step):
        end = min(start + step, number)
        low, high = np.searchsorted(member, (start, end))
        cells = (member[low:high] - start) * width + code[low:high]
        laid = np.bincount(cells, weights=count[low:high], minlength=(end - start) * width)
        off = laid.reshape(-1, width)[:, seen] / classes.sizes[start:end, None] - table
        if column.ordered:
            found[start:end] = np.abs(off.cumsum(1)).sum(1) / max(len(table) - 1, 1)
        else:
            found[start:end] = np.abs(off).sum(1) / 2
    return found
