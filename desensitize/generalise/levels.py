"""Hierarchies: the ways in which a quasi-identifier may be made coarser, from fine to coarse.

A level is a masking method with a name. Built in are

=================================== =========================================================
``value``                           the value as it is
``day week month quarter year 5y 10y``  units of a date
``street district city province``   of an address or a division code (GB/T 2260)
``5``, ``0.5``, …                   bands of a number, of that width
``first1`` … ``first64``            the first characters of a code, such as of ICD-10
``degree schooling``                groups of degrees (GB/T 4658)
``trade work``                      … of occupations (GB/T 6565)
``employer paid``                   … of who one works for (GB/T 2261.4)
``marriage spouse``                 … of marital status (GB/T 2261.2)
``subregion continent``             … of countries (UN M49)
``han``                             Han, or one of the minorities (GB/T 3304)
``*``                               nothing: one text for all, also for an empty cell
=================================== =========================================================

Others come from a file, one line per value: the value, then what it becomes at each level, as in
ARX's hierarchy files. A hierarchy must be one: what is equal at a level is equal at all coarser
ones.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Final, cast, get_args

import pyarrow as pa
import pyarrow.compute as pc

from desensitize.generalise.word_groups import WordGroup
from desensitize.masking.base import Cell, Function, Method, Workshop
from desensitize.masking.dates import DateTo, Unit
from desensitize.masking.district import District, Level
from desensitize.masking.numbers import Band
from desensitize.masking.readings import as_text
from desensitize.policy import HierarchyRule, PublishedColumn, PublishPolicy
from desensitize.vocabulary import level_names
from protos.faults import InputError
from protos.language import Text

ANYTHING: Final = "*"
_UNITS: Final = get_args(Unit)
_DIVISIONS: Final = get_args(Level)
_WIDTH: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_FIRST: Final = re.compile(r"first([1-9][0-9]?)")
_ROADS: Final = "街道|大道|镇|乡|苏木|路|街|巷|道|村"
_MAX_FILE_BYTES: Final = 64 << 20
_MAX_LEVELS: Final = 32
_DELIMITERS: Final = ";,\t|"


@dataclass(frozen=True)
class AsRead:
    """The value, read as what the policy says that it is. Conclusions: the value."""

    title: ClassVar = Text("as it is", "原值")
    concludes: ClassVar = Text("the exact value", "可知其准确值")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns the cell itself."""
        return cell


@dataclass(frozen=True)
class Anything:
    """One text for all, also where there is no value. Conclusions: none."""

    title: ClassVar = Text("made equal", "全部相同")
    concludes: ClassVar = Text("nothing", "无")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns ``*``."""
        return Cell(f"'{ANYTHING}'", "VARCHAR")


@dataclass(frozen=True)
class Beginning:
    """The first characters of a code; a shorter one is left whole. Conclusions: these.

    Attributes:
        length: Characters.
    """

    length: int

    title: ClassVar = Text("first characters", "保留开头")
    concludes: ClassVar = Text("how it begins", "可知其开头")

    @property
    def conclusion(self) -> Text:
        """What this length leaves."""
        many = "character" if self.length == 1 else f"{self.length} characters"
        return Text(f"its first {many}", f"可知前 {self.length} 个字符")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:  # noqa: ARG002 - one shape for all
        """Returns text."""
        return Cell(f"left({as_text(cell).sql}, {self.length})", "VARCHAR")


@dataclass(frozen=True)
class Street:
    """An address up to its road, street or village; without one, its division.

    Conclusions: the street, in which few may live.
    """

    reads_division: ClassVar = True
    title: ClassVar = Text("address up to the street", "地址保留到街道")
    concludes: ClassVar = Text("the street or village", "可知所在街道或村")

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns text; NULL where not even the division is known."""
        district = District("district").apply(cell, shop)
        road = f"regexp_extract({as_text(cell).sql}, '^.*?(?:{_ROADS})')"
        # What names no division could be anything, such as a person's name.
        sql = (
            f"CASE WHEN ({district.sql}) IS NOT NULL "
            f"THEN coalesce(nullif({road}, ''), {district.sql}) END"
        )
        return Cell(sql, "VARCHAR")


