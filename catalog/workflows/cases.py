"""Cases in the catalog's database: a step is checked and kept in one transaction, or is not taken.

There is one writer at a time (`Database.write`), and a step names the revision that its taker has
seen: of two that come at once one is taken, and the other learns that the case has changed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from catalog.access.principal import Principal
from catalog.certificates.open_office import OpenOffice
from catalog.certificates.reading import CertificateReader
from catalog.registry.registry import Registry
from catalog.transparency.log import SALT_BYTES
from catalog.workflows import taking
from catalog.workflows.case import Case, Kept, find_case, history
from catalog.workflows.clock_file import ClockFile
from catalog.workflows.clocks import Clocks
from catalog.workflows.events import GENESIS, Event, document_digest
from catalog.workflows.fields import Field, read_fields
from catalog.workflows.lookups import in_force
from catalog.workflows.model import Step, Workflow
from catalog.workflows.outbox import deliver
from catalog.workflows.rules import RULES
from catalog.workflows.signatures import check_decision
from catalog.workflows.situation import Change, Situation
from catalog.workflows.tables import CaseDatasetRow, CaseEventRow, CaseRow
from protos.faults import ConflictError, LimitError
from protos.language import Text

MOST_EVENTS: Final = 500  # of a case; whoever ends it may, beyond that
MOST_A_DAY: Final = 100  # cases of a kind that one account opens
_DAY_S: Final = 86_400
_REASONS: Final = Field("reasons", "text", Text("reasons", "理由"), required=False)


@dataclass(frozen=True)
class Wanted:
    """A step that somebody wants to take.

    Attributes:
        said: Its fields, unchecked.
        document: An officer's signed decision; "" where the table wants none.
        revision: Of the case that the caller has seen; 0 when it is to be opened.
    """

    said: Mapping[str, Any]
    document: str = ""
    revision: int = 0


class Cases:
    """All cases of a catalog.

    Args:
        registry: The catalog.
        office: Has the log, and issues certificates; where it cannot, events wait for one that
            can.
        workflows: All kinds of cases.
    """

    def __init__(
        self,
        registry: Registry,
        office: OpenOffice | None,
        workflows: tuple[Workflow, ...],
    ) -> None:
        self.registry = registry
        self.office = office
        self._clocks = ClockFile(registry.directory, workflows)
        self.stepped: Callable[[], None] = lambda: None
        """Called behind every step, for whoever serves what it leads to."""

    @property
    def clocks(self) -> Clocks:
        """How long states may last, as the catalog's file says it now."""
        return self._clocks.now()

    @property
    def book(self) -> CertificateReader | None:
        """Certificates and their log, to be read; None if there are none here."""
        return None if self.office is None else self.office.book

    def open(self, workflow: Workflow, caller: Principal, wanted: Wanted) -> Case:
        """Opens a case by the first step of its workflow.

        Raises:
            VeilError: The caller may not, a field is malformed, or a rule refuses.
        """
        with self._writing() as (connection, sequence):
            taking.check_caller(workflow.first, None, caller)
            _check_number(connection, workflow, caller, self.registry.now())
            made = self._take(connection, sequence, workflow, workflow.first, None, caller, wanted)
        self.settle()
        self.stepped()
        return made

    def act(
        self, workflow: Workflow, identifier: str, step: Step, caller: Principal, wanted: Wanted
    ) -> Case:
        """Takes a step.

        Raises:
            MissingError: There is no such case, or not for this caller.
            ConflictError: Somebody has changed the case since the caller saw it.
            VeilError: It is not the caller's to take, does not lead on from where the case is, a
                field or signature is not as it must be, or a rule refuses.
        """
        with self._writing() as (connection, sequence):
            case = find_case(connection, workflow.kind, identifier)
            if case is None or not self._visible(connection, workflow, case, caller):
                raise taking.absent(workflow)
            taking.check_caller(step, case, caller)
            taking.check_revision(case, wanted.revision)
            taking.check_state(workflow, step, case)
            _check_length(workflow, step, case)
            taking.check_clock(workflow, step, case, self.clocks, self.registry.now())
            made = self._take(connection, sequence, workflow, step, case, caller, wanted)
        self.settle()
        self.stepped()
        return made

    def case(self, workflow: Workflow, identifier: str, caller: Principal) -> Case:
        """Returns a case that a caller may know of.

        Raises:
            MissingError: There is none, or not for this caller: the two look alike.
        """
        with self.registry.database.read() as connection:
            case = find_case(connection, workflow.kind, identifier)
            if case is None or not self._visible(connection, workflow, case, caller):
                raise taking.absent(workflow)
        return case

    def on_the_market(self, workflow: Workflow, case: Case) -> bool:
        """Says whether those who may only see what is open see a case, today."""
        with self.registry.database.read() as connection:
            return self._open(connection, workflow, case)

    def history(self, case: Case) -> list[Kept]:
        """Returns what was done in a case; whoever shows it has asked whether the caller may."""
        with self.registry.database.read() as connection:
            return history(connection, case.id)

    def check_rule(
        self, workflow: Workflow, step: Step, case: Case, caller: Principal, now: int
    ) -> None:
        """Asks the rule of a step with nothing to say whether it would hold; changes nothing.

        Raises:
            VeilError: It would not be.
        """
        if rule := RULES.get((workflow.kind, step.name)):
            with self.registry.database.read() as connection:
                rule(Situation(
                    self.registry, connection, self.book, self.clocks, workflow, step, case,
                    caller, {}, now,
                ))  # fmt: skip

    def datasets(self, case: Case) -> list[tuple[str, str]]:
        """Returns source and identifier of the datasets that a case is about."""
        statement = (
            select(CaseDatasetRow.source, CaseDatasetRow.identifier)
            .where(CaseDatasetRow.case == case.id)
            .order_by(CaseDatasetRow.position)
        )
        with self.registry.database.read() as connection:
            return [(row.source, row.identifier) for row in connection.execute(statement)]

    def settle(self) -> int:
        """Brings into the log what is not there yet, also what a kill left; returns how many."""
        issuing = None if self.office is None else self.office.issuing
        return 0 if issuing is None else deliver(self.registry, issuing)

    def _visible(
        self, connection: Connection, workflow: Workflow, case: Case, caller: Principal
    ) -> bool:
        return taking.insider(workflow, case, caller) or self._open(connection, workflow, case)

    def _open(self, connection: Connection, workflow: Workflow, case: Case) -> bool:
        """Whether a case is open, which may be so only under another one that is in force."""
        under, today = workflow.open_under, self.clocks.day(self.registry.now())
        return case.state in workflow.open_states and (
            under is None or in_force(connection, *under, case.owner, today)
        )

    @contextmanager
    def _writing(self) -> Iterator[tuple[Connection, int]]:
        self.registry.key()  # a catalog that cannot sign takes no step
        with self.registry.database.write() as (connection, sequence):
            yield connection, sequence

    def _take(
        self,
        connection: Connection,
        sequence: int,
        workflow: Workflow,
        step: Step,
        case: Case | None,
        caller: Principal,
        wanted: Wanted,
    ) -> Case:
        now = self.registry.now()
        before = [] if case is None else [kept.said for kept in history(connection, case.id)]
        taking.check_eyes(workflow, step, before, caller)
        said = read_fields(step.fields, wanted.said)
        taking.check_document(step, wanted.document)
        once, document = None, ""
        if wanted.document and case is not None:
            asked = before[case.asked - 1]
            decision = check_decision(connection, case, asked, step, wanted.document, now)
            once, document = decision.id, decision.document
            said = read_fields((_REASONS,), {"reasons": decision.reasons})
        rule = RULES.get((workflow.kind, step.name))
        situation = Situation(
            self.registry, connection, self.book, self.clocks, workflow, step, case, caller, said,
            now,
        )  # fmt: skip
        change = rule(situation) if rule else Change()
        made = _changed(workflow, step, case, caller, change, now, sequence)
        made = replace(made, until=said.get("until", made.until))
        event = Event(
            case=made.name, number=made.revision, step=step.name,
            before="" if case is None else case.state, after=made.state, at=now,
            by=caller.account, department=caller.department, responsible=made.department,
            counterpart=made.counterpart, subject=made.subject, title=made.title,
            asked=made.asked, fields={**said, **change.more},
            decision=document_digest(document) if document else "",
            previous=GENESIS if case is None else case.head,
        )  # fmt: skip
        made = replace(made, head=event.digest)
        _keep(connection, made, new=case is None)
        if change.datasets is not None:
            _keep_datasets(connection, made, change.datasets)
        once = change.once or once
        if once is not None:
            _check_once(connection, once)
        row = {
            "case": made.id, "number": made.revision, "sequence": sequence,
            "token": event.signed(self.registry.key()),
            "salt": secrets.token_bytes(SALT_BYTES).hex(), "document": document, "once": once,
        }  # fmt: skip
        connection.execute(insert(CaseEventRow), row)
        return made


