"""The one column model: what desensitization, policy and query all say about a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

ColumnType = Literal["integer", "decimal", "string", "date", "boolean"]
Use = Literal["join", "filter", "group", "aggregate"]
Role = Literal["direct", "quasi", "sensitive", "other"]
Code = str | int | bool
DATA_TYPES: Final[tuple[str, ...]] = get_args(ColumnType)
FREE_TEXT: Final = "free_text"
"""Type of a column in which anything may stand; no data type."""


@dataclass(frozen=True)
class Column:
    """One declared column.

    Attributes:
        name: Column name exactly as in the data.
        type: Logical type. ``decimal`` is held as a scaled integer, never as a float.
        decimals: Digits after the point (0..9); 0 for every type but ``decimal``.
        bounds: Inclusive (lowest, highest) in *scaled* integer units (value x 10**decimals);
            ``None`` where the type has none. Dates are days since 1970-01-01.
        codes: The code list, in declared order; ``None`` where there is none.
        nullable: Whether NULL may occur.
        uses: What a query may do with it.
        role: How identifying it is.
        grade: Sensitivity, 1 (public) to 4 (core).
    """

    name: str
    type: ColumnType
    decimals: int = 0
    bounds: tuple[int, int] | None = None
    codes: tuple[Code, ...] | None = None
    nullable: bool = True
    uses: frozenset[Use] = frozenset()
    role: Role = "other"
    grade: int = 2
