"""Administrative divisions: which six-digit codes there are, and have been (GB/T 2260).

The list and where it comes from: ``build.py``. Codes stay valid for whoever was registered under
them, so a code that has been abolished is as good as one in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

_LIST: Final = "gbt2260.tsv"


@dataclass(frozen=True)
class Division:
    """One division.

    Attributes:
        code: Six digits; ``XX0000`` is a province, ``XXXX00`` a city.
        name: Its latest name.
        first: First year in which the code is listed; 1980 is the beginning of the list.
        last: Last year in which it is listed.
    """

    code: str
    name: str
    first: int
    last: int


@cache
def divisions() -> dict[str, Division]:
    """Returns all divisions by code."""
    text = files(__package__).joinpath(_LIST).read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {code: Division(code, name, int(first), int(last)) for code, name, first, last in rows}


@cache
def known_prefectures() -> npt.NDArray[np.bool_]:
    """Returns a table of 10,000 flags: whether the first four digits have ever been assigned.

    Four digits, not six: ids of people registered in development zones and in counties that were
    renumbered carry codes that no county list has, and a leak finder must not lose them.
    """
    table = np.zeros(10_000, dtype=np.bool_)
    for code in divisions():
        table[int(code[:4])] = True
    # Municipalities count their districts as 01 and their counties as 02 under the province.
    table.setflags(write=False)
    return table