def _changed(
    workflow: Workflow,
    step: Step,
    case: Case | None,
    caller: Principal,
    change: Change,
    now: int,
    sequence: int,
) -> Case:
    old = case or Case(
        id=secrets.token_hex(8), kind=workflow.kind, state="", revision=0, opened=sequence,
        department="", owner=caller.account, counterpart="", subject="", title="", asked=1,
        opened_at=now, since=now, changed_at=now, head=GENESIS, until="",
    )  # fmt: skip
    state = change.after or step.after or old.state
    entered = state != old.state or bool(step.after)
    plain = {
        name: value
        for name in ("title", "department", "counterpart", "subject", "asked")
        if (value := getattr(change, name)) is not None
    }
    return replace(
        old, state=state, revision=old.revision + 1, since=now if entered else old.since,
        changed_at=now, **plain,
    )  # fmt: skip


def _keep(connection: Connection, case: Case, *, new: bool) -> None:
    row = {**vars(case), "department": case.department or None, "until": case.until or None}
    if new:
        connection.execute(insert(CaseRow), row)
    else:
        connection.execute(update(CaseRow).where(CaseRow.id == case.id).values(**row))


def _keep_datasets(connection: Connection, case: Case, datasets: list[dict[str, str]]) -> None:
    connection.execute(delete(CaseDatasetRow).where(CaseDatasetRow.case == case.id))
    rows = [{"case": case.id, "position": i, **each} for i, each in enumerate(datasets)]
    if rows:
        connection.execute(insert(CaseDatasetRow), rows)


