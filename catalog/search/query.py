"""What is asked of the catalog: words, facets, order, and where the page begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from catalog.registry import vocabulary as v
from desensitize.divisions import divisions
from protos.canonical import digest
from protos.faults import InputError
from protos.language import Text

Order = Literal["relevance", "date", "name", "usage"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
Facet = Literal[
    "theme", "scenario", "department", "grade", "format", "sharing", "opening", "place", "cycle",
    "kind",
]  # fmt: skip
FACETS: Final[tuple[Facet, ...]] = get_args(Facet)
VOCABULARIES: Final[dict[Facet, v.Vocabulary]] = {
    "theme": v.THEMES, "format": v.FORMATS, "sharing": v.SHARING, "opening": v.OPENING,
    "cycle": v.CYCLES, "kind": v.KINDS,
}  # fmt: skip
TITLES: Final[dict[Facet, Text]] = {
    "theme": Text("theme", "主题"),
    "scenario": Text("scenario", "应用场景"),
    "department": Text("department", "部门"),
    "grade": Text("grade", "数据分级"),
    "format": Text("format", "格式"),
    "sharing": Text("sharing", "共享类型"),
    "opening": Text("open", "开放类型"),
    "place": Text("place", "区域"),
    "cycle": Text("update cycle", "更新周期"),
    "kind": Text("kind", "资源类型"),
}
MOST_WORDS: Final = 8
LONGEST: Final = 200
MOST_HITS: Final = 1000


@dataclass(frozen=True)
class Query:
    """One search.

    Attributes:
        text: Words, all of which must be in a record; empty for all records.
        filters: Facet → codes, one of which a record must have.
        order: How hits are sorted; without words, relevance is the date.
        limit: Hits on a page, 1 to `MOST_HITS`.
        cursor: Where the page before ended; empty for the first.
    """

    text: str = ""
    filters: Mapping[Facet, tuple[str, ...]] = field(default_factory=dict)
    order: Order = "relevance"
    limit: int = 20
    cursor: str = ""

    def words(self) -> tuple[str, ...]:
        """The words, each once.

        Raises:
            InputError: They are too many or too long.
        """
        found = tuple(dict.fromkeys(self.text.split()))
        if len(found) > MOST_WORDS or len(self.text) > LONGEST:
            raise InputError(
                Text(
                    f"a search has at most {MOST_WORDS} words and {LONGEST} characters",
                    f"检索最多 {MOST_WORDS} 个词、{LONGEST} 个字符",
                ),
                remedy=Text("leave some out", "请减少检索词"),
                code="search.long",
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Returns what is searched for as JSON types: no page, no limit."""
        filters = {facet: sorted(codes) for facet, codes in sorted(self.filters.items()) if codes}
        return {"text": self.text, "filters": filters, "order": self.order}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Query:
        """Reads what `to_dict` gave."""
        filters = {cast("Facet", f): tuple(codes) for f, codes in body["filters"].items()}
        return cls(body["text"], filters, body["order"])


def read_order(text: str) -> Order:
    """Returns the order that a person wrote.

    Raises:
        InputError: It is none of `ORDERS`.
    """
    for order in ORDERS:
        if text == order:
            return order
    raise InputError(
        Text(f"hits are not sorted by {text[:20]!r}", f"不支持按“{text[:20]}”排序"),
        remedy=Text(f"use {', '.join(ORDERS)}", f"可用：{'、'.join(ORDERS)}"),
        code="search.order",
    )


def read_filter(facet: Facet, text: str) -> str:
    """Returns the code for what a person wrote; departments and scenarios stay as they are.

    Raises:
        InputError: The facet has no such value.
    """
    if facet in VOCABULARIES:
        return VOCABULARIES[facet].read(text)
    if facet == "grade":
        grade = text.strip().upper().removeprefix("L")
        if grade in {"1", "2", "3", "4"}:
            return grade
        raise InputError(
            Text(f"{text[:20]!r} is no grade", f"“{text[:20]}”不是有效分级"),
            remedy=Text("use L1, L2, L3 or L4", "请用 L1、L2、L3 或 L4"),
            code="search.grade",
        )
    if facet == "place":
        return read_place(text)
    return text


def read_place(text: str) -> str:
    """Returns the division for a code or for the name of a province, city or county.

    Raises:
        InputError: There is none, or several.
    """
    if text in divisions():
        return text
    wanted = {text, *(text + end for end in "省市区县")}
    found = [division.code for division in divisions().values() if division.name in wanted]
    # Of two with one name the larger is meant: 广州 is the city, whatever counties were called so.
    whole = [code for code in found if code.endswith("00")]
    best = whole or found
    if len(best) == 1:
        return best[0]
    raise InputError(
        Text(
            f"{text[:20]!r} is {'no division' if not best else 'the name of several divisions'}",
            f"“{text[:20]}”{'不是行政区划' if not best else '对应多个行政区划'}",
        ),
        remedy=Text(
            f"use a code of GB/T 2260, such as {', '.join(best[:5]) or '440100'}",
            f"请用 GB/T 2260 代码，如 {'、'.join(best[:5]) or '440100'}",
        ),
        code="search.place",
    )


# ---- cursors -----------------------------------------------------------------------------------


def cursor_after(query: Query, key: int | str, dataset: int) -> str:
    """Returns where the next page begins: behind this hit, in this search only."""
    body = [digest(query.to_dict())[:16], key, dataset]
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(query: Query) -> tuple[int | str, int]:
    """Returns key and dataset of the last hit of the page before.

    Raises:
        InputError: It is no cursor, or one of another search.
    """
    try:
        padded = query.cursor + "=" * (-len(query.cursor) % 4)
        search, key, dataset = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        kind = str if query.order == "name" else int
        fits = isinstance(key, kind) and isinstance(dataset, int)
        if not fits or not -(2**63) <= dataset < 2**63:
            raise ValueError("no key")
        if isinstance(key, int) and not -(2**63) <= key < 2**63:
            raise ValueError("no key")
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise _no_cursor() from error
    if search != digest(query.to_dict())[:16]:
        raise _no_cursor()
    return key, dataset


def _no_cursor() -> InputError:
    return InputError(
        Text("this is no place in this search", "该翻页标记不属于本次检索"),
        remedy=Text(
            "take the cursor that the page before gave, with the same words, filters and order",
            "请使用上一页给出的标记，并保持检索词、筛选和排序不变",
        ),
        code="search.cursor",
    )
