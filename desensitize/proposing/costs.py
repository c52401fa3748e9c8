"""What a proposal costs, and how coarse it must be: all that is tried on a table for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from desensitize.generalise.alternatives import KS, Alternative, alternatives, usual
from desensitize.generalise.alternatives import from_dict as alternative_from
from desensitize.policy import PublishPolicy
from desensitize.proposing.few_facts import MOST_K, STEPS, Trial, few_facts
from desensitize.proposing.few_facts import from_dict as trial_from
from desensitize.sources import Table

K: Final = 5
"""The k that is proposed, if any levels meet it, and few facts do not need a greater one."""

SUPPRESSED: Final = 0.05
"""The share of rows that could be left out instead of the usual one."""
_MOST_JUDGED: Final = 40
"""Sensitive columns up to which less is tried: each search looks at every one of them."""


@dataclass(frozen=True)
class Costs:
    """What was tried.

    Attributes:
        alternatives: What each k would cost; none without quasi-identifiers.
        relaxed: What the usual k would cost if less were asked beside it: ``l`` without anything
            asked of sensitive columns, ``max_suppressed`` with `SUPPRESSED` of the rows left out.
        trials: What three facts find, by how coarse amounts are; none if nobody asked, or no k can
            be met.
    """

    alternatives: tuple[Alternative, ...] = ()
    trials: tuple[Trial, ...] = ()
    relaxed: Mapping[str, Alternative] = field(default_factory=dict)

    @property
    def chosen(self) -> Alternative | None:
        """The k that is proposed; None if there is nothing to choose from."""
        return usual(self.alternatives, self.trials[-1].k if self.trials else K)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return {
            "alternatives": [each.to_dict() for each in self.alternatives],
            "trials": [each.to_dict() for each in self.trials],
            "relaxed": {name: each.to_dict() for name, each in self.relaxed.items()},
        }


def costs(
    table: Table,
    policy: PublishPolicy,
    *,
    ks: Sequence[int] = KS,
    facts_max: float | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Costs:
    """Searches levels for several k, and how coarse amounts must be with those of the usual.

    Args:
        table: What would be released.
        policy: The proposal.
        ks: To try.
        facts_max: Greatest share of people whom three facts may find, 0 to 1; None not to look.
        progress: Told how many of the searches are done.

    Raises:
        InputError: Hierarchies and values do not go together.
    """
    more = len(STEPS) if facts_max is not None else 0
    searches = len({*ks, policy.models.k} - {None})

    def told(before: int) -> Callable[[int, int | None], None] | None:
        return progress and (lambda done, _: progress(before + done, searches + more))

    found = alternatives(table, policy, ks=ks, progress=told(0))
    first = usual(found, K)
    if facts_max is None or (found and first is None):
        return Costs(found)
    more_k = [each for each in found if first and each.met and first.k <= each.k <= MOST_K]
    trials = few_facts(table, policy, more_k, facts_max, progress=told(searches))
    judged = sum(column.sensitive and column.published for column in policy.columns.values())
    few = first is not None and judged <= _MOST_JUDGED
    return Costs(found, trials, _relaxed(table, policy, first.k) if first and few else {})


def _relaxed(table: Table, policy: PublishPolicy, k: int) -> dict[str, Alternative]:
    """Searches with less asked: what is dear may be the other demands, and not k."""
    models = replace(policy.models, k=k)
    asked = {}
    if models.of_sensitive:
        asked["l"] = replace(models, l=None, entropy_l=None, t=None)
    asked["max_suppressed"] = replace(models, max_suppressed=SUPPRESSED)
    return {
        name: alternatives(table, replace(policy, models=less), ks=())[0]
        for name, less in asked.items()
    }


def from_dict(body: dict[str, Any]) -> Costs:
    """Rebuilds what `Costs.to_dict` wrote."""
    return Costs(
        tuple(map(alternative_from, body["alternatives"])),
        tuple(map(trial_from, body["trials"])),
        {name: alternative_from(each) for name, each in body["relaxed"].items()},
    )