def _check_number(connection: Connection, workflow: Workflow, caller: Principal, now: int) -> None:
    opened = (
        select(func.count())
        .select_from(CaseRow)
        .where(
            CaseRow.kind == workflow.kind, CaseRow.owner == caller.account,
            CaseRow.opened_at > now - _DAY_S,
        )
    )  # fmt: skip
    if connection.execute(opened).scalar_one() >= MOST_A_DAY:
        raise LimitError(
            Text(f"{caller.account} has opened {MOST_A_DAY} cases within a day",
                 f"{caller.account} 一天内已发起 {MOST_A_DAY} 件"),
            remedy=Text("wait until tomorrow", "请明日再提交"),
            code="case.many",
        )  # fmt: skip


def _check_length(workflow: Workflow, step: Step, case: Case) -> None:
    if case.revision >= MOST_EVENTS and workflow.possible(step.after or case.state):
        raise LimitError(
            Text(f"this case has {MOST_EVENTS} events already", f"本案已有 {MOST_EVENTS} 条记录"),
            remedy=Text("end it, and open another one", "请结案后另行提出"),
            code="case.long",
        )


def _check_once(connection: Connection, once: str) -> None:
    known = select(CaseEventRow.case).where(CaseEventRow.once == once)
    if connection.execute(known).first() is not None:
        raise ConflictError(
            Text("this document has served for a step already", "该文件已用于其他步骤"),
            remedy=Text("bring another one", "请提供新的文件"),
            code="case.replayed",
        )
