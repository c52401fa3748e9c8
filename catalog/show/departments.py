"""Departments, and the data items that two of them claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from catalog.registry.conflict_views import Conflict
from catalog.registry.registry import Provider
from catalog.show.words import DEPARTMENT, day, place_name, titled
from protos import terminal
from protos.language import Text

_STATES: Final = {
    "open": Text("open", "待裁定"),
    "kept": Text("the holder keeps it", "维持原数源"),
    "moved": Text("moved to the claimant", "变更数源"),
    "different": Text("two different things", "属不同数据项"),
}
_STEPS: Final = _STATES | {
    "opened": Text("claimed by", "提出主张"),
    "holder": Text("now held by", "现数源变更为"),
}


def show_providers(providers: Sequence[Provider]) -> None:
    """Prints departments and what they have registered."""
    rows = [
        (
            p.department.name,
            p.department.code,
            f"{p.datasets:,}",
            "" if p.newest is None else day(p.newest),
        )
        for p in providers
    ]
    terminal.table(
        titled(
            DEPARTMENT, Text("Code", "代码"),
            Text("Datasets", "资源数"), Text("Last change", "最近变更"),
        ),
        rows,
        right=[2],
    )  # fmt: skip


def show_conflicts(conflicts: Sequence[Conflict]) -> None:
    """Prints conflicts, a line each."""
    rows = [
        (
            str(c.number),
            f"{c.subject} · {c.name}",
            place_name(c.place),
            c.holder.name,
            c.claimant.name,
            str(_STATES[c.state]),
        )
        for c in conflicts
    ]
    terminal.table(
        titled(
            Text("No.", "编号"), Text("Datum", "数据项"), Text("Place", "区域"),
            Text("Source now", "现数源"), Text("Claimed by", "主张方"), Text("State", "状态"),
        ),
        rows,
        right=[0],
    )  # fmt: skip


def show_conflict(conflict: Conflict) -> None:
    """Prints one conflict: both sides, and every step."""
    terminal.heading(f"{place_name(conflict.place)} · {conflict.subject} · {conflict.name}")
    sides = (
        (Text("Source", "数源"), conflict.holder),
        (Text("Claimant", "主张方"), conflict.claimant),
    )
    terminal.table(
        titled(Text("Side", "一方"), DEPARTMENT, Text("By its dataset", "依据的数据资源")),
        [
            (
                str(title),
                side.name,
                "" if side.dataset is None else f"{side.dataset_name}\n{side.dataset[1]}",
            )
            for title, side in sides
        ],
    )
    names = {side.code: side.name for _, side in sides}
    for step in conflict.steps:
        parts = (day(step.at), str(_STEPS[step.what]), names.get(step.who, step.who), step.note)
        terminal.say(" · ".join(filter(None, parts)), hang=2)
