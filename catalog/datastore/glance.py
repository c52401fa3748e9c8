"""What stands in a public table, column by column: how often each value, or from where to where.

Of public rows only, so it tells nothing that anybody could not count. A version's bytes never
change: each is looked through once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from catalog.datastore.tables import Table

MOST_ROWS: Final = 1_000_000
MOST_VALUES: Final = 12
"""Of a column that is shown value by value."""
_MOST_COLUMNS: Final = 24
_MOST_KEPT: Final = 500
_NUMBERS: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE",
                   "DECIMAL", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")  # fmt: skip


@dataclass(frozen=True)
class Glance:
    """One column.

    Attributes:
        name: Of the column.
        values: Value and number of rows, if there are few; None is the empty one.
        span: Least, middle and greatest of many numbers; () of other columns.
    """

    name: str
    values: tuple[tuple[str | None, int], ...] = ()
    span: tuple[str, ...] = ()


class Glances:
    """Looks at tables, once at each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Glance, ...]] = OrderedDict()

    def of(self, name: str, rows: int, table: Callable[[], Table]) -> tuple[Glance, ...]:
        """Returns what there is to see; () of a table that is too long to look through.

        Args:
            name: That means these bytes for ever.
            rows: How many there are.
            table: Opens it.

        Raises:
            UnavailableError: Time or memory did not suffice.
        """
        if rows > MOST_ROWS:
            return ()
        with self._lock:
            if name in self._kept:
                return self._kept[name]
        found = tuple(_seen(table()))
        with self._lock:
            self._kept[name] = found
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return found


def _seen(table: Table) -> list[Glance]:
    columns = list(table.columns.items())[1 : _MOST_COLUMNS + 1]  # the first is the row's number
    about = table.about_how_many([name for name, _ in columns]) if columns else []
    found = []
    for (name, kind), many in zip(columns, about, strict=True):
        # Values are counted one by one only where there are few: else that might take all memory.
        values = table.counts(name, MOST_VALUES + 1) if many <= 2 * MOST_VALUES else []
        if 1 < len(values) <= MOST_VALUES:
            found.append(Glance(name, _in_order(values)))
        elif max(len(values), many) > MOST_VALUES and kind.startswith(_NUMBERS):
            found.append(Glance(name, span=table.span(name)))
    return found


def _in_order(values: list[tuple[str | None, int]]) -> tuple[tuple[str | None, int], ...]:
    """Years and ratings as they follow each other, names by how often they come."""
    if all(value is None or value[:1].isdecimal() for value, _ in values):
        return tuple(sorted(values, key=lambda each: (each[0] is None, _number(each[0]))))
    return tuple(values)


def _number(value: str | None) -> tuple[float, str]:
    text = value or ""
    digits = text[: next((i for i, c in enumerate(text) if c not in "0123456789."), len(text))]
    try:
        return float(digits), text
    except ValueError:
        return 0.0, text
