"""Makes the sample province's records: the same seed gives the same records, to the letter."""

from __future__ import annotations

import datetime as dt
import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from catalog.province.departments import Office, offices
from catalog.province.sources import Aspect, Thing, aspects
from catalog.registry.record import Access, Item, Record, Relation, Version
from catalog.registry.vocabulary import CYCLES
from protos.faults import InputError
from protos.language import Text

DATASETS: Final = 41_600
SOURCE: Final = "guangdong"
TODAY: Final = dt.date(2025, 12, 31)
"""The day on which the sample province stands still."""

_SHARE: Final = {"province": 5, "city": 3, "county": 2}
_FORMATS: Final = {
    "table": (("database", "MySQL"), ("database", "达梦"), ("database", "人大金仓"),
              ("spreadsheet", "XLSX"), ("database", "Oracle")),
    "file": (("spreadsheet", "XLSX"), ("document", "PDF"), ("spreadsheet", "CSV")),
    "series": (("database", "openGauss"), ("spreadsheet", "CSV"), ("spreadsheet", "XLSX")),
    "layer": (("geodata", "GeoJSON"), ("geodata", "SHP")),
    "service": (("service", "REST"), ("service", "REST")),
}  # fmt: skip
_GROUND: Final = "依据《中华人民共和国个人信息保护法》，含敏感个人信息"
_AGO: Final = {"realtime": 1, "daily": 1, "weekly": 7, "monthly": 31, "quarterly": 92,
               "half-yearly": 183, "yearly": 365}  # fmt: skip
_MOBILE: Final = "手机号码"
# Who also says to be the source of people's mobile numbers, beside the police: real disputes.
_CLAIM_MOBILE: Final = ("Public Security", "Human Resources and Social Security",
                        "Healthcare Security")  # fmt: skip


@dataclass
class Draws:
    """Numbers that look drawn, each a function of the seed and of what it is for."""

    seed: int

    def below(self, bound: int, *what: object) -> int:
        """Returns a number from 0 below ``bound``; the bias is below bound / 2**64."""
        text = "/".join(map(str, (self.seed, *what)))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) % bound


def province(datasets: int = DATASETS, seed: int = 1) -> Iterator[Record]:
    """Yields the records of the sample province, department by department.

    Args:
        datasets: How many, 1 to about 79,000.
        seed: Another seed, another choice of datasets.

    Raises:
        InputError: More than there is to tell, or less than one.
    """
    draws, all_offices = Draws(seed), offices()
    wanted = _shares(draws, all_offices, datasets)
    # Only who is in the sample is named as responsible: its files are complete in themselves.
    by_place = {
        (office.department.place, office.domain.name_en): office.department.code
        for office, count in zip(all_offices, wanted, strict=True)
        if count
    }
    for number, (office, count) in enumerate(zip(all_offices, wanted, strict=True)):
        if not count:
            continue
        order = sorted(
            _topics(office), key=lambda t: draws.below(1 << 60, number, t[0].name, t[1].name)
        )
        for place, (thing, aspect) in enumerate(order[:count]):
            yield _record(draws, office, thing, aspect, place, by_place)


def uses_of(records: list[Record], seed: int = 1) -> dict[tuple[str, str], int]:
    """Returns how often each record was used: a few very often, most hardly ever."""
    draws = Draws(seed)
    return {
        record.key: 60_000 // (1 + draws.below(len(records), "use", record.identifier))
        for record in records
    }


def _topics(office: Office) -> list[tuple[Thing, Aspect]]:
    return [
        (thing, aspect)
        for thing in office.domain.things
        for aspect in aspects()
        if thing.kind in aspect.of
    ]


def _shares(draws: Draws, all_offices: list[Office], datasets: int) -> list[int]:
    """Divides the datasets among the departments: by level, within what each has to tell."""
    most = [len(_topics(office)) for office in all_offices]
    if not 1 <= datasets <= sum(most):
        raise InputError(
            Text(
                f"the sample province has 1 to {sum(most):,} datasets",
                f"示例省份可有 1 至 {sum(most):,} 个数据资源",
            ),
            remedy=Text("choose a number between them", "请在此范围内选择"),
            code="sample.size",
        )

    # Each department registers one dataset a turn, a province's five turns while a county's takes
    # one; the earliest are taken. So a small sample has datasets from everywhere, too.
    def turns(place: int, office: Office) -> Iterator[tuple[float, int]]:
        for number in range(most[place]):
            drawn = draws.below(1000, "turn", place, number) / 1000
            yield (number + drawn) / _SHARE[office.level], place

    counts = [0] * len(most)
    earliest = heapq.merge(*(turns(place, office) for place, office in enumerate(all_offices)))
    for _, place in islice(earliest, datasets):  # nothing is drawn for turns that do not come
        counts[place] += 1
    return counts


