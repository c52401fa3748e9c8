"""An address, a division code or a resident id becomes its district, city or province."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import ClassVar, Final, Literal

import pyarrow as pa

from desensitize.divisions import divisions
from desensitize.masking.base import Cell, Function, Workshop
from desensitize.masking.readings import as_text
from protos.language import Text

Level = Literal["district", "city", "province"]
_LEVELS: Final[dict[Level, int]] = {"province": 1, "city": 2, "district": 3}
_HEAD: Final = 28
"""Characters in which the names of province, city and district stand; the longest are 27."""
_KEPT: Final = 200_000
# Between province and county where there is no city; no address says them.
_UNNAMED: Final = frozenset(
    {"市辖区", "县", "直辖县", "省直辖县级行政区划", "自治区直辖县级行政区划"}
)
_SUFFIXES: Final = ("特别行政区", "维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "省", "市")


_LEFT: Final[dict[Level, Text]] = {
    "province": Text("the province", "可知所在省级地区"),
    "city": Text("the city, with its province", "可知所在省和地级市"),
    "district": Text("the district or county, with its city and province", "可知所在省、市和区县"),
}


@dataclass(frozen=True)
class District:
    """Leaves the administrative division of an address (GB/T 2260), at most as fine as asked.

    Read from the beginning of the text: province, city and district with or without 省 and 市,
    each of which may be missing as long as one division only can be meant; or from a code of six
    digits, which ids begin with. An address that says only its city becomes its city. What names
    no known division becomes NULL and is counted; so does a name that several divisions have
    (白云区 is in Guangzhou and in Guiyang), unless the policy names a column that decides
    (``within``): these are counted apart.

    Conclusions: the division. A district of 50,000 people with a rare age or trade beside it
    still singles out.

    Attributes:
        level: The finest division that may be left.
    """

    level: Level

    reads_division: ClassVar = True
    title: ClassVar = Text("address reduced to its division", "地址泛化到行政区划")
    concludes: ClassVar = Text("province, city or district", "可知省、市或区县")

    @property
    def conclusion(self) -> Text:
        """What this level leaves."""
        return _LEFT[self.level]

    def apply(self, cell: Cell, shop: Workshop) -> Cell:
        """Returns names such as 广东省广州市天河区."""
        return shop.call(Function(_reader(self.level), unclear=which_unclear), beginning_of(cell))


def beginning_of(cell: Cell) -> str:
    """Returns the expression of the part of a text that can name a division."""
    # Streets and numbers differ from cell to cell, what stands before them does not: cut
    # there, few different texts are left to be looked up.
    head = f"left(replace(trim({as_text(cell).sql}), ' ', ''), {_HEAD})"
    cut = rf"regexp_extract({head}, '^(?:[0-9]{{6}}|.*[省市区县旗州盟岛])')"
    return f"CASE WHEN {cut} <> '' THEN {cut} ELSE {head} END"


def which_unclear(values: pa.Array) -> pa.Array:
    """Says of each text whether it names several divisions, so that none can be meant for sure."""
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    coded = values.dictionary_encode()
    unclear = [is_unclear(text) for text in coded.dictionary.to_pylist()]
    return pa.array(unclear, pa.bool_()).take(coded.indices)


def is_unclear(text: str) -> bool:
    """Whether a text begins with a name that several divisions have: 白云区, 鼓楼区, 朝阳区."""
    beginning = _beginning(text)
    return bool(beginning) and text[:6] not in divisions() and not spellings()[beginning]


def names_one(text: str) -> bool:
    """Whether a text is a code or name of a division and nothing else, clear or not."""
    return text in divisions() or text in spellings()


def within(cell: Cell, other: Cell, shop: Workshop) -> Cell:
    """Reads a column of divisions with the help of another one, in whose divisions they lie.

    What names one division by itself stays as it is; 白云区 beside 贵阳市 becomes
    贵州省贵阳市白云区.

    Args:
        cell: The column.
        other: City, province or code.
        shop: Of the release.
    """
    pair = f"({as_text(cell).sql}) || chr(31) || coalesce({as_text(other).sql}, '')"
    name = shop.function(Function(_located))
    return Cell(f"{name}({pair})", "VARCHAR")


def _located(pairs: pa.Array) -> pa.Array:
    pairs = pairs.combine_chunks() if isinstance(pairs, pa.ChunkedArray) else pairs
    coded = pairs.dictionary_encode()
    found = [located(*pair.split(chr(31), 1)) for pair in coded.dictionary.to_pylist()]
    return pa.array(found, pa.string()).take(coded.indices)


def located(text: str, place: str) -> str:
    """Returns a division's name with what it lies in, where that decides which one is meant.

    Args:
        text: As it is written.
        place: Name or code of a division in which it lies, or of the division itself.
    """
    plainly = text.strip().replace(" ", "")
    if not is_unclear(plainly):
        return text
    code = _code_of(place.strip().replace(" ", ""))
    levels: tuple[Level, ...] = ("city", "province") if code else ()
    for level in levels:
        before = full_name(code, level)
        if before and division_of(before + plainly, "district") != before:
            return before + plainly
    return text


def _reader(level: Level) -> Callable[[pa.Array], pa.Array]:
    # Two threads may read at once: this cache lets them.
    division = lru_cache(_KEPT)(partial(division_of, level=level))

    def read(values: pa.Array) -> pa.Array:
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        coded = values.dictionary_encode()
        names = [division(text) for text in coded.dictionary.to_pylist()]
        return pa.array(names, pa.string()).take(coded.indices)

    return read


def division_of(text: str, level: Level = "district") -> str | None:
    """Returns the full name of the division that a text begins with, or None."""
    code = _code_of(text)
    return full_name(code, level) if code else None


def _code_of(text: str) -> str:
    return text[:6] if text[:6] in divisions() else spellings().get(_beginning(text), "")


def _beginning(text: str) -> str:
    """The longest beginning of the text that names one division."""
    names = spellings()
    for length in range(min(len(text), _HEAD), 1, -1):
        if text[:length] in names:
            return text[:length]
    return ""


def full_name(code: str, level: Level) -> str:
    """Returns province, city and district of a code, down to a level."""
    known, parts = divisions(), []
    for place, end in enumerate((2, 4, 6), 1):
        upper = code[:end].ljust(6, "0")
        if place > _LEVELS[level] or (place > 1 and upper == code[: end - 2].ljust(6, "0")):
            break
        if upper in known and known[upper].name not in _UNNAMED:
            parts.append(known[upper].name)
    return "".join(parts)


@cache
def spellings() -> dict[str, str]:
    """Returns codes by the ways in which an address can begin.

    A code in use goes before one that was abolished; a beginning that two divisions in use could
    have means neither, and has an empty code.
    """
    found: dict[str, set[str]] = {}
    known = divisions()
    for code, division in known.items():
        if division.name in _UNNAMED:
            continue
        province, city = known.get(code[:2] + "0000"), known.get(code[:4] + "00")
        befores = {""}
        if province is not None and not code.endswith("0000"):
            befores |= set(_short(province.name))
        if city is not None and not code.endswith("00") and city.name not in _UNNAMED:
            befores = befores | {b + c for b in befores for c in _short(city.name)}
        own = _short(division.name) if code.endswith("00") else (division.name,)
        for before in befores:
            for name in own:
                found.setdefault(before + name, set()).add(code)
    latest = max(division.last for division in known.values())
    result = {}
    for spelling, codes in found.items():
        in_use = {code for code in codes if known[code].last == latest} or codes
        # Kept though it means nothing: 朝阳区 must not be read as 朝阳, a city.
        result[spelling] = next(iter(in_use)) if len(in_use) == 1 else ""
    return result


def _short(name: str) -> tuple[str, ...]:
    """A name, and what people leave of it."""
    for suffix in _SUFFIXES:
        short = name.removesuffix(suffix)
        if short != name and len(short) > 1:
            return (name, short)
    return (name,)
