"""Uniqueness: how many people are alone with what the masks leave of all their columns together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from desensitize.attacks.findings import Finding
from desensitize.attacks.view import CELLS, View
from protos.language import Text

_MEASURES: Final = Text("share of rows that are alone", "独一无二的行占比")


def attack(view: View) -> Finding:
    """Puts all columns together that somebody could know: direct ones, masked, and quasi ones."""
    names = view.identifying()
    count, alone = _alone(view, names)
    alone = alone if names else 0
    share = alone / view.rows if view.rows else 0.0
    limit = view.policy.attacks.unique_share_max
    broken = limit is not None and share > limit
    worst = _worst(view, names) if broken else ""
    said, said_zh = ", ".join(names) or "no column", "、".join(names) or "（无可用列）"
    return Finding(
        "uniqueness", names, share, _MEASURES, limit,
        Text(
            f"{alone:,} of {view.rows:,} rows are the only ones with their {said}",
            f"{view.rows:,} 行中有 {alone:,} 行在{said_zh}上独一无二",
        ),
        Text(
            f"would help most: drop or coarsen {worst!r}; a hierarchy with models.k leaves no row "
            "alone",
            f"最有效的做法：删除或泛化“{worst}”；使用层级并设置 models.k 后不会有独一无二的行",
        ) if broken else Text("", ""),
        Text(
            "the attacker knows these columns of a person exactly", "攻击者准确掌握某人的这些列"
        ),
        figures={"rows_alone": alone, "classes": count},
    )  # fmt: skip


def _alone(view: View, names: Sequence[str]) -> tuple[int, ...]:
    """Counts the classes of the release, and the rows that are a class of their own."""
    sql = f"SELECT count(*) FILTER (here > 0 OR {not names}), count(*) FILTER (here = 1)"
    return view.count(CELLS, names, lambda turn: f"{sql} FROM {view.classes(names, turn)}")


def _worst(view: View, names: Sequence[str]) -> str:
    """The column without which fewest rows are alone."""
    left = {name: _alone(view, [n for n in names if n != name])[1] for name in names}
    return min(left, key=lambda name: left[name])
