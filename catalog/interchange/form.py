"""The national catalog form: its columns, and records as its lines; `form_reading` reads them.

A line for each data item; a dataset's own cells stand on its first line. Headers and order are
those of 政务信息资源目录编制指南（试行）; what Veil adds is behind them. A dataset goes on while
the code is repeated or empty, as in forms with merged cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from catalog.registry import vocabulary as v
from catalog.registry.record import COUNTS, Item, Record, Relation

Cells = Mapping[str, str]
_BETWEEN: Final = "；"


@dataclass(frozen=True)
class Column:
    """One column of the form.

    Attributes:
        header: As it is written.
        field: Which part of a record it is, as `rules.Flaw` names it.
        others: Headers that are read as well.
        needed: Whether a file without it cannot be read.
    """

    header: str
    field: str
    others: tuple[str, ...] = ()
    needed: bool = False

    @property
    def of_item(self) -> bool:
        """Whether it says something about a data item."""
        return self.field.startswith("items.")


COLUMNS: Final = (
    Column("信息资源分类-类", "category", ("类", "信息资源分类")),
    Column("信息资源分类-项", "path.0", ("项",)),
    Column("信息资源分类-目", "path.1", ("目",)),
    Column("信息资源分类-细目", "path.2", ("细目",)),
    Column("信息资源名称", "name", ("资源名称", "目录名称"), needed=True),
    Column("信息资源代码", "identifier", ("资源代码", "目录代码"), needed=True),
    Column("信息资源提供方", "provider.name", ("提供方", "提供部门", "数源单位"), needed=True),
    Column("信息资源提供方代码", "provider.code", ("提供方代码", "提供部门代码"), needed=True),
    Column("信息资源摘要", "abstract", ("摘要", "资源摘要")),
    Column("信息资源格式分类", "format", ("格式分类", "信息资源格式"), needed=True),
    Column("信息资源格式类型", "format_type", ("格式类型",)),
    Column("信息项名称", "items.name", ("数据项名称",), needed=True),
    Column("数据类型", "items.type", ("信息项类型",), needed=True),
    Column("数据长度", "items.length", ("长度",)),
    Column("共享类型", "sharing.attribute", ("共享属性",), needed=True),
    Column("共享条件", "sharing.condition"),
    Column("共享方式", "sharing.method", ("共享方式类型",)),
    Column("开放类型", "opening.attribute", ("开放属性", "是否向社会开放"), needed=True),
    Column("开放条件", "opening.condition"),
    Column("开放方式", "opening.method"),
    Column("更新周期", "cycle", needed=True),
    Column("发布日期", "published"),
    Column("关联资源代码", "relations", ("关联资源",)),
    # what Veil adds
    Column("更新日期", "updated"),
    Column("英文名称", "name_en"),
    Column("资源类型", "kind"),
    Column("行政区划代码", "place"),
    Column("提供方区划代码", "provider.place"),
    Column("提供方英文名称", "provider.name_en"),
    Column("来源系统", "system", ("所属系统", "来源信息系统")),
    Column("主题分类", "themes", ("主题",)),
    Column("应用场景", "scenarios", ("场景",)),
    Column("信息项英文名称", "items.name_en", ("英文字段名", "字段名")),
    Column("信息项说明", "items.description", ("信息项描述",)),
    Column("标准代码集", "items.code_list", ("代码集", "值域")),
    Column("数据分级", "items.grade", ("分级", "敏感级别")),
    Column("允许用途", "items.uses"),
    Column("数据对象", "items.subject"),
    Column("数源部门代码", "items.source"),
    Column("版本号", "version.label"),
    Column("版本说明", "version.notes"),
    Column("数据行数", "version.rows", ("数据量",)),
    Column("新增行数", "version.added"),
    Column("删除行数", "version.removed"),
    Column("变更行数", "version.changed"),
    Column("来源目录", "source"),
)
HEADERS: Final = {column.field: column.header for column in COLUMNS}


# ---- writing -----------------------------------------------------------------------------------


def rows(record: Record) -> Iterator[dict[str, str]]:
    """Yields a record's rows: field → text; the first has all of it, the others an item each."""
    first = _dataset_cells(record)
    for number, item in enumerate(record.items):
        head = first if number == 0 else {"identifier": record.identifier}
        yield head | _item_cells(item)


def _dataset_cells(record: Record) -> dict[str, str]:
    provider, version = record.provider, record.version
    cells = {
        "category": v.CATEGORIES.title(record.category).zh,
        "name": record.name,
        "identifier": record.identifier,
        "provider.name": provider.name,
        "provider.code": provider.code,
        "provider.place": provider.place,
        "provider.name_en": provider.name_en,
        "abstract": record.abstract,
        "format": v.FORMATS.title(record.format).zh,
        "format_type": record.format_type,
        "sharing.attribute": v.SHARING.title(record.sharing.attribute).zh,
        "opening.attribute": v.OPENING.title(record.opening.attribute).zh,
        "cycle": v.CYCLES.title(record.cycle).zh,
        "published": "" if record.published is None else record.published.isoformat(),
        "updated": "" if record.updated is None else record.updated.isoformat(),
        "relations": _BETWEEN.join(map(_relation_cell, record.relations)),
        "name_en": record.name_en,
        "kind": v.KINDS.title(record.kind).zh,
        "place": record.place,
        "system": record.system,
        "themes": _BETWEEN.join(v.THEMES.title(theme).zh for theme in record.themes),
        "scenarios": _BETWEEN.join(record.scenarios),
        "version.label": version.label,
        "version.notes": version.notes,
        "source": record.source,
    }
    for field, access in (("sharing", record.sharing), ("opening", record.opening)):
        cells |= {f"{field}.condition": access.condition, f"{field}.method": access.method}
    for name in COUNTS:
        count = getattr(version, name)
        cells[f"version.{name}"] = "" if count is None else str(count)
    return cells | {f"path.{i}": text for i, text in enumerate(record.path)}


def _item_cells(item: Item) -> dict[str, str]:
    return {
        "items.name": item.name,
        "items.type": v.TYPES.title(item.type).zh,
        "items.length": "" if item.length is None else str(item.length),
        "items.name_en": item.name_en,
        "items.description": item.description,
        "items.code_list": item.code_list,
        "items.grade": f"L{item.grade}",
        "items.uses": _BETWEEN.join(v.USES.title(use).zh for use in sorted(item.uses)),
        "items.subject": item.subject,
        "items.source": item.source,
    }


def _relation_cell(relation: Relation) -> str:
    kind = v.RELATIONS.title(relation.kind).zh
    return f"{kind}：{relation.identifier}@{relation.source}"
