"""Singling out: people whose row is found by a few facts that somebody knows of them.

Models of quasi-identifiers take it that nobody knows the other columns. Some do: a shop knows what
was paid, an employer the salary; and a few such facts are as good as a name (Narayanan and
Shmatikov, S&P 2008; of 1.1 million people, four purchases found nine in ten: de Montjoye et al.,
"Unique in the shopping mall", Science 2015, whose unicity this is). Whoever finds the row learns
all the rest of it.

The attacker chooses the facts that find most people, one after the other. A person is singled out
if the release has one row with these values, and the original had no other (Cohen and Nissim,
"Towards formalizing the GDPR's notion of singling out", PNAS 2020).
"""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from desensitize.attacks.findings import Finding
from desensitize.attacks.view import CELLS, HERE, View
from desensitize.shares import share
from protos.language import Text

FACTS: Final = 3
_FINEST: Final = 12
"""Columns among which the attacker chooses: those with most values."""
_MEASURES: Final = Text(
    f"share of people whose row is found by {FACTS} facts",
    f"凭 {FACTS} 项信息即可找到其记录的人员占比",
)


def attack(view: View) -> Finding:
    """Chooses three columns, and counts the people who are alone with what they hold."""
    facts, found = chosen(view)
    _, by_all = _alone(view, view.known)
    figure = found / view.rows if view.rows else 0.0
    limit = view.policy.attacks.singling_out_max
    broken = limit is not None and figure > limit
    said, said_zh = ", ".join(facts) or "nothing", "、".join(facts) or "（无可用列）"
    return Finding(
        "singling_out", facts, figure, _MEASURES, limit,
        Text(
            f"who knows {said} of somebody finds the row of {found:,} of {view.rows:,} people "
            f"({share(figure)}), and who knows all that needs no key, of {by_all:,}",
            f"掌握某人{said_zh}即可在 {view.rows:,} 人中找到 {found:,} 人的记录"
            f"（{share(figure)}）；掌握全部无需密钥的列可找到 {by_all:,} 人",
        ),
        Text(
            f"would hold: coarser values of {said} (round or band them wider, or give them levels "
            "under models.k), or drop one of them",
            f"可行的做法：将{said_zh}的取值改粗（加大取整或分段宽度，或设置层级并纳入 models.k），"
            "或删除其中一列",
        ) if broken else Text("", ""),
        Text(
            f"the attacker knows the published values of any {FACTS} columns exactly; those chosen "
            f"find most people, one after the other among the {_FINEST} with most values",
            f"攻击者准确掌握任意 {FACTS} 列的发布值；在取值最多的 {_FINEST} 列中逐一选取能找到"
            "最多人的列",
        ),
        figures={"people": found, "by_all": by_all},
    )  # fmt: skip


def chosen(view: View) -> tuple[tuple[str, ...], int]:
    """Returns the facts that find most people, and how many they find."""
    left = _finest(view)
    facts: tuple[str, ...] = ()
    most = 0
    for _ in range(min(FACTS, len(left))):
        tried = {name: _alone(view, (*facts, name)) for name in left}
        # Where nobody is alone yet, what divides people most comes first.
        best = max(left, key=lambda name: (tried[name][1], tried[name][0]))
        facts, most = (*facts, best), tried[best][1]
        left.remove(best)
    return facts, most


def _finest(view: View) -> list[str]:
    """The columns with most values, in their order."""
    if len(view.known) <= _FINEST:
        return list(view.known)
    counts = ", ".join(f"approx_count_distinct({key})" for key in view.keys(view.known))
    values = dict(zip(view.known, view.ask(f"SELECT {counts} FROM {HERE}"), strict=True))
    most = set(sorted(values, key=lambda name: -values[name])[:_FINEST])
    return [name for name in view.known if name in most]


def _alone(view: View, names: Sequence[str]) -> tuple[int, int]:
    """Counts the combinations of some columns, and those that one person has, here and there."""
    if not names:
        return 0, 0
    sql = "SELECT count(*), count(*) FILTER (here = 1 AND there = 1)"
    every, alone = view.count(
        CELLS, names, lambda turn: f"{sql} FROM {view.classes(names, turn)} WHERE here > 0"
    )
    return every, alone
