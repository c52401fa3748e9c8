"""Rules of data subjects' authorisations, and the one question that whoever uses data asks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, select

from catalog.access.tables import AccountRow
from catalog.workflows.case import Case, case_of, history
from catalog.workflows.lookups import department, provides
from catalog.workflows.market_rules import circulation
from catalog.workflows.situation import Change, Situation, refused
from catalog.workflows.tables import CaseRow
from protos.language import Text


@dataclass(frozen=True)
class Use:
    """What somebody wants to do with one subject's data.

    Attributes:
        recipient: Account that does it.
        dataset: Source and identifier.
        operation: Such as ``lookup`` or ``score``.
        purpose: Word for word as it was authorised.
    """

    recipient: str
    dataset: tuple[str, str]
    operation: str
    purpose: str


def given(at: Situation) -> Change:
    """Checks that an account which stands for a person or firm authorises for that one alone.

    Whether the dataset is there is not asked: a subject may authorise what is closed to it, and
    must not learn here whether it exists. An authorisation of what is not there allows nothing.
    """
    if not at.caller.subject:
        raise refused(
            "subject",
            Text("this account stands for no person and no firm", "该账户未关联任何自然人或法人"),
            Text("have an administrator enter it after your identity was proved",
                 "请在核实身份后由平台管理员登记"),
        )  # fmt: skip
    if len(at.said["datasets"]) != 1:
        raise refused(
            "datasets",
            Text("one use is of one dataset", "一次授权对应一个数据资源"),
            Text("authorise each by itself", "请逐一授权"),
        )
    at.until(at.said["until"])
    code = at.said.get("department", "")
    return Change(
        title=at.said["title"], counterpart=at.said["recipient"], subject=at.caller.subject,
        department=department(at.connection, code) if code else None,
        datasets=at.said["datasets"], asked=1,
    )  # fmt: skip


def used(at: Situation) -> Change:
    """Checks that this is what was authorised, today, for the first time under this reference.

    A department must be the one that provides the dataset; that it was named is not enough. The
    last time uses the authorisation up.
    """
    case, said = at.opened(), at.asked().fields
    if not _stands_for(at.connection, case.owner, case.subject):
        raise refused(
            "subject",
            Text("the account that authorised it stands for this person or firm no more",
                 "授权账户已不再代表该数据主体"),
            Text("have the person or firm authorise it again", "请由数据主体重新授权"),
        )  # fmt: skip
    at.until(said["until"])
    for name, title in (
        ("operation", Text("operation", "操作")),
        ("purpose", Text("purpose", "用途")),
    ):
        if at.said[name] != said[name]:
            raise refused(
                name,
                Text(f"another {title.en} was authorised: {said[name]}",
                     f"所授权的{title.zh}不同：{said[name]}"),
                Text("ask the person or firm to authorise this one", "请数据主体就此另行授权"),
            )  # fmt: skip
    [dataset] = said["datasets"]
    recipient = at.caller.account == case.counterpart
    if not (recipient or at.caller.reach(at.step.action) == "all" or provides(
        at.connection, case.department, (dataset["source"], dataset["identifier"])
    )):  # fmt: skip
        raise refused(
            "provider",
            Text("this department does not provide the dataset", "该数据资源不由本部门提供"),
            Text("the department that provides it, or who may use it, records the use",
                 "请由数据提供部门或被授权方登记使用"),
        )  # fmt: skip
    reference = at.said["reference"]
    if reference.lower().startswith("urn:"):
        reference = circulation(at, reference).urn
    count = sum(each.step == "use" for each in at.events()) + 1
    return Change(
        after="spent" if count >= said["times"] else None, once=f"{case.name}#{reference}",
        more={"reference": reference},
    )  # fmt: skip


def allowing(connection: Connection, subject: str, use: Use, today: dt.date) -> Case | None:
    """Returns an authorisation that allows a use today; None if there is none.

    What an account has authorised counts while it stands for the subject: one that was linked by
    mistake, or stolen and shut out, authorises nothing from then on.
    """
    rows = connection.execute(
        select(CaseRow.__table__)
        .where(
            CaseRow.kind == "authorisations",
            CaseRow.subject == subject,
            CaseRow.state == "active",
            CaseRow.counterpart == use.recipient,
            CaseRow.until >= today.isoformat(),
        )
        .order_by(CaseRow.opened)
    )
    for case in map(case_of, rows):
        said = history(connection, case.id)[case.asked - 1].said.fields
        dataset = {"source": use.dataset[0], "identifier": use.dataset[1]}
        if (
            subject
            and _stands_for(connection, case.owner, subject)
            and said["datasets"] == [dataset]
            and (said["operation"], said["purpose"]) == (use.operation, use.purpose)
        ):
            return case
    return None


def _stands_for(connection: Connection, account: str, subject: str) -> bool:
    """Whether an account may act, and stands for a person or firm, now."""
    standing = select(AccountRow.name).where(
        AccountRow.name == account, AccountRow.subject == subject, AccountRow.enabled
    )
    return connection.execute(standing).first() is not None
