"""Singling out: predicates found on the release that hold for one person of the original.

Cohen and Nissim, "Towards formalizing the GDPR's notion of singling out" (PNAS 2020): the attacker
reads a row of the release that is alone in some columns, and says "the person with these". He has
won if that is exactly one person. Some predicates of that rarity win by chance; so others are drawn
from the columns' own frequencies, without looking at rows, and only what goes beyond counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from desensitize.attacks.classes import together
from desensitize.attacks.findings import Finding
from desensitize.attacks.view import View
from desensitize.recognisers.digits import Ints
from protos.language import Text

_SETS: Final = 24
_DRAWN: Final = 20_000
_SEED: Final = 20_201_117
_MEASURES: Final = Text(
    "share of found predicates that single out one person, beyond chance",
    "所找条件组合中恰好锁定一人的占比（扣除偶然部分）",
)


def attack(view: View) -> Finding:
    """Looks for predicates on up to 24 sets of one to three columns, and on all together."""
    tried = won = drawn = lucky = 0
    worst: tuple[str, ...] = ()
    most = 0
    for names in _sets(view.known):
        here, there, width = together(
            [view.published[n] for n in names], [view.masked[n] for n in names]
        )
        released = np.bincount(here, minlength=width)
        original = np.bincount(there, minlength=width)
        alone = released == 1
        tried += int(alone.sum())
        right = int((original[alone] == 1).sum())
        won += right
        if right > most:
            most, worst = right, names
        guesses, hits = _by_chance(view, names)
        drawn, lucky = drawn + guesses, lucky + hits
    found = won / tried if tried else 0.0
    chance = lucky / drawn if drawn else 0.0
    # Of predicates tried: none found is none that singles out.
    figure = max(found - chance, 0.0)
    limit = view.policy.attacks.singling_out_max
    broken = limit is not None and figure > limit
    said, said_zh = ", ".join(worst), "、".join(worst)
    return Finding(
        "singling_out", worst, figure, _MEASURES, limit,
        Text(
            f"of {tried:,} predicates found on the release, {won:,} hold for exactly one person "
            f"({found:.1%}); of those drawn by chance {chance:.1%}"
            + (f"; most of them on {said}" if worst else ""),
            f"在发布数据上找到 {tried:,} 个条件组合，其中 {won:,} 个恰好对应一人（{found:.1%}）；"
            f"随机组合为 {chance:.1%}" + (f"；最多出现于{said_zh}" if worst else ""),
        ),
        Text(
            f"would hold: coarsen or drop {said}; as quasi-identifiers under models.k nobody is "
            "alone with them",
            f"可行的做法：泛化或删除{said_zh}；若作为准标识符并设置 models.k，则无人独一无二",
        ) if broken else Text("", ""),
        Text(
            "predicates are equalities on one to three columns, and on all that need no key",
            "条件组合为一至三列（以及全部无需密钥的列）上的等值条件",
        ),
        figures={"predicates": tried, "isolate": won, "by_chance": chance},
    )  # fmt: skip


def _sets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Sets of columns: alone, all, pairs, triples; a fixed choice where there are too many."""
    every = [each for size in (2, 3) for each in combinations(names, size)]
    chosen = np.random.default_rng(_SEED).permutation(len(every))[: max(_SETS - len(names), 0)]
    fixed: list[tuple[str, ...]] = [(name,) for name in names[:_SETS]]
    if len(names) > 3:
        fixed.append(tuple(names))
    yield from fixed
    yield from (every[place] for place in sorted(chosen.tolist()))


def _by_chance(view: View, names: tuple[str, ...]) -> tuple[int, int]:
    """Draws each column by itself; returns how many combinations, and how many hit one person."""
    if not view.rows:
        return 0, 0
    rng = np.random.default_rng(_SEED)
    count = min(view.rows, _DRAWN)
    guess: list[Ints] = [view.published[name][rng.integers(0, view.rows, count)] for name in names]
    guessed, there, width = together(guess, [view.masked[name] for name in names])
    original = np.bincount(there, minlength=width)
    different = np.unique(guessed)
    return len(different), int((original[different] == 1).sum())
