"""Drafts the plan that the analyst signs: roster, protocol, threshold, ring, privacy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from catalog.codec import dataset_digest
from catalog.dataset import Dataset
from catalog.plan import Member, Plan, Protocol
from catalog.policy import Policy
from catalog.typing_rules import bits_needed
from exchange.planner.bound import Bound
from protos.cards import Card
from protos.faults import InputError
from protos.language import Text

LIFETIME_S: Final = 600
OFFLINE_LIFETIME_S: Final = 86_000  # a little less than the day that the exchange keeps a job
MAX_PAILLIER: Final = 64  # elements; above it BFV is as small and far faster


@dataclass(frozen=True)
class DirectoryView:
    """What the analyst knows of the federation.

    Attributes:
        datasets: Declared datasets by name.
        policies: Public policies by dataset, then department.
        fingerprints: Pinned identity fingerprint of each department.
        online: Departments whose node is connected now.
    """

    datasets: Mapping[str, Dataset]
    policies: Mapping[str, Mapping[str, Policy]]
    fingerprints: Mapping[str, str]
    online: frozenset[str]


def draft(
    bound: Bound,
    directory: DirectoryView,
    *,
    analyst: Card,
    project: str,
    purpose: str,
    now: int,
    job: str,
    epsilon: float | None = None,
    protocol: Protocol | None = None,
    lifetime_s: int | None = None,
    grants: tuple[str, ...] = (),
    order_keys: tuple[tuple[str, str], ...] = (),
    without: frozenset[str] = frozenset(),
    affiliation: str = "",
) -> Plan:
    """Drafts a plan for ``bound``; nothing is judged yet (see ``catalog.judge``).

    Args:
        bound: The bound statement; its mode is the plan's.
        directory: The federation as the analyst sees it.
        analyst: The analyst's own card.
        project: Whose budget share pays.
        purpose: What for.
        now: Unix seconds.
        job: 32 lower-case hex digits, fresh.
        epsilon: Ad hoc only; None takes the smallest default of the owners' policies.
        protocol: None chooses: sealed for one department, BFV when members are offline,
            otherwise masked_sum, as far as all owners take part in it.
        lifetime_s: he_sum only: seconds within which departments answer; None takes ten minutes,
            or a day while one of them is away.
        grants: Owners' signed grants, exact mode only.
        order_keys: Sealed cell-order keys, exact mode only.
        without: Members that are not asked.
        affiliation: The department that the analyst belongs to; "" for none.

    Raises:
        InputError: A member is not pinned, the protocol does not fit, or a total could need
            more than 128 bits.
    """
    dataset = bound.dataset
    roster = _roster(dataset, directory, without)
    known = directory.policies.get(dataset.name, {})
    policies = {m.name: known[m.name] for m in roster if m.name in known}
    own = sum(member.name == affiliation for member in roster)
    chosen = protocol or _protocol(roster, directory.online, policies)
    _check_protocol(chosen, bound, len(roster))
    waits = chosen.startswith("he_sum") and not directory.online >= {m.name for m in roster}
    lifetime = OFFLINE_LIFETIME_S if waits else LIFETIME_S
    if lifetime_s is not None:
        lifetime = _checked_lifetime(lifetime_s, chosen)
    plan = Plan(
        job=job,
        issued_at=now,
        expires_at=now + lifetime,
        analyst=analyst.name,
        analyst_fingerprint=analyst.identity.fingerprint,
        analyst_sealing_key=analyst.sealing_key,
        project=project,
        purpose=purpose,
        dataset=dataset.name,
        dataset_digest=dataset_digest(dataset),
        statement=bound.sql,
        aggregate=bound.aggregate,
        mode=bound.mode,
        protocol=chosen,
        bits=128,
        roster=roster,
        threshold=threshold_of(
            chosen,
            len(roster),
            own + max((policy.min_parties for policy in policies.values()), default=0),
        ),
        epsilon=_epsilon(bound, policies, epsilon),
        delta=dataset.delta if bound.mode == "adhoc" else 0.0,
        colluders=0
        if chosen == "sealed" or chosen.endswith(".open")
        else own + max((policy.colluders for policy in policies.values()), default=0),
        grants=grants,
        order_keys=order_keys,
        affiliation=affiliation,
    )
    return replace(plan, bits=bits_needed(plan, dataset))


def threshold_of(protocol: Protocol, members: int, least: int = 0) -> int:
    """Fewest survivors that the protocol is safe with and the policies are content with.

    Args:
        protocol: All must stay under pairwise masks without recovery, ⌊2n/3⌋ + 1 where masks can
            be taken off, and one where there are none.
        members: Departments that are asked.
        least: What the owners' ``min_parties`` come to, with the analyst's own department.
    """
    if protocol.endswith(".open"):
        return min(members, max(1, least))
    if protocol.startswith("he_sum") or protocol == "sealed":
        return members
    return min(members, max(2 * members // 3 + 1, least))


def _roster(
    dataset: Dataset, directory: DirectoryView, without: frozenset[str]
) -> tuple[Member, ...]:
    for name in sorted(without - set(dataset.members)):
        raise InputError(
            Text(f"{name} is no member of {dataset.name}", f"{name} 不是 {dataset.name} 的成员"),
            code="plan.roster",
        )
    names = [name for name in dataset.members if name not in without]
    missing = [name for name in names if name not in directory.fingerprints]
    if missing:
        raise InputError(
            Text(
                f"no pinned key for {', '.join(missing)}",
                f"尚未登记 {'、'.join(missing)} 的可信密钥",
            ),
            remedy=Text(
                "compare their fingerprints with them and pin them, or ask without them",
                "请与其核对指纹并登记为可信，或不向其查询",
            ),
            code="plan.roster",
        )
    if not names:
        raise InputError(
            Text("no department is left to ask", "没有可查询的部门"), code="plan.roster"
        )
    return tuple(Member(name, directory.fingerprints[name]) for name in names)


def _protocol(
    roster: tuple[Member, ...], online: frozenset[str], policies: Mapping[str, Policy]
) -> Protocol:
    if len(roster) == 1:
        return "sealed"
    both: tuple[Protocol, Protocol] = ("masked_sum", "he_sum.bfv")
    connected = online >= {member.name for member in roster}
    preferred = both if connected else (both[1], both[0])
    for protocol in preferred:
        if all(policy.takes_part_in(protocol) for policy in policies.values()):
            return protocol
    return preferred[0]


def _check_protocol(protocol: Protocol, bound: Bound, members: int) -> None:
    if (protocol == "sealed") != (members == 1):
        raise InputError(
            Text(
                f"{protocol} does not fit {members} departments",
                f"{protocol} 不适用于 {members} 个部门",
            ),
            remedy=Text(
                "sealed is for one department alone; several use masked_sum or he_sum",
                "sealed 只用于单个部门；多个部门用 masked_sum 或 he_sum",
            ),
            code="plan.protocol",
        )
    elements = bound.aggregate.cells * len(bound.aggregate.measures)
    if protocol.startswith("he_sum.paillier") and elements > MAX_PAILLIER:
        other = protocol.replace("paillier", "bfv")
        raise InputError(
            Text(
                f"{elements} figures are too many for Paillier (at most {MAX_PAILLIER})",
                f"{elements} 个数对 Paillier 过多（最多 {MAX_PAILLIER} 个）",
            ),
            remedy=Text(f"use {other}", f"请用 {other}"),
            code="plan.protocol",
        )


def _checked_lifetime(lifetime_s: int, protocol: Protocol) -> int:
    if not protocol.startswith("he_sum"):
        raise InputError(
            Text(
                f"the rounds of {protocol} have deadlines of their own",
                f"{protocol} 的各轮有自己的期限",
            ),
            remedy=Text(
                "leave out --wait-s, or use he_sum: there departments answer at their own time",
                "去掉 --wait-s，或使用 he_sum：由部门自定应答时间",
            ),
            code="plan.lifetime",
        )
    if not 1 <= lifetime_s <= OFFLINE_LIFETIME_S:
        raise InputError(
            Text(
                f"departments can be waited for from 1 to {OFFLINE_LIFETIME_S} s",
                f"等待部门应答的时间须为 1 至 {OFFLINE_LIFETIME_S} 秒",
            ),
            code="plan.lifetime",
        )
    return lifetime_s


def _epsilon(bound: Bound, policies: Mapping[str, Policy], asked: float | None) -> float:
    if bound.mode == "exact":
        if asked is not None:
            raise InputError(
                Text("an exact answer takes no epsilon", "精确结果不使用 epsilon"),
                code="plan.epsilon",
            )
        return 0.0
    if asked is not None:
        return asked
    if not policies:
        raise InputError(
            Text("no policy names a default epsilon", "没有策略给出默认 epsilon"),
            remedy=Text("give one", "请指定一个"),
            code="plan.epsilon",
        )
    return min(min(p.budget.default, p.budget.ceiling) for p in policies.values())
