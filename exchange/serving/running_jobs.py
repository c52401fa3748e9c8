"""The jobs that run here: begun, taken up after a restart, let time pass, and ended.

Each has a session, which decides; a journal, from which a restarted exchange goes on; and a line
in the archive, which says how it ended before anybody is told.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from catalog.certificates.receipts import issue_receipt, receipt_of
from catalog.plan import Plan
from compute_nodes.crypto.signatures import signer
from compute_nodes.jobs.opening import write_opening
from compute_nodes.jobs.runs import CANCEL_ROUND
from compute_nodes.rpc.delivery import Delivery
from exchange.coordinator.archive import Archive, DueResult, JobRow
from exchange.coordinator.journal import Begun, Journals
from exchange.coordinator.session import Clocks, Ports, Session
from exchange.coordinator.stages import StagePlan
from exchange.coordinator.statements import facts_of, take_statement
from exchange.outcome import Outcome
from exchange.ports import Progress
from exchange.serving.inbox import Inbox
from exchange.serving.plan_admission import Members, identity_of, read_plan
from exchange.serving.running_job import RunningJob
from exchange.serving.shelf import DatasetShelf
from exchange.submission import read_submission
from protos.cards import read_card
from protos.faults import JobError, PolicyError, UnavailableError, VeilError
from protos.identity import IdentityKey
from protos.language import Text

LOG: Final = logging.getLogger("veil.exchange")
MOST_JOBS: Final = 200  # at once; each may hold vectors in memory
MOST_JOBS_PER_ANALYST: Final = 16
REMEMBER_S: Final = 600.0


class RunningJobs:
    """Jobs in memory; safe for any number of threads.

    Args:
        identity: The exchange's signing key.
        card: Its card.
        members: Reads everybody who is enrolled and not revoked, with the card of enrolment.
        shelf: The declared datasets.
        archive: The record of jobs.
        journals: What running jobs have taken in.
        inbox: What waits for the departments.
        clocks: How long sessions wait.
        clock: Unix seconds.
        monotonic: Monotonic seconds.
        done: Told that an outcome is on record.
    """

    def __init__(
        self,
        *,
        identity: IdentityKey,
        card: str,
        members: Callable[[], Members],
        shelf: DatasetShelf,
        archive: Archive,
        journals: Journals,
        inbox: Inbox,
        clocks: Clocks,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        done: Callable[[], None],
    ) -> None:
        self._identity = identity
        self._name = read_card(card).name
        self._members = members
        self._shelf = shelf
        self._archive = archive
        self._journals = journals
        self._inbox = inbox
        self._clocks = clocks
        self._clock = clock
        self._monotonic = monotonic
        self._done = done
        self._jobs: dict[str, RunningJob] = {}
        self._lock = threading.Lock()

    def find(self, job: str) -> RunningJob | None:
        """Returns a job that runs, or has ended a moment ago."""
        with self._lock:
            return self._jobs.get(job)

    def live(self) -> list[RunningJob]:
        """Returns those that have not ended."""
        with self._lock:
            return [job for job in self._jobs.values() if not job.ended]

    def is_known(self, job: str, analyst: str, plan_hash: str) -> bool:
        """Whether this very plan was taken before, by this process or an earlier one."""
        known = self._archive.find(job)
        if known is None or (known.analyst, known.plan_hash) != (analyst, plan_hash):
            return False
        return known.state != "running" or self.find(job) is not None

    def check_places(self, analyst: str) -> None:
        """Checks that one more job may run.

        Raises:
            PolicyError: Too many do.
        """
        running = self.live()
        mine = sum(job.row.analyst == analyst for job in running)
        if mine >= MOST_JOBS_PER_ANALYST or len(running) >= MOST_JOBS:
            raise PolicyError(
                Text("too many jobs are running at once", "同时运行的任务过多"),
                remedy=Text("wait for one to end, or cancel one", "请等待其中一个结束，或取消一个"),
                code="job.too_many",
            )

    def begin(self, begun: Begun, plan: Plan, plan_hash: str) -> None:
        """Begins a job: on record first, then with its departments.

        Args:
            begun: What it begins with.
            plan: Verified.
            plan_hash: SHA-256 (hex) of the signed plan.

        Raises:
            InputError: A job of this id exists.
            UnavailableError: It cannot be recorded.
        """
        at = int(begun.submitted_at)
        row = JobRow(plan.job, begun.analyst, plan.dataset, plan_hash, at, "running", None)
        job = RunningJob(row, self._journals.of(plan.job))
        session = self._session(job, begun, plan, self._monotonic())
        job.journal.create(begun)
        try:
            self._archive.begin(row)
        except VeilError:
            job.journal.discard()
            raise
        self._start(job, session)

    def receive(self, department: str, delivery: Delivery) -> None:
        """Hands a department's answer to the session that waits for it, if one still does.

        Args:
            department: Who sent it, as certified.
            delivery: What it sent.

        Raises:
            ProtocolError: The answer fits nothing that the session waits for.
            UnavailableError: It cannot be recorded, which ends the job; or this process stops.
        """
        job = self.find(delivery.job)
        session = None if job is None else job.session
        if session is not None:
            now = self._monotonic()
            session.receive(department, delivery.round, delivery.kind, delivery.body, now)

    def tick(self) -> None:
        """Lets time pass for every session, once."""
        now = self._monotonic()
        for job in self.live():
            if (session := job.session) is not None:
                _let_pass(session, now)
        self._forget()

    def leave(self) -> None:
        """Ends every session here; the next process takes the jobs up."""
        for job in self.live():
            if (session := job.session) is not None:
                session.leave()
            job.journal.close()

    def take_up(self) -> None:
        """Takes up the jobs that an earlier process left."""
        running = self._archive.running()
        self._journals.keep_only({row.job for row in running})
        for row in running:
            self._take_up(row)

    # --- inside

    def _session(self, job: RunningJob, begun: Begun, plan: Plan, now: float) -> Session:
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
            emit=lambda what, department, text: job.tell(
                self._progress(job, what, department, text)
            ),
            connected=self._inbox.online,
            finish=lambda session: self._finish(job, session, stages, begun.cards),
            fail=lambda error: self._fail(job, error),
        )
        opening = write_opening(submission.plan, list(begun.cards))
        return Session(stages, opening, ports, self._clocks, now)

    def _start(self, job: RunningJob, session: Session) -> None:
        job.session = session
        with self._lock:
            self._jobs[job.row.job] = job
        job.tell(self._progress(job, "submitted", "", session.plan.protocol))
        session.start(self._monotonic())

    def _take_up(self, row: JobRow) -> None:
        """Brings a job to where an earlier process left it, or ends it with a clear error."""
        job = RunningJob(row, self._journals.of(row.job))
        cards: tuple[str, ...] = ()
        try:
            begun = job.journal.open()
            cards = begun.cards
            signed = read_submission(begun.submission).plan
            identity = identity_of(self._members(), "analyst", row.analyst)
            plan, _ = read_plan(signed, identity, row.analyst, int(self._clock()))
            age_s = self._clock() - begun.submitted_at
            session = self._session(job, begun, plan, self._monotonic() - age_s)
            job.replayed_at = begun.submitted_at
            self._start(job, session)
            self._replay(job, session)
        except VeilError as error:
            job.replayed_at = None
            with self._lock:
                self._jobs[row.job] = job
            self._fail(job, _not_taken_up(error))
            self._withdraw(row.job, cards)

    def _replay(self, job: RunningJob, session: Session) -> None:
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

    def _send(self, job: str, department: str, round_: str, kind: str, body: bytes) -> None:
        if kind == "cancel":  # it takes the place of all that is still unanswered
            for open_ in self._inbox.waiting(department):
                if open_.job == job:
                    self._inbox.settle(job, open_.round, department)
        self._inbox.put(Delivery(job, round_, 1, "", department, kind, body))

    def _progress(self, job: RunningJob, what: str, department: str, text: str) -> Progress:
        at = self._clock() if job.replayed_at is None else job.replayed_at
        return Progress(at, what, department, text)

    def _finish(
        self, job: RunningJob, session: Session, stages: StagePlan, cards: tuple[str, ...]
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
            token = issue_receipt(self._identity, self._name, receipt, now=int(self._clock()))
            outcome = Outcome(aggregate.to_bytes(), token, session.statements, cards)
            due = DueResult(job.row.job, token, session.plan.grants)
            self._archive.done(job.row.job, outcome.to_bytes(), due)
        except VeilError as error:
            self._fail(job, error)
            return
        job.journal.discard()
        job.end(self._progress(job, "done", "", ""))
        self._inbox.drop(job.row.job)
        self._done()

    def _fail(self, job: RunningJob, error: VeilError) -> None:
        job.journal.discard()  # first: it may be what fills the disk
        try:
            self._archive.failed(job.row.job, error.public())
        except UnavailableError as full:  # the next start finds no journal, and marks it as failed
            LOG.warning("job %s: %s %s", job.row.job, full.message, full.detail)
        job.end(self._progress(job, "failed", "", error.message))

    def _forget(self) -> None:
        """Drops ended jobs from memory after a while; the archive keeps them."""
        old = self._clock() - REMEMBER_S
        with self._lock:
            for job in [j for j in self._jobs.values() if j.ended and j.row.submitted_at < old]:
                del self._jobs[job.row.job]
                self._inbox.drop(job.row.job)


def _let_pass(session: Session, now: float) -> None:
    """Ticks one session; its mistakes must not stop the clock of the others."""
    try:
        session.tick(now)
    except VeilError as error:
        LOG.warning("job %s: %s %s", session.plan.job, error.message, error.detail)
        session.cancel(error)


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
