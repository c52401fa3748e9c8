"""How coarse amounts must be, so that a few facts find few people: tried before there is a release.

The attack is that on a release (`attacks.singling_out`), on the original as the policy would mask
it. Amounts are rounded more and more; where that does not help, the column that tells most is
dropped. Levels of quasi-identifiers stay as they are: they are the models' to choose.
"""

# ruff: noqa: S608 - own SQL: names are made here

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from desensitize.attacks.layout import known_of
from desensitize.attacks.singling_out import chosen
from desensitize.attacks.view import CELLS, HERE, View, column_of, make, mask_into
from desensitize.generalise.alternatives import Alternative, drawn
from desensitize.generalise.levels import methods_of
from desensitize.masking.base import Cell, Method
from desensitize.masking.numbers import Round
from desensitize.masking.readings import as_number
from desensitize.policy import PublishedColumn, PublishPolicy
from desensitize.sources import Table

STEPS: Final = (0, 100, 50, 30, 20, 10, 5)
"""Into how many steps amounts are rounded at most, one after the other; 0 as the policy says."""
MOST_K: Final = 20
"""Up to which k quasi-identifiers are made coarser for it, before a column is dropped."""
_MOST: Final = 0.995
"""The share of values whose range is divided: the few that are greatest are cut off anyway."""
_WIDEST: Final = 40
"""Columns that are tried at once: those with most values."""


@dataclass(frozen=True)
class Trial:
    """What three facts find of one proposal.

    Attributes:
        k: With whose levels of the quasi-identifiers; 0 if there are none.
        steps: Into how many steps amounts are rounded; 0 for two digits of the usual one.
        bases: To multiples of what, by column, where that is coarser than two digits.
        dropped: Columns that are dropped for it, in the order in which they were.
        facts: The columns that find most people.
        share: Of people, 0 to 1.
        sample: Of how many rows this was told; 0 for all.
    """

    k: int
    steps: int
    bases: Mapping[str, int]
    dropped: tuple[str, ...]
    facts: tuple[str, ...]
    share: float
    sample: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return asdict(self)


def few_facts(
    table: Table,
    policy: PublishPolicy,
    costs: Sequence[Alternative],
    limit: float,
    *,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Trial, ...]:
    """Makes a proposal coarser until three facts find few enough people.

    First amounts are rounded more, then k is raised. Where even that does not help, the column
    that tells most is dropped, and what is left is tried anew from the beginning.

    Args:
        table: What would be released; of more than two million rows so many are drawn, of which
            three facts find a greater share than of all.
        policy: The proposal, with roundings to begin with.
        costs: Levels of the quasi-identifiers for the k to try, rising; none without any.
        limit: Greatest share of people, 0 to 1.
        progress: Told how many of the trials are done, of those without a dropped column.

    Returns:
        What was tried, one or more; the last is within the limit, unless quasi-identifiers alone
        are beyond it.

    Raises:
        InputError: Policy and table do not go together.
    """
    levels = [(0, {})] if not costs else _different(costs)
    with drawn(table, policy) as part:
        ladder = _Ladder(part, policy, levels, _ranges(part, policy), limit, progress)
        dropped: tuple[str, ...] = ()
        while (last := ladder.climb(dropped)).share > limit:
            # What helps at the coarse end of the ladder; then as fine again as can be.
            while last.share > limit and (telling := ladder.telling(last)):
                dropped = (*dropped, telling[0].name)
                last = ladder.try_(*levels[-1], STEPS[-1], dropped)
            if last.share > limit:
                break
        sample = 0 if part is table else _rows(part)
    return tuple(replace(each, sample=sample) for each in ladder.trials)


def _different(costs: Sequence[Alternative]) -> list[tuple[int, Mapping[str, str]]]:
    """Levels that differ, each with the least k that has them."""
    found: list[tuple[int, Mapping[str, str]]] = []
    for each in costs:
        if not found or each.levels != found[-1][1]:
            found.append((each.k, each.levels))
    return found


@dataclass
class _Ladder:
    """Trials on one table."""

    table: Table
    policy: PublishPolicy
    levels: Sequence[tuple[int, Mapping[str, str]]]
    ranges: Mapping[str, float]
    limit: float
    progress: Callable[[int, int | None], None] | None
    trials: list[Trial] = field(default_factory=list)

    def climb(self, dropped: tuple[str, ...]) -> Trial:
        """Rounds more and more, with the finest levels that can do."""
        for k, levels in self.levels:
            if k != self.levels[0][0]:
                last = self.try_(k, levels, STEPS[-1], dropped)
                if last.share > self.limit:
                    continue
            for place, steps in enumerate(STEPS):
                if place and self.bases(steps) == last.bases:
                    continue
                last = self.try_(k, levels, steps, dropped)
                if last.share <= self.limit:
                    return last
                if not any(map(_is_rounded, self.telling(last))):
                    break  # rounding does not help
            if len(self.telling(last)) == len(last.facts):
                break  # levels do not help
        return last

    def try_(
        self, k: int, levels: Mapping[str, str], steps: int, dropped: tuple[str, ...]
    ) -> Trial:
        """Tries one rung without some columns."""
        if self.progress is not None:
            self.progress(min(len(self.trials), len(STEPS)), len(STEPS))
        bases = self.bases(steps)
        models = replace(self.policy.models, k=k or None)
        asked = replace(_made_coarser(self.policy, bases, dropped), models=models)
        facts, share = _tried(self.table, asked, levels)
        self.trials.append(Trial(k, steps, bases, dropped, facts, share))
        return self.trials[-1]

    def bases(self, steps: int) -> dict[str, int]:
        """To multiples of what amounts are rounded, so that no more steps are left."""
        return _bases(self.policy, self.ranges, steps)

    def telling(self, trial: Trial) -> list[PublishedColumn]:
        """The facts of a trial that are no quasi-identifiers, the most telling first."""
        facts = [self.policy.columns[name] for name in trial.facts]
        return [column for column in facts if not column.quasi]


