"""The questions of the demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Question:
    """A statement whose answer is compared with the truth.

    Groups are large, so that no interval touches the declared bounds and is cut off there.

    Attributes:
        sql: For Veil and for DuckDB.
        keys: The columns that name a group.
    """

    sql: str
    keys: tuple[str, ...]


ADULTS: Final = Question(
    "SELECT department, COUNT(*) AS visits, AVG(cost) AS cost\n"
    "FROM visits WHERE age >= 18 GROUP BY department ORDER BY visits DESC",
    ("department",),
)
CHILDREN: Final = Question(
    "SELECT sex, COUNT(*) AS visits, AVG(cost) AS cost\n"
    "FROM visits WHERE age < 18 GROUP BY sex ORDER BY sex",
    ("sex",),
)
VERY_OLD: Final = Question(
    "SELECT department, COUNT(*) AS visits, SUM(cost) AS cost\n"
    "FROM visits WHERE age >= 90 GROUP BY department ORDER BY department",
    ("department",),
)
