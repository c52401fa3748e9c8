"""What a table is still good for at one node: other measures than the one that is searched by.

All are of the published quasi-identifiers beside the finest labels that their hierarchies have. The
measures themselves know no hierarchy: ``usefulness`` takes them of any release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desensitize.generalise.classes import Flags, classes_at
from desensitize.generalise.groups import Groups, Ints

Counts = NDArray[Any]


@dataclass(frozen=True)
class Utility:
    """What is lost, in three other ways.

    Attributes:
        discernibility: See `discernibility`.
        entropy: See `entropy_lost`, by column.
        marginals: Error of each column's distribution over the published labels that leaving rows
            out has made; see `variation`.
    """

    discernibility: int
    entropy: tuple[float, ...]
    marginals: tuple[float, ...]


def utility(groups: Groups, node: tuple[int, ...], out: Flags) -> Utility:
    """Measures one node.

    Args:
        groups: The table.
        node: Level of each quasi-identifier.
        out: Groups whose rows are left out.
    """
    rows, weights = groups.rows, groups.counts
    left = np.where(out, 0, weights)
    classes = classes_at(groups, node)
    sizes = np.bincount(classes.member, weights=left, minlength=len(classes.sizes))
    entropy, marginals = [], []
    for column, (domain, level) in enumerate(zip(groups.domains, node, strict=True)):
        labels, values = domain.codes[level], domain.codes.shape[1]
        before = np.bincount(groups.codes[column], weights=weights, minlength=values)
        after = np.bincount(groups.codes[column], weights=left, minlength=values)
        entropy.append(entropy_lost(before, after, labels))
        marginals.append(
            variation(np.bincount(labels, weights=after), np.bincount(labels, weights=before))
        )
    return Utility(discernibility(sizes, rows), tuple(entropy), tuple(marginals))


def discernibility(sizes: Counts, rows: int) -> int:
    """Pairs of rows that cannot be told apart, both orders and each row with itself.

    A suppressed row counts as many as the table has rows (Bayardo, Agrawal, "Data Privacy through
    Optimal k-Anonymization", ICDE 2005). From rows to rows².

    Args:
        sizes: Released rows of each class.
        rows: Of the table before.
    """
    return int((sizes.astype(np.float64) ** 2).sum()) + (rows - int(sizes.sum())) * rows


def entropy_lost(before: Counts, after: Counts, labels: Ints) -> float:
    """Non-uniform entropy: how much of the bits of a value its label leaves open, 0 to 1.

    Of a suppressed row, all (Gionis, Tassa, "k-Anonymization with Minimal Loss of Information",
    IEEE TKDE 21, 2009).

    Args:
        before: Rows of each value in the table.
        after: Those of them that are released.
        labels: What each value has become.
    """
    rows = before.sum()
    some = np.maximum(before, 1)  # values that only a population has weigh nothing
    wide = np.bincount(labels, weights=before)
    whole = float((before * np.log2(np.maximum(rows, 1) / some)).sum())
    told = (after * np.log2(np.maximum(wide[labels], 1) / some)).sum()
    hidden = ((before - after) * np.log2(np.maximum(rows, 1) / some)).sum()
    return float((told + hidden) / whole) if whole else 0.0


def variation(after: Counts, before: Counts) -> float:
    """Total variation distance of two distributions, given as counts: 0 to 1.

    1 if nothing is left of something; 0 if there was nothing.
    """
    if not after.sum():
        return float(before.sum() > 0)
    return float(np.abs(after / after.sum() - before / max(before.sum(), 1)).sum() / 2)
