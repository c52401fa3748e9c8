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
_LOCAL_HEADER: Final = 30  # bytes before a file's name (APPNOTE.TXT, section 4.3.7)
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
        InputError: There are very many of them, or the sheet is no XML, or not found.
    """
    found: dict[int, dict[int, str]] = {}
    if not zipfile.is_zipfile(path):
        return found
    with zipfile.ZipFile(path) as book:
        part = _sheet_part(book, name, number)
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
    """Refuses an archive that programs read differently, or that is much longer than it is.

    Two files of one name: readers differ in which they take. Files that lie over each other, or
    behind something else: a few bytes are then unpacked thousands of times, or one reader takes
    the first archive of the file and another the last.

    Raises:
        InputError: It is such an archive.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as book:
        listed = book.infolist()
    if len({_plain(each.orig_filename) for each in listed}) < len(listed):
        raise _refused(Text(
            f"{name} has two files of one name in it, so that programs read it differently",
            f"{name} 内部有同名文件，不同程序读到的内容会不同",
        ))  # fmt: skip
    end = 0
    for each in sorted(listed, key=lambda member: member.header_offset):
        if each.header_offset < end or (end == 0 and each.header_offset):
            raise _refused(Text(
                f"{name} has files in it that lie over each other, or behind something else",
                f"{name} 内部的文件相互重叠，或位于其他内容之后",
            ))  # fmt: skip
        end = each.header_offset + _LOCAL_HEADER + each.compress_size


def members(book: zipfile.ZipFile) -> dict[str, str]:
    """Returns names in an archive, by how calamine looks for them: no case, one kind of slash."""
    return {_plain(name): name for name in book.namelist()}


def _plain(name: str) -> str:
    return name.replace("\\", "/").lower()


def _refused(said: Text, detail: str = "") -> InputError:
    return InputError(
        said,
        remedy=Text("save it again from the program that made it", "请用原程序重新保存"),
        code="source.workbook",
        detail=detail,
    )


def _sheet_part(book: zipfile.ZipFile, name: str, number: int) -> str | None:
    """Returns the member that holds a sheet; None if it is no Office Open XML.

    Raises:
        InputError: It is, and holds no such sheet where it says so: what calamine has read is then
            something that nobody looked through.
    """
    found = members(book)
    if "xl/workbook.xml" not in found:
        return None
    ids: list[str] = []
    targets: dict[str, str] = {}

    def sheet(tag: str, attributes: dict[str, str]) -> None:
        if _local(tag) == "sheet":
            told = [value for key, value in attributes.items() if _local(key) == "id"]
            ids.append(attributes.get("r:id") or (told[0] if told else ""))

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if _local(tag) == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    for member, start in (("xl/workbook.xml", sheet), ("xl/_rels/workbook.xml.rels", relation)):
        parser = expat.ParserCreate()
        parser.StartElementHandler = start
        if member in found:
            with book.open(found[member]) as file:
                parser.Parse(file.read(_INDEX_BYTES), True)  # noqa: FBT003 - the last piece
    target = _plain(targets.get(ids[number], "") if number < len(ids) else "")
    part = target[1:] if target.startswith("/") else posixpath.join("xl", target)
    if part not in found:
        raise _refused(
            Text(
                f"{name} does not say where its sheet {number + 1} is",
                f"{name} 未说明第 {number + 1} 张工作表的位置",
            ),
            detail=part,
        )
    return found[part]


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
