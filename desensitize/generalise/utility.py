"""What a table is still good for at one node: other measures than the one that is searched by.

All are of the published quasi-identifiers beside the finest labels that their hierarchies have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from desensitize.generalise.classes import Flags, classes_at
from desensitize.generalise.groups import Groups


@dataclass(frozen=True)
class Utility:
    """What is lost, in three other ways.

    Attributes:
        discernibility: Pairs of rows that cannot be told apart, both orders and each row with
            itself; a suppressed row counts as many as the table has rows (Bayardo, Agrawal, "Data
            Privacy through Optimal k-Anonymization", ICDE 2005). From rows to rows².
        entropy: Non-uniform entropy by column (Gionis, Tassa, "k-Anonymization with Minimal Loss of
            Information", IEEE TKDE 21, 2009): how much of the bits of a value its label leaves
            open, 0 to 1; of a suppressed row, all.
        marginals: Error of each column's distribution over the published labels that leaving rows
            out has made: total variation distance, 0 to 1; 1 if no row is left.
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
    suppressed = rows - int(left.sum())
    entropy, marginals = [], []
    for column, (domain, level) in enumerate(zip(groups.domains, node, strict=True)):
        labels, values = domain.codes[level], domain.codes.shape[1]
        before = np.bincount(groups.codes[column], weights=weights, minlength=values)
        after = np.bincount(groups.codes[column], weights=left, minlength=values)
        wide = np.bincount(labels, weights=before)
        some = np.maximum(before, 1)  # values that only a population has weigh nothing
        whole = float((before * np.log2(rows / some)).sum())
        told = (after * np.log2(np.maximum(wide[labels], 1) / some)).sum()
        hidden = ((before - after) * np.log2(rows / some)).sum()
        entropy.append(float((told + hidden) / whole) if whole else 0.0)
        shares = np.bincount(labels, weights=after) / max(rows - suppressed, 1)
        error = np.abs(shares - wide / max(rows, 1)).sum() / 2
        marginals.append(float(error) if rows > suppressed else float(rows > 0))
    return Utility(int((sizes**2).sum()) + suppressed * rows, tuple(entropy), tuple(marginals))
