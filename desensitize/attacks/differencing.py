"""Differencing: what two releases of one dataset tell together that neither tells alone.

A cell of 41 people last year and 42 this year is one new person, whose values are the difference
of the two; also where each release for itself hides small cells.
"""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from desensitize.attacks.findings import Finding
from desensitize.attacks.view import HERE, View, code, make, mask_into, text
from desensitize.generalise.levels import hierarchy
from desensitize.sources import Table
from protos.language import Text

_OVERLAP: Final = 0.5
_NOW: Final = "veil_now"
_BEFORE: Final = "veil_before"
_FINE: Final = "veil_fine"
_COARSE: Final = "veil_coarse"
_MEASURES: Final = Text(
    "cells in which two releases differ by one person", "两次发布仅相差一人的单元格数"
)


@dataclass(frozen=True)
class Earlier:
    """An earlier release.

    Attributes:
        name: For people.
        table: Its rows; in the engine of the others.
        levels: Level of each column that had a hierarchy, by name.
    """

    name: str
    table: Table
    levels: Mapping[str, str] = field(default_factory=dict)


def attack(view: View, earlier: Earlier, levels: Mapping[str, str]) -> Finding:
    """Compares the release with an earlier one.

    Args:
        view: The release.
        earlier: The earlier one.
        levels: Of the release, by column.
    """
    name = earlier.name
    present = {column.name for column in earlier.table.columns}
    both = [
        each for each in view.known if each in present and view.policy.columns[each].quasi
    ]  # fmt: skip
    _lay_out(view, earlier, both)
    for each in both:
        _bring_to_one_level(view, earlier, levels, each)
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


def _lay_out(view: View, earlier: Earlier, names: Sequence[str]) -> None:
    """Makes tables of both releases' codes, each column under the same name in both."""
    keys = view.keys(names)
    coded = (code(text(earlier.table, name)) for name in names)
    listed = (f"{cell} AS {key}" for cell, key in zip(coded, keys, strict=True))
    make(view.release, _NOW, f"SELECT {', '.join(keys) or '0 AS nothing'} FROM {HERE}")
    make(
        view.release, _BEFORE,
        f"SELECT {', '.join(listed) or '0 AS nothing'} FROM {earlier.table.sql}",
    )  # fmt: skip


def _bring_to_one_level(view: View, earlier: Earlier, levels: Mapping[str, str], name: str) -> None:
    """Makes a column of one release as coarse as that of the other, if they have other levels.

    Whoever has both can do that: what a label becomes at a coarser level is no secret. Here it is
    looked up in the original; a label that the original does not have stays what it is.
    """
    rule = view.policy.columns[name].hierarchy
    now, before = levels.get(name), earlier.levels.get(name)
    if rule is None or now == before or now is None or before is None:
        return
    known = hierarchy(name, rule, view.policy.folder)
    if before not in known.names:
        return
    place, other = known.names.index(now), known.names.index(before)
    for table, level in ((_FINE, min(place, other)), (_COARSE, max(place, other))):
        mask_into(table, view.original, view.policy, {name: (known.methods[level],)})
    upper = (
        f"(SELECT f.c0 AS fine, any_value(c.c0) AS coarse FROM {_FINE} f "
        f"POSITIONAL JOIN {_COARSE} c GROUP BY f.c0)"
    )
    key, finer = view.codes[name], _NOW if place < other else _BEFORE
    make(
        view.release, finer,
        f"SELECT r.* REPLACE (coalesce(u.coarse, r.{key}) AS {key}) "
        f"FROM {finer} r LEFT JOIN {upper} u ON u.fine = r.{key}",
    )  # fmt: skip


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
        f"SELECT {keys}, true AS now FROM {_NOW} UNION ALL "
        f"SELECT {keys}, false FROM {_BEFORE}) GROUP BY {keys})"
    )


def _margins(columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    seen = {tuple(columns)}
    yield tuple(columns)
    for size in (1, 2):
        for chosen in combinations(columns, size):
            if chosen not in seen:
                seen.add(chosen)
                yield chosen
