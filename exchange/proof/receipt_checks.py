"""The questions about a receipt: independent of each other, each with its own answer.

A question returns what it found, or raises `TrustError` saying what is wrong and where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from catalog.certificates.grants import check_allows, read_grant
from catalog.certificates.receipts import RELEASE_TYPE, plan_hash, statements_needed
from exchange.proof.receipt_evidence import Evidence, only
from protos.canonical import digest
from protos.faults import TrustError
from protos.identity import unverified_claims
from protos.language import Text, Words, both, joined

SKEW_S: Final = 60
# Above rounding in the conversion between zCDP and (epsilon, delta), below anything that matters.
_EPSILON_TOLERANCE: Final = 1e-6


class NotAsked(Exception):  # noqa: N818 - not an error: the caller gave nothing to compare with
    """A check that cannot be made with what was given."""

    def __init__(self, said: Words) -> None:
        super().__init__(said)
        self.said = said


class Remark(Exception):  # noqa: N818 - not an error: it holds
    """A check that holds, with something that the reader must know."""

    def __init__(self, said: Words) -> None:
        super().__init__(said)
        self.said = said


def _plan_agrees(evidence: Evidence) -> Words:
    plan, receipt = evidence.plan, evidence.receipt
    if receipt.plan_hash != plan_hash(plan):
        raise TrustError(
            Text(
                "the receipt's plan hash is not that of the signed plan",
                "回执的计划摘要与签名的计划不符",
            )
        )
    for field in ("job", "dataset", "dataset_digest", "mode", "protocol", "bits"):
        _same(
            Text(f"the receipt's {field}", f"回执的 {field}"),
            getattr(receipt, field),
            getattr(plan, field),
            Text("the plan", "计划"),
        )
    _same(
        Text("the receipt's id", "回执的编号"),
        evidence.credential.id,
        _urn(plan.job),
        Text("the plan's job", "计划的任务编号"),
    )
    if evidence.credential.valid_until is not None:
        raise TrustError(Text("a receipt has no end of validity", "回执不应有截止时间"))
    if evidence.credential.valid_from < plan.issued_at - SKEW_S:
        raise TrustError(Text("the receipt is dated before the plan", "回执的日期早于计划"))
    return Text(
        f"plan {receipt.plan_hash[:16]}…, job {plan.job}",
        f"计划 {receipt.plan_hash[:16]}…，任务 {plan.job}",
    )


def _roster_agrees(evidence: Evidence) -> Words:
    plan, receipt = evidence.plan, evidence.receipt
    names = tuple(member.name for member in plan.roster)
    if len(set(names)) != len(names):
        raise TrustError(
            Text("the plan's roster names a department twice", "计划的名单中有部门重复")
        )
    _same(
        Text("the receipt's roster", "回执的名单"), receipt.roster, names, Text("the plan", "计划")
    )
    for member in plan.roster:
        card = evidence.cards.get(("department", member.name))
        if card is None:
            raise TrustError(
                Text(f"the card of {member.name} is missing", f"缺少 {member.name} 的身份卡")
            )
        if card.identity.fingerprint != member.fingerprint:
            raise TrustError(
                Text(
                    f"the card of {member.name} has another key than the plan's roster",
                    f"{member.name} 的身份卡与计划名单中的密钥不符",
                )
            )
    for role, name in evidence.cards:
        if role not in {"analyst", "exchange"} and (role, name) not in {
            ("department", known) for known in names
        }:
            raise TrustError(
                Text(
                    f"the card of {role} {name} has no part in this job",
                    f"{role} {name} 的身份卡与此任务无关",
                )
            )
    return Text(
        f"{len(names)} departments with the keys that the analyst signed",
        f"{len(names)} 个部门，密钥与分析员签名的一致",
    )


def _pinned(evidence: Evidence) -> Words:
    if evidence.pins is None:
        raise NotAsked(
            Text(
                "no pins were given: nobody vouches for these keys",
                "未提供可信身份（--pins）：无人为这些密钥担保",
            )
        )
    for card in evidence.cards.values():
        evidence.pins.check(card)
    belongs = evidence.pins.department_of(evidence.plan.analyst)
    if belongs and belongs != evidence.plan.affiliation:
        raise TrustError(
            Text(
                f"{evidence.plan.analyst} is of {belongs}, which the plan does not say: it may be "
                "counted among those that were needed",
                f"{evidence.plan.analyst} 属于 {belongs}，而计划未说明：该部门可能被计入所需部门数",
            )
        )
    return Text(
        f"all {len(evidence.cards)} identities are pinned",
        f"{len(evidence.cards)} 个身份均已登记为可信",
    )


def _threshold_reached(evidence: Evidence) -> Words:
    plan, receipt = evidence.plan, evidence.receipt
    survived = tuple(name for name in receipt.roster if name in receipt.survivors)
    dropped = tuple(name for name in receipt.roster if name not in receipt.survivors)
    _same(
        Text("the receipt's survivors", "回执的应答部门"),
        receipt.survivors,
        survived,
        Text("the roster", "名单"),
    )
    _same(
        Text("the receipt's dropped departments", "回执的退出部门"),
        receipt.dropped,
        dropped,
        Text("the rest of the roster", "名单的其余部门"),
    )
    if len(survived) < plan.threshold:
        raise TrustError(
            Text(
                f"{len(survived)} departments answered, the plan needs {plan.threshold}",
                f"有 {len(survived)} 个部门应答，计划需要 {plan.threshold} 个",
            )
        )
    return Text(
        f"{len(survived)} of {len(receipt.roster)} answered, {plan.threshold} were needed",
        f"{len(receipt.roster)} 个部门中有 {len(survived)} 个应答，需要 {plan.threshold} 个",
    )


def _signed(evidence: Evidence) -> Words:
    """Names who did not sign; the others' signatures are enough, or the receipt does not hold."""
    survivors, needed = evidence.receipt.survivors, statements_needed(evidence.plan)
    signed = tuple(name for name in survivors if name in evidence.statements)
    unsigned = tuple(name for name in survivors if name not in evidence.statements)
    _same(
        Text("the receipt's unsigned departments", "回执的未签署部门"),
        evidence.receipt.unsigned,
        unsigned,
        Text("the document", "文件"),
    )
    if len(signed) < needed:
        raise TrustError(
            _TOO_FEW.format(missing=", ".join(unsigned) or "–", signed=len(signed), needed=needed)
        )
    if unsigned:
        raise Remark(
            _UNSIGNED.format(
                missing=", ".join(unsigned), signed=len(signed), all=len(survivors), needed=needed
            )
        )
    return _ALL_SIGNED.format(all=len(survivors))


