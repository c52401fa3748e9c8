"""Linkage: whose row is this? With a file of names, or with the original itself.

The attacker treats what he knows as the policy does and looks for the rows that agree. Where one
is left he claims it. Without a file he is the best-informed neighbour, who knows of each person all
identifying columns exactly. Noise is met by the nearest row among those that agree; a shift of
dates by what lies between two dates of one person, which it leaves as it was.
"""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from desensitize.attacks.findings import Finding
from desensitize.attacks.nearest import NEAREST, nearest
from desensitize.attacks.view import (
    CELLS,
    HERE,
    THERE,
    View,
    code,
    make,
    mask_into,
    numbered,
    text,
)
from desensitize.masking.dates import DateShift
from desensitize.sources import Table
from protos.language import Text

_KNOWN: Final = "veil_known_cells"
_WHO: Final = "veil_who"
_OWNERS: Final = "veil_owners"
_MEASURES: Final = Text(
    "share of people whose row is claimed rightly, beyond picking among equals at random",
    "被正确认领的人员占比（扣除在相同者中随机选取的部分）",
)
_REMEDY: Final = Text(
    "would hold: coarser levels of the quasi-identifiers (hierarchies with models.k), no masked "
    "identifier beside them, noise with a larger scale, dates shifted by more days",
    "可行的做法：提高准标识符的泛化层级（hierarchies 与 models.k），不保留掩码后的标识符，"
    "加大噪声或日期平移的天数",
)
_BETWEEN: Final = Text(
    "would hold: only one of the dates that are shifted alike, or dates with levels (hierarchies "
    "with models.k): no number of days hides what lies between two dates",
    "可行的做法：同步平移的日期只发布其中一个，或对日期使用层级（hierarchies 与 models.k）："
    "无论平移多少天，两个日期的间隔都不变",
)


def attack(view: View, auxiliary: Table | None) -> Finding:
    """Links people to rows; with a file if there is one, else with the original."""
    if auxiliary is not None:
        return _with_file(view, auxiliary)
    if not view.origin:
        return _unknown(view)
    names = view.identifying()
    near = [n for n in view.near if view.policy.columns[n].role in {"direct", "quasi"}]
    sql = "SELECT count(*) FILTER (here > 0), count(*) FILTER (here = 1)"
    classes, certain = view.count(
        CELLS, names, lambda turn: f"{sql} FROM {view.classes(names, turn)}"
    )
    figure = certain / view.rows if view.rows else 0.0
    figures = {
        "claimed": certain,
        # One of each class, if everybody picks any row of his class.
        "expected_at_random": classes / view.rows if view.rows else 0.0,
        "people": view.rows,
    }
    if near and view.rows:
        right, expected = nearest(view, near, names)
        figure = max(figure, right - expected)
        figures |= {"nearest_right": right, "nearest_expected": expected}
    remedy = _REMEDY
    if view.rows and (spans := _spans(view, near)):
        alone = _alone_with(view, names, spans) / view.rows
        figures |= {"spans_right": alone}
        figure, remedy = max((figure, remedy), (alone, _BETWEEN), key=lambda each: each[0])
    return _finding(
        view,
        (*names, *near),
        figure,
        figures,
        Text("somebody who knows all of this of every person", "完全掌握这些列的知情者"),
        remedy,
    )


def _spans(view: View, near: Sequence[str]) -> list[str]:
    """Expressions of the days between dates that are shifted alike: the same for who knows them."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name in near:
        match view.policy.columns[name].methods:
            case (DateShift(domain=domain, subject=subject),):
                alike.setdefault((domain, subject), []).append(view.near[name])
    return [f"{other} - {first}" for first, *others in alike.values() for other in others]


def _alone_with(view: View, names: Sequence[str], spans: Sequence[str]) -> int:
    """Counts rows that are alone with what is known of them and some expressions, all numbers."""
    there = " AND ".join(f"isfinite({span})" for span in spans)
    by = ", ".join([*view.keys(names), *spans])
    [alone] = view.count(
        HERE, names,
        lambda turn: "SELECT count(*) FILTER (n = 1) FROM (SELECT count(*) AS n "
        f"FROM {HERE} WHERE {there} AND {turn} GROUP BY {by})",
        within=", ".join(spans),
    )  # fmt: skip
    return alone


def _with_file(view: View, auxiliary: Table) -> Finding:
    present = {column.name for column in auxiliary.columns}
    # A division that another column decides is not known without it.
    names = [n for n in view.identifying() if {n, view.policy.columns[n].within or n} <= present]
    original = {column.name for column in view.original.columns}
    proof = [c.name for c in view.policy.columns.values()
             if c.role == "direct" and c.name in present & original]  # fmt: skip
    if not names or not proof or not view.origin:
        return _unknown(view)
    methods = {name: view.methods[name] for name in names}
    mask_into(_KNOWN, auxiliary, view.policy, methods)
    identity = [f"p{i}" for i in range(len(proof))]
    _identify(view, auxiliary, proof)
    agree = " AND ".join(f"k.c{i} = r.{key}" for i, key in enumerate(view.keys(names)))
    keys = ", ".join(view.keys(names))
    alone = (
        f"(SELECT {keys}, any_value(rowid) AS line FROM {HERE} GROUP BY {keys} HAVING count(*) = 1)"
    )
    # Who is who: identifiers of the file and of the original, which only we can compare.
    same = " AND ".join(f"o.{each} = w.{each}" for each in identity)
    people, claimed, right = view.ask(
        f"SELECT count(*), count(r.line), count(*) FILTER ({same}) "
        f"FROM {_KNOWN} k JOIN {_WHO} w ON w.line = k.rowid LEFT JOIN {alone} r ON {agree} "
        f"LEFT JOIN {_OWNERS} o ON o.line = r.line"
    )
    [released] = view.ask(
        f"SELECT count(*) FROM {_WHO} w WHERE EXISTS (SELECT 1 FROM {_OWNERS} o WHERE {same})"
    )
    return _finding(
        view, tuple(names), right / people if people else 0.0,
        {"claimed": claimed, "right": right, "people": people, "in_release": released},
        Text(f"somebody who has {auxiliary.name}", f"持有 {auxiliary.name} 的人"),
    )  # fmt: skip


def _identify(view: View, auxiliary: Table, proof: Sequence[str]) -> None:
    """Makes tables of the identifiers of the file's people, and of whom each row was made."""
    identity = [f"p{i}" for i in range(len(proof))]

    def coded(table: Table) -> str:
        cells = (code(text(table, name)) for name in proof)
        return numbered(table, dict(zip(identity, cells, strict=True)))

    make(auxiliary, _WHO, f"SELECT * FROM {coded(auxiliary)}")
    listed = ", ".join(f"o.{each}" for each in identity)
    make(
        view.original, _OWNERS,
        f"SELECT t.rowid AS line, {listed} FROM {THERE} t JOIN {coded(view.original)} o "
        "ON o.line = t.line WHERE t.released",
    )  # fmt: skip


def _finding(
    view: View,
    names: tuple[str, ...],
    figure: float,
    figures: dict[str, float],
    who: Text,
    remedy: Text = _REMEDY,
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
        remedy if broken else Text("", ""),
        Text(
            "a row is claimed where it is the only one that agrees, also in what lies between two "
            f"dates that are shifted alike; with noise, the nearest one, for {NEAREST} people "
            "drawn at random (standard error below 0.023)",
            "仅在唯一相符时认领，同步平移的两个日期之间的间隔也计入；有噪声时随机抽取 "
            f"{NEAREST} 人，认领最接近的行（标准误小于 0.023）",
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
