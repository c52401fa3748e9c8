"""What a load found in the data. Private to the owner: nothing of it ever leaves the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RANK: Final = "__veil_rank"
"""Column of a loaded table: a row's number among those of its subject, where there are too many."""


@dataclass(frozen=True)
class ColumnReport:
    """What the data of one column look like; private to the owner.

    Attributes:
        nulls: Rows without a value.
        not_finite: NaN and infinities, which became NULL.
        rounded: Values that had more digits than declared.
        out_of_bounds: Values outside the declared bounds.
        outside_codes: Values that are not in the code list.
        lowest: Least stored number (scaled) or day; None for other types and empty columns.
        highest: Greatest stored number or day.
    """

    nulls: int
    not_finite: int
    rounded: int
    out_of_bounds: int
    outside_codes: int
    lowest: int | None
    highest: int | None


@dataclass(frozen=True)
class LoadReport:
    """What a load found.

    Attributes:
        rows: Rows loaded.
        columns: Per column.
        most_rows_per_subject: Of any one subject; rows without a subject count as one subject.
        without_subject: Rows whose subject is NULL.
        ranked: Whether rows carry a rank within their subject, because some have too many.
    """

    rows: int
    columns: dict[str, ColumnReport]
    most_rows_per_subject: int
    without_subject: int
    ranked: bool