def _statements_agree(evidence: Evidence) -> Words:
    receipt = evidence.receipt
    for name, statement in evidence.statements.items():
        for field in ("job", "plan_hash", "rho", "survivors", "hidden_cells"):
            _same(
                Text(f"the statement of {name}: {field}", f"{name} 声明的 {field}"),
                getattr(statement, field),
                getattr(receipt, field),
                Text("the receipt", "回执"),
            )
    return Text(
        "every department that signed says the same as the receipt", "已签署部门的声明均与回执相同"
    )


def _policies_agree(evidence: Evidence) -> Words:
    said = {name: s.policy_version for name, s in evidence.statements.items()}
    _same_by_department(Text("policy version", "策略版本"), evidence.receipt.policy_versions, said)
    return joined((f"{name} {version[:8]}…" for name, version in said.items()), Text(", ", ", "))


def _bytes_agree(evidence: Evidence) -> Words:
    said = {name: s.bytes_out for name, s in evidence.statements.items()}
    _same_by_department(Text("bytes that left it", "流出字节数"), evidence.receipt.bytes_out, said)
    if any(size < 0 for steps in said.values() for size in steps.values()):
        raise TrustError(
            Text("a department claims a negative number of bytes", "有部门声称的字节数为负")
        )
    total = sum(sum(steps.values()) for steps in said.values())
    return Text(f"{total:,} bytes left the departments", f"各部门共流出 {total:,} 字节")


