"""Rows that the sample province opens, as their department has them before it desensitizes them.

Two datasets of a city's culture department: counts of public places, which are nobody's, and a
survey of residents, which may be opened only as far as its policy lets it. Nobody's numbers: drawn,
the same for the same seed, to the letter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from catalog.province.build import SOURCE, TODAY, Draws
from catalog.province.departments import Office, offices
from catalog.registry.record import Access, Item, Record, Version
from catalog.sample_lists import CITIES

_CITY: Final = "440100"
_WORK: Final = "Culture and Tourism"
_YEARS: Final = (2022, 2023, 2024, 2025)
# So many that most cells of sex, decade and district have twenty (k): the districts stay.
_RESIDENTS: Final = 9_600
# Kind of place, how many a district has at most, visits of one in a year at most (ten thousands).
_PLACES: Final = (("公共图书馆", 14, 42), ("博物馆", 12, 61), ("文化馆", 4, 19),
                  ("美术馆", 6, 23), ("综合性文化站", 22, 4), ("文化公园", 9, 38))  # fmt: skip
_OFTEN: Final = ("每周", "每月", "每季度", "每年", "从不")
_FREE: Final = Access("unconditional", "", "开放平台下载")
_MASKED: Final = Access("conditional", "仅开放脱敏副本，使用时注明来源", "开放平台下载")
_SHARED: Final = Access("unconditional", "", "共享平台库表交换")


@dataclass(frozen=True)
class OpenRows:
    """One dataset with rows.

    Attributes:
        record: As the catalog describes it.
        table: What the department has.
        policy: What becomes of each column, without the name of the dataset.
        officers: Whose sign-offs its grade requires.
    """

    record: Record
    table: pa.Table
    policy: str
    officers: tuple[str, ...] = ()


def open_rows(seed: int = 1) -> tuple[OpenRows, ...]:
    """Returns them.

    Args:
        seed: Another seed, other rows.
    """
    (office,) = (
        each for each in offices()
        if each.department.place == _CITY and each.domain.name_en == _WORK
    )  # fmt: skip
    draws = Draws(seed)
    places, survey = (pa.Table.from_pylist(list(rows)) for rows in (_places(draws), _survey(draws)))
    return (
        OpenRows(_record(office, 1, _PLACES_ARE, _PLACE_ITEMS, places), places, _PLACE_POLICY),
        OpenRows(
            _record(office, 2, _SURVEY_IS, _SURVEY_ITEMS, survey), survey, _SURVEY_POLICY,
            ("steward",),
        ),
    )  # fmt: skip


def _record(
    office: Office,
    number: int,
    words: tuple[str, str, str],
    items: tuple[Item, ...],
    rows: pa.Table,
) -> Record:
    name, name_en, says = words
    provider, domain = office.department, office.domain
    personal = max(item.grade for item in items) >= 3
    return Record(
        source=SOURCE, identifier=f"{provider.code}/OPEN{number:02}", name=name, name_en=name_en,
        provider=provider, items=items, place=_CITY, sharing=_SHARED,
        opening=_MASKED if personal else _FREE,
        abstract=f"{says}。由{provider.name}提供，来源于{office.hub}{domain.systems[0]}，数据为虚构。",
        path=("公共文化", name), format="spreadsheet", format_type="CSV", cycle="yearly",
        published=dt.date(2023, 3, 1), updated=TODAY, themes=(domain.theme,),
        scenarios=domain.scenarios[:1],
        # How many of a survey's rows become public, the gate decides.
        version=Version(label="2025", rows=None if personal else rows.num_rows),
    )  # fmt: skip


# ---- public places -----------------------------------------------------------------------------

_PLACES_ARE: Final = (
    "广州市各区公共文化场所统计",
    "Guangzhou public cultural places by district",
    "各区公共图书馆、博物馆、文化馆等公共文化场所的数量、建筑面积和接待人次",
)
_PLACE_ITEMS: Final = (
    Item("统计年度", "integer", 4, "year", "公历年份", "GB/T 7408", grade=1),
    Item("行政区划代码", "string", 6, "division", "县级行政区划代码", "GB/T 2260", grade=1),
    Item("区", "string", 20, "district", "区的名称", grade=1),
    Item("场所类型", "string", 20, "kind", "公共文化场所的类型", grade=1),
    Item("场所数量", "integer", 6, "places", "年末数，个", grade=1),
    Item("建筑面积", "integer", 10, "area_m2", "平方米", grade=1),
    Item("接待万人次", "decimal", 8, "visits", "全年，万人次", grade=1),
)
_PLACE_POLICY: Final = """
open = "unconditional"
[columns."统计年度"]
role = "other"
[columns."行政区划代码"]
role = "other"
[columns."区"]
role = "other"
[columns."场所类型"]
role = "other"
[columns."场所数量"]
role = "other"
[columns."建筑面积"]
role = "other"
[columns."接待万人次"]
role = "other"
[publish.methods]
"统计年度" = "keep"
"行政区划代码" = "keep"
"区" = "keep"
"场所类型" = "keep"
"场所数量" = "keep"
"建筑面积" = "keep"
"接待万人次" = "keep"
"""


def _districts() -> dict[str, str]:
    return next(city.districts for city in CITIES if next(iter(city.districts))[:4] == _CITY[:4])


def _places(draws: Draws) -> Iterator[dict[str, object]]:
    for year in _YEARS:
        for code, district in _districts().items():
            for kind, most, busy in _PLACES:
                count = 1 + draws.below(most, "places", code, kind) + (year - _YEARS[0]) // 2
                visits = 2 * busy + draws.below(8 * busy, year, code, kind)  # of one, thousands
                yield {
                    "统计年度": year,
                    "行政区划代码": code,
                    "区": district,
                    "场所类型": kind,
                    "场所数量": count,
                    "建筑面积": count * (800 + 100 * draws.below(60, "area", code, kind)),
                    "接待万人次": count * visits / 10,
                }


# ---- a survey of residents ---------------------------------------------------------------------

_SURVEY_IS: Final = (
    "广州市居民公共文化场所使用调查（脱敏）",
    "Guangzhou survey of visits to cultural places, desensitized",
    "居民到访公共文化场所的频次、满意度和文化消费的抽样调查，已脱敏：性别、年代和居住区相同的至少有二十人",
)
_SURVEY_ITEMS: Final = (
    Item("性别", "string", 1, "sex", "", "GB/T 2261.1", grade=2),
    Item("出生日期", "date", None, "born_on", "公开数据为年代", "GB/T 7408", grade=3),
    Item("居住区", "string", 20, "district", "居住所在区", grade=2),
    Item("常去场所", "string", 20, "place", "最常去的公共文化场所类型", grade=1),
    Item("到访频次", "string", 10, "how_often", "", grade=1),
    Item("满意度", "integer", 2, "satisfaction", "1 至 5，5 为非常满意", grade=1),
    Item("年文化消费", "integer", 8, "spent", "元，按百元取整", grade=2),
)
_SURVEY_POLICY: Final = """
open = "conditional"
[columns."姓名"]
type = "cn_person"
role = "direct"
[columns."手机号码"]
type = "cn_mobile"
role = "direct"
[columns."性别"]
role = "quasi"
[columns."出生日期"]
type = "birth_date"
role = "quasi"
[columns."居住区"]
role = "quasi"
[columns."常去场所"]
role = "other"
[columns."到访频次"]
role = "other"
[columns."满意度"]
role = "other"
[columns."年文化消费"]
type = "integer"
role = "sensitive"
bounds = [0, 100000]
[publish]
hierarchies = { "性别" = ["value", "*"], "出生日期" = ["10y", "*"], "居住区" = ["value", "*"] }
models = { k = 20, max_suppressed = 0.05 }
gate = { gbt42460_level_min = 2 }
[publish.methods]
"姓名" = "drop"
"手机号码" = "drop"
"常去场所" = "keep"
"到访频次" = "keep"
"满意度" = "keep"
"年文化消费" = { top_code = 20000, round = 100 }
"""


def _survey(draws: Draws) -> Iterator[dict[str, object]]:
    districts = tuple(_districts().values())
    kinds = tuple(kind for kind, _, _ in _PLACES)
    first = dt.date(1950, 1, 1)
    for number in range(_RESIDENTS):

        def below(bound: int, what: str, who: int = number) -> int:
            return draws.below(bound, "survey", what, who)

        yield {
            "姓名": "陈黄李林张梁刘吴王罗"[below(10, "surname")]
            + "伟丽强敏杰芳"[below(6, "given")],
            "手机号码": f"13{below(10**9, 'mobile'):09}",
            "性别": "男女"[below(2, "sex")],
            "出生日期": first + dt.timedelta(below(21_000, "born")),
            # Half of a city live in a third of its districts.
            "居住区": districts[min(below(11, "a"), below(11, "b"))],
            "常去场所": kinds[min(below(len(kinds), "kind"), below(len(kinds), "or"))],
            "到访频次": _OFTEN[max(below(4, "often"), below(5, "oftener"))],
            "满意度": 1 + max(below(5, "good"), below(5, "better")),
            "年文化消费": 40_000 // (1 + below(400, "spent")),
        }
