"""How long the files of tests take, so that the longest begin first: ``make seconds``.

A file stays with one worker. A long one that begins last is waited for while the others have
nothing to do, and xdist by itself begins with the files that have most tests, not the longest.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

TABLE: Final = Path(__file__).with_suffix(".txt")
UNKNOWN_S: Final = 5.0
"""Of a file that is not in the table yet: before the many short ones, after the long ones."""


def read() -> dict[str, float]:
    """Returns the seconds of each file, by its path from the top of the repository."""
    lines = (line.split() for line in TABLE.read_text("utf-8").splitlines())
    return {path: float(seconds) for seconds, path in lines}


def measured(report: Path) -> dict[str, float]:
    """Sums a report up (``--junitxml``): set-up, call and tear-down of all tests of each file."""
    sums: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        parts = case.attrib["classname"].split(".")
        module = next(i for i, part in enumerate(parts) if part.startswith("test_"))
        sums["/".join(parts[: module + 1]) + ".py"] += float(case.attrib["time"])
    return dict(sums)


def write(seconds: dict[str, float]) -> None:
    """Writes the table, the longest first."""
    rows = sorted(seconds.items(), key=lambda item: (-round(item[1], 1), item[0]))
    TABLE.write_text("".join(f"{taken:.1f} {path}\n" for path, taken in rows), "utf-8")


if __name__ == "__main__":
    write(measured(Path(sys.argv[1])))
