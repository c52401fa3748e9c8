"""The exchange behind its server: who takes part, what is asked, and the sessions that answer.

It relays and sums; it can read no row, no department's input and, in ad hoc jobs, no total.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from catalog.certificates.receipts import issue_receipt, receipt_of
from catalog.codec import from_json
from catalog.declaration import Declaration, read_declaration
from catalog.plan import Plan
from catalog.policy import Policy
from compute_nodes.crypto.signatures import signer
from compute_nodes.jobs.opening import write_opening
from compute_nodes.jobs.requests import DECISIONS, ENDING, REQUEST, SEPARATOR
from compute_nodes.jobs.runs import CANCEL_ROUND
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.rpc.link import UNREGISTERED
from exchange.certifier import Certifier
from exchange.coordinator.archive import Archive, DueResult, JobRow
from exchange.coordinator.journal import Begun, Journal, Journals
from exchange.coordinator.outcome import Outcome, read_outcome
from exchange.coordinator.session import Clocks, Ports, Session
from exchange.coordinator.stages import StagePlan
from exchange.coordinator.statements import facts_of, take_statement
from exchange.desk import ROUND_PREFIX, Ending, GrantDesk, Question, ending_round
from exchange.inbox import Inbox
from exchange.plan_admission import (
    Members,
    check_granted,
    identity_of,
    min_group,
    read_plan,
    roster_cards,
)
from exchange.ports import Alive, Caller, Progress, Registration
from exchange.shelf import DatasetShelf
from exchange.submission import read_submission
from protos.cards import read_card
from protos.faults import (
    InputError,
    JobError,
    PolicyError,
    ProtocolError,
    UnavailableError,
    VeilError,
    from_public,
)
from protos.identity import IdentityKey
from protos.language import Text

LOG: Final = logging.getLogger("veil.exchange")
TICK_S: Final = 0.1
MOST_JOBS: Final = 200  # at once; each may hold vectors in memory
MOST_JOBS_PER_ANALYST: Final = 16
REMEMBER_S: Final = 600.0
GATHER_S: Final = 0.05  # progress is for people: the end is told at once, the rest in handfuls


@dataclass
class _Job:
    """One job in memory.

    Attributes:
        row: As it was submitted.
        journal: What its session has taken in.
        replayed_at: While an earlier process's inputs are replayed: when the present one came.
        session: None before the job has begun and after it has ended.
        events: What its analyst may see.
        ended: Whether there is an outcome, or an error.
        changed: Notified at each event and at the end.
    """

    row: JobRow
    journal: Journal
    replayed_at: float | None = None
    session: Session | None = None
    events: list[Progress] = field(default_factory=list)
    ended: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)


class Hub:
    """Jobs, rounds and rosters; implements ``exchange.ports.Hub``.

    Args:
        identity: The exchange's signing key.
        card: Its card.
        members: Reads everybody who is enrolled and not revoked, with the card of enrolment.
        shelf: The declared datasets.
        desk: Grant requests and their answers.
        archive: The record of jobs.
        certifier: Certifies grants and results; started and stopped by who made it.
        journals: What running jobs have taken in.
        inbox: What waits for the departments.
        clocks: How long sessions wait.
        clock: Unix seconds.
        monotonic: Monotonic seconds.
        declared: Told what a department declares that it holds, verified, as signed, and the
            fingerprint of the key that signed it.
        answered: Called when an owner has answered a request for a grant.
    """

    def __init__(
        self,
        *,
        identity: IdentityKey,
        card: str,
        members: Callable[[], Members],
        shelf: DatasetShelf,
        desk: GrantDesk,
        archive: Archive,
        certifier: Certifier,
        journals: Journals,
        inbox: Inbox,
        clocks: Clocks,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        declared: Callable[[Declaration, str, str], None] = lambda *_: None,
        answered: Callable[[], None] = lambda: None,
    ) -> None:
        self._declared = declared
        self._answered = answered
        self._identity = identity
        self._card = card
        self._members = members
        self._shelf = shelf
        self._desk = desk
        self._archive = archive
        self._certifier = certifier
        self._journals = journals
        self._inbox = inbox
        self._clocks = clocks
        self._clock = clock
        self._monotonic = monotonic
        self._registered: dict[str, Registration] = {}
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="hub-ticker", daemon=True)

    def start(self) -> None:
        """Takes up the jobs that an earlier process left, and starts the clock of the sessions."""
        self.take_up()
        self._ticker.start()

    def take_up(self) -> None:
        """Takes up the jobs that an earlier process left."""
        running = self._archive.running()
        self._journals.keep_only({row.job for row in running})
        for row in running:
            self._take_up(row)

    def stop(self) -> None:
        """Ends every wait; running jobs are left to the next process."""
        self._stopping.set()
        self._ticker.join()
        for job in self._live():
            if job.session is not None:
                job.session.leave()
            job.journal.close()
        self._inbox.close()

    # --- departments

    def pull(self, caller: Caller, wait_s: float, alive: Alive, session: str) -> Delivery | None:
        """Waits for the department's next message, once it is known what the department offers.

        Raises:
            ProtocolError: This exchange was restarted, and has forgotten what was registered.
        """
        with self._lock:
            known = caller.name in self._registered
        if not known:
            raise ProtocolError(
                f"it is not known here what {caller.name} offers",
                remedy="register first",
                code=UNREGISTERED,
            )
        return self._inbox.take(caller.name, wait_s, alive, session)

    def push(self, caller: Caller, delivery: Delivery) -> bool:
        """Takes a department's answer."""
        if not delivery.job:
            identity = identity_of(self._members(), caller.role, caller.name)
            self._desk.answer(caller.name, identity, delivery.round, delivery.kind, delivery.body)
            self._inbox.settle("", delivery.round, caller.name)
            self._certifier.wake()
            self._answered()
            return False
        settled = self._inbox.settle(delivery.job, delivery.round, caller.name)
        with self._lock:
            job = self._jobs.get(delivery.job)
        if job is not None and job.session is not None:
            job.session.receive(
                caller.name, delivery.round, delivery.kind, delivery.body, self._monotonic()
            )
        return not settled

    def register(self, caller: Caller, registration: Registration) -> None:
        """Notes what a department offers.

        Raises:
            InputError: It is malformed, and would stop everybody who reads the directory.
            TrustError: Its declaration is not signed by this department.
        """
        for body in registration.policies:
            if from_json(Policy, body).department != caller.name:
                raise InputError(
                    Text("a policy names another department", "策略署名的是另一个部门"),
                    code="register.policy",
                )
        for snapshot in registration.snapshots:
            if not isinstance(snapshot.get("dataset"), str) or not isinstance(
                snapshot.get("snapshot"), str
            ):
                raise InputError(
                    Text("a snapshot is malformed", "快照信息格式有误"), code="register.snapshot"
                )
        if registration.declaration:
            identity = identity_of(self._members(), caller.role, caller.name)
            declared = read_declaration(registration.declaration, caller.name, identity)
            self._declared(declared, registration.declaration, identity.fingerprint)
        with self._lock:
            self._registered[caller.name] = registration
        for ending in self._desk.endings(department=caller.name):  # a no goes before a yes
            self._tell_owner(ending)
        for question in self._desk.waiting(int(self._clock()), department=caller.name):
            self._ask_owner(question)

    # --- everybody

    def directory(self, caller: Caller) -> dict[str, Any]:
        """Who takes part, with what, under which policies."""
        del caller  # the catalog is open to every member
        with self._lock:
            registered = dict(self._registered)
        members = []
        for (role, name), card in self._members().items():
            entry: dict[str, Any] = {"role": role, "name": name, "card": card}
            if role == "department":
                known = registered.get(name, Registration(""))
                entry |= {
                    "online": self._inbox.online(name),
                    "policies": known.policies,
                    "snapshots": known.snapshots,
                    "version": known.version,
                }
            members.append(entry)
        return {"exchange": self._card, "members": members, "datasets": self._shelf.bodies()}

    # --- analysts

    def submit(self, caller: Caller, plan: str) -> str:
        """Takes a signed plan and starts its session."""
        submission = read_submission(plan)
        decoded, plan_hash = self._read_plan(caller, submission.plan)
        if self._is_known(decoded.job, caller.name, plan_hash):
            return decoded.job
        self._check_places(caller)
        self._certifier.check()
        check_granted(decoded)
        members = self._members()
        cards = (*roster_cards(decoded, members), members["analyst", caller.name], self._card)
        begun = Begun(caller.name, plan, cards, self._min_group(decoded), self._clock())
        now = int(begun.submitted_at)
        row = JobRow(decoded.job, caller.name, decoded.dataset, plan_hash, now, "running", None)
        job = _Job(row, self._journals.of(decoded.job))
        session = self._session(job, begun, decoded, self._monotonic())
        job.journal.create(begun)
        try:
            self._archive.begin(row)
        except VeilError:
            job.journal.discard()
            raise
        self._begin(job, session, decoded)
        return decoded.job

    def watch(self, caller: Caller, job: str, alive: Alive) -> Iterator[list[Progress]]:
        """Yields progress from the start, and ends when the job has."""
        entry = self._owned(caller, job)
        if entry is None:
            return
        at = 0
        while alive():
            with entry.changed:
                if at >= len(entry.events) and not entry.ended:
                    entry.changed.wait(0.5)
                entry.changed.wait_for(lambda: entry.ended, GATHER_S)
                events, ended = entry.events[at:], entry.ended
            if events:
                yield events
            at += len(events)
            if ended and at >= len(entry.events):
                return

    def fetch(self, caller: Caller, job: str) -> bytes:
        """Returns the outcome of a finished job."""
        row = self._row(caller, job)
        if row.state == "failed":
            raise _ended(from_public(row.fault or {}))
        outcome = self._archive.outcome(job)
        if outcome is None:
            raise JobError(
                Text("the job has no answer yet", "任务尚无结果"),
                remedy=Text("watch it until it is done", "请等待其完成"),
                code="job.running",
            )
        return outcome

    def certificate(self, caller: Caller, job: str) -> bytes:
        """Returns the certificate of a result with all that proves it; b"" while it is due."""
        row = self._row(caller, job)
        outcome = self._archive.outcome(job) if row.state == "done" else None
        if outcome is None:
            return b""
        record = self._certifier.of_receipt(read_outcome(outcome).receipt)
        if record is None:
            return b""
        return self._certifier.office.bundle(record, linked=True).to_bytes()

    def cancel(self, caller: Caller, job: str) -> bool:
        """Gives up a running job."""
        entry = self._owned(caller, job)
        if entry is None or entry.ended or entry.session is None:
            return False
        entry.session.cancel(
            JobError(
                Text("the analyst cancelled the job", "分析员已取消任务"), code="job.cancelled"
            )
        )
        return True

    def request_grant(self, caller: Caller, request: str, decisions: bytes = b"") -> str:
        """Passes a signed request, and decisions on it, to the owners that have not answered."""
        identity = identity_of(self._members(), caller.role, caller.name)
        now = int(self._clock())
        departments = [name for role, name in self._members() if role == "department"]
        identifier = self._desk.take(caller.name, identity, request, now, departments, decisions)
        for ending in self._desk.endings(request=identifier):
            self._tell_owner(ending)
        for question in self._desk.waiting(now, request=identifier):
            self._ask_owner(question)
        return identifier

    def end_grant(self, fingerprint: str, request: str, decisions: bytes) -> None:
        """Hands officers' decisions against what they have granted to their department's node.

        Args:
            fingerprint: Of the department's key.
            request: Id of the request.
            decisions: A file of decisions; the node weighs them, nothing ends here.
        """
        for (role, name), card in self._members().items():
            if role == "department" and read_card(card).identity.fingerprint == fingerprint:
                self._desk.end(name, request, decisions)
                for ending in self._desk.endings(department=name, request=request):
                    self._tell_owner(ending)

    def grants(self, caller: Caller, request_id: str) -> list[dict[str, Any]]:
        """Returns the state of the caller's requests, and which certificate each grant has."""
        requests = self._desk.list(caller.name, request_id)
        for answer in (each for request in requests for each in request["answers"]):
            granted = answer["state"] == "granted"
            record = self._certifier.of_grant(answer["body"]) if granted else None
            answer["certificate"] = "" if record is None else record.id
        return requests

    # --- inside

    def _session(self, job: _Job, begun: Begun, plan: Plan, now: float) -> Session:
        """Makes the session of a job, the same one from the same beginning."""
        submission = read_submission(begun.submission)
        cards = [read_card(token) for token in begun.cards]
        stages = StagePlan(
            plan=plan,
            plan_hash=job.row.plan_hash,
            dataset=self._shelf.get(plan.dataset),
            identities=tuple(card.identity for card in cards if card.role == "department"),
            sign=signer(self._identity),
            min_group=begun.min_group,
            he_key=submission.he_key,
        )
        ports = Ports(
            record=job.journal.append,
            send=lambda department, round_, kind, body: self._send(
                plan.job, department, round_, kind, body
            ),
            emit=lambda what, department, text: self._emit(job, what, department, text),
            connected=self._inbox.online,
            finish=lambda session: self._finish(job, session, stages, begun.cards),
            fail=lambda error: self._fail(job, error),
        )
        opening = write_opening(submission.plan, list(begun.cards))
        return Session(stages, opening, ports, self._clocks, now)

    def _begin(self, job: _Job, session: Session, plan: Plan) -> None:
        job.session = session
        with self._lock:
            self._jobs[plan.job] = job
        self._emit(job, "submitted", "", plan.protocol)
        session.start(self._monotonic())

    def _take_up(self, row: JobRow) -> None:
        """Brings a job to where an earlier process left it, or ends it with a clear error."""
        job = _Job(row, self._journals.of(row.job))
        cards: tuple[str, ...] = ()
        try:
            begun = job.journal.open()
            cards = begun.cards
            plan, _ = self._read_plan(
                Caller("analyst", row.analyst, ""), read_submission(begun.submission).plan
            )
            age_s = self._clock() - begun.submitted_at
            session = self._session(job, begun, plan, self._monotonic() - age_s)
            job.replayed_at = begun.submitted_at
            self._begin(job, session, plan)
            self._replay(job, session)
        except VeilError as error:
            job.replayed_at = None
            with self._lock:
                self._jobs[row.job] = job
            self._fail(job, _not_taken_up(error))
            self._withdraw(row.job, cards)

    def _replay(self, job: _Job, session: Session) -> None:
        for at, taken in job.journal.inputs():
            job.replayed_at = at
            self._inbox.settle(job.row.job, taken.round, taken.department)
            session.replay(taken, self._monotonic())
            if job.ended:  # its last input ended it, and the process died before that was noted
                break
        job.replayed_at = None
        session.resume(self._monotonic())

    def _withdraw(self, job: str, cards: tuple[str, ...]) -> None:
        """Tells the departments that a job is over which this process has no session for."""
        for card in map(read_card, cards):
            if card.role == "department":
                self._send(job, card.name, CANCEL_ROUND, "cancel", b"")

    def _is_known(self, job: str, analyst: str, plan_hash: str) -> bool:
        """Whether this very plan was taken before, by this process or an earlier one."""
        known = self._archive.find(job)
        if known is None or (known.analyst, known.plan_hash) != (analyst, plan_hash):
            return False
        with self._lock:
            return known.state != "running" or job in self._jobs

    def _check_places(self, caller: Caller) -> None:
        running = self._live()
        mine = sum(job.row.analyst == caller.name for job in running)
        if mine >= MOST_JOBS_PER_ANALYST or len(running) >= MOST_JOBS:
            raise PolicyError(
                Text("too many jobs are running at once", "同时运行的任务过多"),
                remedy=Text("wait for one to end, or cancel one", "请等待其中一个结束，或取消一个"),
                code="job.too_many",
            )

    def _read_plan(self, caller: Caller, token: str) -> tuple[Plan, str]:
        identity = identity_of(self._members(), caller.role, caller.name)
        return read_plan(token, identity, caller.name, int(self._clock()))

    def _min_group(self, plan: Plan) -> int:
        with self._lock:
            registered = dict(self._registered)
        return min_group(plan, registered, self._shelf.get(plan.dataset))

    def _send(self, job: str, department: str, round_: str, kind: str, body: bytes) -> None:
        if kind == "cancel":  # it takes the place of all that is still unanswered
            for open_ in self._inbox.waiting(department):
                if open_.job == job:
                    self._inbox.settle(job, open_.round, department)
        self._inbox.put(Delivery(job, round_, 1, "", department, kind, body))

    def _ask_owner(self, question: Question) -> None:
        """Leaves a request with its owner; decisions on it are rounds of their own, behind it."""
        token, round_ = question.token.encode("ascii"), f"{ROUND_PREFIX}{question.request}"
        self._send("", question.department, round_, REQUEST, token)
        for number, file in enumerate(question.decisions, 1):
            body = token + SEPARATOR + file
            self._send("", question.department, f"{round_}/{number}", DECISIONS, body)

    def _tell_owner(self, ending: Ending) -> None:
        body = ending.token.encode("ascii") + SEPARATOR + ending.file
        self._send("", ending.department, ending_round(ending), ENDING, body)

    def _emit(self, job: _Job, what: str, department: str, text: str) -> None:
        with job.changed:
            at = self._clock() if job.replayed_at is None else job.replayed_at
            job.events.append(Progress(at, what, department, text))
            job.changed.notify_all()

    def _finish(
        self, job: _Job, session: Session, stages: StagePlan, cards: tuple[str, ...]
    ) -> None:
        """Writes the receipt and keeps the outcome; only then is the analyst told."""
        assert session.result is not None  # noqa: S101 - the session calls this when it has one
        aggregate = session.result
        try:
            statements = [
                take_statement(stages, aggregate, session.hidden_cells, name, token)
                for name, token in session.statements.items()
            ]
            facts = facts_of(stages, aggregate, session.hidden_cells, statements)
            receipt = receipt_of(session.plan, facts, statements)
            name = read_card(self._card).name
            token = issue_receipt(self._identity, name, receipt, now=int(self._clock()))
            outcome = Outcome(aggregate.to_bytes(), token, session.statements, cards)
            due = DueResult(job.row.job, token, session.plan.grants)
            self._archive.done(job.row.job, outcome.to_bytes(), due)
        except VeilError as error:
            self._fail(job, error)
            return
        job.journal.discard()
        self._end(job, "done", "")
        self._certifier.wake()

    def _fail(self, job: _Job, error: VeilError) -> None:
        job.journal.discard()  # first: it may be what fills the disk
        try:
            self._archive.failed(job.row.job, error.public())
        except UnavailableError as full:  # the next start finds no journal, and marks it as failed
            LOG.warning("job %s: %s %s", job.row.job, full.message, full.detail)
        self._end(job, "failed", error.message)

    def _end(self, job: _Job, what: str, text: str) -> None:
        self._emit(job, what, "", text)
        with job.changed:
            job.ended = True
            job.session = None
            job.changed.notify_all()
        if what == "done":
            self._inbox.drop(job.row.job)

    def _owned(self, caller: Caller, job: str) -> _Job | None:
        self._row(caller, job)
        with self._lock:
            return self._jobs.get(job)

    def _row(self, caller: Caller, job: str) -> JobRow:
        row = self._archive.find(job)
        if row is None or row.analyst != caller.name:
            raise InputError(
                Text("there is no such job of yours", "您没有这个任务"), code="job.unknown"
            )
        return row

    def _live(self) -> list[_Job]:
        with self._lock:
            return [job for job in self._jobs.values() if not job.ended]

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_S):
            self.tick()

    def tick(self) -> None:
        """Lets time pass for every session, once."""
        now = self._monotonic()
        for job in self._live():
            if job.session is not None:
                self._let_pass(job.session, now)
        self._forget()

    def _let_pass(self, session: Session, now: float) -> None:
        """Ticks one session; its mistakes must not stop the clock of the others."""
        try:
            session.tick(now)
        except VeilError as error:
            LOG.warning("job %s: %s %s", session.plan.job, error.message, error.detail)
            session.cancel(error)

    def _forget(self) -> None:
        """Drops ended jobs from memory after a while; the archive keeps them."""
        old = self._clock() - REMEMBER_S
        with self._lock:
            for job in [j for j in self._jobs.values() if j.ended and j.row.submitted_at < old]:
                del self._jobs[job.row.job]
                self._inbox.drop(job.row.job)


def _ended(error: VeilError) -> VeilError:
    """The error of a job that is over: never of the kind that is worth another try."""
    if not isinstance(error, UnavailableError):
        return error
    return JobError(error.message, remedy=error.remedy, code=error.code)


def _not_taken_up(error: VeilError) -> JobError:
    return JobError(
        Text(
            "the exchange was restarted while this job ran, and could not take it up again: "
            f"{error.message}",
            f"任务运行期间交换中心重新启动，且无法继续该任务：{error.said.zh}",
        ),
        remedy=Text(
            "ask again; departments that had answered keep the charge, the others do not",
            "请重新查询；已应答的部门仍计费，其余不计",
        ),
        code="job.restarted",
        detail=error.detail,
    )
