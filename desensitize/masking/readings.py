"""How a column is read as text, number or date before a method works on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from desensitize.masking.base import NUMBERS, WHOLE_NUMBERS, Cell
from desensitize.masking.written_days import day_of, instant_day

_EXACT: Final = 2**53 - 1  # a greater one may stand for its neighbour
_PLAIN: Final = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_GROUPED: Final = r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?"


def as_text(cell: Cell) -> Cell:
    """Reads any column as text; whole floats without a point, as they were typed."""
    if cell.stored == "VARCHAR":
        return cell
    if cell.family in {"FLOAT", "DOUBLE"}:
        whole = f"{cell.sql} = trunc({cell.sql}) AND abs({cell.sql}) < 1e36"
        sql = f"CASE WHEN {whole} THEN {cell.sql}::HUGEINT::VARCHAR ELSE {cell.sql}::VARCHAR END"
        return Cell(f"({sql})", "VARCHAR")
    return Cell(f"{cell.sql}::VARCHAR", "VARCHAR")


def as_number(cell: Cell) -> Cell:
    """Reads a column as numbers: whole ones as BIGINT, others as DOUBLE.

    Text is a number if it is written in ASCII digits with at most one point, commas between
    thousands or an exponent; blanks around it do not count. NaN, infinities and all else are NULL.
    """
    if cell.family in WHOLE_NUMBERS:
        return Cell(f"TRY_CAST({cell.sql} AS BIGINT)", "BIGINT")
    if cell.family in NUMBERS:
        number = f"({cell.sql})::DOUBLE"
    elif cell.family in {"VARCHAR", "ENUM"}:
        text = f"trim(({cell.sql})::VARCHAR)"
        number = (
            f"CASE WHEN regexp_full_match({text}, '{_PLAIN}') THEN TRY_CAST({text} AS DOUBLE) "
            f"WHEN regexp_full_match({text}, '{_GROUPED}') "
            f"THEN TRY_CAST(replace({text}, ',', '') AS DOUBLE) END"
        )
    else:
        return Cell("NULL::DOUBLE", "DOUBLE")
    return one_zero(Cell(f"CASE WHEN isfinite({number}) THEN {number} END", "DOUBLE"))


def one_zero(cell: Cell) -> Cell:
    """Makes -0.0 of a float 0.0, as addition does (IEEE 754, 6.3); others stay as they are.

    The engine counts both as one value; a reader of the release sees two.
    """
    if cell.family not in {"FLOAT", "DOUBLE"}:
        return cell
    return replace(cell, sql=f"(({cell.sql}) + 0.0::{cell.stored})")


def as_whole(cell: Cell) -> Cell:
    """Reads a column as whole numbers of up to 64 bits, exactly; a fraction is NULL.

    Digits are not taken through a float, which would change those of an id. Numbers that a float
    or an exponent holds count below 2**53: beyond, they are not known exactly.
    """
    if cell.family in WHOLE_NUMBERS:
        return Cell(f"TRY_CAST({cell.sql} AS BIGINT)", "BIGINT")
    if cell.family == "DECIMAL":
        whole = f"CASE WHEN {cell.sql} = trunc({cell.sql}) THEN TRY_CAST({cell.sql} AS BIGINT) END"
        return Cell(whole, "BIGINT")
    number = as_number(cell).sql
    by_float = (
        f"CASE WHEN {number} = trunc({number}) AND abs({number}) <= {_EXACT} "
        f"THEN TRY_CAST({number} AS BIGINT) END"
    )
    if cell.family not in {"VARCHAR", "ENUM"}:
        return Cell(by_float, "BIGINT")
    text = f"trim(({cell.sql})::VARCHAR)"
    return Cell(
        f"CASE WHEN regexp_full_match({text}, '[+-]?[0-9]+') THEN TRY_CAST({text} AS BIGINT) "
        f"ELSE {by_float} END",
        "BIGINT",
    )


def as_date(cell: Cell, *, day_first: bool | None = None) -> Cell:
    """Reads a column as days; text and numbers in the forms of `written_days`.

    A month without a day is its first day. The time of day is left out. Infinite dates, days that
    no calendar has and all else are NULL.

    Args:
        cell: The column.
        day_first: Whether 03/07/1990 is in July; None if nobody has said, which makes it NULL.
    """
    if cell.family in {"DATE", "TIMESTAMP"} or cell.family.startswith("TIMESTAMP_"):
        return Cell(f"CASE WHEN isfinite({cell.sql}) THEN ({cell.sql})::DATE END", "DATE")
    if cell.family == "TIMESTAMP WITH TIME ZONE":
        day = instant_day(cell.sql)
        return Cell(f"CASE WHEN isfinite({cell.sql}) THEN {day} END", "DATE")
    if cell.family in NUMBERS | {"VARCHAR", "ENUM"}:
        return Cell(day_of(as_text(cell).sql, day_first=day_first), "DATE")
    return Cell("NULL::DATE", "DATE")
