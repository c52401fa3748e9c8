"""What a record must fulfil to be registered: a pure function that finds every flaw.

Records come from files that others made, so lengths are bounded and characters that could move a
terminal's cursor or hide text are refused, in every text field alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from catalog.registry import vocabulary as v
from catalog.registry.record import COUNTS, Access, Department, Item, Record
from catalog.registry.unseen import unseen
from desensitize.divisions import divisions
from desensitize.engines.workbook_cells import ERRORS
from protos.faults import InputError
from protos.language import Text

MOST_ITEMS: Final = 2000
MOST_TAGS: Final = 50
SEPARATORS: Final = "；;、|\n"
"""Divide several values in one cell of a form, so they cannot stand within one."""

_LONG: Final = frozenset({"abstract", "version.notes", "sharing.condition", "opening.condition"})
_LONGEST: Final = 4000
_SHORT: Final = 200
# Also unassigned and private characters: they look different on every machine, or like nothing.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/()（）-]{0,127}", re.ASCII)
_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)


@dataclass(frozen=True)
class Flaw:
    """One thing that is wrong with a record.

    Attributes:
        field: Such as ``name`` or ``items.type``.
        item: Number of the data item from 0, or None.
        said: What is wrong.
        remedy: What to do.
    """

    field: str
    item: int | None
    said: Text
    remedy: Text


def flaws(record: Record) -> Iterator[Flaw]:
    """Yields everything that is wrong with a record."""
    yield from _texts(record)
    yield from _names(record)
    yield from _tags(record)
    yield from _terms(record)
    yield from _access("sharing", record.sharing, Text("sharing", "共享"))
    yield from _access("opening", record.opening, Text("opening", "开放"))
    yield from _items(record)
    yield from _consistency(record)


def is_sound(department: Department) -> bool:
    """Says whether a department could be a record's provider."""
    probe = Record("x", "x", "x", department, (), "440000", Access("none"), Access("none"))
    return not any(flaw.field.startswith("provider.") for flaw in flaws(probe))


def check(record: Record) -> None:
    """Refuses a record with flaws.

    Raises:
        InputError: The first flaw.
    """
    for flaw in flaws(record):
        raise InputError(
            Text(
                f"{record.identifier[:80]}, {flaw.field}: {flaw.said.en}",
                f"{record.identifier[:80]}，{flaw.field}：{flaw.said.zh}",
            ),
            remedy=flaw.remedy,
            code="record.flaw",
        )


def _flaw(field: str, said: Text, remedy: Text, item: int | None = None) -> Flaw:
    return Flaw(field, item, said, remedy)


def _texts(record: Record) -> Iterator[Flaw]:
    for field, text, item in _all_texts(record):
        if not text:
            continue
        longest = _LONGEST if field in _LONG else _SHORT
        if len(text) > longest:
            yield _flaw(
                field,
                Text(f"longer than {longest:,} characters", f"超过 {longest:,} 个字符"),
                Text("shorten it", "请精简"),
                item,
            )
        # Nearly every text is plain; looking up the category of each character is slow.
        if unseen(text) or (
            not text.isprintable()
            and any(
                unicodedata.category(c) in _HIDDEN and not (c == "\n" and field in _LONG)
                for c in text
            )
        ):
            yield _flaw(
                field,
                Text("has a control or invisible character", "含有控制字符或不可见字符"),
                Text("type it anew, without copying from a document", "请重新录入，不要从文档粘贴"),
                item,
            )
        if text in ERRORS:  # a form with such a cell could not be read again
            yield _flaw(
                field,
                Text(f"is a formula's error ({text})", f"是公式的错误值（{text}）"),
                Text("write what is meant", "请填写实际内容"),
                item,
            )
        if text != text.strip():
            yield _flaw(
                field,
                Text("begins or ends with a blank", "首尾有空白"),
                Text("take the blank away", "请去掉空白"),
                item,
            )