def _record(
    draws: Draws,
    office: Office,
    thing: Thing,
    aspect: Aspect,
    place: int,
    by_place: dict[tuple[str, str], str],
) -> Record:
    domain, department = office.domain, office.department
    what = (department.code, thing.name, aspect.name)
    items = _items(office, thing, aspect, by_place)
    cycle = aspect.cycles[draws.below(len(aspect.cycles), "cycle", *what)]
    format_, format_type = _FORMATS[aspect.kind][
        draws.below(len(_FORMATS[aspect.kind]), "format", *what)
    ]
    published = TODAY - dt.timedelta(200 + draws.below(2400, "published", *what))
    updated = _updated(draws, cycle, published, what)
    system = f"{office.hub}{domain.systems[draws.below(len(domain.systems), 'system', *what)]}"
    first = draws.below(len(domain.scenarios), "scenario", *what)
    scenarios = tuple(dict.fromkeys((domain.scenarios[first], domain.scenarios[first - 1])))[
        : 1 + draws.below(2, "scenarios", *what)
    ]
    sharing, opening = _access(max(item.grade for item in items), draws, what)
    name = f"{office.area}{thing.name}{aspect.name}"
    rows = 50 + 4_000_000 // (1 + draws.below(5_000, "rows", *what))
    says = aspect.says.format(thing=thing.name)
    return Record(
        source=SOURCE,
        identifier=_code(department.code, place),
        name=name,
        provider=department,
        items=items,
        place=department.place,
        sharing=sharing,
        opening=opening,
        kind=aspect.kind,
        category=_category(thing, aspect)[0],
        path=_category(thing, aspect)[1],
        name_en=f"{office.area_en} {thing.name_en}: {aspect.name_en}" if office.area_en else "",
        abstract=f"{says}。由{department.name}提供，来源于{system}，{CYCLES.title(cycle).zh}更新，"
        f"可用于{'、'.join(scenarios)}等场景。",
        format=format_,
        format_type=format_type,
        cycle=cycle,
        published=published,
        updated=updated,
        system=system,
        themes=(domain.theme,),
        scenarios=scenarios,
        relations=_relations(department.code, place),
        version=Version(
            label=f"{updated.year}.{updated.month}",
            rows=rows,
            added=rows // 50,
            removed=rows // 400,
            changed=rows // 120,
        ),
    )


def _items(
    office: Office, thing: Thing, aspect: Aspect, by_place: dict[tuple[str, str], str]
) -> tuple[Item, ...]:
    department = office.department
    items: dict[str, Item] = {}
    claims_mobile = office.level != "county" and office.domain.name_en in _CLAIM_MOBILE
    for part in aspect.items:
        if part is None:
            for own in thing.items:
                items.setdefault(own.name, own)
            continue
        item, answers = part
        if item.subject:
            source = by_place.get((department.place, answers))
            if source is None:
                item = replace(item, subject="")
            elif source != department.code:
                item = replace(item, source=source)
        elif item.name == _MOBILE and claims_mobile:
            item = replace(item, subject="自然人")
        items.setdefault(item.name, item)
    return tuple(items.values())


def _access(grade: int, draws: Draws, what: tuple[str, ...]) -> tuple[Access, Access]:
    chance = draws.below(100, "access", *what)
    if grade == 4:
        sharing = Access("conditional", "经数据主体授权或依法履行职责所必需，一事一议", "接口核验")
        return sharing, Access("none", _GROUND)
    if grade == 3:
        sharing = Access("conditional", "用于履行法定职责，经提供部门审核", "共享平台库表交换")
        if chance < 25:
            return sharing, Access("conditional", "脱敏后按协议开放", "数据沙箱")
        return sharing, Access("none", _GROUND)
    if chance < 3:
        return Access("none", "依据《中华人民共和国保守国家秘密法》有关规定"), Access(
            "none", "涉及工作秘密"
        )
    if chance < (85 if grade == 1 else 55):
        return Access("unconditional", "", "共享平台库表交换"), Access(
            "unconditional", "", "开放平台下载"
        )
    return Access("conditional", "用于行政管理和公共服务", "共享平台接口"), Access(
        "conditional", "实名注册并签署数据利用协议", "开放平台接口"
    )


def _updated(draws: Draws, cycle: str, published: dt.date, what: tuple[str, ...]) -> dt.date:
    days = _AGO.get(cycle, 500)
    late = 6 if draws.below(12, "late", *what) == 0 else 1  # one in twelve is behind
    ago = draws.below(days * late, "updated", *what)
    return max(published, TODAY - dt.timedelta(ago))


def _category(thing: Thing, aspect: Aspect) -> tuple[str, tuple[str, ...]]:
    if thing.kind == "person" and aspect.name == "基本信息":
        return "base", ("人口", thing.name)
    if thing.kind == "org" and aspect.name == "基本信息":
        return "base", ("法人单位", thing.name)
    if aspect.kind == "layer":
        return "base", ("自然资源和空间地理", thing.name)
    if aspect.name == "信用评价信息":
        return "theme", ("公共信用", thing.name)
    return "department", (thing.name, aspect.name)


def _code(department: str, place: int) -> str:
    """The code of a resource: its provider's code and a number that runs within it."""
    return f"{department}/{place + 1:06d}"


def _relations(department: str, place: int) -> tuple[Relation, ...]:
    """Every seventh dataset is made from the one that its department registered before."""
    if place % 7 != 6:
        return ()
    return (Relation("derived", SOURCE, _code(department, place - 1)),)
