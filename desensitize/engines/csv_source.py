"""CSV as departments really have it: UTF-8 with or without BOM, GB18030, four delimiters.

RFC 4180 quoting, a header line, records of equal length. Two readers work on a file: the engine's
(fast, all cores) and, only when that one refuses, Python's, which reads the same text again and
names the line and the column. Line numbers are those an editor shows: records may span lines.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from desensitize.column import Column
from desensitize.engines.file_kinds import refuse_other_kinds
from desensitize.engines.stored_values import fits, literal
from protos.faults import InputError
from protos.language import Text, Words, both

_DELIMITERS: Final = (",", "\t", ";", "|")
_CHUNK: Final = 1 << 20
_MAX_FIELD: Final = 1 << 24
_MAX_LINE: Final = 2_000_000
"""The engine's own limit, bytes. It refuses longer lines, but not all of them: one that is larger
than its buffer (32 MB) and ends the file is dropped without a word (DuckDB 2.0.0)."""


@dataclass(frozen=True)
class CsvSource:
    """A CSV file that is known to be readable UTF-8.

    Attributes:
        name: The file's name as its owner knows it.
        path: The file to read: the source itself, or its UTF-8 copy.
        delimiter: One character.
        header: All column names of the file, in order.
    """

    name: str
    path: Path
    delimiter: str
    header: tuple[str, ...]

    def relation(self) -> str:
        """Returns the engine's table expression; every column is text."""
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.header)
        return (
            f"read_csv({literal(str(self.path))}, auto_detect = false, header = true, "
            f"delim = {literal(self.delimiter)}, quote = '\"', escape = '\"', nullstr = '', "
            f"strict_mode = true, columns = {{{columns}}})"
        )

    def types(self) -> dict[str, str]:
        """Returns the source type of each column."""
        return dict.fromkeys(self.header, "VARCHAR")

    def blame(self, columns: Mapping[str, Column]) -> InputError | None:
        """Finds the first record that cannot be loaded, or None if this reader finds none."""
        wanted = [(i, columns[n]) for i, n in enumerate(self.header) if n in columns]
        for line, record in self.records():
            if isinstance(record, csv.Error):
                return self._broken(line, *_unquoted(record))
            if len(record) != len(self.header):
                return self._broken(
                    line,
                    Text(
                        f"{len(record)} fields instead of {len(self.header)}",
                        f"有 {len(record)} 个字段，应为 {len(self.header)} 个",
                    ),
                    Text(
                        "a field with the delimiter or a line break in it must stand in quotes",
                        "含有分隔符或换行的字段须用引号括起",
                    ),
                )
            for index, column in wanted:
                if not fits(record[index], column):
                    return self._broken(
                        line,
                        Text(
                            f"column {column.name!r} holds no {_written(column).en}",
                            f"列 {column.name!r} 的值不是{_written(column).zh}",
                        ),
                        Text(
                            "correct the value, or declare another type",
                            "请改正该值，或声明其他类型",
                        ),
                    )
        if odd := self._other_line_end():
            return self._broken(
                odd,
                Text("it does not end as the first line does", "行尾与第一行不同"),
                Text(
                    "two exports were put together, it seems: save all with the same line ends",
                    "文件可能由两份导出拼接而成：请以统一的换行符另存",
                ),
            )
        return None

    def _other_line_end(self) -> int | None:
        """Returns the first line on which a record ends otherwise than the header does."""
        last = ""

        def noted(line: str) -> str:
            nonlocal last
            last = line
            return line

        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(map(noted, file), delimiter=self.delimiter)
            next(reader)
            first = _line_end(last)
            for _ in reader:
                if _line_end(last) not in {first, ""}:  # the last line may have none
                    return reader.line_num
        return None

    def records(self) -> Iterator[tuple[int, list[str] | csv.Error]]:
        """Yields (line where the record begins, its fields or what is wrong) after the header."""
        csv.field_size_limit(_MAX_FIELD)
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            next(reader)
            while True:
                line = reader.line_num + 1
                try:
                    record = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield line, error
                    return
                if record:
                    yield line, record

    def _broken(self, line: int, what: Words, remedy: Words) -> InputError:
        return InputError(
            Text(
                f"{self.name}, line {line}: {both(what).en}",
                f"{self.name} 第 {line} 行：{both(what).zh}",
            ),
            remedy=remedy,
            code="source.broken_row",
        )