def _all_texts(record: Record) -> Iterator[tuple[str, str, int | None]]:
    yield "source", record.source, None
    yield "identifier", record.identifier, None
    yield "name", record.name, None
    yield "name_en", record.name_en, None
    yield "abstract", record.abstract, None
    yield "format_type", record.format_type, None
    yield "system", record.system, None
    yield "provider.code", record.provider.code, None
    yield "provider.name", record.provider.name, None
    yield "provider.name_en", record.provider.name_en, None
    for field, access in (("sharing", record.sharing), ("opening", record.opening)):
        yield f"{field}.condition", access.condition, None
        yield f"{field}.method", access.method, None
    yield "version.label", record.version.label, None
    yield "version.notes", record.version.notes, None
    for field, texts in (("path", record.path), ("scenarios", record.scenarios)):
        for text in texts:
            yield field, text, None
    for relation in record.relations:
        yield "relations", relation.identifier, None
    for number, item in enumerate(record.items):
        yield "items.name", item.name, number
        yield "items.name_en", item.name_en, number
        yield "items.description", item.description, number
        yield "items.code_list", item.code_list, number
        yield "items.subject", item.subject, number
        yield "items.source", item.source, number


def _names(record: Record) -> Iterator[Flaw]:
    if not _SOURCE.fullmatch(record.source):
        yield _flaw(
            "source",
            Text("is no name of a catalog", "不是有效的目录来源名称"),
            Text("use lower-case letters, digits, '.', '_' or '-'", "请用小写字母、数字、. _ -"),
        )
    for field, code in (
        ("identifier", record.identifier),
        ("provider.code", record.provider.code),
        *(("relations", relation.identifier) for relation in record.relations),
    ):
        if not _IDENTIFIER.fullmatch(code) or ".." in code:
            yield _flaw(
                field,
                Text("is missing, or no code", "为空，或不是有效代码"),
                Text(
                    "use up to 128 letters, digits, '.', '_', ':', '/', '-'",
                    "请用不超过 128 个字母、数字及 . _ : / -",
                ),
            )
    for field, text in (("name", record.name), ("provider.name", record.provider.name)):
        if not text:
            yield _flaw(field, Text("is missing", "为空"), Text("fill it in", "请填写"))


def _tags(record: Record) -> Iterator[Flaw]:
    for field, tags in (("path", record.path), ("scenarios", record.scenarios)):
        for tag in tags:
            if not tag or set(tag) & set(SEPARATORS):
                yield _flaw(
                    field,
                    Text(
                        f"{tag[:40]!r} is empty or has a separator in it",
                        f"“{tag[:40]}”为空或含分隔符",
                    ),
                    Text("take out 、 ; and |", "请去掉 、；|"),
                )
    if len(record.scenarios) > MOST_TAGS or len(record.relations) > MOST_TAGS:
        yield _flaw(
            "scenarios",
            Text(f"more than {MOST_TAGS} of them", f"超过 {MOST_TAGS} 个"),
            Text("keep those that matter", "请只保留重要的"),
        )
    if len(record.path) > 3:
        yield _flaw(
            "path", Text("more than three levels", "超过三级"), Text("use three", "最多三级")
        )


def _terms(record: Record) -> Iterator[Flaw]:
    pairs = [
        ("kind", v.KINDS, record.kind),
        ("category", v.CATEGORIES, record.category),
        ("format", v.FORMATS, record.format),
        ("cycle", v.CYCLES, record.cycle),
        ("sharing.attribute", v.SHARING, record.sharing.attribute),
        ("opening.attribute", v.OPENING, record.opening.attribute),
        *(("themes", v.THEMES, theme) for theme in record.themes),
        *(("relations", v.RELATIONS, relation.kind) for relation in record.relations),
    ]
    for field, vocabulary, code in pairs:
        if code not in vocabulary.terms:
            yield _unknown(field, vocabulary, code)
    for field, place in (("place", record.place), ("provider.place", record.provider.place)):
        if place not in divisions():
            yield _flaw(
                field,
                Text(f"{place[:20]!r} is no division", f"“{place[:20]}”不是行政区划代码"),
                Text("use a code of GB/T 2260, such as 440100", "请填 GB/T 2260 代码，如 440100"),
            )


def _unknown(field: str, vocabulary: v.Vocabulary, code: str, item: int | None = None) -> Flaw:
    return _flaw(
        field,
        Text(f"{code[:40]!r} is no {vocabulary.name.en}", f"“{code[:40]}”不是{vocabulary.name.zh}"),
        Text(f"use {', '.join(vocabulary.terms)}", f"可用：{'、'.join(vocabulary.terms)}"),
        item,
    )


