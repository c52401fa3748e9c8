"""How the days of a column are written: which values are read as none, and which could be two.

The beginning of the table is read by the very expression that masks it.
"""

# ruff: noqa: S608 - own SQL: expressions are made here

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from desensitize.engines.stored_values import literal
from desensitize.masking.written_days import DAY_FIRST, MONTH_FIRST, day_of
from desensitize.recognisers.birth import BIRTH_DATE
from desensitize.scanning.attributes import attribute
from desensitize.scanning.headers import match

DATED: Final = frozenset({"birth_date", "event_date"})
"""Types of columns that hold days."""
_WRITTEN: Final = "veil_written_days"


@dataclass(frozen=True)
class Days:
    """What the first values of a column are as days.

    Attributes:
        read: Share that says one day, or could be two, 0 to 1.
        unread: Values that say none.
        either: Values that could be two days, such as 03/07/1990.
        day_first: Whether the day comes first in these; None if no other value tells, or they
            tell both.
    """

    read: float = 0.0
    unread: int = 0
    either: int = 0
    day_first: bool | None = None


NO_DAYS: Final = Days()


def says_days(header: str) -> bool:
    """Whether a header promises days."""
    about, _ = attribute(header)
    return bool(match(header, BIRTH_DATE.headers)) or (
        about is not None and about.name == "event_date"
    )


def days_of(
    engine: duckdb.DuckDBPyConnection, columns: Mapping[int, pa.StringArray]
) -> dict[int, Days]:
    """Reads the values of columns as days, all at once: each pattern is compiled once.

    Args:
        engine: Any.
        columns: Values by the place of their column, none of them NULL.
    """
    columns = {place: values for place, values in columns.items() if len(values)}
    if not columns:
        return {}
    places = np.repeat(list(columns), [len(values) for values in columns.values()])
    written = pa.concat_arrays(list(columns.values()))
    either = f"{day_of('t')} IS NULL AND {day_of('t', day_first=True)} IS NOT NULL"
    engine.register(_WRITTEN, pa.table({"place": places, "t": written}))
    try:
        found = engine.sql(
            "SELECT place, count(*), count(*) FILTER (d IS NOT NULL), count(*) FILTER (either), "
            f"count(*) FILTER (regexp_full_match(t, {literal(DAY_FIRST)})), "
            f"count(*) FILTER (regexp_full_match(t, {literal(MONTH_FIRST)})) "
            f"FROM (SELECT place, t, {day_of('t')} AS d, {either} AS either FROM {_WRITTEN}) "
            "GROUP BY place"
        ).fetchall()
    finally:
        engine.unregister(_WRITTEN)
    return {
        place: Days(
            (read + two) / values,
            values - read - two,
            two,
            bool(days) if bool(days) != bool(months) else None,
        )
        for place, values, read, two, days, months in found
    }
