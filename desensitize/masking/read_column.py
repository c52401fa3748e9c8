"""The innermost step of a statement: columns are read as what the policy says that they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, get_args

from desensitize.engines.stored_values import literal
from desensitize.masking.base import (
    NUMBERS,
    Bounds,
    Cell,
    Function,
    Method,
    Workshop,
    reads_days,
    reads_division,
)
from desensitize.masking.dates import Unit
from desensitize.masking.district import beginning_of, which_unclear, within
from desensitize.masking.readings import as_date, as_number, as_whole, one_zero
from desensitize.masking.visible import Keep
from desensitize.policy import PublishedColumn

_TRUE: Final = ["true", "t", "1", "yes", "y", "是"]
_FALSE: Final = ["false", "f", "0", "no", "n", "否"]


def read_column(
    cell: Cell, column: PublishedColumn, methods: tuple[Method, ...], shop: Workshop
) -> Cell:
    """Reads a column as what the policy says that it is.

    Empty text, what is of another kind, and what is out of bounds become NULL; a division is read
    with the help of the column in whose divisions it lies. Without a method that changes it, the
    column stays in its own type.
    """
    if "ENUM(" in cell.stored:
        # The list of a category's values would be published whole, also those of no row that is.
        cell = Cell(f"({cell.sql})::VARCHAR", "VARCHAR")
    if cell.stored == "VARCHAR":
        cell = Cell(f"nullif({cell.sql}, '')", "VARCHAR")
    cell = one_zero(cell)
    if column.day_first is not None or _says_days(column, methods):
        cell = as_date(cell, day_first=column.day_first)
    match column.type:
        case "integer":
            cell = as_whole(cell)
        case "decimal":
            cell = cell if cell.family in NUMBERS else as_number(cell)
        case "date":
            cell = as_date(cell)
        case "boolean" if cell.family != "BOOLEAN":
            text = f"lower(trim({cell.sql}::VARCHAR))"
            yes, no = (", ".join(map(literal, words)) for words in (_TRUE, _FALSE))
            cell = Cell(
                f"CASE WHEN {text} IN ({yes}) THEN true WHEN {text} IN ({no}) THEN false END",
                "BOOLEAN",
            )
    if column.bounds is not None:
        cell = _bounded(cell, column.bounds, kept=all(isinstance(m, Keep) for m in methods))
    if column.within:
        cell = within(cell, shop.columns[column.within], shop)
    return cell


def _says_days(column: PublishedColumn, methods: tuple[Method, ...]) -> bool:
    """Whether all that becomes of a column is made of days: each cell is then read once."""
    if column.hierarchy is not None and column.hierarchy.levels:
        return {*column.hierarchy.levels} <= {*get_args(Unit), "*"}
    return bool(methods) and reads_days(methods[0])


def _bounded(cell: Cell, bounds: Bounds, *, kept: bool) -> Cell:
    """Leaves what is within bounds; a column that is only kept stays in its own type."""
    low, high = bounds
    if isinstance(low, Decimal):
        value, ends = as_number(cell), f"{low:f} AND {high:f}"
    else:
        value, ends = as_date(cell), f"DATE '{low}' AND DATE '{high}'"
    left = cell if kept else value
    return Cell(f"CASE WHEN {value.sql} BETWEEN {ends} THEN {left.sql} END", left.stored)


def present(cell: Cell) -> str:
    """Returns the expression of whether there is a value."""
    if cell.stored == "VARCHAR":
        return f"coalesce({cell.sql} <> '', false)"
    return f"{cell.sql} IS NOT NULL"


def may_be_unclear(methods: tuple[Method, ...], *, late: bool) -> bool:
    """Whether the engine has to say why a value was lost: Python does for what it does itself."""
    return bool(methods) and reads_division(methods[0]) and not (late and len(methods) == 1)


def doubt(read: Cell, lost: str, shop: Workshop) -> str:
    """Returns the expression of whether a value was lost because several divisions have its name.

    Args:
        read: The column as it was read.
        lost: Expression of whether it was lost; only then is the name looked at.
        shop: Of the release.
    """
    name = shop.function(Function(which_unclear, gives="BOOLEAN"))
    return f"CASE WHEN {lost} THEN {name}({beginning_of(read)}) ELSE false END"