def _access(field: str, access: Access, word: Text) -> Iterator[Flaw]:
    if access.attribute == "conditional" and not access.condition:
        yield _flaw(
            f"{field}.condition",
            Text(f"{word.en} on conditions names no condition", f"有条件{word.zh}未写明条件"),
            Text("say on what condition", "请填写条件"),
        )
    if access.attribute == "none" and not access.condition:
        yield _flaw(
            f"{field}.condition",
            Text(f"no {word.en}, and no legal ground", f"不予{word.zh}未写明依据"),
            Text("name the law, rule or document that forbids it", "请填写法律、法规或文件依据"),
        )


def _items(record: Record) -> Iterator[Flaw]:
    if not record.items:
        yield _flaw(
            "items", Text("no data item", "没有信息项"), Text("name at least one", "请至少填写一项")
        )
    if len(record.items) > MOST_ITEMS:
        yield _flaw(
            "items",
            Text(f"more than {MOST_ITEMS:,} data items", f"信息项超过 {MOST_ITEMS:,} 个"),
            Text("divide the dataset", "请拆分数据资源"),
        )
    seen: set[str] = set()
    for number, item in enumerate(record.items):
        yield from _item(number, item)
        if item.name in seen:
            yield _flaw(
                "items.name",
                Text(f"{item.name[:40]!r} comes twice", f"“{item.name[:40]}”重复"),
                Text("data items have names of their own", "信息项名称不得重复"),
                number,
            )
        seen.add(item.name)


def _item(number: int, item: Item) -> Iterator[Flaw]:
    if not item.name:
        yield _flaw("items.name", Text("is missing", "为空"), Text("fill it in", "请填写"), number)
    if item.type not in v.TYPES.terms:
        yield _unknown("items.type", v.TYPES, item.type, number)
    if item.grade not in {1, 2, 3, 4}:
        yield _flaw(
            "items.grade",
            Text("is no grade", "不是有效分级"),
            Text("use L1, L2, L3 or L4", "请填 L1、L2、L3 或 L4"),
            number,
        )
    if item.length is not None and not 0 < item.length <= 1_000_000_000:
        yield _flaw(
            "items.length",
            Text("is no length", "不是有效长度"),
            Text("use a whole number above 0, or leave it empty", "请填正整数，或留空"),
            number,
        )
    if bad := item.uses - set(v.USES.terms):
        yield _unknown("items.uses", v.USES, min(bad), number)
    if item.source and not item.subject:
        yield _flaw(
            "items.source",
            Text(
                "a source is named, but not of what it is a property",
                "填写了数源部门，未填写数据对象",
            ),
            Text("name its subject, such as 自然人", "请填写数据对象，如：自然人"),
            number,
        )


def _consistency(record: Record) -> Iterator[Flaw]:
    if record.category == "base" and (not record.path or record.path[0] not in _BASE_NAMES):
        yield _flaw(
            "path",
            Text("base data names one of the five bases", "基础信息资源须注明所属基础库"),
            Text(
                "the first level is one of " + ", ".join(_BASE_NAMES),
                "“项”须为：" + "、".join(_BASE_NAMES),
            ),
        )
    if record.opening.attribute == "unconditional":
        for number, item in enumerate(record.items):
            if item.grade > 2:
                yield _flaw(
                    "items.grade",
                    Text(
                        f"{item.name[:40]!r} is L{item.grade}, and the dataset is open to all",
                        f"“{item.name[:40]}”为 L{item.grade} 级，而该资源为无条件开放",
                    ),
                    Text(
                        "open it on conditions, take the item out, or publish a desensitized copy",
                        "请改为有条件开放、去掉该信息项，或发布脱敏副本",
                    ),
                    number,
                )
                return
    if record.opening.attribute != "none" and record.sharing.attribute == "none":
        yield _flaw(
            "opening.attribute",
            Text("open to the public, but not shared with departments", "向社会开放，却不予共享"),
            Text("what is open is shared, too", "可开放的数据应当可共享"),
        )
    counts = [getattr(record.version, name) for name in COUNTS]
    if any(n is not None and not 0 <= n < 1 << 53 for n in counts):
        yield _flaw(
            "version.rows",
            Text("is no number of rows", "不是有效行数"),
            Text("use a whole number from 0", "请填非负整数"),
        )
    if record.published and record.updated and record.updated < record.published:
        yield _flaw(
            "updated",
            Text("before it was published", "更新日期早于发布日期"),
            Text("mend one of the dates", "请核对两个日期"),
        )


_BASE_NAMES: Final = tuple(text.zh for text in v.BASES.terms.values())
