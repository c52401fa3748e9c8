"""Whole tables as streams: memory does not grow with the rows; nothing waits for the last one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final, Literal, get_args

from catalog.datastore.ask import Ask, AskError
from catalog.datastore.tables import Table
from catalog.datastore.texts import (
    ckan_type,
    csv_heading,
    csv_line,
    json_array,
    json_object,
)
from catalog.interchange.cells import harmless
from protos.language import Text

Format = Literal["csv", "tsv", "json", "ndjson", "xlsx"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
MOST_SHEET_ROWS: Final = 200_000
"""A workbook is written cell by cell; more rows are for formats of programs."""
_LONGEST_CELL: Final = 32_767  # characters; a program that writes workbooks leaves longer ones out
_BOM: Final = "\ufeff"
_PART: Final = 1 << 20

Piece = bytes | memoryview


def dump(table: Table, ask: Ask, format: Format, *, bom: bool = False) -> Iterator[Piece]:  # noqa: A002 - the parameter's name
    """Yields a table's rows in a format, piece by piece.

    What is wrong with the request is said before the first piece.

    Args:
        table: Whose.
        ask: Which.
        format: In what.
        bom: Begin with a byte order mark, by which spreadsheets know UTF-8 (csv and tsv).

    Raises:
        AskError: It does not fit the table, or a workbook.
        UnavailableError: Time or memory did not suffice.
    """
    fields = table.fields(ask)
    if format == "xlsx":
        return _workbook(table, ask, fields)
    if format in {"csv", "tsv"}:
        return _separated(table, ask, fields, "," if format == "csv" else "\t", bom=bom)
    if format == "ndjson":
        return table.lines(ask, _ended(json_object))
    return _json(table, ask, fields)


def _ended(line: Callable[[Mapping[str, str]], str]) -> Callable[[Mapping[str, str]], str]:
    return lambda columns: f"{line(columns)} || chr(10)"


def _separated(
    table: Table, ask: Ask, fields: Mapping[str, str], separator: str, *, bom: bool
) -> Iterator[Piece]:
    def pieces() -> Iterator[Piece]:
        yield ((_BOM if bom else "") + csv_heading(fields, separator)).encode()
        yield from rows

    rows = table.lines(ask, lambda columns: csv_line(columns, separator))
    return pieces()


def _json(table: Table, ask: Ask, fields: Mapping[str, str]) -> Iterator[Piece]:
    def pieces() -> Iterator[Piece]:
        names = [{"id": name, "type": ckan_type(kind)} for name, kind in fields.items()]
        yield b'{"fields": ' + json.dumps(names, ensure_ascii=False).encode() + b', "records": ['
        first = True
        for piece in rows:
            yield piece[1:] if first else piece  # each row has a comma in front
            first = False
        yield b"\n]}\n"

    rows = table.lines(ask, lambda columns: f"',' || chr(10) || {json_array(columns)}")
    return pieces()


def _cell(sheet: Any, row: int, column: int, value: object) -> None:  # noqa: ANN401 - xlsxwriter has no types
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float) and abs(value) < 2**53:  # nor NaN, nor infinity
        sheet.write_number(row, column, value)
    elif len(text := harmless(str(value))) > _LONGEST_CELL:
        raise AskError("format", Text(
            "a text is too long for a workbook; use csv or parquet",
            "有文本超出工作簿单元格上限，请用 csv 或 parquet",
        ))  # fmt: skip
    else:
        # As text, so that long numbers keep their digits and nothing becomes a formula; made
        # harmless for whoever saves the sheet as CSV.
        sheet.write_string(row, column, text)


def _workbook(table: Table, ask: Ask, fields: Mapping[str, str]) -> Iterator[Piece]:
    rows = table.total(ask) - ask.offset
    if min(rows, rows if ask.limit is None else ask.limit) > MOST_SHEET_ROWS:
        raise AskError("format", Text(
            f"a workbook takes {MOST_SHEET_ROWS:,} rows; use csv or parquet",
            f"工作簿最多 {MOST_SHEET_ROWS:,} 行，请用 csv 或 parquet",
        ))  # fmt: skip
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the last piece
    try:
        _write(table, ask, fields, file)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return _parts(file)


def _write(table: Table, ask: Ask, fields: Mapping[str, str], file: IO[bytes]) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for column, name in enumerate(fields):
            _cell(sheet, 0, column, name)
        every = (row for some in table.rows(ask) for row in some)
        for number, row in enumerate(every, 1):
            for column, value in enumerate(row):
                _cell(sheet, number, column, value)


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(_PART):
            yield part


def parts(
    file: IO[bytes], first: int, last: int, check: Callable[[], None] = lambda: None
) -> Iterator[bytes]:
    """Yields the bytes of a file from one place to another, both included.

    Args:
        file: Closed at the end.
        first: Place of the first byte.
        last: Of the last.
        check: Called when bytes were read, before anybody has them; ends it by raising.
    """
    with file:
        file.seek(first)
        left = last - first + 1
        while left and (part := file.read(min(_PART, left))):
            left -= len(part)
            check()
            yield part
