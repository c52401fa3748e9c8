"""Which column tells in which city the districts of another one lie: 白云区 alone is in two."""

# ruff: noqa: S608 - own SQL: expressions of the source's columns

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from desensitize.masking.district import is_unclear, located
from desensitize.scanning.findings import ColumnFinding
from desensitize.sources import Table

PLACES: Final = 0.95
"""Share of names and codes of divisions that such a column needs."""
_ROWS: Final = 2_000
_DECIDES: Final = 0.5
_ADDRESS: Final = "cn_address"


def deciding(table: Table, found: Sequence[ColumnFinding]) -> dict[str, str]:
    """Returns for each column with unclear districts the one that decides most of them.

    Args:
        table: What is scanned; its beginning is read once more if there are such columns.
        found: What the scan found, in the order of the table.
    """
    places = [i for i, column in enumerate(found) if column.divisions >= PLACES]
    # An address begins with its city; an id's code tells where somebody was once registered.
    telling = {*places, *(i for i, column in enumerate(found) if column.type == _ADDRESS)}
    decided = {}
    for place in places:
        if not found[place].unclear:
            continue
        shares = {
            found[other].name: _share(table, place, other) for other in sorted(telling - {place})
        }
        best = max(shares, key=lambda name: shares[name], default="")
        if best and shares[best] >= _DECIDES:
            decided[found[place].name] = best
    return decided


def _share(table: Table, place: int, other: int) -> float:
    """Returns the share of a column's unclear values that another column makes clear."""
    one, two = table.columns[place].sql, table.columns[other].sql
    pairs = table.engine.sql(
        f"SELECT x, y, count(*) FROM (SELECT {one} AS x, {two} AS y FROM {table.sql} "
        f"LIMIT {_ROWS}) WHERE x IS NOT NULL GROUP BY ALL"
    ).fetchall()
    unclear = [(x, y or "", n) for x, y, n in pairs if is_unclear(x.strip())]
    made: int = sum(n for x, y, n in unclear if located(x, y) != x)
    every: int = sum(n for _, _, n in unclear)
    return made / max(every, 1)
