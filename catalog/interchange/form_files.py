"""The national form as a file: CSV in UTF-8 or GB18030, Excel, OpenDocument (reading only)."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from catalog.interchange.cells import harmless, plain
from catalog.interchange.form import COLUMNS, Cells, Column, rows
from catalog.interchange.form_reading import match_headers, records
from catalog.interchange.problems import Parsed, Problem
from catalog.registry.record import Record
from desensitize.engines.csv_source import sniff_csv
from desensitize.engines.rows_file import workbook_rows
from desensitize.engines.workbook import SUFFIXES
from protos.faults import InputError
from protos.language import Text

_MOST_ROWS: Final = 2_000_000
_SHEET_ROWS: Final = 1_048_575
_SHEET: Final = "政务信息资源目录"


def read_form(path: Path, source: str, sheet: str = "") -> Iterator[Parsed]:
    """Yields the records of a form.

    Args:
        path: CSV, Excel or OpenDocument.
        source: Catalog of records whose line does not say it.
        sheet: Of a workbook; empty for the first that has cells.

    Raises:
        InputError: The file cannot be read, or lacks a column.
        UnavailableError: A workbook needs more memory or time than it may have.
    """
    if path.suffix.lower() in SUFFIXES:
        with workbook_rows(path, sheet) as (header, found):
            yield from records(_lines(header, enumerate(found, 2)), source)
    else:
        yield from _read_csv(path, source)


def _read_csv(path: Path, source: str) -> Iterator[Parsed]:
    broken: list[Problem] = []
    with tempfile.TemporaryDirectory(prefix="veil-form-") as scratch:
        found = sniff_csv(path, path.name, Path(scratch))

        def whole() -> Iterator[tuple[int, Sequence[str]]]:
            for line, fields in found.records():
                if isinstance(fields, csv.Error):
                    broken.append(_unreadable(line, fields))
                    return
                yield line, fields

        yield from records(_lines(found.header, whole()), source)
    for problem in broken:
        yield Parsed(problem.line, None, [problem])


def _unreadable(line: int, error: csv.Error) -> Problem:
    return Problem(
        line,
        "",
        Text(
            f"the quotes do not match, so nothing after this line was read ({error})",
            f"引号不配对，此行之后均未读取（{error}）",
        ),
        Text("mend that line", "请改正该行"),
    )


def _lines(
    header: Sequence[str], found: Iterable[tuple[int, Sequence[str]]]
) -> Iterator[tuple[int, Cells]]:
    columns = match_headers(header)
    for count, (line, fields) in enumerate(found):
        if count == _MOST_ROWS:
            raise InputError(
                Text(
                    f"the form has more than {_MOST_ROWS:,} lines",
                    f"表格超过 {_MOST_ROWS:,} 行",
                ),
                remedy=Text("divide it", "请拆分后导入"),
                code="import.rows",
            )
        cells = {
            column.field: text
            for column, cell in zip(columns, fields, strict=False)
            if column is not None and (text := plain(cell))
        }
        if cells:
            yield line, cells


# ---- writing -----------------------------------------------------------------------------------


def write_csv(wanted: Iterable[Record], file: IO[str]) -> None:
    """Writes records as CSV.

    Args:
        wanted: In order.
        file: Text, opened with ``newline=""``.
    """
    write_rows((row for record in wanted for row in rows(record)), file)


def write_rows(wanted: Iterable[Cells], file: IO[str], more: Sequence[str] = ()) -> None:
    """Writes lines of the form as CSV.

    Args:
        wanted: Cells by field.
        file: Text, opened with ``newline=""``.
        more: Fields that the form does not have; their header is their name.
    """
    columns = [*COLUMNS, *(Column(name, name) for name in more)]
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([column.header for column in columns])
    for cells in wanted:
        writer.writerow([harmless(cells.get(column.field, "")) for column in columns])


_WIDTHS: Final = {
    "name": 32, "identifier": 30, "provider.name": 26, "provider.code": 22, "abstract": 60,
    "items.name": 20, "name_en": 36, "provider.name_en": 26, "items.description": 30,
    "sharing.method": 20, "opening.method": 20, "scenarios": 28,
}  # fmt: skip
"""Of columns that hold more than a word, in characters."""


def write_workbook(wanted: Iterable[Record], path: Path) -> None:
    """Writes records as an Excel workbook; cells are text, none is a formula."""
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet(_SHEET)
        bold = book.add_format({"bold": True, "text_wrap": True})
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(COLUMNS):
            width = _WIDTHS.get(column.field, 14)
            sheet.set_column(place, place, width)
            sheet.write_string(0, place, column.header, bold)
        line = 0
        for record in wanted:
            for cells in rows(record):
                line += 1
                if line > _SHEET_ROWS:
                    raise InputError(
                        Text(
                            f"a sheet has at most {_SHEET_ROWS:,} lines",
                            f"工作表最多 {_SHEET_ROWS:,} 行",
                        ),
                        remedy=Text("export to .csv instead", "请改为导出 .csv"),
                        code="export.rows",
                    )
                for place, column in enumerate(COLUMNS):
                    if text := cells.get(column.field, ""):
                        sheet.write_string(line, place, harmless(text))
        sheet.autofilter(0, 0, line, len(COLUMNS) - 1)
