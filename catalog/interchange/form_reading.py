"""Lines of the national form as records, and everything that is wrong with them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

from catalog.interchange.form import COLUMNS, HEADERS, Cells, Column
from catalog.interchange.problems import Parsed, Problem, problem_of
from catalog.registry import vocabulary as v
from catalog.registry.record import (
    COUNTS,
    Access,
    Department,
    Item,
    Record,
    Relation,
    Version,
)
from catalog.registry.rules import flaws
from desensitize.column import Use
from desensitize.divisions import divisions
from desensitize.engines.workbook_cells import ERRORS
from protos.faults import InputError
from protos.language import Text

_LISTED: Final = re.compile("[；;、|\n]")
_DATE: Final = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?(?: 00:00:00)?")
_BY_NAME: Final = {name: column for column in COLUMNS for name in (column.header, *column.others)}


def match_headers(headers: Sequence[str]) -> list[Column | None]:
    """Returns the column of each header, None for what the form does not know.

    Raises:
        InputError: A needed column is missing, or one comes twice.
    """
    found = [_BY_NAME.get(_plain_header(header)) for header in headers]
    known = [column.field for column in found if column is not None]
    twice = sorted({HEADERS[field] for field in known if known.count(field) > 1})
    missing = [c.header for c in COLUMNS if c.needed and c.field not in known]
    if missing or twice:
        named = (missing or twice)[:8]
        raise InputError(
            Text(
                f"the form {'has no' if missing else 'has more than one'} column "
                f"{', '.join(named)}",
                f"表格{'缺少' if missing else '重复出现'}列：{'、'.join(named)}",
            ),
            remedy=Text(
                "its first line names the columns of the national form; "
                "'veil catalog export form.csv' shows them",
                "首行须为目录编制指南规定的列名；可用 veil catalog export form.csv 查看",
            ),
            code="import.header",
        )
    return found


def _plain_header(header: str) -> str:
    bare = re.sub(r"[（(][^）)]*[）)]|[\s*＊:：]", "", header)
    return bare.replace("—", "-").replace("_", "-")


def records(lines: Iterator[tuple[int, Cells]], source: str) -> Iterator[Parsed]:
    """Puts lines together to records.

    Args:
        lines: Line number and cells, by field, without blanks around.
        source: Catalog of records whose line does not say it.
    """
    group: list[tuple[int, Cells]] = []
    for line, cells in lines:
        code = cells.get("identifier", "")
        if group and (code or cells.get("name")) and code != group[0][1].get("identifier", ""):
            yield _parsed(group, source)
            group = []
        group.append((line, cells))
    if group:
        yield _parsed(group, source)


def _parsed(group: list[tuple[int, Cells]], source: str) -> Parsed:
    reader = _Reader(group, source)
    record = reader.record()
    unread = {(problem.line, problem.column) for problem in reader.problems}
    if any(column == HEADERS["place"] for _, column in unread):
        unread.add((group[0][0], HEADERS["provider.place"]))  # one is taken for the other
    rules = (
        Problem(group[flaw.item or 0][0], _column_of(flaw.field, record), flaw.said, flaw.remedy)
        for flaw in flaws(record)
    )
    # What could not be read is empty in the record; that the rules miss it there is no news.
    problems = [*reader.problems, *(p for p in rules if (p.line, p.column) not in unread)]
    line = group[0][0]
    if problems:
        return Parsed(line, None, problems, [dict(cells) for _, cells in group])
    return Parsed(line, record)


def _column_of(field: str, record: Record) -> str:
    if field == "path":
        return HEADERS[f"path.{max(0, min(2, len(record.path) - 1))}"]
    return HEADERS.get(field, field)


class _Reader:
    """Reads one record and notes what cannot be read."""

    def __init__(self, group: list[tuple[int, Cells]], source: str) -> None:
        self._group = group
        self._line, self._cells = group[0]
        self._source = source
        self.problems: list[Problem] = []

    def record(self) -> Record:
        """Returns the record; with problems it is good for nothing."""
        self._check_repeats()
        self._check_errors()
        form = self._term("format", v.FORMATS, "")
        provider = self._provider()
        path = [self._text(f"path.{i}") for i in range(3)]
        while path and not path[-1]:
            path.pop()
        return Record(
            source=self._text("source") or self._source,
            identifier=self._text("identifier"),
            name=self._text("name"),
            provider=provider,
            items=tuple(self._item(line, cells) for line, cells in self._group),
            place=self._text("place") or provider.place,
            sharing=self._access("sharing", v.SHARING),
            opening=self._access("opening", v.OPENING),
            kind=self._term("kind", v.KINDS, _KIND_OF_FORMAT.get(form, "table")),
            category=self._term("category", v.CATEGORIES, "department"),
            path=tuple(path),
            name_en=self._text("name_en"),
            abstract=self._text("abstract"),
            format=form,
            format_type=self._text("format_type"),
            cycle=self._term("cycle", v.CYCLES, ""),
            published=self._date("published"),
            updated=self._date("updated"),
            system=self._text("system"),
            themes=tuple(self._listed("themes", v.THEMES.read)),
            scenarios=tuple(self._listed("scenarios", str)),
            relations=tuple(self._listed("relations", self._relation)),
            version=Version(
                self._text("version.label"),
                self._text("version.notes"),
                *(self._number(f"version.{name}", self._cells, self._line) for name in COUNTS),
            ),
        )

    def _text(self, field: str) -> str:
        return self._cells.get(field, "")

    def _note(self, line: int, field: str, said: Text, remedy: Text) -> None:
        self.problems.append(Problem(line, HEADERS[field], said, remedy))

    def _check_repeats(self) -> None:
        """A dataset's own cells on its later lines repeat the first line's, or are empty."""
        for line, cells in self._group[1:]:
            for column in COLUMNS:
                again = cells.get(column.field, "")
                if not column.of_item and again and again != self._text(column.field):
                    self._note(
                        line,
                        column.field,
                        Text(
                            f"differs from line {self._line} of the same resource",
                            f"与同一资源第 {self._line} 行不一致",
                        ),
                        Text(
                            "repeat it, leave it empty, or give the resource another code",
                            "请保持一致、留空，或使用不同的资源代码",
                        ),
                    )

    def _check_errors(self) -> None:
        """A formula that has failed has no value; it must not read like an empty cell."""
        for line, cells in self._group:
            for field, text in cells.items():
                if text in ERRORS:
                    self._note(
                        line,
                        field,
                        Text(f"its formula has no result ({text})", f"公式没有结果（{text}）"),
                        Text(
                            "mend the formula, or write its value in place of it",
                            "请改正公式，或直接填写取值",
                        ),
                    )

    def _term(self, field: str, vocabulary: v.Vocabulary, default: str) -> str:
        text = self._text(field)
        if not text and default:
            return default
        return self._read(field, self._line, vocabulary.read, text) or ""

    def _read(self, field: str, line: int, read: Callable[[str], Any], text: str) -> Any:  # noqa: ANN401 - what `read` returns, or None
        try:
            return read(text)
        except InputError as error:
            if text:
                self.problems.append(problem_of(error, line, HEADERS[field]))
            else:
                self._note(line, field, Text("is missing", "为空"), Text("fill it in", "请填写"))
        return None

    def _provider(self) -> Department:
        code = self._text("provider.code")
        place = self._text("provider.place") or self._text("place")
        if not self._text("provider.place") and code[2:8] in divisions():
            place = code[2:8]  # GB 32100: where the department is registered
        if not place:
            self._note(
                self._line,
                "place",
                Text(
                    "no division is told, nor by the provider's code",
                    "未填写，提供方代码也无法推断",
                ),
                Text("give a code of GB/T 2260, such as 440100", "请填 GB/T 2260 代码，如 440100"),
            )
        return Department(code, self._text("provider.name"), place, self._text("provider.name_en"))

    def _access(self, field: str, vocabulary: v.Vocabulary) -> Access:
        return Access(
            self._term(f"{field}.attribute", vocabulary, ""),
            self._text(f"{field}.condition"),
            self._text(f"{field}.method"),
        )

    def _date(self, field: str) -> dt.date | None:
        text = self._text(field)
        if not text:
            return None
        found = _DATE.fullmatch(text)
        try:
            if found is not None:
                return dt.date(*map(int, found.groups()))
        except ValueError:
            pass  # the 31st of a month that has none
        self._note(
            self._line,
            field,
            Text(f"{text[:30]!r} is no date", f"“{text[:30]}”不是日期"),
            Text("write it as 2025-01-31", "请写作 2025-01-31"),
        )
        return None

    def _number(self, field: str, cells: Cells, line: int) -> int | None:
        text = cells.get(field, "").replace(",", "")
        if not text:
            return None
        if text.isascii() and text.isdigit() and len(text) <= 16:
            return int(text)
        self._note(
            line,
            field,
            Text(f"{text[:30]!r} is no whole number", f"“{text[:30]}”不是整数"),
            Text("use digits only, or leave it empty", "请只填数字，或留空"),
        )
        return None

    def _listed(self, field: str, read: Callable[[str], Any]) -> Iterator[Any]:
        for text in _LISTED.split(self._text(field)):
            if text.strip():
                found = self._read(field, self._line, read, text.strip())
                if found is not None:
                    yield found

    def _relation(self, text: str) -> Relation:
        kind, code = "related", text
        for name, title in v.RELATIONS.terms.items():
            for separator in "：:":
                if text.startswith(title.zh + separator):
                    kind, code = name, text[len(title.zh) + 1 :].strip()
        identifier, _, source = code.partition("@")
        return Relation(kind, source or self._text("source") or self._source, identifier)

    def _item(self, line: int, cells: Cells) -> Item:
        grade = cells.get("items.grade", "").upper().removeprefix("L").removesuffix("级")
        uses = [
            self._read("items.uses", line, v.USES.read, text.strip())
            for text in _LISTED.split(cells.get("items.uses", ""))
            if text.strip()
        ]
        return Item(
            name=cells.get("items.name", ""),
            type=self._read("items.type", line, v.TYPES.read, cells.get("items.type", "")) or "",
            length=self._number("items.length", cells, line),
            name_en=cells.get("items.name_en", ""),
            description=cells.get("items.description", ""),
            code_list=cells.get("items.code_list", ""),
            # What is no grade stays none, and `rules` says so.
            grade=int(grade or 2) if grade in {"", "1", "2", "3", "4"} else 0,
            uses=frozenset(cast("list[Use]", [use for use in uses if use])),
            subject=cells.get("items.subject", ""),
            source=cells.get("items.source", ""),
        )


_KIND_OF_FORMAT: Final = {
    "service": "service",
    "geodata": "layer",
    "spreadsheet": "file",
    "document": "file",
    "image": "file",
    "media": "file",
}
