"""Compares a release with its original: lays both side by side and measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from desensitize.column import FREE_TEXT
from desensitize.policy import PublishPolicy
from desensitize.recognisers.digits import Ints
from desensitize.sources import Table
from desensitize.usefulness import measures
from desensitize.usefulness.classes import codes_of
from desensitize.usefulness.columns import Feature, Floats, matrix
from desensitize.usefulness.labels import feature
from desensitize.usefulness.laid_out import LaidOut, lay_out_columns, masked_cells, numbers
from desensitize.usefulness.model import PARTS, Side, compare, sample, usable
from desensitize.usefulness.report import Task, UtilityReport
from protos.faults import InputError
from protos.language import Text

MOST_ROWS: Final = 100_000
"""Rows of which models learn; of a larger table, so many at random."""
_CLASSES: Final = 20
"""A number of more different values is an amount."""
_MOST_CLASSES: Final = 100
_ENOUGH: Final = 0.95


def compare_tables(
    original: Table,
    release: Table,
    policy: PublishPolicy,
    *,
    levels: dict[str, str],
    target: str,
    order: bytes = b"",
    models: Sequence[str],
    seed: int = 1,
    progress: Callable[[int, int | None], None] | None = None,
) -> UtilityReport:
    """Measures what a release is still good for.

    Args:
        original: What went in.
        release: What came out; in the same engine.
        policy: What was done.
        levels: Level of each column that has a hierarchy.
        target: Published column that models tell from the others.
        order: Seed of the release's order of rows; empty if they stand as in the original.
        models: Names of models.
        seed: Of the parts and the models.
        progress: Told how many rows' trainings are done.

    Raises:
        InputError: Tables, policy and target do not go together.
    """
    column = policy.columns.get(target)
    if column is None or not column.published:
        named = ", ".join(c.name for c in policy.published)
        raise InputError(
            Text(f"the release has no column {target!r} to tell",
                 f"发布数据中没有可预测的列“{target}”"),
            remedy=Text(f"it publishes: {named}", f"已发布的列：{named}"),
            code="utility.target",
        )  # fmt: skip
    view = lay_out_columns(original, release, policy, levels, order)
    if view.lines is None:
        raise InputError(
            Text("the release is not this original's: other rows, or in another order",
                 "发布数据与该原始数据不对应：行不同或顺序不一致"),
            remedy=Text("name the very file that the release was made from",
                        "请指定生成该发布所用的原始文件"),
            code="utility.original",
        )  # fmt: skip
    told = _target(view, view.lines, target)
    rows = len(told.truth)
    some = sample(rows, MOST_ROWS, seed)
    some = some[usable(told.truth)[some]]
    if len(some) < 2 * PARTS:
        raise InputError(
            Text(
                f"{len(some)} rows are too few to learn from", f"仅 {len(some)} 行，不足以训练模型"
            ),
            code="utility.rows",
        )
    before = matrix(_original(view, target), rows)
    after = matrix(_released(view, view.lines, target, rows), rows)
    step = len(some)

    def done(steps: int, of: int) -> None:
        if progress is not None:
            progress(steps * step, of * step)

    use = compare(
        Side(before[0][some], before[1], told.truth[some], usable(told.truth)[some]),
        Side(after[0][some], after[1], told.released[some], usable(told.released)[some]),
        told.truth[some], told.task, tuple(models), seed=seed, done=done,
    )  # fmt: skip
    sides = measures.comparable(view)
    one, two = measures.marginals(sides)
    now, then = measures.indiscernible(view)
    return UtilityReport(
        rows, view.rows, target, told.task, len(some), PARTS, seed, use,
        measures.columns(view, view.lines, sides), one, two, now, then,
    )  # fmt: skip


# ---- what is told ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Target:
    """Truth and what the release says of it, by row of the original; NaN for nothing."""

    task: Task
    truth: Floats
    released: Floats


def _target(view: LaidOut, origin: Ints, name: str) -> _Target:
    here, there = numbers(view.release, name), numbers(view.original, name)
    cells = view.cells(view.release, name)
    if _amounts(here, cells) and len(np.unique(here[np.isfinite(here)])) > _CLASSES:
        return _Target("amounts", there, _spread(here, origin, len(there)))
    if name in view.known:
        # As the release would write it: whoever learns from bands can tell bands.
        truth, published = view.masked[name], view.published[name]
        lost = cells.is_null().combine_chunks().to_numpy(zero_copy_only=False)
        empty = np.unique(published[lost])
    else:
        (published, truth), _ = codes_of(cells, view.cells(view.original, name))
        empty = np.array([], np.int64)
    classes = np.setdiff1d(np.unique(truth), empty)
    shared = np.intersect1d(classes, published)
    if len(shared) < 2 or len(shared) * 2 < len(classes) or len(classes) > _MOST_CLASSES:
        raise InputError(
            Text(
                f"{name!r} cannot be told: the release shows {len(shared)} of its {len(classes)} "
                f"values, of 2 to {_MOST_CLASSES}",
                f"无法预测“{name}”：其 {len(classes)} 种取值中发布数据只保留 {len(shared)} 种"
                f"（须为 2 至 {_MOST_CLASSES} 种）",
            ),
            remedy=Text("choose a column that is published as it is, or in a few bands",
                        "请选择原样发布或只分为少数区间的列"),
            code="utility.target",
        )  # fmt: skip
    # By their first appearance in the original: which rows are held out must not depend on the
    # release, or two policies could not be compared.
    known, first = np.unique(truth, return_index=True)
    rank = np.full(int(max(truth.max(), published.max())) + 1, len(known))
    rank[known] = np.argsort(np.argsort(first))
    wanted = [np.where(np.isin(codes, empty), np.nan, rank[codes]) for codes in (truth, published)]
    return _Target("classes", wanted[0], _spread(wanted[1], origin, len(truth)))


def _amounts(values: Floats, cells: Any) -> bool:  # noqa: ANN401 - Arrow has no types
    there = len(cells) - cells.null_count
    return bool(there) and bool(np.isfinite(values).sum() >= _ENOUGH * there)


def _spread(values: Floats, origin: Ints, rows: int) -> Floats:
    """Puts what released rows have where the original's are; NaN for those left out."""
    found = np.full(rows, np.nan)
    found[origin] = values
    return found


