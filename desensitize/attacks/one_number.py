"""One number in two columns: what two masks show of it together, neither of them shows alone."""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from desensitize.attacks.view import View, text
from desensitize.masking.visible import Ends

_MOSTLY: Final = 0.5


@dataclass(frozen=True)
class Together:
    """What columns show of one number.

    Attributes:
        columns: The other columns.
        mask: Expression over the release of what all show together, with ``*`` for the rest.
    """

    columns: tuple[str, ...]
    mask: str


def together(view: View, name: str, left: Mapping[str, Ends]) -> Together | None:
    """Lays the masks of a number over each other, if that shows more of it.

    Args:
        view: Both tables.
        name: The masked column.
        left: What it and others of its type show, by name, as masks or as the beginning of FF1.
    """
    alike = [name, *(each for each in left if each != name and _equal(view, name, each))]
    first = max(alike, key=lambda each: left[each].first)
    last = max(alike, key=lambda each: left[each].last)
    others = tuple(dict.fromkeys(each for each in (first, last) if each != name))
    if not others or (left[first].first == left[name].first and left[last].last == left[name].last):
        return None
    ends = Ends(left[first].first, left[last].last)
    cell, begin, end = (text(view.release, each) for each in (name, first, last))
    # Masks that overlap show all of it; where one is missing, the other is what there is.
    begin = f"coalesce(left({begin}, {ends.first}), repeat('*', {ends.first}))"
    many = f"least({ends.last}, length({cell}) - {ends.first})"
    end = f"coalesce(right({end}, {many}), repeat('*', {many}))" if ends.last else "''"
    hidden = f"repeat('*', greatest(length({cell}) - {ends.first + ends.last}, 0))"
    whole = (
        f"CASE WHEN length({cell}) > {ends.first} THEN {begin} || {hidden} || {end} ELSE {cell} END"
    )
    return Together(others, whole)


def _equal(view: View, one: str, other: str) -> bool:
    """Whether two columns of the original mostly hold the same."""
    a, b = (f"nullif(trim({text(view.original, each)}), '')" for each in (one, other))
    same, both = view.ask(
        f"SELECT count(*) FILTER ({a} = {b}), count(*) FILTER ({a} IS NOT NULL AND {b} IS NOT NULL)"
        f" FROM {view.original.sql}"
    )
    return both > 0 and same >= _MOSTLY * both
