"""The loss metric: how much of its detail a table loses, from 0 (all kept) to 1 (nothing left).

For one value of one column: the share of the column's other values that its label could also
stand for, (leaves - 1) / (domain - 1) (Iyengar, "Transforming Data to Satisfy Privacy
Constraints", KDD 2002, the LM metric); 1 if the row is suppressed. A column's loss is the mean
over all rows. The table's loss is the geometric mean of 1 + loss over the columns, less 1, which
is how ARX aggregates its Loss metric by default, so that its optima can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def of_table(columns: Sequence[float] | Floats) -> float:
    """Returns the table's loss from its columns', each 0 to 1."""
    return float(np.exp(np.log1p(np.asarray(columns, np.float64)).mean()) - 1)


def of_nodes(per_level: Sequence[Floats], nodes: NDArray[np.int8]) -> Floats:
    """Returns the loss of many nodes if no row were suppressed: a lower bound of their loss.

    Args:
        per_level: Loss of each column at each of its levels.
        nodes: A level for each column, one node per line, shape (nodes, columns).
    """
    total = np.zeros(len(nodes))
    for column, losses in enumerate(per_level):
        total += np.log1p(losses)[nodes[:, column]]
    bound: Floats = np.exp(total / len(per_level)) - 1
    return bound
