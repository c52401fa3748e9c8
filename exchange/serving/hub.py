"""The exchange behind its server: who takes part, what is asked, and the sessions that answer.

It relays and sums; it can read no row, no department's input and, in ad hoc jobs, no total.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from catalog.declaration import Declaration
from compute_nodes.jobs.requests import DECISIONS, ENDING, REQUEST, SEPARATOR
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.rpc.link import UNREGISTERED
from exchange.coordinator.archive import Archive, JobRow
from exchange.coordinator.journal import Begun, Journals
from exchange.coordinator.session import Clocks
from exchange.outcome import read_outcome
from exchange.ports import Alive, Caller, Progress, Registration
from exchange.serving.certifier import Certifier
from exchange.serving.desk import ROUND_PREFIX, Ending, GrantDesk, Question, ending_round
from exchange.serving.inbox import Inbox
from exchange.serving.plan_admission import Members, check_granted, read_plan, roster_cards
from exchange.serving.roster import Roster
from exchange.serving.running_job import RunningJob
from exchange.serving.running_jobs import RunningJobs
from exchange.serving.shelf import DatasetShelf
from exchange.submission import read_submission
from protos.faults import (
    InputError,
    JobError,
    ProtocolError,
    UnavailableError,
    VeilError,
    from_public,
)
from protos.identity import IdentityKey
from protos.language import Text

TICK_S: Final = 0.1


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
        self._answered = answered
        self._card = card
        self._shelf = shelf
        self._desk = desk
        self._archive = archive
        self._certifier = certifier
        self._inbox = inbox
        self._clock = clock
        self._roster = Roster(members, shelf, inbox.online, declared)
        self._jobs = RunningJobs(
            identity=identity,
            card=card,
            members=members,
            shelf=shelf,
            archive=archive,
            journals=journals,
            inbox=inbox,
            clocks=clocks,
            clock=clock,
            monotonic=monotonic,
            done=certifier.wake,
        )
        self._stopping = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="hub-ticker", daemon=True)

    def start(self) -> None:
        """Takes up the jobs that an earlier process left, and starts the clock of the sessions."""
        self.take_up()
        self._ticker.start()

    def take_up(self) -> None:
        """Takes up the jobs that an earlier process left."""
        self._jobs.take_up()

    def stop(self) -> None:
        """Ends every wait; running jobs are left to the next process."""
        self._stopping.set()
        self._ticker.join()
        self._jobs.leave()
        self._inbox.close()

    def tick(self) -> None:
        """Lets time pass for every session, once."""
        self._jobs.tick()

    # --- departments

    def pull(self, caller: Caller, wait_s: float, alive: Alive, session: str) -> Delivery | None:
        """Waits for the department's next message, once it is known what the department offers.

        Raises:
            ProtocolError: This exchange was restarted, and has forgotten what was registered.
        """
        if not self._roster.is_registered(caller.name):
            raise ProtocolError(
                f"it is not known here what {caller.name} offers",
                remedy="register first",
                code=UNREGISTERED,
            )
        return self._inbox.take(caller.name, wait_s, alive, session)

    def push(self, caller: Caller, delivery: Delivery) -> bool:
        """Takes a department's answer."""
        if not delivery.job:
            identity = self._roster.identity(caller)
            self._desk.answer(caller.name, identity, delivery.round, delivery.kind, delivery.body)
            self._inbox.settle("", delivery.round, caller.name)
            self._certifier.wake()
            self._answered()
            return False
        settled = self._inbox.settle(delivery.job, delivery.round, caller.name)
        self._jobs.receive(caller.name, delivery)
        return not settled

    def register(self, caller: Caller, registration: Registration) -> None:
        """Notes what a department offers, and asks it again what it has not answered.

        Raises:
            InputError: It is malformed, and would stop everybody who reads the directory.
            TrustError: Its declaration is not signed by this department.
        """
        self._roster.register(caller, registration)
        for ending in self._desk.endings(department=caller.name):  # a no goes before a yes
            self._tell_owner(ending)
        for question in self._desk.waiting(int(self._clock()), department=caller.name):
            self._ask_owner(question)

    # --- everybody

    def directory(self, caller: Caller) -> dict[str, Any]:
        """Who takes part, with what, under which policies."""
        del caller  # the catalog is open to every member
        members = self._roster.directory()
        return {"exchange": self._card, "members": members, "datasets": self._shelf.bodies()}

    # --- analysts

    def submit(self, caller: Caller, plan: str) -> str:
        """Takes a signed plan and starts its session."""
        now, members = self._clock(), self._roster.members()
        signed = read_submission(plan).plan
        decoded, plan_hash = read_plan(signed, self._roster.identity(caller), caller.name, int(now))
        if self._jobs.is_known(decoded.job, caller.name, plan_hash):
            return decoded.job
        self._jobs.check_places(caller.name)
        self._certifier.check()
        check_granted(decoded)
        cards = (*roster_cards(decoded, members), members["analyst", caller.name], self._card)
        begun = Begun(caller.name, plan, cards, self._roster.min_group(decoded), now)
        self._jobs.begin(begun, decoded, plan_hash)
        return decoded.job

    def watch(self, caller: Caller, job: str, alive: Alive) -> Iterator[list[Progress]]:
        """Yields progress from the start, and ends when the job has."""
        running = self._owned(caller, job)
        if running is not None:
            yield from running.follow(alive)

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
        running = self._owned(caller, job)
        session = None if running is None else running.session
        if session is None:
            return False
        session.cancel(
            JobError(
                Text("the analyst cancelled the job", "分析员已取消任务"), code="job.cancelled"
            )
        )
        return True

    def request_grant(self, caller: Caller, request: str, decisions: bytes = b"") -> str:
        """Passes a signed request, and decisions on it, to the owners that have not answered."""
        identity, now = self._roster.identity(caller), int(self._clock())
        departments = self._roster.departments()
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
        for name in self._roster.departments(fingerprint):
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

    def _ask_owner(self, question: Question) -> None:
        """Leaves a request with its owner; decisions on it are rounds of their own, behind it."""
        token, round_ = question.token.encode("ascii"), f"{ROUND_PREFIX}{question.request}"
        letters = [(round_, REQUEST, token)]
        for number, file in enumerate(question.decisions, 1):
            letters.append((f"{round_}/{number}", DECISIONS, token + SEPARATOR + file))
        for name, kind, body in letters:
            self._inbox.put(Delivery("", name, 1, "", question.department, kind, body))

    def _tell_owner(self, ending: Ending) -> None:
        body = ending.token.encode("ascii") + SEPARATOR + ending.file
        self._inbox.put(Delivery("", ending_round(ending), 1, "", ending.department, ENDING, body))

    def _owned(self, caller: Caller, job: str) -> RunningJob | None:
        self._row(caller, job)
        return self._jobs.find(job)

    def _row(self, caller: Caller, job: str) -> JobRow:
        row = self._archive.find(job)
        if row is None or row.analyst != caller.name:
            raise InputError(
                Text("there is no such job of yours", "您没有这个任务"), code="job.unknown"
            )
        return row

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_S):
            self.tick()


def _ended(error: VeilError) -> VeilError:
    """The error of a job that is over: never of the kind that is worth another try."""
    if not isinstance(error, UnavailableError):
        return error
    return JobError(error.message, remedy=error.remedy, code=error.code)
