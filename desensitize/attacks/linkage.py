"""Linkage: whose row is this? With a file of names, or with the original itself.

The attacker treats what he knows as the policy does and looks for the rows that agree. Where one
is left he claims it. Without a file he is the best-informed neighbour, who knows of each person all
identifying columns exactly. Noise is met by the nearest row among those that agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from desensitize.attacks.classes import codes_of, together
from desensitize.attacks.findings import Finding
from desensitize.attacks.view import Floats, View, masked_cells, matching
from desensitize.recognisers.digits import Ints, Mask
from desensitize.sources import Table
from protos.language import Text

_NEAREST: Final = 500
_SEED: Final = 20_240_607
_MEASURES: Final = Text(
    "share of people whose row is claimed rightly, beyond picking among equals at random",
    "被正确认领的人员占比（扣除在相同者中随机选取的部分）",
)
_REMEDY: Final = Text(
    "would hold: coarser levels of the quasi-identifiers (hierarchies with models.k), no masked "
    "identifier beside them, noise with a larger scale",
    "可行的做法：提高准标识符的泛化层级（hierarchies 与 models.k），不保留掩码后的标识符，"
    "或加大噪声",
)


@dataclass(frozen=True)
class Knowledge:
    """What an attacker knows.

    Attributes:
        name: Of the file.
        table: The file; in the engine of the others.
        levels: By which the policy's methods are known; see `levels.methods_of`.
    """

    name: str
    table: Table
    methods: dict[str, Any]


def attack(view: View, auxiliary: Knowledge | None) -> Finding:
    """Links people to rows; with a file if there is one, else with the original."""
    if auxiliary is not None:
        return _with_file(view, auxiliary)
    if view.origin is None:
        return _unknown(view)
    names = view.identifying()
    near = [n for n in view.near if view.policy.columns[n].role in {"direct", "quasi"}]
    here, there, width = matching(view, names) if names else (
        np.zeros(view.rows, dtype=np.int64), np.zeros(len(view.origin), dtype=np.int64), 1
    )  # fmt: skip
    sizes = np.bincount(here, minlength=width)
    target = there[view.origin]
    chance = float((1 / sizes[target]).mean()) if view.rows else 0.0
    certain = int((sizes[target] == 1).sum())
    figure = certain / view.rows if view.rows else 0.0
    figures = {"claimed": certain, "expected_at_random": chance, "people": view.rows}
    if near and view.rows:
        right, expected = _nearest(view, near, here, view.origin)
        figure = max(figure, right - expected)
        figures |= {"nearest_right": right, "nearest_expected": expected}
    return _finding(
        view,
        (*names, *near),
        figure,
        figures,
        Text("somebody who knows all of this of every person", "完全掌握这些列的知情者"),
    )


def _with_file(view: View, auxiliary: Knowledge) -> Finding:
    present = {column.name for column in auxiliary.table.columns}
    names = [n for n in view.identifying() if n in present]
    proof = [c.name for c in view.policy.columns.values()
             if c.role == "direct" and c.name in present]  # fmt: skip
    original = {column.name for column in view.original.columns}
    proof = [name for name in proof if name in original]
    if not names or not proof or view.origin is None:
        return _unknown(view)
    cells = masked_cells(
        auxiliary.table, view.policy, {name: auxiliary.methods[name] for name in names}
    )
    here, there = [], []
    for place, name in enumerate(names):
        (one, other), _ = codes_of(view.cells(view.release, name), cells[place])
        here.append(one)
        there.append(other)
    rows, people, width = together(here, there)
    # Who is who: identifiers of the file and of the original, which only we can compare.
    identity, person = [], []
    for name in proof:
        (one, other), _ = codes_of(
            view.cells(view.original, name), view.cells(auxiliary.table, name)
        )
        identity.append(one)
        person.append(other)
    true, claimed, everybody = together(identity, person)
    sizes = np.bincount(rows, minlength=width)
    order = np.argsort(rows, kind="stable")
    begins = np.concatenate([[0], np.cumsum(sizes)])
    one = sizes[people] == 1
    picked = order[begins[people[one]]]
    right = int((true[view.origin[picked]] == claimed[one]).sum())
    in_release = np.zeros(everybody, dtype=np.bool_)
    in_release[true[view.origin]] = True
    share = right / len(people) if len(people) else 0.0
    return _finding(
        view, tuple(names), share,
        {"claimed": int(one.sum()), "right": right, "people": len(people),
         "in_release": int(in_release[claimed].sum())},
        Text(f"somebody who has {auxiliary.name}", f"持有 {auxiliary.name} 的人"),
    )  # fmt: skip


def _nearest(view: View, near: Sequence[str], member: Ints, origin: Ints) -> tuple[float, float]:
    """Claims the nearest of the rows that agree; share that is right, and what chance gives."""
    released = np.stack([view.near[name] for name in near], axis=1)
    before = np.stack([view.before[name] for name in near], axis=1)[origin]
    spread = np.nanstd(released, axis=0)
    released, before = (_scaled(part, spread) for part in (released, before))
    order = np.argsort(member, kind="stable")
    begins = np.searchsorted(member[order], np.arange(member.max() + 2))
    targets = np.random.default_rng(_SEED).permutation(len(member))[:_NEAREST]
    right = expected = 0.0
    for target in targets.tolist():
        rows = order[begins[member[target]] : begins[member[target] + 1]]
        distance = ((released[rows] - before[target]) ** 2).sum(axis=1)
        best: Mask = distance == distance.min()
        right += float(best[rows == target].sum()) / int(best.sum())
        expected += 1 / len(rows)
    return right / len(targets), expected / len(targets)


def _scaled(values: Floats, spread: Floats) -> Floats:
    safe = np.where(np.isfinite(spread) & (spread > 0), spread, 1.0)
    return np.asarray(np.nan_to_num(values / safe, nan=1e6))


def _finding(
    view: View, names: tuple[str, ...], figure: float, figures: dict[str, float], who: Text
) -> Finding:
    limit = view.policy.attacks.linkage_correct_max
    broken = limit is not None and figure > limit
    said, said_zh = ", ".join(names) or "nothing", "、".join(names) or "（无可用列）"
    return Finding(
        "linkage", names, figure, _MEASURES, limit,
        Text(
            f"{who.en} ({said}) names the right row for {figure:.2%} of people",
            f"{who.zh}（{said_zh}）能正确指认 {figure:.2%} 的人员的记录",
        ),
        _REMEDY if broken else Text("", ""),
        Text(
            "a row is claimed where it is the only one that agrees; with noise, the nearest one of "
            f"{_NEAREST} people drawn at random",
            f"仅在唯一相符时认领；有噪声时随机抽取 {_NEAREST} 人，认领最接近的行",
        ),
        figures=figures,
    )  # fmt: skip


def _unknown(view: View) -> Finding:
    return Finding(
        "linkage", (), None, _MEASURES, view.policy.attacks.linkage_correct_max,
        Text(
            "it cannot be said which row of the original made which row of the release, or the "
            "file shares no identifier and no published column with the original",
            "无法对应原始数据与发布数据的行，或辅助文件与原始数据没有共同的标识符和发布列",
        ),
        Text(
            "give the original from which this release was made, with its policy; an auxiliary "
            "file needs an identifier of the original under the same name",
            "请提供生成该发布的原始数据与策略；辅助文件须含与原始数据同名的标识符",
        ),
    )  # fmt: skip
