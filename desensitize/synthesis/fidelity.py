"""How like the data the synthetic rows are: exact, so for the steward only, and never written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from desensitize.synthesis.counts import CodedTable
from desensitize.synthesis.domains import Domain
from desensitize.synthesis.facts import StewardFigures
from desensitize.synthesis.mechanism import candidates
from protos.language import Text

_DRAWN = "veil_drawn"


def figures(
    coded: CodedTable,
    domains: Sequence[Domain],
    sample: Sequence[npt.NDArray[np.int64]],
    unmentioned: tuple[str, ...],
    notes: tuple[Text, ...],
) -> StewardFigures:
    """Compares the rows that count with synthetic ones.

    Args:
        coded: The data.
        domains: Of the columns.
        sample: Cells of synthetic rows, by column.
        unmentioned: Columns that the policy does not mention.
        notes: What was odd about the source.
    """
    columns = {f"k{i}": pa.array(cells.astype(np.uint16)) for i, cells in enumerate(sample)}
    kept = pa.array(np.ones(len(sample[0]), dtype=bool))
    coded.engine.register(_DRAWN, pa.table(columns | {"kept": kept}))
    drawn = CodedTable(coded.engine, coded.sizes, _DRAWN)
    read, counted = coded.rows()
    one_way = [_distance(coded.one(i), drawn.one(i)) for i in range(len(domains))]
    pairs = {
        (domains[i].column, domains[j].column): _distance(coded.pair(i, j), drawn.pair(i, j))
        for i, j in candidates(coded.sizes)
    }
    coded.engine.unregister(_DRAWN)
    worst = max(pairs, key=lambda pair: pairs[pair], default=None)
    outside = {domain.column: coded.outside(i) for i, domain in enumerate(domains)}
    return StewardFigures(
        read,
        counted,
        {name: rows for name, rows in outside.items() if rows},
        sum(one_way) / len(one_way),
        sum(pairs.values()) / len(pairs) if pairs else None,
        None if worst is None else (*worst, pairs[worst]),
        unmentioned,
        notes,
    )


def _distance(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> float:
    """Total variation: half the sum of the differences of shares, 0 to 1."""
    shares = [each / max(int(each.sum()), 1) for each in (one, other)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