# ---- what it is told from ----------------------------------------------------------------------


def _original(view: LaidOut, target: str) -> list[Feature]:
    """Every column that the policy declares, also those that it drops: losing them is a loss.

    But for direct identifiers and free text, which tell a person and no rule.
    """
    found = []
    for column in view.policy.columns.values():
        if column.name == target or column.role == "direct" or column.type == FREE_TEXT:
            continue
        values = numbers(view.original, column.name)
        cells = view.cells(view.original, column.name)
        if _amounts(values, cells):
            found.append(Feature(column.name, values, categorical=False))
        else:
            found.append(feature(column.name, cells))
    return found


def _released(view: LaidOut, origin: Ints, target: str, rows: int) -> list[Feature]:
    """The published columns, for every row of the original.

    Of a row that was left out: what its methods would make of it, where anybody can repeat them;
    else it is missing.
    """
    names = [
        c.name for c in view.policy.published
        if c.name != target and c.role != "direct" and c.type != FREE_TEXT
    ]  # fmt: skip
    methods = {name: view.methods[name] for name in names if name in view.methods}
    cells = dict(zip(methods, masked_cells(view.original, view.policy, methods), strict=True))
    place = np.full(rows, -1)
    place[origin] = np.arange(len(origin))
    back = pa.array(place, mask=place < 0)
    for name in names:
        if name not in cells:
            cells[name] = view.cells(view.release, name).take(back)
    return [feature(name, cells[name]) for name in names]