def open_csv(source: Path, name: str, wanted: Mapping[str, Column], spill: Path) -> CsvSource:
    """Finds out encoding, delimiter and header.

    Args:
        source: The file.
        name: What to call it in messages.
        wanted: The columns that must be there.
        spill: Directory for a UTF-8 copy of a file in another encoding.

    Raises:
        InputError: Neither UTF-8 nor GB18030, no header, a column missing or named twice.
    """
    path = _as_utf8(source, name, spill)
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline(_CHUNK)
    header: list[str] = []
    for delimiter in _DELIMITERS:
        header = next(csv.reader([first], delimiter=delimiter), [])
        if set(wanted) <= set(header):
            twice = sorted({n for n in header if header.count(n) > 1})
            if twice:
                raise InputError(
                    Text(
                        f"{name}: the header names {twice[0]!r} twice",
                        f"{name}：表头中 {twice[0]!r} 重复",
                    ),
                    code="source.header",
                )
            return CsvSource(name, path, delimiter, tuple(header))
    header = next(csv.reader([first]), [])
    raise missing(name, wanted, header)


def sniff_csv(source: Path, name: str, spill: Path) -> CsvSource:
    """Finds out encoding, delimiter and header of a file of which nothing is known.

    The delimiter is one that divides the header; of several, one that divides the first record
    into as many fields, and then the one with most. Headers are returned as they are, also empty
    and repeated ones; they may span lines.

    Args:
        source: The file.
        name: What to call it in messages.
        spill: Directory for a UTF-8 copy of a file in another encoding.

    Raises:
        InputError: Neither UTF-8 nor GB18030, or empty.
    """
    path = _as_utf8(source, name, spill)
    best: tuple[bool, bool, int] = (False, False, 0)
    chosen = CsvSource(name, path, ",", ())
    for delimiter in _DELIMITERS:
        first, second = _first_records(path, delimiter)
        rank = (len(first) > 1, not second or len(first) == len(second), len(first))
        if first and rank > best:
            best, chosen = rank, CsvSource(name, path, delimiter, tuple(first))
    if not chosen.header:
        raise InputError(
            Text(f"{name} has no header line that can be read", f"{name} 没有可读的表头行"),
            remedy=Text(
                "the first line of a CSV file names its columns", "CSV 文件的第一行须为列名"
            ),
            code="source.header",
        )
    return chosen


