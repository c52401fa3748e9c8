"""Judges a plan against policies: a pure function, the same at the analyst and at each node.

The analyst runs it over every department's public policy to learn early what would be refused;
a node runs it over its own policy file, and only that run counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.algebra import Scalar
from catalog.codec import dataset_digest
from catalog.dataset import Dataset
from catalog.exact_rules import exact_refusals
from catalog.plan import Plan
from catalog.policy import Policy
from catalog.refusal import Refusal
from catalog.typing_rules import EPOCH, bits_needed, check_aggregate, magnitude
from catalog.uses import named_values, uses_of
from desensitize.column import Column
from protos.faults import InputError, PolicyError

SKEW_S: Final = 60
OPEN_BFV_BITS: Final = 47  # without masks a total must fit one slot: sums of limbs show carries
_HEX: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True)
class Verdict:
    """What the policies say to a plan; allowed if nothing refuses."""

    refusals: tuple[Refusal, ...]

    @property
    def allowed(self) -> bool:
        """Whether no rule refuses."""
        return not self.refusals

    def enforce(self) -> None:
        """Raises PolicyError with every refusal, unless the plan is allowed."""
        if self.allowed:
            return
        first = self.refusals[0]
        raise PolicyError(
            "; ".join(dict.fromkeys(_spoken(r) for r in self.refusals)),
            remedy="; ".join(dict.fromkeys(w for r in self.refusals for w in r.rewrites)),
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
        rewrites = (error.remedy,) if error.remedy else ()
        return Verdict((Refusal("", "plan", "", error.message, rewrites),))
    found = [r for rule in PLAN_RULES for r in rule(plan, dataset, now)]
    if plan.bits < needed:
        found.append(Refusal("", "bits", "", f"{plan.bits} bits can overflow, {needed} are needed"))
    for department, policy in policies.items():
        for rule in POLICY_RULES:
            found.extend(
                Refusal(department, r.rule, r.column, r.message, r.rewrites)
                for r in rule(plan, policy)
            )
    return Verdict(tuple(found))


def _times(plan: Plan, _: Dataset, now: int) -> Iterator[Refusal]:
    if plan.expires_at <= plan.issued_at:
        yield Refusal("", "time", "", "the plan ends before it begins")
    if now < plan.issued_at - SKEW_S:
        yield Refusal(
            "", "time", "",
            f"the plan was issued {plan.issued_at - now} s in the future",
            ("set the clocks of both machines",),
        )  # fmt: skip
    elif now > plan.expires_at:
        yield Refusal(
            "", "time", "",
            f"the plan has expired {now - plan.expires_at} s ago",
            ("submit it again; if it is new, set the clocks of both machines",),
        )  # fmt: skip


def _same_dataset(plan: Plan, dataset: Dataset, _: int) -> Iterator[Refusal]:
    if not plan.dataset == plan.aggregate.dataset == dataset.name:
        yield Refusal("", "dataset", "", f"the plan is not about {dataset.name!r}")
    elif plan.dataset_digest != dataset_digest(dataset):
        yield Refusal(
            "", "dataset", "",
            f"the plan was made for another version of {dataset.name!r}",
            ("fetch the directory again and plan anew",),
        )  # fmt: skip
    if not _HEX.fullmatch(plan.job):
        yield Refusal("", "job", "", "the job's number must be 32 lower-case hex digits")


def _roster(plan: Plan, dataset: Dataset, _: int) -> Iterator[Refusal]:
    names = [member.name for member in plan.roster]
    keys = {member.fingerprint for member in plan.roster}
    if len(set(names)) < len(names) or len(keys) < len(names) or not names:
        yield Refusal("", "roster", "", "the roster is empty or names a department twice")
    for name in sorted(set(names) - set(dataset.members)):
        yield Refusal("", "roster", "", f"{name!r} holds no rows of {dataset.name!r}")
    n = len(names)
    fewest = _fewest(plan, n)
    if not fewest <= plan.threshold <= n:
        yield Refusal(
            "", "threshold", "",
            f"{plan.protocol} over {n} departments needs a threshold of {fewest} to {n}, "
            f"not {plan.threshold}",
        )  # fmt: skip
    if (plan.protocol == "sealed") != (n == 1):
        yield Refusal(
            "", "protocol", "",
            "one department alone answers sealed" if n == 1 else "sealed is for one department",
        )  # fmt: skip
    if not 0 <= plan.colluders < plan.threshold:
        yield Refusal("", "colluders", "", "colluders must be at least 0 and below the threshold")


def _fewest(plan: Plan, n: int) -> int:
    """Fewest survivors that the protocol itself is safe with; policies may ask for more."""
    if plan.is_open:  # each input stands alone
        return 1
    return n if plan.protocol.startswith("he_sum") else 2 * n // 3 + 1


def _open(plan: Plan, dataset: Dataset, _: int) -> Iterator[Refusal]:
    """What may travel without masks: analyst and exchange together see each single input."""
    if not plan.is_open:
        return
    if plan.mode == "exact":
        yield Refusal(
            "", "open", "",
            "exact figures need masks: in an open sum analyst and exchange together would read "
            "every department's own, and no noise would protect it",
            (f"use {plan.protocol.removesuffix('.open')} or masked_sum", "ask in ad hoc mode"),
        )  # fmt: skip
    width = magnitude(plan, dataset).bit_length() + 1  # and one for the sign
    if plan.protocol.startswith("he_sum.bfv") and width > OPEN_BFV_BITS:
        yield Refusal(
            "", "open", "",
            f"an open BFV sum carries totals of up to {OPEN_BFV_BITS} bits, these may have {width}",
            ("use he_sum.paillier.open, he_sum.bfv or tighter bounds",),
        )  # fmt: skip


def _privacy(plan: Plan, dataset: Dataset, _: int) -> Iterator[Refusal]:
    if plan.mode == "exact":
        yield from exact_refusals(plan.aggregate, dataset.columns)
        if plan.epsilon != 0 or plan.delta != 0:
            yield Refusal("", "epsilon", "", "an exact answer has epsilon 0 and delta 0")
        if len(plan.grants) < len(plan.roster):
            yield Refusal(
                "", "grants", "",
                f"an exact answer needs a grant of each owner: {len(plan.grants)} of "
                f"{len(plan.roster)} are here",
                ("request grants for this statement", "ask in ad hoc mode"),
            )  # fmt: skip
    elif not (math.isfinite(plan.epsilon) and plan.epsilon > 0 and plan.delta == dataset.delta):
        yield Refusal(
            "", "epsilon", "",
            f"an ad hoc answer needs epsilon above 0 and the dataset's delta {dataset.delta:g}",
        )  # fmt: skip


def _audience(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    if "*" not in policy.audience and plan.analyst not in policy.audience:
        yield _no("audience", f"{plan.analyst!r} is not in the audience")


def _column_uses(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    for name, uses in uses_of(plan.aggregate).items():
        column = policy.columns.get(name)
        if column is None:
            may = tuple(n for n, c in policy.columns.items() if uses <= c.uses)
            yield _no(
                "uses", f"column {name!r} may not be used", name,
                *([f"columns that allow this: {', '.join(may)}"] if may else []),
            )  # fmt: skip
            continue
        for use in sorted(uses - column.uses):
            may = tuple(n for n, c in policy.columns.items() if use in c.uses)
            allowed = ", ".join(sorted(column.uses)) or "nothing"
            yield _no(
                "uses", f"column {name!r} may not be used to {use} (allowed: {allowed})", name,
                *([f"to {use}, use {', '.join(may)}"] if may else []),
            )  # fmt: skip


def _narrower(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    """Values that a narrower policy leaves out may be neither grouped by nor asked for."""
    for name, values in named_values(plan.aggregate, policy.columns).items():
        column = policy.columns[name]
        if not (refused := [v for v in values if not _within(column, v)]):
            continue
        yield _no(
            "values",
            f"column {name!r} may not be asked for {_listed(column, refused)}",
            name,
            f"add a WHERE that keeps {name} to {_range(column)}",
        )


def _within(column: Column, value: Scalar) -> bool:
    if column.codes is not None and value not in column.codes:
        return False
    if column.bounds is not None and isinstance(value, int):
        return column.bounds[0] <= value <= column.bounds[1]
    return True


def _cells(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    cells, measures = plan.aggregate.cells, len(plan.aggregate.measures)
    if cells * measures > policy.max_cells:
        yield _no(
            "max_cells",
            f"{cells} cells x {measures} measures are more than {policy.max_cells}",
            "",
            "group by fewer keys or wider bands, or narrow them in WHERE",
        )


def _epsilon(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    if plan.mode == "adhoc" and plan.epsilon > policy.budget.ceiling:
        yield _no(
            "epsilon",
            f"epsilon {plan.epsilon:g} is above the ceiling {policy.budget.ceiling:g}",
            "",
            f"ask for epsilon {policy.budget.ceiling:g} or less",
        )
    if plan.mode == "adhoc" and plan.epsilon < policy.budget.least:
        yield _no(
            "epsilon",
            f"epsilon {plan.epsilon:g} is below the least of one query, {policy.budget.least:g}",
            "",
            f"ask for epsilon {policy.budget.least:g} or more",
        )
    if plan.project not in policy.budget.projects:
        known = ", ".join(policy.budget.projects) or "none"
        yield _no("project", f"project {plan.project!r} is unknown", "", f"projects: {known}")


def _protocol(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    if not policy.takes_part_in(plan.protocol):
        yield _no(
            "protocol",
            f"the protocol {plan.protocol} is not taken part in",
            "",
            f"use {', '.join(policy.protocols) or 'no protocol: ask the owner'}",
        )
    # A department that answers alone, or openly, adds all of the noise itself. The analyst's own
    # department knows its share of the noise, and is taken to tell.
    withstand = policy.colluders + plan.own
    if plan.protocol != "sealed" and not plan.is_open and plan.colluders < withstand:
        yield _no(
            "colluders",
            f"the noise must withstand {withstand} colluding departments{_beside(plan, 'with')}, "
            f"the plan says {plan.colluders}",
        )


def _parties(plan: Plan, policy: Policy) -> Iterator[Refusal]:
    # An owner that lists "sealed" has agreed to answer alone; there is nobody to hide among.
    if plan.protocol != "sealed" and plan.threshold - plan.own < policy.min_parties:
        yield _no(
            "min_parties",
            f"an answer needs {policy.min_parties} departments{_beside(plan, 'without')}, this one "
            f"could come from {plan.threshold - plan.own}",
            "",
            "raise the threshold"
            if len(plan.roster) - plan.own >= policy.min_parties
            else "ask over more departments",
        )


def _beside(plan: Plan, how: str) -> str:
    """Words for the analyst's own department, where it is asked."""
    return f" ({how} {plan.affiliation}, the analyst's own)" if plan.own else ""


