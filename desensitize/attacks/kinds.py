"""What a column holds: numbers of persons show it themselves, whatever a policy calls them."""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from desensitize.attacks import other_spaces
from desensitize.attacks.view import View, text
from desensitize.recognisers import by_name

RESIDENT: Final = "cn_resident_id"
COUNTED: Final = (RESIDENT, *other_spaces.SPACES)
"""Types of which it is known how many numbers there are."""
SAMPLE: Final = 5_000
"""Rows that are looked at."""
_MOSTLY: Final = 0.8


def kind_of(view: View, name: str) -> str:
    """Returns as what a column's masks are counted: what its values are, or the policy says.

    A type that is not counted stays what it is said to be: its masks are not passed at all.
    """
    said = view.policy.columns[name].type
    return said if said in by_name() and said not in COUNTED else number_in(view, name) or said


def number_in(view: View, name: str) -> str:
    """Returns which numbers of persons most values are, whatever is said; empty for none."""
    said = view.policy.columns[name].type
    cells = f"SELECT {text(view.original, name)} AS v FROM {view.original.sql} LIMIT {SAMPLE}"
    values = view.fetch(cells).column(0).combine_chunks().cast(pa.string()).drop_null()
    values = values.filter(pc.not_equal(values, ""))
    for kind in sorted(COUNTED, key=lambda each: each != said):
        recogniser = by_name()[kind]
        formed = values.filter(pc.match_substring_regex(values, f"^(?:{recogniser.pattern})$"))
        right = int(recogniser.valid(formed).sum())
        if len(values) and right >= _MOSTLY * len(values):
            return kind
    return said if said in COUNTED else ""