def _outcome_agrees(evidence: Evidence) -> Words:
    for name, statement in evidence.statements.items():
        _same(
            Text(f"the statement of {name}: outcome_digest", f"{name} 声明的 outcome_digest"),
            statement.outcome_digest,
            evidence.receipt.outcome_digest,
            Text("the receipt", "回执"),
        )
    if evidence.outcome_digest not in {None, evidence.receipt.outcome_digest}:
        raise TrustError(
            Text(
                "the aggregate that arrived is not the one that everybody signed for",
                "收到的汇总结果不是各方签名的那一份",
            )
        )
    return Text(
        f"aggregate {evidence.receipt.outcome_digest[:16]}…",
        f"汇总结果 {evidence.receipt.outcome_digest[:16]}…",
    )


def _privacy_agrees(evidence: Evidence) -> Words:
    plan, receipt = evidence.plan, evidence.receipt
    _same(
        Text("the receipt's epsilon", "回执的 epsilon"),
        receipt.epsilon,
        plan.epsilon,
        Text("the plan", "计划"),
    )
    _same(
        Text("the receipt's delta", "回执的 delta"),
        receipt.delta,
        plan.delta,
        Text("the plan", "计划"),
    )
    if plan.mode == "exact":
        if (receipt.epsilon, receipt.delta, receipt.rho) != (0.0, 0.0, 0.0):
            raise TrustError(
                Text(
                    "an exact answer spends no privacy budget, this one says it does",
                    "精确结果不消耗隐私预算，此回执却称有消耗",
                )
            )
        if not 0 <= receipt.hidden_cells <= plan.aggregate.cells:
            raise TrustError(
                Text(
                    "the receipt's hidden_cells are not within the plan's cells",
                    "回执的 hidden_cells 超出计划的分组数",
                )
            )
        return Text("exact: no budget spent", "精确结果：不消耗预算")
    if receipt.hidden_cells != 0:
        raise TrustError(
            Text(
                "the receipt's hidden_cells must be 0: ad hoc answers hide none",
                "回执的 hidden_cells 须为 0：带噪结果不隐藏分组",
            )
        )
    if not (receipt.rho > 0 and 0 < receipt.delta < 1):
        raise TrustError(
            Text(
                "an ad hoc answer must spend rho > 0 with delta between 0 and 1",
                "带噪结果的 rho 须大于 0，delta 须在 0 与 1 之间",
            )
        )
    from desensitize.budget import epsilon_for

    spent = epsilon_for(receipt.rho, receipt.delta)
    if spent > receipt.epsilon * (1 + _EPSILON_TOLERANCE):
        raise TrustError(
            Text(
                f"rho {receipt.rho:.3g} is epsilon {spent:.4g}, more than the {receipt.epsilon:g} "
                "that was asked for",
                f"rho {receipt.rho:.3g} 相当于 epsilon {spent:.4g}，超过所请求的 "
                f"{receipt.epsilon:g}",
            )
        )
    return f"epsilon {receipt.epsilon:g}, delta {receipt.delta:g}, rho {receipt.rho:.4g}"


def _granted(evidence: Evidence) -> Words:
    plan = evidence.plan
    if plan.mode != "exact":
        if plan.grants:
            raise TrustError(Text("an ad hoc plan carries no grants", "带噪查询的计划不含授权"))
        return Text(
            "ad hoc: differentially private, no grant needed", "带噪查询：差分隐私，无需授权"
        )
    owners: dict[str, str] = {}
    for token in plan.grants:
        grant = read_grant(token)
        check_allows(token, plan)
        if grant.owner in owners:
            raise TrustError(
                Text(
                    f"the plan carries two grants of {grant.owner}",
                    f"计划中有 {grant.owner} 的两份授权",
                )
            )
        owners[grant.owner] = grant.fingerprint
    wanted = {member.name: member.fingerprint for member in plan.roster}
    for name in sorted({*wanted, *owners}):
        _same(
            Text(f"the grant of {name}", f"{name} 的授权"),
            owners.get(name),
            wanted.get(name),
            Text("the roster", "名单"),
        )
    return Text(f"granted by {', '.join(wanted)}", f"授权方：{'、'.join(wanted)}")


