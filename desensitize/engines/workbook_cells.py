"""What the reader of workbooks does not tell: cells whose formula has failed or has no result.

calamine gives an empty text for both, as for an empty cell. Where an empty cell has a meaning (a
grade that is not filled in is an ordinary one), a lookup that failed must not have it.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final
from xml.parsers import expat

from protos.faults import InputError
from protos.language import Text

ERRORS: Final = frozenset({
    "#BLOCKED!", "#BUSY!", "#CALC!", "#CONNECT!", "#DIV/0!", "#FIELD!", "#GETTING_DATA", "#N/A",
    "#NAME?", "#NULL!", "#NUM!", "#REF!", "#SPILL!", "#UNKNOWN!", "#VALUE!",
})  # fmt: skip
"""What spreadsheet programs show in place of a result."""

_UNCOMPUTED: Final = "#CALC!"
_MOST: Final = 10_000
_INDEX_BYTES: Final = 8 << 20
_CHUNK: Final = 1 << 18
_PLACE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_TOLD: Final = re.compile(rb"<(?:\w+:)?f[ >/]|\bt=[\"']e[\"']")

Place = tuple[int, int]


def failed_cells(path: Path, name: str, number: int) -> dict[int, dict[int, str]]:
    """Returns the cells of one sheet that have no value because their formula has none.

    Args:
        path: A workbook; of others than Office Open XML (.xlsx, .xlsm) nothing is found.
        name: What to call it in messages.
        number: Of the sheet in the workbook, from 0.

    Returns:
        Row → column → what is shown there (one of `ERRORS`); both from 0.

    Raises:
        InputError: There are very many of them, or the sheet is no XML.
    """
    found: dict[int, dict[int, str]] = {}
    if not zipfile.is_zipfile(path):
        return found
    with zipfile.ZipFile(path) as book:
        part = _sheet_part(book, number)
        if part is None or not _worth_reading(book, part):
            return found
        with book.open(part) as sheet:
            for count, ((row, column), text) in enumerate(_failed(sheet)):
                if count == _MOST:
                    raise InputError(
                        Text(
                            f"{name} has more than {_MOST:,} cells whose formula has no result",
                            f"{name} 中公式没有结果的单元格超过 {_MOST:,} 个",
                        ),
                        remedy=Text(
                            "open it in a spreadsheet program, mend the formulas and save it",
                            "请用表格软件打开，改正公式后保存",
                        ),
                        code="source.formulas",
                    )
                found.setdefault(row, {})[column] = text
    return found


def check_archive(path: Path, name: str) -> None:
    """Refuses an archive in which one name stands for two files: readers differ in which they take.

    Raises:
        InputError: It is such an archive.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as book:
        names = [each.casefold() for each in book.namelist()]
    if len(set(names)) < len(names):
        raise InputError(
            Text(
                f"{name} has two files of one name in it, so that programs read it differently",
                f"{name} 内部有同名文件，不同程序读到的内容会不同",
            ),
            remedy=Text("save it again from the program that made it", "请用原程序重新保存"),
            code="source.workbook",
        )


def _sheet_part(book: zipfile.ZipFile, number: int) -> str | None:
    """Returns the member that holds a sheet."""
    if "xl/workbook.xml" not in book.namelist():
        return None
    ids: list[str] = []
    targets: dict[str, str] = {}

    def sheet(tag: str, attributes: dict[str, str]) -> None:
        if _local(tag) == "sheet":
            ids.extend(value for key, value in attributes.items() if _local(key) == "id")

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if _local(tag) == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    for member, start in (("xl/workbook.xml", sheet), ("xl/_rels/workbook.xml.rels", relation)):
        parser = expat.ParserCreate()
        parser.StartElementHandler = start
        with book.open(member) as file:
            parser.Parse(file.read(_INDEX_BYTES), True)  # noqa: FBT003 - the last piece
    target = targets.get(ids[number], "") if number < len(ids) else ""
    part = target[1:] if target.startswith("/") else posixpath.join("xl", target)
    return part if part in book.namelist() else None


def _worth_reading(book: zipfile.ZipFile, part: str) -> bool:
    """Says whether a sheet may have such cells, faster than its XML is read."""
    before = b""
    with book.open(part) as sheet:
        while chunk := sheet.read(_CHUNK):
            if _TOLD.search(before + chunk):
                return True
            before = chunk[-16:]
    return False


def _failed(sheet: IO[bytes]) -> Iterator[tuple[Place, str]]:
    reader = _Cells()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    more = True
    while more:
        chunk = sheet.read(_CHUNK)
        more = bool(chunk)
        parser.Parse(chunk, not more)
        yield from reader.found
        reader.found.clear()


class _Cells:
    """Follows the elements of a sheet."""

    def __init__(self) -> None:
        self.found: list[tuple[Place, str]] = []
        self._row, self._column = -1, -1
        self._type = self._value = ""
        self._formula = self._in_value = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        match _local(tag):
            case "row":
                told = attributes.get("r", "")
                self._row = int(told) - 1 if told.isdecimal() else self._row + 1
                self._column = -1
            case "c":
                self._column += 1
                if place := _PLACE.fullmatch(attributes.get("r", "")):
                    self._row, self._column = int(place[2]) - 1, _column(place[1])
                self._type, self._value, self._formula = attributes.get("t", ""), "", False
            case "f":
                self._formula = True
            case "v":
                self._in_value = True

    def text(self, text: str) -> None:
        if self._in_value and len(self._value) < 32:  # the longest error is shorter
            self._value += text

    def end(self, tag: str) -> None:
        match _local(tag):
            case "v":
                self._in_value = False
            case "c":
                if self._type == "e":
                    shown = self._value if self._value in ERRORS else "#UNKNOWN!"
                    self.found.append(((self._row, self._column), shown))
                elif self._formula and not self._value and self._type != "str":
                    self.found.append(((self._row, self._column), _UNCOMPUTED))


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