def _ranges(table: Table, policy: PublishPolicy) -> dict[str, float]:
    """How far apart the values of rounded columns lie, but for the few greatest."""
    names = [column.name for column in policy.published if _is_rounded(column)]
    ranges: dict[str, float] = {}
    for first in range(0, len(names), _WIDEST):  # of hundreds at once, the engine keeps too much
        part = names[first : first + _WIDEST]
        columns = [column_of(table, name) for name in part]
        read = [as_number(Cell(column.raw, column.stored)).sql for column in columns]
        listed = ", ".join(f"({sql})::DOUBLE AS x{n}" for n, sql in enumerate(read))
        spans = ", ".join(f"approx_quantile(x{n}, {_MOST}) - min(x{n})" for n in range(len(part)))
        sql = f"SELECT {spans} FROM (SELECT {listed} FROM {table.sql})"
        [found] = table.engine.sql(sql).fetchall()
        ranges |= {name: float(wide or 0) for name, wide in zip(part, found, strict=True)}
    return ranges


def _bases(policy: PublishPolicy, ranges: Mapping[str, float], steps: int) -> dict[str, int]:
    """Returns round bases (1, 2 or 5 and noughts) by which no more steps are left."""
    bases = {}
    for name, wide in ranges.items() if steps else ():
        least = wide / steps
        power = 10 ** max(math.floor(math.log10(least)), 0) if least > 0 else 1
        base = next(n * power for n in (1, 2, 5, 10) if n * power >= least)
        if base > _base_of(policy.columns[name]):
            bases[name] = base
    return bases


def _made_coarser(
    policy: PublishPolicy, bases: Mapping[str, int], dropped: Sequence[str]
) -> PublishPolicy:
    """Returns the policy with other bases of roundings, and without some columns."""
    columns = {
        name: replace(column, methods=tuple(_rounded(s, bases.get(name)) for s in column.methods))
        for name, column in policy.columns.items()
        if name not in dropped
    }
    return replace(policy, columns=columns)


def _rounded(step: Method, base: int | None) -> Method:
    return Round(Decimal(base)) if isinstance(step, Round) and base is not None else step


def _base_of(column: PublishedColumn) -> Decimal:
    return next(step.base for step in column.methods if isinstance(step, Round))


def _is_rounded(column: PublishedColumn) -> bool:
    return any(isinstance(step, Round) for step in column.methods)


def _tried(
    table: Table, policy: PublishPolicy, levels: Mapping[str, str]
) -> tuple[tuple[str, ...], float]:
    """Masks the table as far as anybody can, and lets the attacker choose his facts."""
    finest = _finest(table, policy)
    done = {c.name: methods_of(c, policy, levels) for c in policy.published if c.name in finest}
    known = known_of(policy, done)
    if not known:
        return (), 0.0
    codes = {name: f"c{place}" for place, name in enumerate(known)}
    mask_into(HERE, table, policy, known)
    listed = ", ".join(codes.values())
    make(table, CELLS, f"SELECT {listed}, count(*) AS here, here AS there FROM {HERE} GROUP BY ALL")
    if quasi := [codes[name] for name in known if policy.columns[name].quasi]:
        _leave_out(table, quasi, policy.models.k or 1)
    [[rows]] = table.engine.sql(f"SELECT coalesce(sum(here), 0) FROM {CELLS}").fetchall()
    facts, people = chosen(View(policy, table, table, rows, known, codes, {}, origin=False))
    return facts, people / max(rows, 1)


def _leave_out(table: Table, quasi: Sequence[str], k: int) -> None:
    """Takes away the small classes: the models leave them out as well."""
    listed = ", ".join(quasi)
    table.engine.execute(
        f"DELETE FROM {CELLS} WHERE ({listed}) IN "
        f"(SELECT ({listed}) FROM {CELLS} GROUP BY {listed} HAVING sum(here) < {k})"
    ).fetchall()


def _finest(table: Table, policy: PublishPolicy) -> set[str]:
    """The columns that can tell much: quasi-identifiers, and others with many values."""
    others = [column.name for column in policy.published if not column.quasi]
    if len(others) > _WIDEST:
        sources = {column.name: column for column in table.columns}
        counts = ", ".join(f"approx_count_distinct({sources[name].raw})" for name in others)
        [values] = table.engine.sql(f"SELECT {counts} FROM {table.sql}").fetchall()
        found = dict(zip(others, values, strict=True))
        others = sorted(others, key=lambda name: -found[name])[:_WIDEST]
    return {*others, *(column.name for column in policy.published if column.quasi)}


def _rows(table: Table) -> int:
    [[rows]] = table.engine.sql(f"SELECT count(*) FROM {table.sql}").fetchall()
    return int(rows)


def from_dict(body: dict[str, Any]) -> Trial:
    """Rebuilds what `Trial.to_dict` wrote."""
    return Trial(**body | {"dropped": tuple(body["dropped"]), "facts": tuple(body["facts"])})
