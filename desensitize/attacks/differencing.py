"""Differencing: what two releases of one dataset tell together that neither tells alone.

A cell of 41 people last year and 42 this year is one new person, whose values are the difference
of the two; also where each release for itself hides small cells.
"""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from desensitize.attacks.findings import Finding
from desensitize.attacks.view import HERE, View, code, make, text
from desensitize.sources import Table
from protos.language import Text

_OVERLAP: Final = 0.5
_EARLIER: Final = "veil_before"
_MEASURES: Final = Text(
    "cells in which two releases differ by one person", "两次发布仅相差一人的单元格数"
)


def attack(view: View, name: str, earlier: Table) -> Finding:
    """Compares the release with an earlier one.

    Args:
        view: The release.
        name: Of the earlier release, for people.
        earlier: Its rows; in the same engine.
    """
    present = {column.name for column in earlier.columns}
    both = [
        each for each in view.known if each in present and view.policy.columns[each].quasi
    ]  # fmt: skip
    make(
        view.release, _EARLIER,
        f"SELECT {', '.join(_coded(view, earlier, each) for each in both) or '0 AS nothing'} "
        f"FROM {earlier.sql}",
    )  # fmt: skip
    # Another level has other labels: its cells are not the same cells.
    columns = [each for each in both if _shared(view, each) >= _OVERLAP]
    limit = view.policy.attacks.small_cell_differences
    if not columns:
        return Finding(
            "differencing", (), 0.0, _MEASURES, limit,
            Text(f"{name}: no published cells in common", f"{name}：没有共同发布的单元格"),
            figures={"compared": 0.0},
        )  # fmt: skip
    few = view.policy.models.k or 5
    cells = one_person = some = 0
    for chosen in _margins(columns):
        width, one, small = _differ(view, chosen, few)
        cells, one_person, some = cells + width, one_person + one, some + small
    broken = limit is not None and one_person > limit
    said, said_zh = ", ".join(columns), "、".join(columns)
    return Finding(
        "differencing", tuple(columns), float(one_person), _MEASURES, limit,
        Text(
            f"{name}: {one_person:,} of {cells:,} cells over {said} differ by one person, "
            f"{some:,} by fewer than {few}",
            f"{name}：在{said_zh}上的 {cells:,} 个单元格中，{one_person:,} 个仅相差一人，"
            f"{some:,} 个相差不足 {few} 人",
        ),
        Text(
            "would hold: release again only when a cell has at least k new people, or at a level "
            "that the earlier release did not use",
            "可行的做法：待每个单元格至少新增 k 人后再发布，或采用此前未使用的泛化层级",
        ) if broken else Text("", ""),
        Text(
            "cells are combinations of all common quasi-identifiers, and of one and two of them",
            "单元格为全部共同准标识符的组合，以及其中一列、两列的组合",
        ),
        figures={"compared": float(cells), "by_few": float(some)},
    )  # fmt: skip


def _coded(view: View, earlier: Table, name: str) -> str:
    return f"{code(text(earlier, name))} AS {view.codes[name]}"


def _shared(view: View, name: str) -> float:
    """The share of a column's labels that both releases have."""
    every, shared = view.ask(
        f"SELECT count(*), count(*) FILTER (here > 0 AND there > 0) FROM {_both(view, [name])}"
    )
    return shared / max(every, 1)


def _differ(view: View, names: Sequence[str], few: int) -> tuple[int, ...]:
    """Counts the cells of a margin, those that differ by one person, and those by a few."""
    return view.ask(
        "SELECT count(*), count(*) FILTER (abs(here - there) = 1), "
        f"count(*) FILTER (abs(here - there) BETWEEN 2 AND {few - 1}) FROM {_both(view, names)}"
    )


def _both(view: View, names: Sequence[str]) -> str:
    """The combinations of some columns, with how many rows of each release have them."""
    keys = ", ".join(view.keys(names))
    return (
        f"(SELECT count(*) FILTER (now) AS here, count(*) FILTER (NOT now) AS there FROM ("
        f"SELECT {keys}, true AS now FROM {HERE} UNION ALL "
        f"SELECT {keys}, false FROM {_EARLIER}) GROUP BY {keys})"
    )


def _margins(columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    seen = {tuple(columns)}
    yield tuple(columns)
    for size in (1, 2):
        for chosen in combinations(columns, size):
            if chosen not in seen:
                seen.add(chosen)
                yield chosen
