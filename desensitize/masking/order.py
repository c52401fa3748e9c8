"""Methods that look at a whole column at once: shuffle and microaggregate.

The engine sorts for them, on disk where memory does not suffice; all other methods stream.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from desensitize.engines.stored_values import quoted
from desensitize.masking.base import Cell, Domain, Workshop
from desensitize.masking.readings import as_number
from protos.language import Text


@dataclass(frozen=True)
class Shuffle:
    """The values of a column change places within their group; all are still there.

    The new order is drawn from the domain's key, the rows' numbers and the release itself (its
    original, policy, keys and salt), so that who has seen one table before and after cannot undo
    the next; or, without a domain, from 32 fresh random bytes that nobody keeps. In a group of
    fewer than ``smallest`` rows values become NULL: there a shuffle hides nothing.

    Conclusions: which values the group has, exactly; of a person, a value of the group with the
    frequency that it has there. What hung together with the column in other ways is lost.

    Attributes:
        within: Columns whose values (of the source) make the groups; none for the whole table.
        domain: Names the key; empty for fresh randomness.
        smallest: Rows that a group needs.
    """

    within: tuple[str, ...] = ()
    domain: Domain | None = None
    smallest: Annotated[int, Field(ge=2, le=10_000)] = 5

    title: ClassVar = Text("shuffled within groups", "组内乱序")
    concludes: ClassVar = Text(
        "which values the group has, and how often", "可知组内有哪些取值及其频率"
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """Other columns that it looks at."""
        return self.within

    @property
    def fresh(self) -> bool:
        """Whether its order is drawn anew each time."""
        return not self.domain

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns the value of the row that stands at this row's place in the drawn order."""
        if self.domain:
            key = shop.secrets.subkey(self.domain, f"shuffle {shop.column}")
            seed = hmac.digest(key, shop.occasion, "sha256")
        else:
            seed = secrets.token_bytes(32)
            shop.fresh.add(shop.column)
        row = shop.row_number()
        shop.unordered = True
        group = ", ".join(quoted_source(name, shop) for name in self.within)
        part = f"PARTITION BY {group} " if group else ""
        # SHA-256 of a 32-byte secret and eight bytes: no reader can redraw the order.
        drawn = shop.helper(
            f"left(sha256({shop.variable(seed)} || unhex(printf('%016x', {row}))), 32)"
        )
        place = shop.helper(f"row_number() OVER ({part}ORDER BY {row})")
        size = shop.helper(f"count(*) OVER ({part})")
        frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
        taken = f"nth_value({cell.sql}, {place}) OVER ({part}ORDER BY {drawn}, {row} {frame})"
        return Cell(f"CASE WHEN {size} >= {self.smallest} THEN {taken} END", cell.stored)


def quoted_source(name: str, shop: Workshop) -> str:
    """Returns the expression of another column of the source."""
    return shop.columns[name].sql if name in shop.columns else quoted(name)


@dataclass(frozen=True)
class Microaggregate:
    """Numbers become the mean of a group of at least k that are next to each other in size.

    Values are sorted and cut into groups of k; the last takes what is left, so it has k to
    2k - 1 (fixed-size microaggregation: Domingo-Ferrer and Mateo-Sanz 2002). Fewer than k values
    in all become NULL. Whole numbers stay whole: the mean is rounded.

    Conclusions: the value up to the spread of its group, which is wide only at the ends. Each
    column is grouped by itself, so rows are not made k-anonymous by it.

    Attributes:
        k: Least number of values in a group.
    """

    k: Annotated[int, Field(ge=2, le=1_000_000)]

    title: ClassVar = Text("microaggregated", "微聚合")
    concludes: ClassVar = Text(
        "the mean of k values of about that size", "可知相近的 k 个值的平均数"
    )

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns means."""
        number = as_number(cell)
        x = shop.helper(number.sql)
        row = shop.row_number()
        shop.unordered = True
        rank = shop.helper(f"row_number() OVER (ORDER BY {number.sql} NULLS LAST, {row})")
        count = shop.helper(f"count({number.sql}) OVER ()")
        last = f"greatest({count} // {self.k} - 1, 0)"
        group = f"least(({rank} - 1) // {self.k}, {last}), {x} IS NULL"
        # In order of size: a sum of floats depends on the order, and output must not.
        frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
        over = f"OVER (PARTITION BY {group} ORDER BY {x}, {row} {frame})"
        mean = f"avg({x}) {over}"
        if number.stored == "BIGINT":
            mean = f"round({mean})::BIGINT"
        sql = f"CASE WHEN {x} IS NOT NULL AND {count} >= {self.k} THEN {mean} END"
        return Cell(sql, number.stored)
