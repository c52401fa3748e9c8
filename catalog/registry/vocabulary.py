"""Code lists of the record: a stable code for programs, names in both languages, other spellings.

The lists follow 政务信息资源目录编制指南（试行） (2017), which says what a catalog of government
information has to state, and GB/T 21063.3 for its core metadata. The twelve
themes are those of the provincial portal; "other" is for what a foreign catalog brings along.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from protos.faults import InputError
from protos.language import Text


@dataclass(frozen=True)
class Vocabulary:
    """One code list.

    Attributes:
        name: What it lists, for people.
        terms: Code → names.
        spellings: Other ways to write a term → code.
    """

    name: Text
    terms: Mapping[str, Text]
    spellings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _codes(self) -> Mapping[str, str]:
        """Every way to write a term → code."""
        table = {_plain(spelling): code for spelling, code in self.spellings.items()}
        for code, text in self.terms.items():
            table |= {_plain(spelling): code for spelling in (code, text.en, text.zh)}
        return table

    def find(self, text: str) -> str | None:
        """Returns the code for a code or a name in either language; None for what is neither."""
        return self._codes.get(_plain(text))

    def read(self, text: str) -> str:
        """Returns the same, and says what was meant if it is neither.

        Raises:
            InputError: It is none of the list.
        """
        if (found := self.find(text)) is not None:
            return found
        near = difflib.get_close_matches(_plain(text), self._codes, n=1, cutoff=0.6)
        guess = self.terms[self._codes[near[0]]] if near else None
        listed = [guess] if guess else list(self.terms.values())
        raise InputError(
            Text(
                f"{text[:40]!r} is no {self.name.en}",
                f"“{text[:40]}”不是有效的{self.name.zh}",
            ),
            remedy=Text(
                f"write {' or '.join(t.zh for t in listed)} "
                f"({', '.join(c for c, t in self.terms.items() if t in listed)})",
                f"请填写：{'、'.join(t.zh for t in listed)}",
            ),
            code="record.term",
        )

    def title(self, code: str) -> Text:
        """Returns the names of a code; one that is not listed is its own name."""
        return self.terms.get(code, Text(code, code))


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


KINDS: Final = Vocabulary(
    Text("kind of dataset", "资源类型"),
    {
        "table": Text("table", "数据表"),
        "file": Text("file", "文件"),
        "series": Text("time series", "时间序列"),
        "layer": Text("geographic layer", "地理图层"),
        "service": Text("service", "接口服务"),
    },
    {"接口": "service", "API": "service", "图层": "layer", "库表": "table", "时序数据": "series"},
)
CATEGORIES: Final = Vocabulary(
    Text("category", "信息资源类"),
    {
        "base": Text("base data", "基础信息资源"),
        "theme": Text("theme data", "主题信息资源"),
        "department": Text("department data", "部门信息资源"),
    },
    {"基础信息资源类": "base", "主题信息资源类": "theme", "部门信息资源类": "department",
     "基础类": "base", "主题类": "theme", "部门类": "department"},
)  # fmt: skip
BASES: Final = Vocabulary(
    Text("base of the state", "国家基础信息资源库"),
    {
        "population": Text("population", "人口"),
        "legal-persons": Text("legal persons", "法人单位"),
        "geography": Text("natural resources and geography", "自然资源和空间地理"),
        "credit": Text("public credit", "社会信用"),
        "licences": Text("electronic licences", "电子证照"),
    },
    {"法人": "legal-persons", "人口信息": "population", "空间地理": "geography"},
)
FORMATS: Final = Vocabulary(
    Text("format", "信息资源格式分类"),
    {
        "database": Text("database", "数据库"),
        "spreadsheet": Text("spreadsheet", "电子表格"),
        "document": Text("document", "电子文件"),
        "image": Text("image", "图形图像"),
        "media": Text("audio or video", "流媒体"),
        "geodata": Text("geographic data", "地理空间数据"),
        "service": Text("service interface", "服务接口"),
        "other": Text("self-described", "自描述格式"),
    },
    {"数据库类": "database", "图形图象": "image", "文档": "document", "自定义": "other",
     "CSV": "spreadsheet", "XLSX": "spreadsheet", "XLS": "spreadsheet", "JSON": "other",
     "XML": "other", "PDF": "document", "API": "service", "SHP": "geodata",
     "GeoJSON": "geodata", "Parquet": "database"},
)  # fmt: skip
SHARING: Final = Vocabulary(
    Text("sharing attribute", "共享类型"),
    {
        "unconditional": Text("shared freely", "无条件共享"),
        "conditional": Text("shared on conditions", "有条件共享"),
        "none": Text("not shared", "不予共享"),
    },
    {"不共享": "none"},
)
OPENING: Final = Vocabulary(
    Text("open attribute", "开放类型"),
    {
        "unconditional": Text("open to all", "无条件开放"),
        "conditional": Text("open on conditions", "有条件开放"),
        "none": Text("not open", "不予开放"),
    },
    {"是": "unconditional", "否": "none", "不开放": "none"},
)
CYCLES: Final = Vocabulary(
    Text("update cycle", "更新周期"),
    {
        "realtime": Text("real time", "实时"),
        "daily": Text("daily", "每日"),
        "weekly": Text("weekly", "每周"),
        "monthly": Text("monthly", "每月"),
        "quarterly": Text("quarterly", "每季度"),
        "half-yearly": Text("half-yearly", "每半年"),
        "yearly": Text("yearly", "每年"),
        "irregular": Text("irregular", "不定期"),
        "never": Text("not updated", "不更新"),
    },
    {"每天": "daily", "日": "daily", "每季": "quarterly", "每年度": "yearly", "按需": "irregular",
     "静态": "never", "一次性": "never"},
)  # fmt: skip
# Days after which data of a cycle is late: the cycle and as much again for the work.
CYCLE_DAYS: Final[dict[str, int]] = {
    "realtime": 2, "daily": 2, "weekly": 14, "monthly": 62, "quarterly": 184,
    "half-yearly": 366, "yearly": 730,
}  # fmt: skip
TYPES: Final = Vocabulary(
    Text("data type", "数据类型"),
    {
        "string": Text("string", "字符型C"),
        "integer": Text("integer", "整型I"),
        "decimal": Text("number", "数值型N"),
        "date": Text("date", "日期型D"),
        "datetime": Text("date and time", "日期时间型T"),
        "boolean": Text("true or false", "逻辑型L"),
        "text": Text("text", "备注型M"),
        "binary": Text("binary", "通用型G"),
    },
    {"字符型": "string", "字符串型": "string", "整型": "integer", "数值型": "decimal",
     "货币型": "decimal", "货币型Y": "decimal", "浮点型": "decimal", "浮点型F": "decimal",
     "双精度型B": "decimal", "双精度型": "decimal", "日期型": "date", "日期时间型": "datetime",
     "逻辑型": "boolean", "备注型": "text", "通用型": "binary", "二进制": "binary"},
)  # fmt: skip
THEMES: Final = Vocabulary(
    Text("theme", "主题"),
    {
        "education": Text("education and culture", "教育文化"),
        "health": Text("health", "医疗卫生"),
        "social-security": Text("social security and jobs", "社保就业"),
        "housing": Text("building and housing", "城建住房"),
        "transport": Text("transport", "交通运输"),
        "environment": Text("environment", "生态环境"),
        "market": Text("market supervision", "市场监管"),
        "finance": Text("taxes and finance", "财税金融"),
        "technology": Text("science and technology", "科技创新"),
        "safety": Text("public safety", "公共安全"),
        "agriculture": Text("agriculture", "农业农村"),
        "resources": Text("natural resources and energy", "资源能源"),
        "other": Text("other", "其他"),
    },
)
RELATIONS: Final = Vocabulary(
    Text("kind of relation", "关联类型"),
    {
        "related": Text("related to", "关联"),
        "derived": Text("made from", "加工自"),
        "replaces": Text("replaces", "替代"),
        "part": Text("part of", "隶属于"),
    },
)
USES: Final = Vocabulary(
    Text("permitted use", "允许用途"),
    {
        "join": Text("join", "关联"),
        "filter": Text("filter", "筛选"),
        "group": Text("group", "分组"),
        "aggregate": Text("aggregate", "汇总"),
    },
)
