"""An officer's own signature under a step: the right key, office, department, and exactly this."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Connection

from catalog.certificates.decisions import Decision, Matter, read_decision, request_digest
from catalog.publishing.officers import enrolment
from catalog.publishing.signers import signers
from catalog.workflows.case import Case, Kept, history
from catalog.workflows.events import Event
from catalog.workflows.model import Step
from protos.faults import PolicyError, TrustError
from protos.language import Text


def matter_of(case: str, asked: Event) -> Matter:
    """Returns what officers decide on.

    Args:
        case: Kind and id.
        asked: The event that says what is asked.
    """
    statements: Sequence[dict[str, str]] = asked.fields.get("statements", ())
    grants = tuple(request_digest(each["grant_request"]) for each in statements)
    return Matter(case, asked.digest, grants)


def approvals(kept: Sequence[Kept], case: Case) -> list[str]:
    """Returns the officers' decisions by which a request, as it is asked now, was approved.

    Args:
        kept: The case's events, in order.
        case: The case.
    """
    documents = [each.document for each in kept[case.asked :] if each.document]
    return [each for each in documents if read_decision(each).verdict == "approve"]


def check_decision(
    connection: Connection, case: Case, asked: Event, step: Step, document: str, now: int
) -> Decision:
    """Checks an officer's decision for a step.

    Args:
        connection: To read with.
        case: That is decided.
        asked: The event that says what is asked.
        step: That is to be taken.
        document: From anywhere.
        now: Unix seconds.

    Raises:
        TrustError: It is none, does not hold, is out of date, or is for something else.
        PolicyError: The key is not enrolled in that office of the department, or not now.
    """
    decision = read_decision(document)
    why = _differs(decision, case, asked, step, now)
    if why := why or _outdone(decision, history(connection, case.id)):
        raise TrustError(
            Text(f"the signed decision {why.en}", f"签名决定{why.zh}"),
            remedy=Text("have the officer look at the case as it is now, and sign again",
                        "请负责人查看本案现状后重新签署"),
            code="case.decision",
        )  # fmt: skip
    number, objections = enrolment(
        signers(connection), decision.fingerprint, case.department, decision.office, now
    )
    if not number:
        raise PolicyError(objections[0].said, remedy=_ENROL, code="case.officer")
    return decision


def _differs(decision: Decision, case: Case, asked: Event, step: Step, now: int) -> Text | None:
    if decision.matter.case != case.name:
        return Text("is for another case", "针对其他案件")
    if decision.matter != matter_of(case.name, asked):
        return Text("is for something else than is asked now", "与当前申请内容不符")
    if decision.department != case.department:
        return Text("is another department's", "属于其他部门")
    if decision.office != step.office:
        return Text("is of another office", "签批角色不符")
    if decision.verdict != step.verdict:
        return Text("says something else", "结论与此步骤不符")
    if not decision.valid(dt.datetime.fromtimestamp(now, dt.UTC)):
        return Text("is not valid now", "当前无效")
    return None


def _outdone(decision: Decision, kept: Sequence[Kept]) -> Text | None:
    """Says if its signer has signed a later word on the same: whoever has changed their mind.

    A node weighs them so, too: an early *no* that was never handed in must not undo a later yes.
    """
    words = [read_decision(each.document) for each in kept if each.document]
    later = any(
        each.fingerprint == decision.fingerprint and each.matter == decision.matter
        and each.created > decision.created
        for each in words
    )  # fmt: skip
    return (
        Text("is older than what its signer has signed since", "早于签批人此后的签署")
        if later
        else None
    )


_ENROL = Text(
    "have it signed by an officer whom the department has enrolled; an operator enrols a key with "
    "veil catalog signers add",
    "请由该部门已登记的负责人签署；运维员可用 veil catalog signers add 登记密钥",
)
