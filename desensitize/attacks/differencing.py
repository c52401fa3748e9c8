"""Differencing: what two releases of one dataset tell together that neither tells alone.

A cell of 41 people last year and 42 this year is one new person, whose values are the difference
of the two; also where each release for itself hides small cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

import numpy as np
import pyarrow as pa

from desensitize.attacks.classes import codes_of, together
from desensitize.attacks.findings import Finding
from desensitize.attacks.view import View, masked_cells
from desensitize.generalise.levels import hierarchy
from desensitize.recognisers.digits import Ints
from desensitize.sources import Table
from protos.language import Text

_OVERLAP: Final = 0.5
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
    columns, here, there = [], [], []
    for each in view.known:
        if each not in present or not view.policy.columns[each].quasi:
            continue
        (one, other), width = codes_of(*_at_one_level(view, earlier, levels, each))
        shared = len(np.intersect1d(one, other)) / max(width, 1)
        if shared >= _OVERLAP:  # else another level: its cells are not the same cells
            columns.append(each)
            here.append(one)
            there.append(other)
    limit = view.policy.attacks.small_cell_differences
    if not columns:
        return Finding(
            "differencing", (), 0.0, _MEASURES, limit,
            Text(f"{name}: no published cells in common", f"{name}：没有共同发布的单元格"),
            figures={"compared": 0.0},
        )  # fmt: skip
    few = view.policy.models.k or 5
    cells = one_person = some = 0
    for chosen in _margins(range(len(columns))):
        ours, theirs, width = together([here[i] for i in chosen], [there[i] for i in chosen])
        differ = np.abs(_counts(ours, width) - _counts(theirs, width))
        cells += width
        one_person += int((differ == 1).sum())
        some += int(((differ > 1) & (differ < few)).sum())
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


def _at_one_level(
    view: View, earlier: Earlier, levels: Mapping[str, str], name: str
) -> tuple[Any, Any]:
    """Returns a column of both releases, the finer one made as coarse as the other.

    Whoever has both can do that: what a label becomes at a coarser level is no secret. Here it is
    looked up in the original.
    """
    ours, theirs = view.cells(view.release, name), view.cells(earlier.table, name)
    rule = view.policy.columns[name].hierarchy
    now, before = levels.get(name), earlier.levels.get(name)
    if rule is None or now == before or now is None or before is None:
        return ours, theirs
    known = hierarchy(name, rule, view.policy.folder)
    if before not in known.names:
        return ours, theirs
    place, other = known.names.index(now), known.names.index(before)
    fine, coarse = (
        masked_cells(view.original, view.policy, {name: (known.methods[level],)})[0]
        for level in (min(place, other), max(place, other))
    )
    pairs = pa.table({"fine": fine, "coarse": coarse}).group_by(["fine", "coarse"]).aggregate([])
    upper = dict(zip(pairs["fine"].to_pylist(), pairs["coarse"].to_pylist(), strict=True))
    return (_coarser(ours, upper), theirs) if place < other else (ours, _coarser(theirs, upper))


def _coarser(cells: Any, upper: Mapping[str | None, str | None]) -> Any:  # noqa: ANN401 - Arrow has no types
    """Looks labels up; one that the original does not have stays what it is."""
    coded = pa.chunked_array(cells).combine_chunks().dictionary_encode(null_encoding="encode")
    labels = [upper.get(label, label) for label in coded.dictionary.to_pylist()]
    return pa.array(labels, pa.string()).take(coded.indices)


def _margins(places: Sequence[int]) -> Iterator[tuple[int, ...]]:
    seen = {tuple(places)}
    yield tuple(places)
    for size in (1, 2):
        for chosen in combinations(places, size):
            if chosen not in seen:
                seen.add(chosen)
                yield chosen


def _counts(member: Ints, width: int) -> Ints:
    return np.bincount(member, minlength=width).astype(np.int64)
