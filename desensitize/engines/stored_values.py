"""How a value as written becomes the value as stored: one rule per type, in SQL and in Python.

Stored forms: numbers as scaled BIGINT (value x 10**decimals), dates as INTEGER days since
1970-01-01, booleans and strings as they are. The SQL form loads; the Python form reads the same
text again only to name the place of a value that the SQL form refused.

An empty field is NULL. NaN and infinities are NULL, and counted. A decimal with more digits
than declared is rounded half away from zero, and counted. Everything else that does not fit its
type breaks the load: a silently wrong figure is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from desensitize.column import Column, ColumnType

BROKEN: Final = "veil: broken value"
STORED_TYPES: Final[dict[ColumnType, str]] = {
    "integer": "BIGINT",
    "decimal": "BIGINT",
    "date": "INTEGER",
    "boolean": "BOOLEAN",
    "string": "VARCHAR",
}
DATE_FORMATS: Final = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y年%m月%d日",
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
)
_TRUE: Final = ("true", "t", "1", "yes", "y", "是")
_FALSE: Final = ("false", "f", "0", "no", "n", "否")
_NOT_FINITE: Final = tuple(s + w for s in ("", "+", "-") for w in ("nan", "inf", "infinity"))
_INTEGER: Final = r"[+-]?[0-9]{1,18}(\.0*)?"
_DECIMAL: Final = r"[+-]?([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)"
_INTEGERS: Final = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
    | {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)
_FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})


@dataclass(frozen=True)
class Reading:
    """SQL expressions over one source column.

    Attributes:
        present: NULL where the stored value is NULL, else anything.
        converted: The stored value; NULL as well where ``present`` has no stored form.
        not_finite: Whether the source value is NaN or infinite.
        rounded: Whether digits were lost.
    """

    present: str
    converted: str
    not_finite: str = "false"
    rounded: str = "false"

    @property
    def value(self) -> str:
        """The stored value; raises ``BROKEN`` for a value that has no stored form."""
        return (
            f"CASE WHEN ({self.present}) IS NULL THEN NULL "
            f"ELSE coalesce({self.converted}, error({literal(BROKEN)})) END"
        )

    @property
    def broken(self) -> str:
        """Whether ``value`` would raise."""
        return f"({self.present}) IS NOT NULL AND ({self.converted}) IS NULL"


def reading(column: Column, source_type: str) -> Reading | None:
    """Returns how to read a source column, or None if its type does not suit.

    Args:
        column: The declaration.
        source_type: The engine's name of the source's type, as in a Parquet file; text files
            are VARCHAR throughout.
    """
    name = quoted(column.name)
    family = source_type.split("(", maxsplit=1)[0]
    if family in {"VARCHAR", "ENUM"}:
        return _from_text(column, f"trim({name}::VARCHAR)")
    match column.type:
        case "integer" if family in _INTEGERS or family == "DECIMAL":
            whole = f"TRY_CAST({name} AS BIGINT)"
            return Reading(name, f"CASE WHEN {whole} = {name} THEN {whole} END")
        case "decimal" if family in _INTEGERS or family == "DECIMAL":
            return _decimal(column, name, name)
        case "integer" | "decimal" if family in _FLOATS:
            return _from_float(column, name)
        case "date" if family == "DATE" or family.startswith("TIMESTAMP"):
            finite = f"CASE WHEN isfinite({name}) THEN {name}::DATE END"
            return Reading(finite, _days(finite), f"coalesce(NOT isfinite({name}), false)")
        case "boolean" if family == "BOOLEAN":
            return Reading(name, name)
        case "boolean" if family in _INTEGERS:
            return Reading(name, f"CASE {name} WHEN 1 THEN true WHEN 0 THEN false END")
        case "string" if family in _INTEGERS:
            return Reading(name, f"{name}::VARCHAR")
    return None


def fits(text: str, column: Column) -> bool:
    """Tells whether a field of a text file has a stored value; the mirror of ``reading``."""
    field = text.strip(" ")
    if not field or column.type == "string":
        return True
    if field.lower() in _NOT_FINITE and column.type in {"integer", "decimal"}:
        return True
    return _FITS[column.type](field, column)


def quoted(name: str) -> str:
    """Returns an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Returns an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _from_text(column: Column, text: str) -> Reading:
    present = f"nullif({text}, '')"
    match column.type:
        case "string":
            whole = f"nullif({quoted(column.name)}::VARCHAR, '')"
            return Reading(whole, whole)
        case "boolean":
            word = f"lower({text})"
            truth = f"CASE WHEN {word} IN {_words(_TRUE)} THEN true"
            return Reading(present, f"{truth} WHEN {word} IN {_words(_FALSE)} THEN false END")
        case "date":
            formats = ", ".join(map(literal, DATE_FORMATS))
            return Reading(present, _days(f"try_strptime({text}, [{formats}])::DATE"))
    not_finite = f"coalesce(lower({text}) IN {_words(_NOT_FINITE)}, false)"
    finite = f"CASE WHEN NOT {not_finite} THEN {present} END"
    if column.type == "integer":
        whole = f"regexp_full_match({text}, {literal(_INTEGER)})"
        return Reading(finite, f"CASE WHEN {whole} THEN TRY_CAST({text} AS BIGINT) END", not_finite)
    written = f"CASE WHEN regexp_full_match({text}, {literal(_DECIMAL)}) THEN {text} END"
    lost = f".*\\.[0-9]{{{column.decimals}}}[0-9]*[1-9][0-9]*"
    rounded = f"coalesce(regexp_full_match({text}, {literal(lost)}), false)"
    return replace(_decimal(column, finite, written), not_finite=not_finite, rounded=rounded)