@dataclass(frozen=True)
class Listed:
    """What a hierarchy file says that each value becomes. Conclusions: that.

    Attributes:
        file: Name of the file.
        level: Column of the file, from 0.
        labels: By value.
    """

    file: str
    level: int
    labels: dict[str, str]

    title: ClassVar = Text("as a list says", "按列表泛化")
    concludes: ClassVar = Text("what the list puts together", "可知列表中的类别")

    @property
    def conclusion(self) -> Text:
        """What this level of the file leaves."""
        if not self.level:
            return AsRead.concludes
        groups = len(set(self.labels.values()))
        return Text(
            f"to which of {groups} groups it belongs (level {self.level} of {self.file}, of "
            f"{len(self.labels)} values)",
            f"可知属于 {groups} 类中的哪一类（{self.file} 第 {self.level} 级，共 "
            f"{len(self.labels)} 个值）",
        )

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns text; NULL for a value that the file does not name."""
        name = shop.function(Function(self._look_up))
        return Cell(f"{name}({as_text(cell).sql})", "VARCHAR")

    def _look_up(self, values: pa.Array) -> pa.Array:
        coded = pc.dictionary_encode(values)
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        labels = [self.labels.get(value) for value in coded.dictionary.to_pylist()]
        return pa.array(labels, pa.string()).take(coded.indices)


@dataclass(frozen=True)
class Hierarchy:
    """The levels of one column.

    Attributes:
        column: Its name.
        names: Of the levels, from fine to coarse.
        methods: One per level.
        leaves: Values that each label stands for, by level, where a file says so; otherwise the
            values that occur are counted.
    """

    column: str
    names: tuple[str, ...]
    methods: tuple[Method, ...]
    leaves: tuple[dict[str, int], ...] = ()


def hierarchy(column: str, rule: HierarchyRule, folder: Path) -> Hierarchy:
    """Makes the hierarchy that a policy asks for.

    Args:
        column: Name of the column.
        rule: What the policy says.
        folder: Where its files lie.

    Raises:
        InputError: A level is unknown, or the file is none of a hierarchy.
    """
    if rule.file:
        return from_file(column, folder / rule.file)
    return Hierarchy(column, rule.levels, tuple(_built_in(column, name) for name in rule.levels))


def methods_of(
    column: PublishedColumn, policy: PublishPolicy, levels: Mapping[str, str]
) -> tuple[Method, ...]:
    """Returns what was done to a column, its level included.

    Raises:
        InputError: Nobody says at which level of its hierarchy it was published.
    """
    if column.hierarchy is None:
        return column.methods
    each = hierarchy(column.name, column.hierarchy, policy.folder)
    if levels.get(column.name) not in each.names:
        raise InputError(
            Text(
                f"nobody says at which level {column.name!r} was published",
                f"无法得知“{column.name}”以哪一层级发布",
            ),
            remedy=Text(
                "name the directory of the release: its manifest says so",
                "请指定发布目录：其清单中有记录",
            ),
            code="attack.level",
        )
    return (each.methods[each.names.index(levels[column.name])],)


def _built_in(column: str, name: str) -> Method:
    if name == ANYTHING:
        return Anything()
    if name == "value":
        return AsRead()
    if name == "street":
        return Street()
    if name in level_names():
        return WordGroup(name)
    if name in _UNITS:
        return DateTo(cast("Unit", name))
    if name in _DIVISIONS:
        return District(cast("Level", name))
    if _WIDTH.fullmatch(name) and Decimal(name) > 0:
        return Band(Decimal(name))
    if (first := _FIRST.fullmatch(name)) and int(first[1]) <= 64:
        return Beginning(int(first[1]))
    others = (*_DIVISIONS, *level_names(), "5", "first3", ANYTHING)
    known = ", ".join(("value", *_UNITS, "street", *others))
    raise InputError(
        Text(f"{column!r}: there is no level {name!r}", f"“{column}”：没有名为 {name!r} 的层级"),
        remedy=Text(
            f"levels: {known} (5 is any width of bands, first3 any number of characters); "
            'or { file = "levels.csv" }',
            f"可用的层级：{known}（5 可为任意分段宽度，first3 可为任意字符数）；"
            '也可写 { file = "levels.csv" }',
        ),
        code="hierarchy.level",
    )


def from_file(column: str, path: Path) -> Hierarchy:
    """Reads a hierarchy file: values and their labels, from fine to coarse, without a header.

    Fields are divided by semicolons, commas, tabs or bars; UTF-8.

    Raises:
        InputError: It cannot be read, lines differ in length, a value comes twice, or values that
            are equal at one level differ at a coarser one; names the line.
    """
    rows = _rows(path)
    width = len(rows[0][1])
    labels: list[dict[str, str]] = [{} for _ in range(width)]
    upper: list[dict[str, str]] = [{} for _ in range(width)]
    for line, row in rows:
        if len(row) != width:
            raise _wrong(path, line, Text(f"{len(row)} fields, not {width}", f"有 {len(row)} 个字段，应为 {width} 个"))  # fmt: skip  # noqa: E501
        if row[0] in labels[0]:
            raise _wrong(path, line, Text(f"{row[0]!r} a second time", f"{row[0]!r} 重复出现"))
        for level, label in enumerate(row):
            labels[level][row[0]] = label
            if level and upper[level].setdefault(row[level - 1], label) != label:
                raise _wrong(
                    path, line,
                    Text(f"{row[level - 1]!r} becomes {label!r} here and {upper[level][row[level - 1]]!r} above",  # noqa: E501
                         f"{row[level - 1]!r} 在此变为 {label!r}，而在前面变为 {upper[level][row[level - 1]]!r}"),  # noqa: E501
                )  # fmt: skip
    names = ("value", *(str(level) for level in range(1, width)))
    return Hierarchy(
        column,
        tuple(
            ANYTHING if set(known.values()) == {ANYTHING} else name
            for name, known in zip(names, labels, strict=True)
        ),
        tuple(_of_file(path, level, labels[level]) for level in range(width)),
        tuple(_counted(level.values()) for level in labels),
    )


def written_in(path: Path) -> tuple[str, ...]:
    """Returns every text that a hierarchy file holds, each once: all of it is published.

    Raises:
        InputError: It cannot be read.
    """
    return tuple(dict.fromkeys(field for _, row in _rows(path) for field in row))


def _of_file(path: Path, level: int, labels: dict[str, str]) -> Method:
    if set(labels.values()) == {ANYTHING}:
        return Anything()
    return Listed(path.name, level, labels)


def _counted(labels: object) -> dict[str, int]:
    from collections import Counter

    return dict(Counter(cast("list[str]", labels)))


def check_file(path: Path) -> None:
    """Refuses what is no file, or too large to be a hierarchy.

    Raises:
        InputError: As said.
    """
    if not path.is_file():
        raise _unreadable(path, "no file")
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise InputError(
            Text(f"{path.name} is larger than 64 MiB", f"{path.name} 超过 64 MiB"),
            remedy=Text("name each value once", "每个值只写一行"),
            code="hierarchy.file",
        )


def _unreadable(path: Path, detail: str) -> InputError:
    return InputError(
        Text(f"the hierarchy {path} cannot be read", f"无法读取层级文件 {path}"),
        remedy=Text(
            "write its place relative to the policy's folder, as UTF-8",
            "请写相对于策略所在目录的路径，并使用 UTF-8",
        ),
        code="hierarchy.file",
        detail=detail,
    )


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    check_file(path)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        lines = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
        rows = [(number, row) for number, row in enumerate(lines, 1) if row]
    except csv.Error as error:
        raise InputError(
            Text(f"{path.name} is no table: {error}", f"{path.name} 不是表格：{error}"),
            code="hierarchy.file",
        ) from error
    if not rows or not 1 <= len(rows[0][1]) <= _MAX_LEVELS:
        raise _wrong(path, 1, Text("no values and levels", "没有值和层级"))
    return rows


def _wrong(path: Path, line: int, what: Text) -> InputError:
    return InputError(
        Text(f"{path.name}, line {line}: {what.en}", f"{path.name} 第 {line} 行：{what.zh}"),
        remedy=Text(
            "one line per value: the value, then its labels from fine to coarse",
            "每个值一行：先写值，再由细到粗写各层级的标签",
        ),
        code="hierarchy.file",
    )
