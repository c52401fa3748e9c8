"""What a table is still good for at one node: other measures than the one that is searched by.

All are of the published quasi-identifiers beside the finest labels that their hierarchies have. The
measures themselves know no hierarchy: ``usefulness`` takes them of any release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desensitize.generalise.classes import classes_at
from desensitize.generalise.groups import Flags, Groups, Source
from desensitize.generalise.spread import Ints

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


def utility(source: Source, groups: Groups, node: tuple[int, ...], out: Flags) -> Utility:
    """Measures one node.

    Args:
        source: The table.
        groups: Combinations from which the node's classes can be told.
        node: Level of each quasi-identifier.
        out: Groups whose rows are left out; with one all of its class.
    """
    left = np.where(out, 0, groups.counts)
    classes = classes_at(groups, node)
    sizes = np.bincount(classes.member, weights=left, minlength=len(classes.sizes))
    entropy, marginals = [], []
    gone = source.rows_of(groups, out, node)
    for place, (domain, level) in enumerate(zip(source.domains, node, strict=True)):
        labels, before = domain.codes[level], source.marginals[place]
        after = before - gone[place]
        entropy.append(entropy_lost(before, after, labels))
        marginals.append(
            variation(np.bincount(labels, weights=after), np.bincount(labels, weights=before))
        )
    return Utility(discernibility(sizes, source.rows), tuple(entropy), tuple(marginals))


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
