"""Guangdong's 21 cities as tiles, each about where it lies: a map that needs no map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from catalog.registry.cities import ENGLISH, place_title
from protos.language import Text

# Column and row of each city, from the west and from the north.
_PLACES: Final[dict[str, tuple[int, int]]] = {
    "440200": (4, 0),
    "441800": (3, 1), "440100": (4, 1), "441600": (5, 1), "441400": (6, 1), "445100": (7, 1),
    "445300": (1, 2), "441200": (2, 2), "440600": (3, 2), "441900": (4, 2), "441300": (5, 2),
    "445200": (6, 2), "440500": (7, 2),
    "440900": (0, 3), "441700": (1, 3), "440700": (2, 3), "442000": (3, 3), "440300": (4, 3),
    "441500": (5, 3),
    "440800": (0, 4), "440400": (3, 4),
}  # fmt: skip
CITIES: Final = tuple(_PLACES)
_SHADES: Final = 5
_STEP: Final = 100
_TILE: Final = 92


@dataclass(frozen=True)
class Tile:
    """One city on the map.

    Attributes:
        code: Of the division.
        name: Without its last character in Chinese, as on maps.
        count: Its datasets, its districts' with them.
        x: From the left, in the picture's units.
        y: From the top.
        shade: 0 (few) to 4 (many): which fifth of the cities it is in.
    """

    code: str
    name: Text
    count: int
    x: int
    y: int
    shade: int


@dataclass(frozen=True)
class TileMap:
    """The picture.

    Attributes:
        tiles: Cities, from north to south.
        width: In the picture's units.
        height: In the picture's units.
        side: Of a tile.
    """

    tiles: tuple[Tile, ...]
    width: int = 8 * _STEP
    height: int = 5 * _STEP
    side: int = _TILE


def tile_map(by_place: Mapping[str, int]) -> TileMap | None:
    """Draws the map; None of a catalog that has nothing of these cities.

    Args:
        by_place: Datasets by division, districts for themselves.
    """
    counts = by_city(by_place)
    if not any(counts.values()):
        return None
    ranked = sorted(counts.values())
    return TileMap(
        tuple(
            Tile(
                code, short_name(code), counts[code], column * _STEP + 4, row * _STEP + 4,
                ranked.index(counts[code]) * _SHADES // len(ranked),
            )
            for code, (column, row) in _PLACES.items()
        )
    )  # fmt: skip


def by_city(by_place: Mapping[str, int]) -> dict[str, int]:
    """Adds a city's districts up."""
    counts = dict.fromkeys(_PLACES, 0)
    for place, count in by_place.items():
        if (city := f"{place[:4]}00") in counts:
            counts[city] += count
    return counts


def short_name(code: str) -> Text:
    """Returns a city's name as it stands on maps."""
    return Text(ENGLISH[code], place_title(code).zh.removesuffix("市"))
