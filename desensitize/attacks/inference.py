"""Attribute inference: what belonging to a class tells about a sensitive column.

Homogeneity: everybody who looks alike has the same value, so one need not know which row is whose
(Machanavajjhala et al. 2007). Prediction: the commonest value of a class, against what the person's
own presence adds. The guess without the person's own row is what anybody learns about people of
that kind; only what goes beyond it is the release's doing (Giomi et al. 2023, the control group of
Anonymeter).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from desensitize.attacks.classes import classes, codes_of
from desensitize.attacks.findings import Finding
from desensitize.attacks.view import View
from desensitize.recognisers.digits import Ints
from protos.language import Text

_BINS: Final = 10
_FEW: Final = 20
_MEASURES: Final = Text(
    "share of rows whose value is told for certain by what they look like",
    "仅凭同类即可确定其取值的行占比",
)


def attack(view: View) -> list[Finding]:
    """Guesses each sensitive column of the release from what somebody can know."""
    names = view.identifying()
    member, count = classes([view.published[name] for name in names], view.rows)
    present = {column.name for column in view.release.columns}
    return [
        _column(view, names, member, count, column.name)
        for column in view.policy.published
        if column.sensitive and column.name in present
    ]


def _column(view: View, names: tuple[str, ...], member: Ints, count: int, name: str) -> Finding:
    values = _values(view, name)
    limit = view.policy.attacks.inference_share_max
    rows = view.rows
    if not rows:
        return Finding("inference", (name,), 0.0, _MEASURES, limit,
                       Text("the release is empty", "发布数据为空"))  # fmt: skip
    sizes = np.bincount(member, minlength=count)
    width = int(values.max(initial=0)) + 1
    packed, keys = pd.factorize(member * width + values)
    counts = np.bincount(packed, minlength=len(keys))
    owner = np.asarray(keys, dtype=np.int64) // width
    best, second = _two_greatest(owner, counts, count)
    homogeneous = best == sizes
    told = int(sizes[homogeneous].sum())
    in_class = counts[packed]
    with_self = float(np.where(in_class == best[member], 1.0, 0.0).mean())
    # Without the own row: the value must still be the commonest among the others.
    others = np.where(in_class == best[member], second[member], best[member])
    alone = float(((in_class - 1 > others) | ((in_class - 1 == others) & (others > 0))).mean())
    base = float(np.bincount(values).max() / rows)
    figure = told / rows
    broken = limit is not None and figure > limit
    known, known_zh = ", ".join(names) or "nothing", "、".join(names) or "（无可用列）"
    return Finding(
        "inference", (name, *names), figure, _MEASURES, limit,
        Text(
            f"{name!r} of {told:,} rows is certain for who knows their {known}; the commonest "
            f"value is right for {with_self:.1%} of rows, without the person's own row for "
            f"{alone:.1%}, without knowing anything for {base:.1%}",
            f"掌握{known_zh}即可确定 {told:,} 行的“{name}”；按同类最常见取值猜测，正确率为 "
            f"{with_self:.1%}，去掉本人记录后为 {alone:.1%}，一无所知时为 {base:.1%}",
        ),
        Text(
            "would hold: models.l = 2 or more (and models.t), with coarser levels",
            "可行的做法：设置 models.l ≥ 2（以及 models.t），并提高泛化层级",
        ) if broken else Text("", ""),
        Text(
            f"numbers with more than {_FEW} values are guessed to within a tenth of the rows",
            f"取值超过 {_FEW} 种的数字按十分位猜测",
        ),
        figures={
            "right_with_own_row": with_self,
            "right_without_own_row": alone,
            "base_rate": base,
            "own_row_adds": with_self - alone,
        },
    )  # fmt: skip


def _values(view: View, name: str) -> Ints:
    (codes,), width = codes_of(view.cells(view.release, name))
    if width <= _FEW:
        return codes
    from desensitize.attacks.view import numbers

    found = numbers(view.release, name)
    if np.isfinite(found).mean() < 0.5:
        return codes
    edges = np.nanquantile(found, np.linspace(0, 1, _BINS + 1)[1:-1])
    tenth = np.searchsorted(edges, found, side="right")
    return np.where(np.isfinite(found), tenth, _BINS).astype(np.int64)


def _two_greatest(owner: Ints, counts: Ints, classes_there_are: int) -> tuple[Ints, Ints]:
    """The greatest and second greatest count of each class."""
    order = np.lexsort((-counts, owner))
    owner, counts = owner[order], counts[order]
    first = np.concatenate([[True], owner[1:] != owner[:-1]])
    best = np.zeros(classes_there_are, dtype=np.int64)
    best[owner[first]] = counts[first]
    next_one = np.concatenate([[False], first[:-1]]) & ~first
    second = np.zeros(classes_there_are, dtype=np.int64)
    second[owner[next_one]] = counts[next_one]
    return best, second