def _no(rule: str, message: str, column: str = "", *rewrites: str) -> Refusal:
    return Refusal("", rule, column, message, rewrites)


def _spoken(refusal: Refusal) -> str:
    return f"{refusal.department}: {refusal.message}" if refusal.department else refusal.message


def _listed(column: Column, values: Sequence[Scalar]) -> str:
    shown = ", ".join(_written(column, v) for v in values[:5])
    return f"{shown} and {len(values) - 5} more" if len(values) > 5 else shown


def _range(column: Column) -> str:
    if column.codes is not None:
        return f"({_listed(column, column.codes)})"
    low, high = column.bounds or (0, 0)
    return f"{_written(column, low)} to {_written(column, high)}"


def _written(column: Column, value: Scalar) -> str:
    if isinstance(value, int) and column.type == "date":
        return str(EPOCH.fromordinal(EPOCH.toordinal() + value))
    if isinstance(value, int) and column.type == "decimal":
        return f"{value / 10**column.decimals:.{column.decimals}f}"
    return repr(value)


PLAN_RULES: Final[tuple[Callable[[Plan, Dataset, int], Iterator[Refusal]], ...]] = (
    _same_dataset,
    _times,
    _roster,
    _open,
    _privacy,
)
POLICY_RULES: Final[tuple[Callable[[Plan, Policy], Iterator[Refusal]], ...]] = (
    _audience,
    _column_uses,
    _narrower,
    _cells,
    _epsilon,
    _protocol,
    _parties,
)
