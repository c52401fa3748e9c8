"""The guard decides for its department: every plan is judged here again, by this node's own law.

What the exchange says counts for nothing: the plan is believed because the analyst's pinned key
signed it, the roster because every member is pinned, a grant because the owner's own key signed it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from catalog.calibration import Calibration, calibrate
from catalog.certificates.grants import check_grants
from catalog.certificates.receipts import PLAN_TYPE
from catalog.codec import from_json
from catalog.dataset import Dataset
from catalog.judge import judge
from catalog.plan import Plan
from catalog.policy import Policy
from compute_nodes.jobs.opening import Opening
from compute_nodes.jobs.runs import is_homomorphic
from protos.canonical import digest
from protos.cards import Card, Pins
from protos.faults import InputError, PolicyError, TrustError
from protos.identity import unverified_claims
from protos.language import Text

SKEW_S: Final = 60
MAX_PLAN_S: Final = 24 * 3600


@dataclass(frozen=True)
class Admitted:
    """A plan that this node has judged and will answer.

    Attributes:
        plan: The decoded plan.
        plan_hash: SHA-256 (hex) of the signed claims.
        policy: This department's policy for the dataset.
        dataset: This node's own copy of the declaration.
        calibration: The noise, derived here; None in exact mode.
        me: This department's position in the roster.
        cards: Everybody in the job, each checked against this node's pins.
        grant: Id of this department's grant; "" for ad hoc.
    """

    plan: Plan
    plan_hash: str
    policy: Policy
    dataset: Dataset
    calibration: Calibration | None
    me: int
    cards: Mapping[tuple[str, str], Card]
    grant: str


class Guard:
    """Judges plans.

    Args:
        department: Whose node this is.
        policies: By dataset: the policy files of this node.
        datasets: By name: this node's own copies of the declarations.
        pins: Whom this department believes.
        clock: Unix seconds.
    """

    def __init__(
        self,
        department: str,
        policies: Mapping[str, Policy],
        datasets: Mapping[str, Dataset],
        pins: Callable[[], Pins],
        clock: Callable[[], float],
    ) -> None:
        self._department = department
        self._policies = policies
        self._datasets = datasets
        self._pins = pins
        self._clock = clock

    def admit(self, opening: Opening) -> Admitted:
        """Verifies and judges one plan.

        Args:
            opening: The plan and the cards that came with it.

        Raises:
            TrustError: A signature, pin or clock does not hold.
            PolicyError: The policy refuses; names the rule, the column and a rewrite.
            InputError: The plan is malformed, or about a dataset that is not held here.
        """
        now = int(self._clock())
        admitted = self.reopen(opening, now=now)
        plan = admitted.plan
        if plan.expires_at > now + MAX_PLAN_S:
            raise TrustError(
                Text("the plan ends later than in a day", "计划的截止时间超过一天"),
                code="plan.expires",
            )
        verdict = judge(plan, admitted.dataset, {self._department: admitted.policy}, now=now)
        verdict.enforce(named=False)
        if is_homomorphic(plan):
            from compute_nodes.jobs.homomorphic import check_key_digest

            check_key_digest(plan)
        if plan.mode == "exact":
            check_grants(plan, self._pins(), now=now)
        return admitted

    def reopen(self, opening: Opening, *, now: int | None = None) -> Admitted:
        """Reads a plan again that was judged before this node was restarted.

        Signatures and pins are checked; time, policy and grants were when it was admitted.
        """
        cards = opening.trusted(self._pins())
        name = str(unverified_claims(opening.plan).get("analyst", ""))
        analyst = cards.get(("analyst", name))
        if analyst is None:
            raise TrustError(
                Text(
                    f"the card of the analyst {name!r} is missing", f"缺少分析员 {name!r} 的身份卡"
                ),
                code="plan.analyst",
            )
        claims = analyst.identity.verify(PLAN_TYPE, opening.plan, now=now, skew_s=SKEW_S)
        plan = from_json(Plan, claims)
        if (plan.analyst_fingerprint, plan.analyst_sealing_key) != (
            analyst.identity.fingerprint,
            analyst.sealing_key,
        ):
            raise TrustError(
                Text(
                    "the plan names other keys than its analyst's", "计划中的密钥不是其分析员的密钥"
                ),
                code="plan.analyst",
            )
        _check_affiliation(plan, self._pins())
        if not any(role == "exchange" for role, _ in cards):
            raise TrustError(
                Text("the card of the exchange is missing", "缺少交换中心的身份卡"),
                code="plan.exchange",
            )
        for member in plan.roster:
            card = cards.get(("department", member.name))
            if card is None or card.identity.fingerprint != member.fingerprint:
                raise TrustError(
                    Text(
                        f"{member.name} in the plan is not the department that is pinned here",
                        f"计划中的 {member.name} 不是本机登记可信的部门",
                    ),
                    remedy=Text(
                        "compare fingerprints (`veil node fingerprint`) and pin it",
                        "请核对指纹（veil node fingerprint）并登记为可信",
                    ),
                    code="plan.roster",
                )
        names = [member.name for member in plan.roster]
        if self._department not in names:
            raise InputError(
                Text(
                    f"the plan does not ask {self._department}", f"计划没有请求 {self._department}"
                ),
                code="plan.roster",
            )
        policy, dataset = self._held(plan.dataset)
        grants = {} if plan.mode == "adhoc" else _own_grants(plan, self._department)
        return Admitted(
            plan=plan,
            plan_hash=digest(claims),
            policy=policy,
            dataset=dataset,
            calibration=calibrate(plan, dataset) if plan.mode == "adhoc" else None,
            me=names.index(self._department),
            cards=cards,
            grant=grants.get(self._department, ""),
        )

    def stand_by(self, admitted: Admitted) -> None:
        """Checks, before a value leaves, that everybody in the job is still believed.

        A plan may wait for a day; who has been unpinned since gets nothing more.

        Raises:
            TrustError: Somebody is not pinned any more, or otherwise.
        """
        pins = self._pins()
        for card in admitted.cards.values():
            pins.check(card)
        _check_affiliation(admitted.plan, pins)

    def _held(self, dataset: str) -> tuple[Policy, Dataset]:
        if dataset not in self._policies or dataset not in self._datasets:
            raise PolicyError(
                Text(
                    f"{self._department} does not answer for a dataset {dataset!r}",
                    f"{self._department} 不提供数据集 {dataset!r}",
                ),
                remedy=Text(
                    "`veil status` lists who answers for what",
                    "veil status 列出哪个部门提供哪些数据",
                ),
                code="policy.dataset",
            )
        return self._policies[dataset], self._datasets[dataset]


def _check_affiliation(plan: Plan, pins: Pins) -> None:
    """What the plan claims counts for nothing unless this department has pinned the same.

    Raises:
        TrustError: It has not.
    """
    pinned = pins.department_of(plan.analyst)
    if plan.affiliation == pinned:
        return
    claimed = f"of {plan.affiliation}" if plan.affiliation else "of no department"
    known = f"of {pinned}" if pinned else "without a department"
    raise TrustError(
        Text(
            f"the plan says that {plan.analyst} is {claimed}, pinned here is {plan.analyst} "
            f"{known}",
            f"计划称 {plan.analyst} 属于{plan.affiliation or '无部门'}，"
            f"而本部门登记其属于{pinned or '无部门'}",
        ),
        remedy=Text(
            "every department, and the analyst, must pin the analyst with the same department: "
            "`veil node pin analyst NAME FINGERPRINT --department NAME`",
            "各部门与分析员自己须登记同一所属部门："
            "`veil node pin analyst NAME FINGERPRINT --department NAME`",
        ),
        code="plan.affiliation",
    )


def _own_grants(plan: Plan, department: str) -> dict[str, str]:
    from catalog.certificates.grants import read_grant

    grants = [read_grant(token) for token in plan.grants]
    return {grant.owner: grant.id for grant in grants if grant.owner == department}
