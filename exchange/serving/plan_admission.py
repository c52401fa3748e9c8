"""What a plan must be before a job begins: whose it is, how long it holds, who is on its roster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from catalog.certificates.grants import read_grant
from catalog.certificates.receipts import PLAN_TYPE
from catalog.codec import from_json
from catalog.dataset import Dataset
from catalog.plan import Plan
from compute_nodes.disclosure import strictest_min_group
from exchange.ports import Registration
from protos.canonical import digest
from protos.cards import read_card
from protos.faults import TrustError, UnavailableError
from protos.identity import PublicIdentity
from protos.language import Text
from protos.names import Role

MAX_PLAN_S: Final = 24 * 3600
SKEW_S: Final = 60

Members = Mapping[tuple[Role, str], str]  # (role, name) → card, as enrolled and not revoked


def identity_of(members: Members, role: Role, name: str) -> PublicIdentity:
    """Returns the key with which somebody is enrolled.

    Raises:
        TrustError: Nobody of that name is.
    """
    card = members.get((role, name))
    if card is None:
        raise TrustError(
            Text(f"{name} has no card here", f"{name} 在此没有身份卡"),
            remedy=Text("enrol again", "请重新注册"),
            code="card.missing",
        )
    return read_card(card).identity


def read_plan(token: str, identity: PublicIdentity, analyst: str, now: int) -> tuple[Plan, str]:
    """Verifies a signed plan; returns it and its digest.

    Args:
        token: The plan, signed by its analyst.
        identity: The analyst's key.
        analyst: Its name.
        now: Unix seconds.

    Raises:
        TrustError: The signature, the name or the time is wrong.
    """
    claims = identity.verify(PLAN_TYPE, token, now=now)
    plan = from_json(Plan, claims)
    if plan.analyst != analyst:
        raise TrustError(
            Text("the plan names another analyst", "计划署名的是另一位分析员"),
            code="plan.analyst",
        )
    if not now - SKEW_S <= plan.expires_at <= now + MAX_PLAN_S:
        raise TrustError(
            Text(
                "the plan's time is over, or it ends later than in a day",
                "计划已过期，或截止时间超过一天",
            ),
            remedy=Text(
                "compare the clocks of both machines and ask again",
                "请核对两台机器的时钟后重新查询",
            ),
            code="plan.expired",
        )
    return plan, digest(claims)


def check_granted(plan: Plan) -> None:
    """Checks that each grant in a plan is signed by the department on the roster that it names.

    What it allows, and until when, every node checks for itself; here it decides what is certified.

    Raises:
        TrustError: One is not.
    """
    roster = {(member.name, member.fingerprint) for member in plan.roster}
    for token in plan.grants:
        grant = read_grant(token)
        if (grant.owner, grant.fingerprint) not in roster:
            raise TrustError(
                Text(
                    f"the plan carries a grant of {grant.owner} that is not signed by its key",
                    f"计划中 {grant.owner} 的授权不是由其密钥签署",
                ),
                remedy=Text("ask with the grants that owners gave", "请使用数据方给出的授权"),
                code="grant.owner",
            )


def roster_cards(plan: Plan, members: Members) -> list[str]:
    """Returns the cards of the plan's departments as enrolled, in roster order.

    Raises:
        TrustError: A department is enrolled with another key, or not at all.
    """
    tokens = []
    for member in plan.roster:
        token = members.get(("department", member.name))
        if token is None or read_card(token).identity.fingerprint != member.fingerprint:
            raise TrustError(
                Text(
                    f"{member.name} is not enrolled here with the key that the plan names",
                    f"{member.name} 不是以计划中的密钥在此注册的",
                ),
                remedy=Text("compare its fingerprint with the department", "请与该部门核对指纹"),
                code="plan.roster",
            )
        tokens.append(token)
    return tokens


def min_group(plan: Plan, registered: Mapping[str, Registration], dataset: Dataset) -> int:
    """Returns the strictest ``min_group`` of the roster's policies.

    Raises:
        UnavailableError: An exact answer, and somebody's policy is not known here (yet).
    """
    known = {
        member.name: policy
        for member in plan.roster
        for policy in registered.get(member.name, Registration("")).policies
        if policy.get("dataset") == plan.dataset
    }
    missing = [member.name for member in plan.roster if member.name not in known]
    if missing and plan.mode == "exact":
        raise UnavailableError(
            Text(
                f"{', '.join(missing)} has not been connected since the exchange was started,"
                " so "
                "its smallest group is not known",
                f"自交换中心启动以来 {'、'.join(missing)} 未曾连接，其最小分组人数未知",
            ),
            remedy=Text("ask again once it is connected", "请在其连接后重新查询"),
            code="job.unregistered",
        )
    numbers = [int(policy["min_group"]) for policy in known.values()]
    return strictest_min_group(numbers or [1], subjects_disjoint=dataset.subjects_disjoint)