def _release_binds(evidence: Evidence) -> Words:
    token = evidence.document["release"]
    if token is None:
        if evidence.table is not None:
            raise TrustError(Text("the receipt is not bound to any file", "回执未绑定任何文件"))
        raise NotAsked(Text("the receipt is not bound to a file", "回执未绑定文件"))
    claims = only(evidence.cards, "analyst").identity.verify(RELEASE_TYPE, token)
    if set(claims) != {"receipt", "table"}:
        raise TrustError(
            Text("the release has missing or unknown fields", "发布声明缺少字段或有未知字段")
        )
    if claims["receipt"] != digest(unverified_claims(evidence.document["receipt"])):
        raise TrustError(
            Text("the release is bound to another receipt", "发布声明绑定的是另一份回执")
        )
    if evidence.table is None:
        raise NotAsked(
            Text("bound to a file; give the file to compare it", "已绑定文件；给出该文件即可比对")
        )
    if claims["table"] != hashlib.sha256(evidence.table).hexdigest():
        raise TrustError(
            Text(
                "the file is not the one that the analyst bound to this receipt",
                "该文件不是分析员绑定到此回执的文件",
            )
        )
    return Text(
        "the file is the one that the analyst bound to this receipt",
        "该文件正是分析员绑定到此回执的文件",
    )


def _same(what: Words, found: object, wanted: object, where: Words) -> None:
    if found != wanted or type(found) is not type(wanted):
        raise TrustError(
            Text(
                f"{both(what).en} is {_short(found)}, but {both(where).en} says {_short(wanted)}",
                f"{both(what).zh}为 {_short(found)}，但{both(where).zh}为 {_short(wanted)}",
            )
        )


def _same_by_department(
    what: Text, receipt: Mapping[str, object], said: Mapping[str, object]
) -> None:
    for name in sorted({*receipt, *said}):
        if name not in said:
            raise TrustError(
                Text(
                    f"the receipt has a {what.en} of {name}, which nobody has signed",
                    f"回执中有 {name} 的{what.zh}，但无人签署",
                )
            )
        _same(
            Text(f"the {what.en} of {name} in the receipt", f"回执中 {name} 的{what.zh}"),
            receipt.get(name),
            said.get(name),
            Text("it", "其声明"),
        )


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _urn(job: str) -> str:
    try:
        return UUID(hex=job).urn
    except ValueError as error:
        raise TrustError(
            Text("the plan's job is not 32 hex digits", "计划的任务编号不是 32 位十六进制数")
        ) from error


_ALL_SIGNED: Final = Text("all {all} signed", "{all} 个部门均已签署")
_UNSIGNED: Final = Text(
    "{missing} did not sign: policy and bytes not confirmed there; {signed} of {all} signed, "
    "{needed} are needed",
    "{missing} 未签署：其策略与出域字节数未经确认；{all} 个部门中 {signed} 个已签署，"
    "至少需要 {needed} 个",
)
_TOO_FEW: Final = Text(
    "only {signed} signed, {needed} are needed; no statement of {missing}",
    "仅 {signed} 个部门签署，至少需要 {needed} 个；缺少 {missing} 的声明",
)

CHECKS: Final[tuple[tuple[Text, Callable[[Evidence], Words]], ...]] = (
    (Text("Plan and receipt agree", "计划与回执一致"), _plan_agrees),
    (Text("Roster and identities agree", "名单与身份一致"), _roster_agrees),
    (Text("Identities are pinned", "身份已核对"), _pinned),
    (Text("Enough departments answered", "参与部门达到门限"), _threshold_reached),
    (Text("Every department that answered has signed", "应答部门均已签署"), _signed),
    (Text("Departments agree with the receipt", "部门声明与回执一致"), _statements_agree),
    (Text("Policy versions agree", "策略版本一致"), _policies_agree),
    (Text("Bytes that left agree", "出域字节数一致"), _bytes_agree),
    (Text("Aggregate agrees", "汇总结果摘要一致"), _outcome_agrees),
    (Text("Privacy spent is consistent", "隐私消耗一致"), _privacy_agrees),
    (Text("Owners' grants", "数据方授权"), _granted),
    (Text("Result file", "结果文件"), _release_binds),
)
