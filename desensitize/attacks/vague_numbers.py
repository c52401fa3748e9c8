"""Numbers of persons that were rounded, banded or made noisy, as if they were amounts.

13900138000, give or take one, is three people at most. No scan of the output finds it: with noise,
or as a band, it no longer has the form of a telephone number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from desensitize.attacks.findings import Finding
from desensitize.attacks.kinds import number_in
from desensitize.attacks.view import View
from desensitize.generalise.levels import Listed
from desensitize.masking import HIDING
from desensitize.masking.noise import Noise
from desensitize.masking.numbers import Band, BottomCode, Round, TopCode
from desensitize.masking.order import Microaggregate
from desensitize.recognisers import by_name
from protos.language import Text

_NUMERIC: Final = (Band, BottomCode, Listed, Microaggregate, Noise, Round, TopCode)
"""Methods that leave a number near what it was, or put numbers together as a file says."""


def attack(view: View, measures: Text) -> list[Finding]:
    """Finds columns of numbers of persons that nothing hides.

    Args:
        view: Both tables.
        measures: What the figure of a mask is, for people.
    """
    kinds = {name: number_in(view, name) for name in _near(view)}
    return [_finding(view, name, kind, measures) for name, kind in kinds.items() if kind]


def _near(view: View) -> Iterator[str]:
    """Yields columns that were only made less exact, as if they were amounts."""
    for column in view.policy.published:
        steps = view.methods.get(column.name, column.methods)
        if any(isinstance(s, _NUMERIC) for s in steps) and not any(
            isinstance(s, HIDING) for s in steps
        ):
            yield column.name


def _finding(view: View, name: str, kind: str, measures: Text) -> Finding:
    limit = view.policy.attacks.mask_candidates_min
    title = by_name()[kind].title
    return Finding(
        "mask_reversal", (name,), None if limit is not None else 0.0, measures, limit,
        Text(
            f"{name!r} holds numbers of persons ({title.en}), and what makes an amount less "
            "exact hides none of them",
            f"“{name}”中是个人号码（{title.zh}），用于金额的模糊处理不能将其隐藏",
        ),
        Text("would hold: drop the column, or a keyed token",
             "可行的做法：删除该列，或改用带密钥的令牌（token）"),
        at_least=True,
    )  # fmt: skip
