"""The sample province's departments: which there are, their names and their credit codes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from catalog.province.sources import Domain, domains, overrides
from catalog.registry.cities import ENGLISH, GUANGDONG
from catalog.registry.record import Department
from desensitize.divisions import Division, divisions
from desensitize.recognisers.organisation import ALPHABET

PROVINCE: Final = GUANGDONG
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
# The work that nearly every district has a department of its own for; elsewhere it is the city's.
_EVERYWHERE: Final = frozenset(
    {"Public Security", "Health", "Education", "Civil Affairs", "Market Regulation",
     "Government Services and Data"}
)  # fmt: skip
_CHANCE: Final = {True: 240, False: 38}  # of 256


@dataclass(frozen=True)
class Office:
    """One department of the sample.

    Attributes:
        department: Who it is.
        domain: What it does.
        level: ``province``, ``city`` or ``county``.
        area: Full name of its territory, such as 广州市天河区.
        area_en: English name of it; empty below the city.
        hub: Whose information systems it works with: its own, or its city's.
    """

    department: Department
    domain: Domain
    level: str
    area: str
    area_en: str
    hub: str


def offices() -> list[Office]:
    """Returns all departments, the province's first."""
    found: list[Office] = []
    for place in _places():
        for number, domain in enumerate(domains()):
            if office := _office(place, domain, number):
                found.append(office)
    return found


def _places() -> list[Division]:
    ours = [d for d in divisions().values() if d.code[:2] == PROVINCE[:2] and d.last == 2024]
    cities = [d for d in ours if d.code.endswith("00")]
    return sorted(cities, key=lambda d: d.code) + [d for d in ours if not d.code.endswith("00")]


def _office(place: Division, domain: Domain, number: int) -> Office | None:
    known = divisions()
    province, city = known[PROVINCE].name, known[place.code[:4] + "00"].name
    english = ENGLISH.get(place.code, "")
    if place.code == PROVINCE:
        name, level, area = domain.province.format(p=province), "province", province
    elif place.code.endswith("00"):
        name, level, area = domain.city.format(c=city), "city", city
    else:
        level = "county"
        is_district = place.name.endswith("区")
        area = f"{city}{place.name}" if is_district else place.name
        pattern = domain.district if is_district else domain.county
        # 天河区教育局 is 广州市天河区教育局 in full; 广州市公安局天河区分局 has its city already.
        name = pattern.format(c=city, d=place.name if "{c}" in pattern else area)
        if _byte(place.code, number) >= _CHANCE[domain.name_en in _EVERYWHERE]:
            return None
    if not name:
        return None
    name = overrides().get(name, name)
    department = Department(
        _credit_code(place.code, number),
        name,
        place.code,
        f"{english} {domain.name_en}" if english else "",
    )
    hub = city if level == "county" else area
    return Office(department, domain, level, area, english, hub)


def _byte(place: str, number: int) -> int:
    return hashlib.sha256(f"{place}/{number}".encode()).digest()[0]


def _credit_code(place: str, number: int) -> str:
    """Makes a code of the right form (GB 32100, GB 11714): 11 is an organ of the state."""
    body = f"{int(hashlib.sha256(f'{place}-{number}'.encode()).hexdigest(), 16) % 10**6:06d}"
    organisation = f"{number:02d}{body}"
    rest = sum(int(c) * w for c, w in zip(organisation, _ORGANISATION_WEIGHTS, strict=True)) % 11
    organisation += "0123456789X0"[11 - rest]
    code = f"11{place}{organisation}"
    total = sum(ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(code))
    return code + ALPHABET[(31 - total % 31) % 31]
