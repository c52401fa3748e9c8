"""What a proposal costs, and how coarse it must be: all that is tried on a table for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from desensitize.generalise.alternatives import KS, Alternative, alternatives, usual
from desensitize.generalise.alternatives import from_dict as alternative_from
from desensitize.policy import PublishPolicy
from desensitize.proposing.few_facts import MOST_K, STEPS, Trial, few_facts
from desensitize.proposing.few_facts import from_dict as trial_from
from desensitize.sources import Table

K: Final = 5
"""The k that is proposed, if any levels meet it, and few facts do not need a greater one."""


@dataclass(frozen=True)
class Costs:
    """What was tried.

    Attributes:
        alternatives: What each k would cost; none without quasi-identifiers.
        trials: What three facts find, by how coarse amounts are; none if nobody asked, or no k can
            be met.
    """

    alternatives: tuple[Alternative, ...] = ()
    trials: tuple[Trial, ...] = ()

    @property
    def chosen(self) -> Alternative | None:
        """The k that is proposed; None if there is nothing to choose from."""
        return usual(self.alternatives, self.trials[-1].k if self.trials else K)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        return {
            "alternatives": [each.to_dict() for each in self.alternatives],
            "trials": [each.to_dict() for each in self.trials],
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
    return Costs(found, few_facts(table, policy, more_k, facts_max, progress=told(searches)))


def from_dict(body: dict[str, Any]) -> Costs:
    """Rebuilds what `Costs.to_dict` wrote."""
    return Costs(
        tuple(map(alternative_from, body["alternatives"])), tuple(map(trial_from, body["trials"]))
    )
