"""Judges a plan against policies: a pure function, the same at the analyst and at each node.

The analyst runs it over every department's public policy to learn early what would be refused;
a node runs it over its own policy file, and only that run counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from catalog.dataset import Dataset
from catalog.plan import Plan
from catalog.plan_rules import PLAN_RULES
from catalog.policy import Policy
from catalog.policy_rules import POLICY_RULES
from catalog.refusal import Refusal, spoken
from catalog.typing_rules import bits_needed, check_aggregate
from protos.faults import InputError, PolicyError
from protos.language import Text, joined


@dataclass(frozen=True)
class Verdict:
    """What the policies say to a plan; allowed if nothing refuses.

    Attributes:
        refusals: Every rule that says no.
        departments: Whose policies were asked.
    """

    refusals: tuple[Refusal, ...]
    departments: tuple[str, ...] = field(default=(), compare=False)

    @property
    def allowed(self) -> bool:
        """Whether no rule refuses."""
        return not self.refusals

    def enforce(self, *, named: bool = True) -> None:
        """Raises PolicyError with every refusal, unless the plan is allowed.

        Args:
            named: Say whose policy refuses. A node does not: the exchange says whose word it is.
        """
        if self.allowed:
            return
        first = self.refusals[0]
        told = [r if named else replace(r, department="") for r in self.refusals]
        raise PolicyError(
            joined(spoken(told, self.departments)),
            remedy=joined(dict.fromkeys(w for r in self.refusals for w in r.advice)),
            code=f"policy.{first.rule}",
        )


def judge(plan: Plan, dataset: Dataset, policies: Mapping[str, Policy], *, now: int) -> Verdict:
    """Judges ``plan`` under ``dataset`` and the policies of the named departments.

    Signatures, pins, grants' contents and what is left of the budget are the guard's to check.

    Args:
        plan: The plan as signed.
        dataset: This party's own copy of the declaration.
        policies: Policy by department; a node passes only its own.
        now: Unix seconds.
    """
    try:
        check_aggregate(plan.aggregate, dataset.columns)
        needed = bits_needed(plan, dataset)
    except InputError as error:
        rewrites = (error.advice,) if error.remedy else ()
        return Verdict((Refusal("", "plan", "", error.said, rewrites),))
    found = [r for rule in PLAN_RULES for r in rule(plan, dataset, now)]
    if plan.bits < needed:
        found.append(
            Refusal(
                "",
                "bits",
                "",
                Text(
                    f"{plan.bits} bits can overflow, {needed} are needed",
                    f"{plan.bits} 位可能溢出，需要 {needed} 位",
                ),
            )
        )
    for department, policy in policies.items():
        for rule in POLICY_RULES:
            found.extend(
                Refusal(department, r.rule, r.column, r.said, r.advice) for r in rule(plan, policy)
            )
    return Verdict(tuple(found), tuple(policies))
