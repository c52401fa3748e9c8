"""Rows as lines of JSON or CSV, written by the engine: no row passes through Python.

An expression makes one text of a row; the engine's buffers then are the answer's bytes. Numbers
stay what they are (a decimal keeps its digits), what JSON has no number for is null. Cells of CSV
are made harmless for spreadsheets as `catalog.interchange.cells` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from catalog.interchange.cells import RISKY, harmless
from desensitize.engines.stored_values import literal, quoted

_NUMBERS: Final = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
     "UBIGINT", "UHUGEINT", "BOOLEAN"}
)  # fmt: skip
_PLAIN: Final = frozenset({"DATE", "TIME", "UUID"})
_CKAN: Final[Mapping[str, str]] = {
    "TINYINT": "int2", "SMALLINT": "int2", "UTINYINT": "int2", "INTEGER": "int4",
    "USMALLINT": "int4", "BIGINT": "int8", "UINTEGER": "int8", "HUGEINT": "numeric",
    "UBIGINT": "numeric", "UHUGEINT": "numeric", "FLOAT": "float4", "DOUBLE": "float8",
    "BOOLEAN": "bool", "DATE": "date", "TIME": "time", "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp", "TIMESTAMP_MS": "timestamp", "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz", "UUID": "uuid", "JSON": "json",
}  # fmt: skip


def ckan_type(kind: str) -> str:
    """Returns what CKAN, whose rows lie in PostgreSQL, calls a type of the engine."""
    if kind.startswith("DECIMAL"):
        return "numeric"
    return _CKAN.get(kind, "text")


# ---- JSON --------------------------------------------------------------------------------------


def json_object(columns: Mapping[str, str]) -> str:
    """Returns the expression of a row as a JSON object.

    Args:
        columns: Name → type.
    """
    parts = [f"{literal(name)}: {_value(name, kind)}" for name, kind in columns.items()]
    return f"to_json({{{', '.join(parts)}}})::VARCHAR"


def json_array(columns: Mapping[str, str]) -> str:
    """Returns the expression of a row as a JSON array."""
    return f"json_array({', '.join(_value(name, kind) for name, kind in columns.items())})::VARCHAR"


def _value(name: str, kind: str) -> str:
    column = quoted(name)
    if kind in _NUMBERS or kind.startswith("DECIMAL") or kind in {"VARCHAR", *_PLAIN}:
        return column
    if kind in {"FLOAT", "DOUBLE"}:
        return f"CASE WHEN isfinite({column}) THEN {column} END"
    if kind.startswith("TIMESTAMP"):
        return f"replace({column}::VARCHAR, ' ', 'T')"
    return f"to_base64({column})" if kind == "BLOB" else f"{column}::VARCHAR"


# ---- CSV ---------------------------------------------------------------------------------------


def csv_line(columns: Mapping[str, str], separator: str = ",") -> str:
    """Returns the expression of a row as a line of CSV (RFC 4180), with its end.

    Args:
        columns: As for `json_object`.
        separator: A comma, or a tab.
    """
    cells = [_cell(name, kind, separator) for name, kind in columns.items()]
    # One flat call: as a chain of || two thousand columns took seconds to plan, and beyond some
    # thousand were too deep for the engine. It passes over NULL, and no cell is.
    return f"concat_ws({literal(separator)}, {', '.join(cells)}) || chr(13) || chr(10)"


def csv_heading(names: Iterable[str], separator: str = ",") -> str:
    """Returns the first line of CSV; names of columns are made harmless, too."""
    cells = []
    for name in names:
        safe = harmless(name)
        needs = any(sign in safe for sign in (separator, '"', "\r", "\n"))
        cells.append('"' + safe.replace('"', '""') + '"' if needs else safe)
    return separator.join(cells) + "\r\n"


def _cell(name: str, kind: str, separator: str) -> str:
    column = quoted(name)
    if kind in _NUMBERS or kind.startswith("DECIMAL") or kind in {"FLOAT", "DOUBLE", *_PLAIN}:
        text = f"{column}::VARCHAR"  # never a text of somebody's: no formula, nothing to quote
    elif kind.startswith("TIMESTAMP"):
        text = f"replace({column}::VARCHAR, ' ', 'T')"
    elif kind == "BLOB":
        text = f"to_base64({column})"
    else:
        text = _quoted_cell(name, separator)
    return f"coalesce({text}, '')"


def safe_text(name: str) -> str:
    """Returns the expression of a text that no spreadsheet takes for a formula."""
    text = f"{quoted(name)}::VARCHAR"
    risky = f"regexp_matches({text}, {literal('^(?:' + RISKY.pattern + ')')})"
    return f"CASE WHEN {risky} THEN '''' || {text} ELSE {text} END"


def _quoted_cell(name: str, separator: str) -> str:
    text, safe = f"{quoted(name)}::VARCHAR", safe_text(name)
    special = "[" + separator.replace("\t", "\\t") + '"\\r\\n]'
    needs = f"regexp_matches({text}, {literal(special)})"
    return f"CASE WHEN {needs} THEN '\"' || replace({safe}, '\"', '\"\"') || '\"' ELSE {safe} END"
