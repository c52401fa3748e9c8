"""Singling out: predicates found on the release that hold for one person of the original.

Cohen and Nissim, "Towards formalizing the GDPR's notion of singling out" (PNAS 2020): the attacker
reads a row of the release that is alone in some columns, and says "the person with these". He has
won if that is exactly one person. Some predicates of that rarity win by chance; so others are drawn
from the columns' own frequencies, without looking at rows, and only what goes beyond counts.
"""

# ruff: noqa: S608 - own SQL over our own tables

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

import numpy as np
import pyarrow as pa

from desensitize.attacks.findings import Finding
from desensitize.attacks.view import CELLS, HERE, View, make
from protos.language import Text

_SETS: Final = 24
_DRAWN: Final = 20_000
_MOST: Final = 3
_DRAWS: Final = "veil_draws"
_SEED: Final = 20_201_117
_MEASURES: Final = Text(
    "share of found predicates that single out one person, beyond chance",
    "所找条件组合中恰好锁定一人的占比（扣除偶然部分）",
)


def attack(view: View) -> Finding:
    """Looks for predicates on up to 24 sets of one to three columns, and on all together."""
    _draw(view)
    tried = won = drawn = lucky = most = 0
    worst: tuple[str, ...] = ()
    for names in _sets(view.known):
        found_here, right, guesses, hits = _try(view, names)
        tried, won = tried + found_here, won + right
        drawn, lucky = drawn + guesses, lucky + hits
        if right > most:
            most, worst = right, names
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


def _draw(view: View) -> None:
    """Draws rows for guesses by chance: the n-th column of a set takes its cell of the n-th row."""
    rng = np.random.default_rng(_SEED)
    count, width = min(view.rows, _DRAWN), max(len(view.known), _MOST)
    rows = [rng.integers(0, view.rows, count) for _ in range(width)] if count else []
    lines = {
        "nth": np.repeat(np.arange(len(rows)), count),
        "guess": np.tile(np.arange(count), len(rows)),
        "line": np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64),
    }
    engine = view.release.engine
    engine.register("veil_lines", pa.table(lines))
    make(
        view.release, _DRAWS,
        f"SELECT nth, guess, h.* FROM veil_lines d JOIN {HERE} h ON h.rowid = d.line",
    )  # fmt: skip
    engine.unregister("veil_lines")


def _try(view: View, names: tuple[str, ...]) -> tuple[int, ...]:
    """Counts predicates on a set of columns, and the people whom they single out.

    Returns:
        Combinations that one row of the release has; of these those that one person has; different
        combinations whose cells were drawn each by itself; of these those that one person has.
    """
    keys = view.keys(names)
    listed = ", ".join(keys)
    cells = ", ".join(f"d{n}.{key}" for n, key in enumerate(keys))
    joined = f"{_DRAWS} d0" + "".join(
        f" JOIN {_DRAWS} d{n} ON d{n}.nth = {n} AND d{n}.guess = d0.guess"
        for n in range(1, len(keys))
    )
    return view.count(
        CELLS, names,
        lambda turn: "SELECT count(*) FILTER (here = 1), "
        "count(*) FILTER (here = 1 AND there = 1), "
        "count(*) FILTER (drawn), count(*) FILTER (drawn AND there = 1) "
        f"FROM (SELECT sum(here) AS here, sum(there) AS there, bool_or(drawn) AS drawn FROM ("
        f"SELECT {listed}, here, there, false AS drawn FROM {CELLS} UNION ALL "
        f"SELECT {cells}, 0, 0, true FROM {joined} WHERE d0.nth = 0) "
        f"WHERE {turn} GROUP BY {listed})",
    )  # fmt: skip
