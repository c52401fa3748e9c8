"""Records for the tests of the catalog, and any record at all for property tests."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from catalog.registry import vocabulary as v
from catalog.registry.record import Access, Department, Item, Record, Relation, Version

POLICE = Department("11440100000000001A", "广州市公安局", "440100", "Guangzhou Public Security")
HEALTH = Department("11440100000000002B", "广州市卫生健康委员会", "440100")
LABOUR = Department("11440300000000003C", "深圳市人力资源和社会保障局", "440300")
FREE = Access("unconditional")
ASK = Access("conditional", "经审核同意")
CLOSED = Access("none", "含个人信息")


def record(identifier: str = "A/1", name: str = "医疗机构基本信息", **more: Any) -> Record:  # noqa: ANN401 - fields of Record
    """A sound record; fields as wanted."""
    plain = Record(
        source="local",
        identifier=identifier,
        name=name,
        provider=HEALTH,
        place="440100",
        sharing=FREE,
        opening=FREE,
        items=(
            Item("机构名称", "string", 200, "org_name", "登记的名称", grade=1),
            Item("床位数", "integer", grade=1, uses=frozenset({"aggregate"})),
        ),
        cycle="monthly",
        published=dt.date(2024, 1, 2),
        updated=dt.date(2025, 6, 1),
        themes=("health",),
        scenarios=("看病就医一件事",),
        version=Version("2025.6", "首次发布", 100),
    )
    return replace(plain, **more)


def citizen_item(source: str = "", subject: str = "自然人", name: str = "户籍地址") -> Item:
    """An item that means the same beyond its dataset."""
    return Item(name, "string", 300, grade=3, subject=subject, source=source)


# ---- any record -------------------------------------------------------------------------------

# Letters, what other formats take for their own, and characters beyond 16 bits; building the set of
# all characters would take seconds.
_LETTERS = "abcXYZ019数据目录信息人ß％№＝'\"=+-@,#<>&\\{}[]()%$^~`!?._𠮷😀"
# What spreadsheets and shells would take for their own is wanted here.
WORDS = st.one_of(
    st.text(_LETTERS, min_size=1, max_size=12),
    st.sampled_from(["=1+1", "+86", "-1", "@SUM", "'=x", "''+1", "数据", '"quoted"', "a,b", "＝1"]),
)
LONG = st.one_of(st.just(""), st.lists(WORDS, min_size=1, max_size=4).map("\n".join))
CODES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,12}", fullmatch=True).filter(
    lambda code: ".." not in code
)
SOURCES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
PLACES = st.sampled_from(["440000", "440100", "440103", "440300"])
DAYS = st.one_of(st.none(), st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1)))
COUNTS = st.one_of(st.none(), st.integers(0, 2**50))


def _codes(vocabulary: v.Vocabulary) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(vocabulary.terms))


@st.composite
def items(draw: st.DrawFn) -> Item:
    subject = draw(st.one_of(st.just(""), WORDS))
    return Item(
        name=draw(WORDS),
        type=draw(_codes(v.TYPES)),
        length=draw(st.one_of(st.none(), st.integers(1, 10**6))),
        name_en=draw(st.one_of(st.just(""), WORDS)),
        description=draw(st.one_of(st.just(""), WORDS)),
        code_list=draw(st.one_of(st.just(""), WORDS)),
        grade=draw(st.integers(1, 4)),
        uses=draw(st.frozensets(st.sampled_from(["join", "filter", "group", "aggregate"]))),
        subject=subject,
        source=draw(st.one_of(st.just(""), CODES)) if subject else "",
    )


@st.composite
def accesses(draw: st.DrawFn, attribute: str) -> Access:
    needed = attribute != "unconditional"
    condition = draw(LONG.filter(bool) if needed else LONG)
    return Access(attribute, condition, draw(st.one_of(st.just(""), WORDS)))


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any record that `rules` lets in."""
    opening = draw(st.sampled_from(["conditional", "none"]))
    published, updated = draw(DAYS), draw(DAYS)
    if published and updated and updated < published:
        published, updated = updated, published
    category = draw(_codes(v.CATEGORIES))
    path = draw(st.lists(WORDS, max_size=2))
    if category == "base":
        path = [draw(st.sampled_from([t.zh for t in v.BASES.terms.values()])), *path]
    provider = Department(
        draw(CODES), draw(WORDS), draw(PLACES), draw(st.one_of(st.just(""), WORDS))
    )
    return Record(
        source=draw(SOURCES),
        identifier=draw(CODES),
        name=draw(WORDS),
        provider=provider,
        items=tuple(
            draw(st.lists(items(), min_size=1, max_size=3, unique_by=lambda item: item.name))
        ),
        place=draw(PLACES),
        sharing=draw(accesses(draw(st.sampled_from(["unconditional", "conditional"])))),
        opening=draw(accesses(opening)),
        kind=draw(_codes(v.KINDS)),
        category=category,
        path=tuple(path),
        name_en=draw(st.one_of(st.just(""), WORDS)),
        abstract=draw(LONG),
        format=draw(_codes(v.FORMATS)),
        format_type=draw(st.one_of(st.just(""), WORDS)),
        cycle=draw(_codes(v.CYCLES)),
        published=published,
        updated=updated,
        system=draw(st.one_of(st.just(""), WORDS)),
        themes=tuple(draw(st.lists(_codes(v.THEMES), max_size=2, unique=True))),
        scenarios=tuple(draw(st.lists(WORDS, max_size=2, unique=True))),
        relations=tuple(
            draw(
                st.lists(
                    st.builds(Relation, _codes(v.RELATIONS), SOURCES, CODES),
                    max_size=2,
                    unique=True,
                )
            )
        ),
        version=Version(
            draw(st.one_of(st.just(""), WORDS)), draw(LONG), *(draw(COUNTS) for _ in range(4))
        ),
    )
