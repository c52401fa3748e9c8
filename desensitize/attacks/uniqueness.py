"""Uniqueness: how many people are alone with what the masks leave of all their columns together."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow.compute as pc

from desensitize.attacks.classes import classes, codes_of
from desensitize.attacks.findings import Finding
from desensitize.attacks.view import View
from desensitize.masking.format_preserving import FormatPreserving
from desensitize.recognisers.digits import Ints
from protos.language import Text

_MEASURES: Final = Text("share of rows that are alone", "独一无二的行占比")


def attack(view: View) -> Finding:
    """Puts all columns together that somebody could know: direct ones, masked, and quasi ones."""
    codes = {name: view.published[name] for name in view.identifying()} | _left_clear(view)
    names = tuple(codes)
    member, count = classes(list(codes.values()), view.rows)
    sizes = np.bincount(member, minlength=count)
    alone = int((sizes == 1).sum()) if names else 0
    share = alone / view.rows if view.rows else 0.0
    limit = view.policy.attacks.unique_share_max
    broken = limit is not None and share > limit
    worst = _worst(view, codes) if broken else ""
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


def _left_clear(view: View) -> dict[str, Ints]:
    """The characters that FF1 leaves: of a resident id they may be district and month of birth."""
    found = {}
    for column in view.policy.published:
        last = column.methods[-1] if column.methods else None
        known = column.role == "direct" or column.quasi
        if known and isinstance(last, FormatPreserving) and last.clear:
            cells = view.cells(view.release, column.name)
            [found[column.name]], _ = codes_of(pc.utf8_slice_codeunits(cells, 0, last.clear))
    return found


def _worst(view: View, codes: dict[str, Ints]) -> str:
    """The column without which fewest rows are alone."""
    left = {}
    for name in codes:
        others = [other for each, other in codes.items() if each != name]
        member, count = classes(others, view.rows)
        left[name] = int((np.bincount(member, minlength=count) == 1).sum())
    return min(left, key=lambda name: left[name])
