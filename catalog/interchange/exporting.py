"""The registry into a file, which is there whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from catalog.interchange.ckan import package
from catalog.interchange.form_files import write_csv, write_workbook
from catalog.registry.record import Record
from protos.faults import InputError
from protos.language import Text
from protos.whole_file import beside

SUFFIXES: Final = (".csv", ".xlsx", ".json", ".jsonld", ".ttl")
ENCODINGS: Final = {"utf-8": "utf-8-sig", "gb18030": "gb18030"}


def export_file(
    records: Iterable[Record],
    path: Path,
    *,
    encoding: str = "utf-8",
    replace: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
) -> int:
    """Writes records to a file; its suffix says what it becomes.

    Args:
        records: In order.
        path: ``.csv`` and ``.xlsx`` are national forms, ``.json`` CKAN packages, ``.jsonld`` and
            ``.ttl`` DCAT.
        encoding: Of CSV: ``utf-8`` (with a byte order mark, for spreadsheets) or ``gb18030``.
        replace: Whether a file that is there is replaced.
        progress: Told how many are done.

    Returns:
        How many records were written.

    Raises:
        InputError: The suffix or encoding is none of these, or the file is there.
        UnavailableError: It cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            Text(f"{path.name} is none of {', '.join(SUFFIXES)}", f"不支持 {path.name} 的格式"),
            remedy=Text(
                "use .csv or .xlsx (national form), .json (CKAN), .jsonld or .ttl (DCAT)",
                "请使用后缀：.csv、.xlsx（目录表格），.json（CKAN），.jsonld、.ttl（DCAT）",
            ),
            code="export.suffix",
        )
    if encoding not in ENCODINGS:
        raise InputError(
            Text(f"{encoding[:20]!r} is no encoding of the form", f"不支持编码“{encoding[:20]}”"),
            remedy=Text("use utf-8 or gb18030", "请使用 utf-8 或 gb18030"),
            code="export.encoding",
        )
    if path.exists() and not replace:
        raise InputError(
            Text(f"{path} is there already", f"{path} 已存在"),
            remedy=Text(
                "choose another name, or give --replace", "请换一个文件名，或使用 --replace"
            ),
            code="export.exists",
        )
    count = _Count(records, progress)
    if suffix == ".xlsx":
        with beside(path, mode=0o644) as hidden:
            write_workbook(count, hidden)
    else:
        with whole_text(path, ENCODINGS[encoding] if suffix == ".csv" else "utf-8") as file:
            _write(count, suffix, file)
    return count.done


class _Count:
    """Counts what goes by."""

    def __init__(self, records: Iterable[Record], progress: Callable[[int], None]) -> None:
        self._records = records
        self._progress = progress
        self.done = 0

    def __iter__(self) -> Iterator[Record]:
        for record in self._records:
            yield record
            self.done += 1
            if self.done % 200 == 0:
                self._progress(self.done)


def _write(records: Iterable[Record], suffix: str, file: IO[str]) -> None:
    if suffix == ".csv":
        write_csv(records, file)
    elif suffix == ".json":
        file.write("[\n")
        for number, record in enumerate(records):
            file.write(",\n" if number else "")
            json.dump(package(record), file, ensure_ascii=False)
        file.write("\n]\n")
    else:
        from catalog.interchange.dcat import jsonld_lines, turtle_lines

        lines = jsonld_lines if suffix == ".jsonld" else turtle_lines
        for part in lines(records):
            file.write(part)


@contextmanager
def whole_text(path: Path, encoding: str = "utf-8-sig") -> Iterator[IO[str]]:
    """Lends a text file that takes its name when it is complete and on the disk; see `beside`."""
    with (
        beside(path, mode=0o644) as hidden,
        hidden.open("w", encoding=encoding, newline="") as file,
    ):
        yield file
