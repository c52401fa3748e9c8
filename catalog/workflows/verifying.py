"""Whether somebody has altered what was done: event by event, and case by case against the log.

Whoever can write the database can change a row, leave one out, or put two in another order: then
signature, number or chain of an event do not hold, and the first one is named. Whoever cuts off the
last events, and mends the case's row, is found by the log, which has more than the database.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from catalog.certificates.decisions import Decision, read_decision
from catalog.certificates.reading import CertificateReader
from catalog.publishing.signers import Signer, signers
from catalog.registry.registry import Registry
from catalog.workflows.case import Case, Kept, case_of, history
from catalog.workflows.events import GENESIS, Event, document_digest, read_event
from catalog.workflows.model import Workflow
from catalog.workflows.signatures import matter_of
from catalog.workflows.tables import CaseRow
from protos.faults import TrustError
from protos.language import Text
from protos.signing import PublicIdentity


class BrokenCaseError(TrustError):
    """What was done in a case is not what stands there.

    Attributes:
        number: Of the first event in question.
    """

    def __init__(self, case: str, number: int, why: Text) -> None:
        super().__init__(
            Text(f"{case}: event {number} {why.en}", f"{case}：第 {number} 条记录{why.zh}"),
            remedy=Text("keep the database as it is, and tell the auditor",
                        "请原样保留数据库，并报告审计员"),
            code="case.broken",
        )  # fmt: skip
        self.number = number


def verify_events(workflow: Workflow, events: Sequence[Kept], signer: PublicIdentity) -> None:
    """Checks signature, number, chain and table of each event, and the officers' signatures.

    Args:
        workflow: The case's.
        events: From the database, or from a server.
        signer: The catalog's key.

    Raises:
        BrokenCaseError: One does not hold; names the first.
    """
    before: list[Event] = []
    for number, kept in enumerate(events, 1):
        name = before[0].case if before else kept.said.case
        try:
            said = read_event(kept.token, signer)
        except TrustError as error:
            why = Text("is not signed by this catalog", "没有本目录的有效签名")
            raise BrokenCaseError(name, number, why) from error
        flaw = _flaw(workflow, said, number, before, name)
        flaw = flaw or _document_flaw(workflow, said, kept.document, before)
        if flaw:
            raise BrokenCaseError(name, number, flaw)
        before.append(said)


def verify_case(workflow: Workflow, case: Case, events: Sequence[Kept]) -> None:
    """Checks that a case's own row says what its events, verified already, say.

    Raises:
        BrokenCaseError: It does not.
    """
    said = [kept.said for kept in events]
    why = Text("is missing, or is not what the case's row says", "缺失，或与案件记录不符")
    if not said:
        raise BrokenCaseError(case.name, 1, why)
    first, last = said[0], said[-1]
    entered = [e.at for e in said if e.before != e.after or workflow.step(e.step).after]
    wanted = Case(
        id=first.case.partition("/")[2], kind=workflow.kind, state=last.after,
        revision=last.number, opened=case.opened, department=last.responsible, owner=first.by,
        counterpart=last.counterpart, subject=last.subject, title=last.title, asked=last.asked,
        opened_at=first.at, since=entered[-1], changed_at=last.at, head=last.digest,
        until=next((day for e in reversed(said) if (day := e.fields.get("until"))), ""),
    )  # fmt: skip
    if wanted != case:
        raise BrokenCaseError(case.name, min(len(said), case.revision) + 1, why)


def verify_all(
    registry: Registry, office: CertificateReader | None, workflows: Sequence[Workflow]
) -> int:
    """Checks all cases of a catalog, and that the log has nothing that they have not.

    Returns:
        How many events were verified.

    Raises:
        BrokenCaseError: An event does not hold; names the first of its case.
        TrustError: The log has an entry that no event explains; names its index.
    """
    signer = registry.key().public
    kinds = {workflow.kind: workflow for workflow in workflows}
    logged: dict[int, bytes] = {} if office is None else dict(office.noted())
    count = 0
    with registry.database.read() as connection:
        enrolled = signers(connection)
        rows = connection.execute(select(CaseRow.__table__).order_by(CaseRow.opened)).all()
        for case in map(case_of, rows):
            events = history(connection, case.id)
            verify_events(kinds[case.kind], events, signer)
            verify_case(kinds[case.kind], case, events)
            _check_officers(case, events, enrolled)
            count += len(events)
            for kept in events:
                _check_entry(case, kept, logged, office)
    if logged:
        index = min(logged)
        raise TrustError(
            Text(f"entry {index} of the log is of an event that is not there any more",
                 f"日志第 {index} 条所对应的记录已不存在"),
            remedy=Text("keep the database as it is: somebody has cut events off",
                        "请原样保留数据库：有记录被删除"),
            code="case.cut",
        )  # fmt: skip
    return count


def _check_officers(case: Case, events: Sequence[Kept], enrolled: Sequence[Signer]) -> None:
    """The key was enrolled in that office when the decision was taken, whatever became of it."""
    for kept in events:
        if not kept.document:
            continue
        decision, at = read_decision(kept.document), kept.said.at
        if not any(_in_office(decision, signer, at) for signer in enrolled):
            why = Text(
                "has the decision of somebody who was in no office", "所附决定的签署人当时不在职"
            )
            raise BrokenCaseError(case.name, kept.said.number, why)


def _in_office(decision: Decision, signer: Signer, at: int) -> bool:
    return (
        (signer.fingerprint, signer.department, signer.role)
        == (decision.fingerprint, decision.department, decision.office)
        and signer.valid_from <= at < signer.valid_until
        and (signer.removed_at is None or at <= signer.removed_at)
    )


def _check_entry(
    case: Case, kept: Kept, logged: dict[int, bytes], office: CertificateReader | None
) -> None:
    committed = kept.said.committed(bytes.fromhex(kept.salt))
    if office is None or kept.entry is None:
        # Killed between log and note: it will be noted under the same index.
        for index in [index for index, entry in logged.items() if entry == committed]:
            del logged[index]
        return
    if logged.pop(kept.entry, None) != committed:
        raise BrokenCaseError(
            case.name, kept.said.number, Text("is not what the log has", "与日志不符")
        )


def _flaw(
    workflow: Workflow, said: Event, number: int, before: Sequence[Event], name: str
) -> Text | None:
    last = before[-1] if before else None
    if said.number != number or said.case != name or name.partition("/")[0] != workflow.kind:
        return Text("is missing or out of order", "缺失或顺序不符")
    if not 1 <= said.asked <= number:
        return Text("names an event that is not there", "所指记录不存在")
    if said.previous != (last.digest if last else GENESIS):
        return Text("does not follow the one before it", "与前一条不相接")
    if said.before != (last.after if last else ""):
        return Text("begins in another state than the one before it ended", "起始状态与前一条不符")
    step = next((step for step in workflow.steps if step.name == said.step), None)
    if step is None or (bool(last) and said.before not in step.before):
        return Text("is no step that was possible", "不是当时可执行的步骤")
    if not last and step != workflow.first:
        return Text("does not open a case", "不是起始步骤")
    return None


def _document_flaw(
    workflow: Workflow, said: Event, document: str, before: Sequence[Event]
) -> Text | None:
    step = workflow.step(said.step)
    if said.decision != (document_digest(document) if document else ""):
        return Text("names another signed decision", "所列签名决定不符")
    if bool(step.office) != bool(document):
        return Text("has not the signed decision that it needs", "缺少所需的签名决定")
    if not document:
        return None
    try:
        decision = read_decision(document)
        matter = matter_of(said.case, before[before[-1].asked - 1])
    except TrustError:
        return Text("has a signed decision that does not hold", "所附签名决定不成立")
    except (KeyError, TypeError, AttributeError):
        return Text("asks for something malformed", "申请内容格式有误")
    wanted = (matter, step.office, step.verdict, before[-1].responsible)
    if (decision.matter, decision.office, decision.verdict, decision.department) != wanted:
        return Text("has a signed decision about something else", "所附签名决定针对其他内容")
    return None
