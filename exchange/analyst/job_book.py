"""The analyst's jobs together: a question is handed in once, found again, forgotten at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, get_args

from catalog.certificates.receipts import PLAN_TYPE
from catalog.codec import to_json
from catalog.plan import Plan, Protocol
from compute_nodes.jobs.runs import is_homomorphic
from exchange.analyst.federation import Federation
from exchange.analyst.he_key import make_he_key
from exchange.analyst.history import Remembered, question_key, same_question
from exchange.analyst.job import Desk, Job, State
from exchange.analyst.open_jobs import OpenJob
from exchange.analyst.waiting import attached_notice, wait_notice
from protos.faults import InputError, TrustError
from protos.identity import unverified_claims
from protos.language import Text

if TYPE_CHECKING:
    from exchange.planner.bind import Bound


class JobBook:
    """Every job of one analyst: out, or answered.

    Args:
        desk: What each job works with.
        clock: Unix seconds.
        randomness: Returns so many secret random bytes.
    """

    def __init__(
        self, desk: Desk, clock: Callable[[], float], randomness: Callable[[int], bytes]
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._randomness = randomness

    def ask(
        self,
        plan: Plan,
        bound: Bound,
        federation: Federation,
        *,
        order_key: bytes,
        protocol: Protocol | None,
        fresh: bool,
    ) -> Job:
        """Hands a question in, unless it was answered before or is still out.

        Args:
            plan: As drafted for it now.
            bound: Its statement.
            federation: The directory that it was drafted for.
            order_key: The job's cell-order key; b"" for ad hoc.
            protocol: As the question names it; with None, an answer by any protocol will do.
            fresh: Whether to ask anew in any case.
        """
        with self._desk.open_jobs.alone():  # two processes that ask the same pay once
            known = None if fresh else self._known(plan, bound, federation, protocol)
            if known is not None:
                return known
            record = self._signed(plan, federation, order_key)
            notice = wait_notice(plan, federation)
            job = Job(self._desk, record, bound, federation, notice=notice)
            self._desk.open_jobs.keep(record)
        try:
            job.hand_in()
        except KeyboardInterrupt:
            raise job.interrupted() from None
        return job

    def find(self, beginning: str) -> Job:
        """The one job whose number begins so.

        Raises:
            InputError: There is none, or there are several.
        """
        found = {r.job: Job(self._desk, r) for r in self._out() if r.job.startswith(beginning)}
        for key, kept in self._desk.history.find_job(beginning):
            job = Job(self._desk, _record(key, kept), stored=kept)
            found.setdefault(job.id, job)
        if len(found) != 1:
            raise InputError(
                Text(f"several jobs begin with {beginning!r}", f"有多个任务以 {beginning!r} 开头")
                if found
                else Text(f"you have no job {beginning!r}", f"您没有任务 {beginning!r}"),
                remedy=Text("veil jobs lists those that are out", "veil jobs 列出待取的任务"),
                code="job.unknown",
            )
        return found.popitem()[1]

    def listed(self) -> list[tuple[Job, State]]:
        """What is out, oldest first; what has ended without an answer is forgotten with that."""
        jobs = [Job(self._desk, record) for record in self._out()]
        listed = [(job, job.state()) for job in jobs]
        for job, state in listed:
            self._forget_ended(job, state)
        return listed

    def _known(
        self, plan: Plan, bound: Bound, federation: Federation, protocol: Protocol | None
    ) -> Job | None:
        for name in get_args(Protocol) if protocol is None else (protocol,):
            key = question_key(dataclasses.replace(plan, protocol=name), federation)
            kept = self._desk.history.find(key)
            if kept is not None:
                return Job(self._desk, _record(key, kept), bound, federation, stored=kept)
        for record in self._out():
            job = Job(self._desk, record, bound, federation)
            if not same_question(job.plan, plan) or protocol not in {None, job.plan.protocol}:
                continue
            state = job.state()
            if self._forget_ended(job, state):
                continue
            if state.what != "unsent" or _taken(job):
                job.notice = (attached_notice(job.plan),)
                return job
        return None

    def _signed(self, plan: Plan, federation: Federation, order_key: bytes) -> OpenJob:
        secret = b""
        if is_homomorphic(plan):
            he_key = make_he_key(plan.protocol, self._randomness)
            plan = dataclasses.replace(plan, he_key_digest=he_key.public.digest)
            secret = he_key.private_bytes()
        token = self._desk.profile.identity.sign(PLAN_TYPE, to_json(plan))
        return OpenJob(plan.job, question_key(plan, federation), token, order_key, secret)

    def _out(self) -> list[OpenJob]:
        """What is out under our present key; the answers to an earlier one open for nobody."""
        mine = self._desk.profile.identity.public.fingerprint
        return [
            record
            for record in self._desk.open_jobs.all()
            if unverified_claims(record.plan).get("analyst_fingerprint") == mine
        ]

    def _forget_ended(self, job: Job, state: State) -> bool:
        """Forgets what comes to nothing: it failed, or never arrived and would now be refused."""
        late = job.plan.expires_at < self._clock()
        ended = state.what == "failed" or (state.what == "unsent" and late)
        if ended:
            job.forget()
        return ended


def _record(key: str, kept: Remembered) -> OpenJob:
    job = str(unverified_claims(kept.plan)["job"])
    return OpenJob(job, key, kept.plan, kept.order_key, kept.he_secret)


def _taken(job: Job) -> bool:
    """Whether the exchange takes a plan that never arrived; what it refuses is asked anew."""
    try:
        job.hand_in()
    except (InputError, TrustError):  # made for another directory; the job is forgotten
        return False
    return True
