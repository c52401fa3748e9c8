"""Excel and OpenDocument workbooks, read with calamine (Rust): values only, no macro, no formula.

A number in a workbook is a float: ids of more than 15 digits have lost their last ones, unless
they were stored as text. Whole numbers are given without a point, so that they look as typed; those
that a float cannot hold as 1.23e+17, so that nobody takes their last digits for somebody's.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.parsers import expat

import pyarrow as pa
import python_calamine

from desensitize.engines.workbook_cells import check_archive, failed_cells, members
from protos.faults import InputError
from protos.language import Text

SUFFIXES: Final = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
_BATCH: Final = 10_000
_SHEET: Final = re.compile(r"xl/worksheets/[^/]+\.xml|content\.xml")
_FORMULA: Final = re.compile(rb"<f[ >]|table:formula=")
_MAC: Final = re.compile(rb"""date1904\s*=\s*["'](?:1|true)["']""")
_EXACT: Final = 1 << 53  # a float counts in steps of more than one beyond it
ROUNDED: Final = r"[0-9]\.[0-9]{16}e\+[0-9]{2}"
"""How a number beyond it is written, a regular expression."""
_LOOKED_AT: Final = 4 << 20  # bytes of a sheet's XML


def read_workbook(
    path: Path, name: str, sheet: str, *, errors: bool = False
) -> tuple[list[str], pa.Table, list[Text]]:
    """Reads one sheet as text.

    Args:
        path: The file.
        name: What to call it in messages.
        sheet: Name of the sheet; empty for the first one that has cells, and is shown if one is.
        errors: Whether a cell whose formula has failed tells it (#N/A), and is not empty.

    Returns:
        The headers as they are, the rows under the names ``c0``, ``c1``, …, and what was odd.

    Raises:
        InputError: It is no workbook, or has no such sheet, or no cells.
    """
    try:
        check_archive(path, name)
        book = python_calamine.load_workbook(path)
        filled = {n: s for n in book.sheet_names if (s := book.get_sheet_by_name(n)).total_height}
    except (
        python_calamine.CalamineError, zipfile.BadZipFile, OSError, ValueError
    ) as error:  # fmt: skip
        raise InputError(
            Text(f"{name} is not a readable workbook", f"{name} 不是可读的工作簿"),
            remedy=Text(
                "save it again from the program that made it, without a password",
                "请用原程序重新保存，不要加密码",
            ),
            code="source.workbook",
            detail=str(error),
        ) from error
    if not filled or (sheet and sheet not in filled):
        raise InputError(
            Text(
                f"{name} has no sheet {sheet!r} with cells",
                f"{name} 没有名为 {sheet!r} 且有内容的工作表",
            )
            if sheet
            else Text(f"{name} has no cells", f"{name} 没有内容"),
            remedy=Text(
                f"sheets with cells: {', '.join(filled)}", f"有内容的工作表：{'、'.join(filled)}"
            )
            if filled
            else Text("name the workbook that holds the table", "请指定含有数据表的工作簿"),
            code="source.sheet",
        )
    chosen = sheet or _first(book, filled)
    rows: Iterator[Sequence[object]] = iter(filled[chosen].iter_rows())
    if errors:
        rows = _with_errors(rows, _failed(path, name, book.sheet_names.index(chosen)))
    header = [_text(cell) or "" for cell in next(rows)]
    schema = pa.schema([(f"c{i}", pa.string()) for i in range(len(header))])
    table = pa.Table.from_batches(_batches(rows, schema), schema)
    others = [other for other in filled if other != chosen]
    notes = _other_epoch(path)
    if others and not sheet:
        listed = ", ".join(others)
        notes.append(
            Text(
                f"only the sheet {chosen!r} was looked at; choose others with --sheet: {listed}",
                f"仅检查了工作表“{chosen}”；其他工作表请用 --sheet 指定：{listed}",
            )
        )
    if empty := [
        head for head, column in zip(header, table.columns, strict=True)
        if head and len(column) and column.null_count == len(column)
    ]:  # fmt: skip
        notes += _without_results(path, empty)
    return header, table, notes


def _other_epoch(path: Path) -> list[Text]:
    """Says that days are counted from 1904, which cells tell only where they are shown as dates."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as book:
        index = members(book).get("xl/workbook.xml")
        if index is None:
            return []
        found = _MAC.search(_beginning(book, index))
    return [Text(
        "the workbook counts days from 1904; a number that is not shown as a date there is read as "
        "counted from 1900: give such cells the form of a date, and scan again",
        "该工作簿采用 1904 日期系统；未设为日期格式的数字按 1900 日期系统读取："
        "请将此类单元格设为日期格式后重新扫描",
    )] if found else []  # fmt: skip


def _first(book: python_calamine.CalamineWorkbook, filled: Collection[str]) -> str:
    """A sheet that nobody sees is taken only if there is no other."""
    visible = python_calamine.SheetVisibleEnum.Visible
    seen = [each.name for each in book.sheets_metadata if each.visible == visible]
    return next((name for name in seen if name in filled), next(iter(filled)))


def _failed(path: Path, name: str, number: int) -> dict[int, dict[int, str]]:
    try:
        return failed_cells(path, name, number)
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, NotImplementedError) as error:
        raise InputError(
            Text(f"{name} has a sheet that is no XML", f"{name} 的工作表不是有效的 XML"),
            remedy=Text("save it again from the program that made it", "请用原程序重新保存"),
            code="source.workbook",
            detail=str(error),
        ) from error


def _with_errors(
    rows: Iterator[Sequence[object]], failed: Mapping[int, Mapping[int, str]]
) -> Iterator[Sequence[object]]:
    for number, row in enumerate(rows):
        cells = failed.get(number)
        yield row if cells is None else [cells.get(i, cell) for i, cell in enumerate(row)]


def _without_results(path: Path, empty: Sequence[str]) -> list[Text]:
    """Says that columns may be empty only because nobody has computed their formulas."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as book:
        sheets = [each for plain, each in members(book).items() if _SHEET.fullmatch(plain)]
        found = any(_FORMULA.search(_beginning(book, each)) for each in sheets)
    if not found:
        return []
    return [Text(
        f"no values in {', '.join(empty)}; the workbook has formulas, and one whose result it does "
        "not keep reads as empty: open it in a spreadsheet program, save it, and scan again",
        f"{'、'.join(empty)} 没有取值；该工作簿含公式，未保存计算结果的公式按空值读取："
        "请用表格软件打开并保存后重新扫描",
    )]  # fmt: skip


def _beginning(book: zipfile.ZipFile, name: str) -> bytes:
    with book.open(name) as sheet:
        return sheet.read(_LOOKED_AT)


def _batches(rows: Iterator[Sequence[object]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    width = len(schema)
    while True:
        columns: list[list[str | None]] = [[] for _ in range(width)]
        for row in (row for _, row in zip(range(_BATCH), rows, strict=False)):
            for number in range(width):
                columns[number].append(_text(row[number]) if number < len(row) else None)
        if not columns[0]:
            return
        yield pa.record_batch([pa.array(column, pa.string()) for column in columns], schema=schema)


def _text(cell: object) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell)) if abs(cell) <= _EXACT else f"{cell:.16e}"
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return cell.date().isoformat()
    return str(cell)
