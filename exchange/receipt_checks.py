"""The questions about a receipt: independent of each other, each with its own answer.

A question returns what it found, or raises `TrustError` saying what is wrong and where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from catalog.certificates.grants import check_allows, read_grant
from catalog.certificates.receipts import RELEASE_TYPE, plan_hash
from exchange.receipt_evidence import Evidence, only
from protos.canonical import digest
from protos.faults import TrustError
from protos.identity import unverified_claims
from protos.language import Text

SKEW_S: Final = 60
# Above rounding in the conversion between zCDP and (epsilon, delta), below anything that matters.
_EPSILON_TOLERANCE: Final = 1e-6


class NotAsked(Exception):  # noqa: N818 - not an error: the caller gave nothing to compare with
    """A check that cannot be made with what was given."""


def _plan_agrees(evidence: Evidence) -> str:
    plan, receipt = evidence.plan, evidence.receipt
    if receipt.plan_hash != plan_hash(plan):
        raise TrustError("the receipt's plan hash is not that of the signed plan")
    for field in ("job", "dataset", "dataset_digest", "mode", "protocol", "bits"):
        _same(f"the receipt's {field}", getattr(receipt, field), getattr(plan, field), "the plan")
    _same("the receipt's id", evidence.credential.id, _urn(plan.job), "the plan's job")
    if evidence.credential.valid_until is not None:
        raise TrustError("a receipt has no end of validity")
    if evidence.credential.valid_from < plan.issued_at - SKEW_S:
        raise TrustError("the receipt is dated before the plan")
    return f"plan {receipt.plan_hash[:16]}…, job {plan.job}"


def _roster_agrees(evidence: Evidence) -> str:
    plan, receipt = evidence.plan, evidence.receipt
    names = tuple(member.name for member in plan.roster)
    if len(set(names)) != len(names):
        raise TrustError("the plan's roster names a department twice")
    _same("the receipt's roster", receipt.roster, names, "the plan")
    for member in plan.roster:
        card = evidence.cards.get(("department", member.name))
        if card is None:
            raise TrustError(f"the card of {member.name} is missing")
        if card.identity.fingerprint != member.fingerprint:
            raise TrustError(f"the card of {member.name} has another key than the plan's roster")
    for role, name in evidence.cards:
        if role not in {"analyst", "exchange"} and (role, name) not in {
            ("department", known) for known in names
        }:
            raise TrustError(f"the card of {role} {name} has no part in this job")
    return f"{len(names)} departments with the keys that the analyst signed"


def _pinned(evidence: Evidence) -> str:
    if evidence.pins is None:
        raise NotAsked("no pins were given: nobody vouches for these keys")
    for card in evidence.cards.values():
        evidence.pins.check(card)
    belongs = evidence.pins.department_of(evidence.plan.analyst)
    if belongs and belongs != evidence.plan.affiliation:
        raise TrustError(
            f"{evidence.plan.analyst} is of {belongs}, which the plan does not say: it may be "
            "counted among those that were needed"
        )
    return f"all {len(evidence.cards)} identities are pinned"


def _threshold_reached(evidence: Evidence) -> str:
    plan, receipt = evidence.plan, evidence.receipt
    survived = tuple(name for name in receipt.roster if name in receipt.survivors)
    dropped = tuple(name for name in receipt.roster if name not in receipt.survivors)
    _same("the receipt's survivors", receipt.survivors, survived, "the roster")
    _same("the receipt's dropped departments", receipt.dropped, dropped, "the rest of the roster")
    if len(survived) < plan.threshold:
        raise TrustError(f"{len(survived)} departments answered, the plan needs {plan.threshold}")
    return f"{len(survived)} of {len(receipt.roster)} answered, {plan.threshold} were needed"


def _statements_agree(evidence: Evidence) -> str:
    receipt = evidence.receipt
    for name, statement in evidence.statements.items():
        for field in ("job", "plan_hash", "rho", "survivors", "hidden_cells"):
            _same(
                f"the statement of {name}: {field}",
                getattr(statement, field),
                getattr(receipt, field),
                "the receipt",
            )
    return "every department says the same as the receipt"


def _policies_agree(evidence: Evidence) -> str:
    said = {name: s.policy_version for name, s in evidence.statements.items()}
    _same_by_department("policy version", evidence.receipt.policy_versions, said)
    return ", ".join(f"{name} {version[:8]}…" for name, version in said.items())


def _bytes_agree(evidence: Evidence) -> str:
    said = {name: s.bytes_out for name, s in evidence.statements.items()}
    _same_by_department("bytes that left it", evidence.receipt.bytes_out, said)
    if any(size < 0 for steps in said.values() for size in steps.values()):
        raise TrustError("a department claims a negative number of bytes")
    return f"{sum(sum(steps.values()) for steps in said.values()):,} bytes left the departments"


def _outcome_agrees(evidence: Evidence) -> str:
    for name, statement in evidence.statements.items():
        _same(
            f"the statement of {name}: outcome_digest",
            statement.outcome_digest,
            evidence.receipt.outcome_digest,
            "the receipt",
        )
    if evidence.outcome_digest not in {None, evidence.receipt.outcome_digest}:
        raise TrustError("the aggregate that arrived is not the one that everybody signed for")
    return f"aggregate {evidence.receipt.outcome_digest[:16]}…"


def _privacy_agrees(evidence: Evidence) -> str:
    plan, receipt = evidence.plan, evidence.receipt
    _same("the receipt's epsilon", receipt.epsilon, plan.epsilon, "the plan")
    _same("the receipt's delta", receipt.delta, plan.delta, "the plan")
    if plan.mode == "exact":
        if (receipt.epsilon, receipt.delta, receipt.rho) != (0.0, 0.0, 0.0):
            raise TrustError("an exact answer spends no privacy budget, this one says it does")
        if not 0 <= receipt.hidden_cells <= plan.aggregate.cells:
            raise TrustError("the receipt's hidden_cells are not within the plan's cells")
        return "exact: no budget spent"
    if receipt.hidden_cells != 0:
        raise TrustError("the receipt's hidden_cells must be 0: ad hoc answers hide none")
    if not (receipt.rho > 0 and 0 < receipt.delta < 1):
        raise TrustError("an ad hoc answer must spend rho > 0 with delta between 0 and 1")
    from catalog.budget import epsilon_for

    spent = epsilon_for(receipt.rho, receipt.delta)
    if spent > receipt.epsilon * (1 + _EPSILON_TOLERANCE):
        raise TrustError(
            f"rho {receipt.rho:.3g} is epsilon {spent:.4g}, more than the {receipt.epsilon:g} "
            "that was asked for"
        )
    return f"epsilon {receipt.epsilon:g}, delta {receipt.delta:g}, rho {receipt.rho:.4g}"


def _granted(evidence: Evidence) -> str:
    plan = evidence.plan
    if plan.mode != "exact":
        if plan.grants:
            raise TrustError("an ad hoc plan carries no grants")
        return "ad hoc: differentially private, no grant needed"
    owners: dict[str, str] = {}
    for token in plan.grants:
        grant = read_grant(token)
        check_allows(token, plan)
        if grant.owner in owners:
            raise TrustError(f"the plan carries two grants of {grant.owner}")
        owners[grant.owner] = grant.fingerprint
    wanted = {member.name: member.fingerprint for member in plan.roster}
    for name in sorted({*wanted, *owners}):
        _same(f"the grant of {name}", owners.get(name), wanted.get(name), "the roster")
    return f"granted by {', '.join(wanted)}"


def _release_binds(evidence: Evidence) -> str:
    token = evidence.document["release"]
    if token is None:
        if evidence.table is not None:
            raise TrustError("the receipt is not bound to any file")
        raise NotAsked("the receipt is not bound to a file")
    claims = only(evidence.cards, "analyst").identity.verify(RELEASE_TYPE, token)
    if set(claims) != {"receipt", "table"}:
        raise TrustError("the release has missing or unknown fields")
    if claims["receipt"] != digest(unverified_claims(evidence.document["receipt"])):
        raise TrustError("the release is bound to another receipt")
    if evidence.table is None:
        raise NotAsked("bound to a file; give the file to compare it")
    if claims["table"] != hashlib.sha256(evidence.table).hexdigest():
        raise TrustError("the file is not the one that the analyst bound to this receipt")
    return "the file is the one that the analyst bound to this receipt"


def _same(what: str, found: object, wanted: object, where: str) -> None:
    if found != wanted or type(found) is not type(wanted):
        raise TrustError(f"{what} is {_short(found)}, but {where} says {_short(wanted)}")


def _same_by_department(
    what: str, receipt: Mapping[str, object], said: Mapping[str, object]
) -> None:
    for name in sorted({*receipt, *said}):
        _same(f"the {what} of {name} in the receipt", receipt.get(name), said.get(name), "it")


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _urn(job: str) -> str:
    try:
        return UUID(hex=job).urn
    except ValueError as error:
        raise TrustError("the plan's job is not 32 hex digits") from error


CHECKS: Final[tuple[tuple[Text, Callable[[Evidence], str]], ...]] = (
    (Text("Plan and receipt agree", "计划与回执一致"), _plan_agrees),
    (Text("Roster and identities agree", "名单与身份一致"), _roster_agrees),
    (Text("Identities are pinned", "身份已核对"), _pinned),
    (Text("Enough departments answered", "参与部门达到门限"), _threshold_reached),
    (Text("Departments agree with the receipt", "部门声明与回执一致"), _statements_agree),
    (Text("Policy versions agree", "策略版本一致"), _policies_agree),
    (Text("Bytes that left agree", "出域字节数一致"), _bytes_agree),
    (Text("Aggregate agrees", "汇总结果摘要一致"), _outcome_agrees),
    (Text("Privacy spent is consistent", "隐私消耗一致"), _privacy_agrees),
    (Text("Owners' grants", "数据方授权"), _granted),
    (Text("Result file", "结果文件"), _release_binds),
)