def _decimal(column: Column, present: str, number: str) -> Reading:
    places = column.decimals
    fixed = f"TRY_CAST({number} AS DECIMAL(38, {places}))"
    scaled = f"TRY_CAST({fixed} * {10**places}::HUGEINT AS BIGINT)"
    return Reading(present, scaled, rounded=f"coalesce({fixed} <> {number}, false)")


def _from_float(column: Column, name: str) -> Reading:
    finite = f"CASE WHEN isfinite({name}) THEN {name} END"
    not_finite = f"coalesce(NOT isfinite({name}), false)"
    scaled = f"(({finite}) * {10**column.decimals}::DOUBLE)"
    nearest = f"TRY_CAST(round({scaled}) AS BIGINT)"
    # A float carries about 15 digits: less than a millionth of a unit is not a lost digit.
    inexact = f"coalesce(abs({scaled} - round({scaled})) > 1e-6, false)"
    if column.type == "integer":
        return Reading(finite, f"CASE WHEN NOT {inexact} THEN {nearest} END", not_finite)
    return Reading(finite, nearest, not_finite, inexact)


def _days(day: str) -> str:
    return f"date_diff('day', DATE '1970-01-01', {day})::INTEGER"


def _words(words: tuple[str, ...]) -> str:
    return f"({', '.join(map(literal, words))})"


def _fits_integer(field: str, _: Column) -> bool:
    return re.fullmatch(_INTEGER, field, re.ASCII) is not None


def _fits_decimal(field: str, column: Column) -> bool:
    if re.fullmatch(_DECIMAL, field, re.ASCII) is None:
        return False
    whole, _, fraction = field.lstrip("+-").partition(".")
    scaled = int(whole or "0") * 10**column.decimals
    digits = (fraction + "0" * (column.decimals + 1))[: column.decimals + 1]
    return bool(scaled + (int(digits) + 5) // 10 < 1 << 63)


def _fits_date(field: str, _: Column) -> bool:
    for form in DATE_FORMATS:
        try:
            datetime.strptime(field, form)  # noqa: DTZ007 - a date has no time zone
        except ValueError:
            continue
        return True
    return False


def _fits_boolean(field: str, _: Column) -> bool:
    return field.lower() in _TRUE + _FALSE


_FITS: Final[dict[ColumnType, Callable[[str, Column], bool]]] = {
    "integer": _fits_integer,
    "decimal": _fits_decimal,
    "date": _fits_date,
    "boolean": _fits_boolean,
}