def _first_records(path: Path, delimiter: str) -> tuple[list[str], list[str]]:
    """Reads the header and the first record of the first megabyte."""
    csv.field_size_limit(_MAX_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(io.StringIO(file.read(_CHUNK), newline=""), delimiter=delimiter)
        records: list[list[str]] = []
        with suppress(csv.Error):  # what is wrong with a record is said when it is read
            records.extend(record for _, record in zip(range(2), reader, strict=False))
        first = records[0] if records else []
        return first, records[1] if len(records) > 1 else []


def missing(name: str, wanted: Mapping[str, Column], present: list[str]) -> InputError:
    """Returns the error that names the columns that a file lacks."""
    absent = [n for n in wanted if n not in present]
    return InputError(
        Text(
            f"{name} has no column {', '.join(map(repr, absent))}",
            f"{name} 没有这些列：{'、'.join(map(repr, absent))}",
        ),
        remedy=Text(
            f"it has: {', '.join(present[:30]) or 'no header line'}; names must match exactly",
            f"文件中的列：{'、'.join(present[:30]) or '没有表头'}；列名须完全一致",
        ),
        code="source.missing_column",
    )


def _as_utf8(source: Path, name: str, spill: Path) -> Path:
    """Checks the whole file as UTF-8; copies it if it is GB18030. Constant memory."""
    refuse_other_kinds(source, name)
    _check_line_lengths(source, name)
    place = _first_undecodable(source, "utf-8")
    if place is None:
        return source
    copy = spill / "utf8.csv"
    decoder = codecs.getincrementaldecoder("gb18030")()
    with source.open("rb") as old, copy.open("w", encoding="utf-8", newline="") as new:
        try:
            while chunk := old.read(_CHUNK):
                new.write(decoder.decode(chunk))
            new.write(decoder.decode(b"", final=True))
        except UnicodeDecodeError as error:
            # Of a file in two encodings: where the one ends in which it begins. GB18030 before that
            # is no UTF-8 from its first character on.
            if place == _first_undecodable(source, "ascii"):
                place = _first_undecodable(source, "gb18030") or place
            raise InputError(
                Text(
                    f"{name}, line {place}: the text is neither UTF-8 nor GB18030",
                    f"{name} 第 {place} 行：文本既不是 UTF-8 也不是 GB18030",
                ),
                remedy=Text(
                    "look at that line: it may come from another file; save all as CSV UTF-8",
                    "请检查该行是否来自其他文件；请将全部内容另存为 UTF-8 编码的 CSV",
                ),
                code="source.encoding",
            ) from error
    return copy


def _check_line_lengths(source: Path, name: str) -> None:
    line, length = 1, 0
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            end = min((e for e in (chunk.find(b"\n"), chunk.find(b"\r")) if e >= 0), default=-1)
            if length + (end if end >= 0 else len(chunk)) > _MAX_LINE:
                raise InputError(
                    Text(
                        f"{name}, line {line}: longer than {_MAX_LINE // 1_000_000} MB",
                        f"{name}，第 {line} 行：超过 {_MAX_LINE // 1_000_000} MB",
                    ),
                    remedy=Text(
                        "take that value out, or look for line breaks that were lost",
                        "请去掉该值，或检查是否丢失了换行符",
                    ),
                    code="source.long_line",
                )
            # Within one chunk no line can be too long: the chunk is smaller.
            last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
            length = length + len(chunk) if last < 0 else len(chunk) - last - 1
            line += chunk.count(b"\n")


def _first_undecodable(source: Path, encoding: str) -> int | None:
    """Returns the line with the first undecodable byte, or None."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with source.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return line + chunk[: max(0, error.start)].count(b"\n")
            if not chunk:
                return None
            line += chunk.count(b"\n")


def _line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _unquoted(error: csv.Error) -> tuple[Text, Text]:
    """Returns what is wrong with a record that has no fields, and what to do."""
    if "field larger" in str(error):
        return (
            Text("a field of more than 16 MB", "有一个字段超过 16 MB"),
            Text("look for a quote that is never closed, or take that value out",
                 "请检查是否有未闭合的引号，或去掉该值"),
        )  # fmt: skip
    open_end = "end of data" in str(error)
    zh = "直到文件末尾也未闭合" if open_end else "引号之后应为分隔符或换行"
    en = (
        "one is never closed"
        if open_end
        else "after the last must come a delimiter or a line break"
    )
    return (
        Text(f"the quotes do not match: {en}", f"引号不配对：{zh}"),
        Text("mend that line; a quote within a field is written twice",
             "请改正该行；字段内的引号须写两遍"),
    )  # fmt: skip


def _written(column: Column) -> Text:
    return {
        "integer": Text("whole number", "整数"),
        "decimal": Text("number", "数字"),
        "date": Text("date (such as 2025-01-31)", "日期（如 2025-01-31）"),
        "boolean": Text(
            "truth value (true, false, 1, 0, 是, 否)", "真假值（true、false、1、0、是、否）"
        ),
        "string": Text("text", "文本"),
    }[column.type]
