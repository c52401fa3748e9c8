"""The fixed lists behind the sample province: divisions, names, departments, diagnoses.

Division codes follow GB/T 2260 (county level), diagnoses ICD-10 three-character categories.
Dongguan is one of the four cities of China without county-level divisions, so it has one code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class City:
    """One city of the sample province.

    Attributes:
        name: Department name in the exchange.
        title: The health department's name for people.
        districts: GB/T 2260 code → Chinese name.
    """

    name: str
    title: str
    districts: dict[str, str]


CITIES: Final[tuple[City, ...]] = (
    City(
        "guangzhou",
        "广州市卫生健康委员会",
        {
            "440103": "荔湾区",
            "440104": "越秀区",
            "440105": "海珠区",
            "440106": "天河区",
            "440111": "白云区",
            "440112": "黄埔区",
            "440113": "番禺区",
            "440114": "花都区",
            "440115": "南沙区",
            "440117": "从化区",
            "440118": "增城区",
        },
    ),
    City(
        "shenzhen",
        "深圳市卫生健康委员会",
        {
            "440303": "罗湖区",
            "440304": "福田区",
            "440305": "南山区",
            "440306": "宝安区",
            "440307": "龙岗区",
            "440308": "盐田区",
            "440309": "龙华区",
            "440310": "坪山区",
            "440311": "光明区",
        },
    ),
    City(
        "foshan",
        "佛山市卫生健康局",
        {
            "440604": "禅城区",
            "440605": "南海区",
            "440606": "顺德区",
            "440607": "三水区",
            "440608": "高明区",
        },
    ),
    City("dongguan", "东莞市卫生健康局", {"441900": "东莞市"}),
    City(
        "zhuhai",
        "珠海市卫生健康局",
        {"440402": "香洲区", "440403": "斗门区", "440404": "金湾区"},
    ),
)

DISTRICT_NAMES: Final[dict[str, str]] = {
    code: name for city in CITIES for code, name in city.districts.items()
}

# The surnames that are common in Guangdong, each with a weight per thousand.
SURNAMES: Final[tuple[tuple[str, int], ...]] = (
    ("陈", 106), ("黄", 88), ("李", 82), ("林", 58), ("张", 54), ("梁", 52), ("刘", 44),
    ("吴", 40), ("王", 36), ("罗", 32), ("杨", 28), ("何", 28), ("谢", 24), ("曾", 22),
    ("周", 20), ("邓", 20), ("叶", 20), ("郑", 18), ("蔡", 16), ("朱", 16), ("潘", 15),
    ("冯", 15), ("赖", 14), ("钟", 14), ("彭", 13), ("许", 13), ("余", 12), ("苏", 12),
    ("麦", 9), ("卢", 11), ("莫", 8), ("温", 9), ("欧阳", 6), ("司徒", 4), ("区", 5),
)  # fmt: skip

GIVEN: Final[dict[str, str]] = {
    "M": "伟强明杰俊辉文斌志豪建华国健浩宇嘉铭子轩家骏永泰启航振邦荣光海涛耀祖",
    "F": "芳丽敏静婷玲雪燕欣怡慧敏嘉欣晓彤美娟秀英淑贞桂兰雅琪诗韵梓晴咏仪佩珊",
}

# Five-year bands of age from 0-4 to 95-99: weight per thousand visitors.
AGE_WEIGHTS: Final[tuple[int, ...]] = (
    90, 60, 40, 35, 50, 70, 80, 80, 70, 60, 60, 65, 65, 60, 50, 35, 18, 8, 3, 1,
)  # fmt: skip

# Diagnosis (ICD-10), department, weight per thousand, usual cost in fen, most days of treatment.
DIAGNOSES: Final[tuple[tuple[str, str, int, int, int], ...]] = (
    ("J06", "internal", 170, 15_000, 5),
    ("I10", "internal", 130, 28_000, 30),
    ("E11", "internal", 90, 42_000, 30),
    ("K29", "internal", 80, 36_000, 14),
    ("J45", "respiratory", 50, 52_000, 21),
    ("J18", "respiratory", 40, 88_000, 14),
    ("M54", "orthopaedics", 80, 46_000, 14),
    ("S52", "orthopaedics", 25, 120_000, 45),
    ("L30", "dermatology", 70, 19_000, 10),
    ("H10", "ophthalmology", 50, 16_000, 7),
    ("K02", "dentistry", 75, 61_000, 3),
    ("N39", "urology", 45, 33_000, 10),
    ("F41", "psychiatry", 35, 39_000, 30),
    ("K35", "surgery", 15, 168_000, 10),
    ("Z00", "check-up", 45, 55_000, 1),
)

DEPARTMENTS: Final[tuple[str, ...]] = tuple(dict.fromkeys(row[1] for row in DIAGNOSES))
