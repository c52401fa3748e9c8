"""One job at one node: every delivery in, one stored answer out.

The order of things is the promise of the ledger: *admit → reserve → compute → persist → send*.
What a round answers is written to the store, with the bytes it will cost, before any of it leaves;
a repeated delivery gets the stored bytes, a different one for the same round is refused. After a
crash the machines are rebuilt by replaying the stored deliveries with the stored answers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.certificates.receipts import Statement, sign_statement
from compute_nodes.crypto.seed import PartySeed
from compute_nodes.guard import Admitted
from compute_nodes.jobs.bitmap import read_bitmap
from compute_nodes.jobs.machines import party_of, setup_of
from compute_nodes.jobs.opening import read_opening
from compute_nodes.jobs.own_values import OwnValues
from compute_nodes.jobs.receipt_round import check_agreed, read_notice
from compute_nodes.jobs.runs import (
    BITMAP_ROUND,
    CANCEL_ROUND,
    COUNTS,
    PLAN_ROUND,
    RECEIPT_ROUND,
    VALUES,
    runs_of,
)
from compute_nodes.jobs.timing import wait_before_reply
from compute_nodes.jobs.tools import JobTools
from compute_nodes.ledger import Charge
from compute_nodes.protocols.base import COORDINATOR, Message, Party, Step
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.store import CONTRADICTION, Answered, JobRow
from desensitize.budget import rho_for
from protos.canonical import canonical
from protos.faults import JobError, ProtocolError, UnavailableError, VeilError

ACCEPTED: Final = "accepted"
MESSAGE: Final = "message"
STATEMENT: Final = "statement"
FAULT: Final = "fault"
# Before the value is masked: answered again after a power cut, these give nothing away.
REPEATABLE: Final = frozenset({"advertise", "shares"})
ENDED: Final = frozenset({"done", "cancelled", "refused"})


class Job:
    """Answers the deliveries of one job, one at a time.

    Args:
        job: 32 hex digits.
        tools: See `JobTools`.
    """

    def __init__(self, job: str, tools: JobTools) -> None:
        self._job = job
        self._tools = tools
        self._admitted: Admitted | None = None
        self._parties: dict[str, Party] = {}
        self._visible: NDArray[np.bool_] | None = None
        self._own = OwnValues(job, tools)
        self._arrived = tools.monotonic()
        self._seed = b""
        self._failed = False
        self._opened = False
        self.ended = False

    def open(self) -> None:
        """Loads the job's seed, or makes it, and replays what was answered before a restart."""
        tools = self._tools
        self._admitted, self._visible, self._parties = None, None, {}
        self._seed = tools.store.begin(self._job, int(tools.clock()), lambda: tools.randomness(32))
        self.ended = tools.store.state(self._job) in ENDED
        self._failed = tools.store.has_failed(self._job)
        if not self.ended:
            for answered in tools.store.journal(self._job):
                self._replay(answered)
        self._opened = True

    def answer(self, delivery: Delivery) -> Delivery | None:
        """Answers one delivery; the reply is on disk when this returns.

        Returns:
            What to push, or None where nothing is to be said.
        """
        store = self._tools.store
        try:
            if not self._opened:
                self.open()
            if delivery.round == CANCEL_ROUND:
                self.cancel()
                return self._reply(delivery, ACCEPTED, b"")
            stored = store.answered(self._job, delivery.round, delivery.body)
            if stored is None:
                stored = self._fresh(delivery)
            if stored is None:
                return None
        except VeilError as error:
            self._tools.log(error.message, error.detail)
            # A second plan for a job that has one is only refused: it must not end the first.
            again = error.code == CONTRADICTION or self.ended or not self._opened
            if delivery.round == PLAN_ROUND and not again:
                self._refuse()
            return self._reply(delivery, FAULT, canonical(error.public()))
        return self._reply(delivery, stored.kind, stored.reply)

    def _refuse(self) -> None:
        """Gives the reservation back; where the disk is full, a sweep does it after the plan."""
        try:
            self._undo("refused")
        except UnavailableError as error:
            self._tools.log(error.message, error.detail)

    def cancel(self) -> None:
        """Ends the job; budget comes back only if nothing that depends on data was stored."""
        if not self.ended:
            self._undo("cancelled")

    # --- the rounds

    def _fresh(self, delivery: Delivery) -> Answered | None:
        if self.ended:
            raise ProtocolError("this job has ended here", code="job.ended")
        if self._failed:
            return None
        if delivery.round == PLAN_ROUND:
            return self._admit(delivery)
        if self._admitted is None:
            raise ProtocolError("a round before its plan", code="job.order")
        if delivery.round == BITMAP_ROUND:
            self._take_bitmap(self._admitted, delivery.body)
            return self._keep(delivery, ACCEPTED, b"")
        if delivery.round == RECEIPT_ROUND:
            return self._sign(self._admitted, delivery)
        return self._protocol(self._admitted, delivery)

    def _admit(self, delivery: Delivery) -> Answered:
        tools, store = self._tools, self._tools.store
        self._arrived = tools.monotonic()
        admitted = tools.guard.admit(read_opening(delivery.body))
        plan = admitted.plan
        if plan.job != self._job:
            raise ProtocolError("the plan is of another job", code="job.plan")
        row = JobRow(self._job, plan.analyst, plan.dataset, plan.statement, plan.mode, "open", 0)
        store.describe(row, plan.expires_at)
        source = tools.sources[plan.dataset]
        if admitted.calibration is not None:
            with store.db.write(durable=False) as db:
                store.budget.reserve(db, _charge(admitted), int(tools.clock()))
        else:
            source.check_exact(admitted)
            store.check_grant(admitted.grant, source.snapshot_id, self._job)
            if runs_of(plan)[0] == COUNTS:
                self._own.order_key(admitted)
        self._own.keep_basis(admitted)
        self._admitted = admitted
        # The reservation is on disk before anything is computed.
        accepted = self._keep(delivery, ACCEPTED, b"")
        self._own.begin(admitted)
        return accepted

    def _protocol(self, admitted: Admitted, delivery: Delivery) -> Answered | None:
        instance, _, inner = delivery.round.partition("/")
        party = self._party(admitted, instance)
        message = Message(inner, COORDINATOR, delivery.body)
        if not party.needs_value(message):
            return self._keep(delivery, MESSAGE, _sent(party.receive(message)))
        self._tools.guard.stand_by(admitted)
        self._own.check_law(admitted)
        self._claim_grant(admitted, instance)
        try:
            value = self._own.vector(admitted, instance, self._visible)
        except VeilError as error:
            self._fall_silent(error)
            return None
        try:
            reply = _sent(party.receive(message, value=value))
        except JobError as error:  # the value is not what the bounds promise
            self._fall_silent(error)
            return None
        tools = self._tools
        tools.sleep(wait_before_reply(self._arrived, tools.monotonic()))
        return self._keep(delivery, MESSAGE, reply, releases=True)

    def _fall_silent(self, error: VeilError) -> None:
        """Ends this department's part: for everybody outside, it has dropped out.

        Whether a query fails, by memory or by time, may depend on the rows. So failing costs what
        an answer costs, is tried once, and looks like a machine that hangs; why is written down
        for the owner.
        """
        self._failed = True
        self._tools.log(error.message, error.detail)
        self._tools.store.fail(self._job, f"{error.message} {error.detail}".strip())

    def _claim_grant(self, admitted: Admitted, instance: str) -> None:
        """Counts a try of the grant, and uses it for the values.

        Raises:
            PolicyError: It was used, or tried too often.
            UnavailableError: The data has changed since the job was admitted.
        """
        if admitted.grant:
            store, snapshot = self._tools.store, self._own.snapshot(admitted)
            store.try_grant(admitted.grant, snapshot, self._job)
            if instance != COUNTS:
                store.use_grant(admitted.grant, snapshot, self._job)

    def _take_bitmap(self, admitted: Admitted, body: bytes) -> None:
        if runs_of(admitted.plan)[0] != COUNTS:
            raise ProtocolError("this plan has no bitmap", code="job.order")
        exchange = next(card for (role, _), card in admitted.cards.items() if role == "exchange")
        self._visible = read_bitmap(admitted.plan, admitted.plan_hash, exchange.identity, body)

    def _sign(self, admitted: Admitted, delivery: Delivery) -> Answered:
        survivors, outcome = read_notice(delivery.body)
        plan, sent, department = admitted.plan, self._bytes_out(), self._tools.department
        check_agreed(plan, department, self._parties.get(runs_of(plan)[-1]), sent, survivors)
        self._own.check_law(admitted)
        statement = Statement(
            job=self._job,
            plan_hash=admitted.plan_hash,
            department=department,
            policy_version=admitted.policy.version,
            snapshot=self._own.snapshot(admitted),
            rho=0.0 if admitted.calibration is None else admitted.calibration.rho,
            survivors=survivors,
            bytes_out=sent,
            outcome_digest=outcome,
            hidden_cells=self._own.hidden_cells(admitted, self._visible),
        )
        token = sign_statement(self._tools.keys.identity, statement)
        answered = self._keep(delivery, STATEMENT, token.encode("ascii"))
        self._tools.store.end(self._job, "done")
        self.ended = True
        return answered

    # --- inside

    def _party(self, admitted: Admitted, instance: str) -> Party:
        if instance not in runs_of(admitted.plan):
            # One value, one run: a second run with other survivors would show the difference.
            raise ProtocolError(f"the plan has no run {instance[:40]!r}", code="job.instance")
        if instance == VALUES and self._visible is None:
            raise ProtocolError("values before their bitmap", code="job.order")
        if instance not in self._parties:
            visible = self._visible
            cells = admitted.plan.aggregate.cells if visible is None else int(visible.sum())
            setup = setup_of(admitted, instance, cells)
            self._parties[instance] = party_of(
                admitted, setup, PartySeed(self._seed), self._tools.keys, self._tools.randomness
            )
        return self._parties[instance]

    def _replay(self, answered: Answered) -> None:
        """Brings the machines to where they were; nothing is judged, drawn or sent again."""
        if answered.round == PLAN_ROUND:
            self._admitted = self._tools.guard.reopen(read_opening(answered.request))
        elif self._admitted is None:
            raise ProtocolError("the stored job has no plan", code="job.journal")
        elif answered.round == BITMAP_ROUND:
            self._take_bitmap(self._admitted, answered.request)
        elif answered.kind == MESSAGE:
            instance, _, inner = answered.round.partition("/")
            party = self._party(self._admitted, instance)
            party.receive(
                Message(inner, COORDINATOR, answered.request),
                recorded=Message(inner, party.me, answered.reply),
            )

    def _bytes_out(self) -> dict[str, int]:
        """Bytes of every protocol message that this node has sent, by round."""
        return {
            answered.round: len(answered.reply)
            for answered in self._tools.store.journal(self._job)
            if answered.kind == MESSAGE
        }

    def _keep(
        self, delivery: Delivery, kind: str, reply: bytes, *, releases: bool = False
    ) -> Answered:
        answered = Answered(delivery.round, delivery.body, kind, reply)
        self._tools.store.keep(
            self._job,
            answered,
            recipient="exchange",
            at=int(self._tools.clock()),
            releases=releases,
            durable=delivery.round.rpartition("/")[2] not in REPEATABLE,
        )
        return answered

    def _undo(self, state: str) -> None:
        store = self._tools.store
        store.end(self._job, state)
        self._own.cancel()
        self.ended = True

    def _reply(self, delivery: Delivery, kind: str, body: bytes) -> Delivery:
        return Delivery(
            job=delivery.job,
            round=delivery.round,
            attempt=delivery.attempt,
            sender=self._tools.department,
            recipient="",
            kind=kind,
            body=body,
        )


def _sent(step: Step) -> bytes:
    return step.send[0][1].body if step.send else b""


def _charge(admitted: Admitted) -> Charge:
    plan, budget = admitted.plan, admitted.policy.budget
    assert admitted.calibration is not None  # noqa: S101 - ad hoc plans have one
    cap = rho_for(budget.epsilon, admitted.dataset.delta)
    return Charge(
        job=plan.job,
        dataset=plan.dataset,
        project=plan.project,
        analyst=plan.analyst,
        rho=admitted.calibration.rho,
        cap=cap,
        share=cap * budget.projects[plan.project],
        in_flight=budget.in_flight,
        delta=admitted.dataset.delta,
    )
