"""One job at the exchange: drives the protocol's coordinators from round to round.

The session is a state machine like the protocols below it: deliveries from departments and the
passing of time are its inputs; deliveries to departments, progress and, once, the ending are its
outputs. It opens nothing: in ad hoc jobs all that it sums stays under the analyst's envelope.

    plan ──► stage ──► (stage) ──► receipt ──► outcome
      └────────┴──────────┴── failed (one public error)

Each input is recorded once it is accepted and before it has any effect outside; a session that is
made anew and given the recorded inputs stands where the old one stood (`Session.replay`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from catalog.certificates.receipts import statements_needed
from compute_nodes.jobs.runs import BITMAP_ROUND, CANCEL_ROUND, PLAN_ROUND, RECEIPT_ROUND
from compute_nodes.protocols.base import Message, Step
from exchange.coordinator.inputs import Input
from exchange.coordinator.stages import Stage, StagePlan, aggregate_of, first_stage, next_stage
from exchange.coordinator.statements import take_statement
from exchange.outcome import Aggregate
from protos.canonical import canonical
from protos.faults import JobError, ProtocolError, UnavailableError, VeilError, from_public
from protos.language import Text

State = Literal["running", "receipt", "done", "failed"]

MAX_FAULT_TEXT: Final = 2000  # characters of a department's own words that are passed on


@dataclass(frozen=True)
class Clocks:
    """How long a session waits.

    Attributes:
        round_s: Longest wait for one round.
        absent_s: A department that has not been connected for so long has dropped out.
        receipt_s: Wait for the statements that are more than enough; ``round_s`` for enough.
        return_s: After a restart of the exchange, how long nobody counts as absent: departments
            try again after at most five seconds, and register first.
    """

    round_s: float = 120.0
    absent_s: float = 2.0
    receipt_s: float = 5.0
    return_s: float = 20.0


@dataclass(frozen=True)
class Ports:
    """What a session may do to the world.

    Attributes:
        record: Keeps an input for a replay; raises UnavailableError where it cannot.
        send: (department, round, kind, body): puts a delivery into the department's inbox.
        emit: (what, department, text): progress for the analyst; nothing from data in it.
        connected: (department, within_s): whether it was connected in the last seconds.
        finish: Called once with the result of the last stage and the statements.
        fail: Called once with the error that ended the job.
    """

    record: Callable[[Input], None]
    send: Callable[[str, str, str, bytes], None]
    emit: Callable[[str, str, str], None]
    connected: Callable[[str, float], bool]
    finish: Callable[[Session], None]
    fail: Callable[[VeilError], None]


class Session:
    """Drives one admitted plan to its outcome.

    Args:
        stages: The plan and what its stages are made from.
        opening: Body of the "plan" delivery (``compute_nodes.jobs.opening``).
        ports: The world.
        clocks: Waiting times.
        now: Monotonic seconds at creation.
    """

    def __init__(
        self, stages: StagePlan, opening: bytes, ports: Ports, clocks: Clocks, now: float
    ) -> None:
        self.plan = stages.plan
        self.state: State = "running"
        self.result: Aggregate | None = None
        self.hidden_cells = 0
        self.statements: dict[str, str] = {}
        self._stages = replace(stages, sign=self._sign_once)
        self._sign = stages.sign
        self._signed = ""
        self._opening = opening
        self._ports = ports
        self._clocks = clocks
        self._lock = threading.RLock()
        self._names = [member.name for member in stages.plan.roster]
        self._index = {name: index for index, name in enumerate(self._names)}
        self._stage: Stage = first_stage(self._stages)
        self._answered: set[tuple[str, str]] = set()  # (department, round) that was accepted
        self._refusing: set[str] = set()
        self._round = PLAN_ROUND
        self._waiting: frozenset[int] = frozenset()
        self._absent: set[str] = set()
        self._deadline = now + clocks.round_s
        self._last_call = self._deadline
        self._expiry = now + max(0, stages.plan.expires_at - stages.plan.issued_at)
        self._back = now  # from then on, who is not connected is absent
        self._replaying = False
        self._left = False

    def start(self, now: float) -> None:
        """Hands the plan to every department and opens the first stage."""
        with self._lock:
            for name in self._names:
                self._ports.send(name, PLAN_ROUND, "plan", self._opening)
            self._open(self._stage, now)

    def receive(self, department: str, round_: str, kind: str, body: bytes, now: float) -> None:
        """Takes one department's answer.

        Raises:
            ProtocolError: The answer fits nothing that this session waits for.
            UnavailableError: It cannot be recorded, which ends the job; or `leave` was called.
        """
        with self._lock:
            if self.state in ("done", "failed"):
                return  # late, and harmless: the job is over
            self._check_here()
            if department not in self._index:
                raise ProtocolError(f"{department} has no part in this job", code="job.foreign")
            self._take(Input("answer", department, round_, kind, body), now)

    def tick(self, now: float) -> None:
        """Lets time pass: a round ends at its deadline, or when all it waits for are gone.

        Raises:
            UnavailableError: That cannot be recorded, which ends the job.
        """
        with self._lock:
            if self._left:
                return
            if self._stage.patient and now >= self._back:
                self._name_absent()
            if self.state == "running" and self._waiting:
                absent = now >= self._back and not any(
                    self._ports.connected(self._names[index], self._clocks.absent_s)
                    for index in self._waiting
                )
                if now >= self._deadline or (absent and not self._stage.patient):
                    self._record(Input("expired"))
                    self._expire(now)
            elif self.state == "receipt":
                enough = len(self.statements) >= statements_needed(self.plan)
                if now >= (self._deadline if enough else self._last_call):
                    self._end()

    def replay(self, taken: Input, now: float) -> None:
        """Takes in what an earlier process had recorded; between `start` and `resume`."""
        with self._lock:
            if self.state in ("done", "failed"):
                return
            self._replaying, self._signed = True, taken.signature
            try:
                if taken.what == "answer":
                    self._take(taken, now)
                elif taken.what == "expired":
                    self._expire(now)
                else:
                    self._tell_absent(taken.department)
            finally:
                self._replaying, self._signed = False, ""

    def resume(self, now: float) -> None:
        """Goes on after a replay: every wait begins anew, and nobody is absent for a while."""
        with self._lock:
            self._back = now + self._clocks.return_s
            if self.state == "receipt":
                self._await_statements(now)
                self._deadline = max(self._deadline, self._back)
                return
            self._deadline = max(now + self._clocks.round_s, self._back)
            if self._stage.patient:
                self._deadline = max(self._deadline, self._expiry)

    def leave(self) -> None:
        """Takes in nothing more; the next process goes on from what was recorded."""
        with self._lock:
            self._left = True

    def cancel(self, error: VeilError) -> None:
        """Ends the job; departments that have sent nothing yet take their reservation back.

        Raises:
            UnavailableError: `leave` was called.
        """
        with self._lock:
            if self.state in ("running", "receipt"):
                self._check_here()
                self._fail(error)

    def _check_here(self) -> None:
        if self._left:
            raise UnavailableError(
                Text("the exchange is stopping", "交换中心正在停止"), code="exchange.stopping"
            )

    def _take(self, taken: Input, now: float) -> None:
        if taken.kind == "fault":
            self._refused(taken)
        elif taken.round == PLAN_ROUND:
            if self._accept(taken):
                self._ports.emit("accepted", taken.department, PLAN_ROUND)
        elif taken.round == RECEIPT_ROUND:
            self._statement(taken)
        else:
            self._message(taken, now)

    def _accept(self, taken: Input) -> bool:
        """Records a department's answer; false when the round had one already."""
        key = (taken.department, taken.round)
        if key in self._answered:
            return False
        self._record(taken)
        self._answered.add(key)
        return True

    def _record(self, taken: Input) -> None:
        """Keeps an input before it has effects; what cannot be kept ends the job."""
        if self._replaying:
            return
        try:
            self._ports.record(taken)
        except UnavailableError as error:
            self._fail(error)
            raise

    def _sign_once(self, purpose: str, body: dict[str, Any]) -> str:
        """Signs as the exchange, and at a replay returns what was signed then.

        Signatures are randomised, and departments take only one message per round.
        """
        token, self._signed = self._signed, ""
        if not token:
            token = self._sign(purpose, body)
            self._ports.record(Input("signed", signature=token))
        return token

    def _open(self, stage: Stage, now: float) -> None:
        self._stage = stage
        self.hidden_cells = stage.hidden_cells
        if stage.bitmap:
            for name in self._names:
                self._ports.send(name, BITMAP_ROUND, "bitmap", stage.bitmap.encode("ascii"))
        self._advance(stage.coordinator.start(), now)

    def _message(self, taken: Input, now: float) -> None:
        instance, _, inner = taken.round.partition("/")
        if self.state != "running" or instance != self._stage.instance:
            return  # a late answer to an earlier stage
        index = self._index[taken.department]
        try:
            step = self._stage.coordinator.receive(Message(inner, index, taken.body))
        except JobError as error:  # the answer was in order, and yet there can be no total
            self._fail(error)
            return
        except VeilError as error:
            awaited = taken.round == self._round and index in self._waiting
            if self._stage.needs_all and awaited:  # more waiting is in vain
                name = taken.department
                self._fail(
                    JobError(
                        Text(f"{name}: {error.message}", f"{name}：{error.said.zh}"),
                        code=error.code,
                    )
                )
            raise
        if self._accept(taken):
            self._ports.emit("answered", taken.department, taken.round)
            self._advance(step, now)

    def _expire(self, now: float) -> None:
        for index in sorted(self._waiting):
            self._ports.emit("dropped", self._names[index], self._round)
        try:
            step = self._stage.coordinator.expire()
        except JobError as error:
            self._fail(error)
            return
        self._advance(step, now)

    def _advance(self, step: Step, now: float) -> None:
        if step.send:
            self._round = f"{self._stage.instance}/{step.send[0][1].round}"
            self._deadline = self._expiry if self._stage.patient else now + self._clocks.round_s
            for index, message in step.send:
                self._ports.send(
                    self._names[index],
                    f"{self._stage.instance}/{message.round}",
                    "message",
                    message.body,
                )
            self._ports.emit("round", "", self._round)
            self._absent = set()
        self._waiting = step.waiting_for
        if step.done:
            self._stage_done(step, now)

    def _stage_done(self, step: Step, now: float) -> None:
        try:
            following = next_stage(self._stages, self._stage, step)
        except (JobError, UnavailableError) as error:
            self._fail(error)
            return
        if following is not None:
            self._open(following, now)
            return
        self.result = aggregate_of(self._stages, self._stage, step)
        self.state = "receipt"
        self._waiting = frozenset()
        self._await_statements(now)
        self._ports.emit("round", "", RECEIPT_ROUND)
        self._absent = set()
        notice = {"survivors": list(self.result.survivors), "outcome": self.result.digest}
        for name in self.result.survivors:
            self._ports.send(name, RECEIPT_ROUND, "receipt", canonical(notice))

    def _await_statements(self, now: float) -> None:
        self._deadline = now + self._clocks.receipt_s
        self._last_call = now + self._clocks.round_s
        if self._stage.patient:  # who answered at its own time signs at its own time, too
            self._deadline, self._last_call = self._last_call, max(self._last_call, self._expiry)

    def _name_absent(self) -> None:
        """Tells the analyst, once a round, for whom the job waits."""
        awaited = {self._names[index] for index in self._waiting}
        if self.state == "receipt" and self.result is not None:
            awaited = set(self.result.survivors) - self.statements.keys() - self._refusing
        for name in sorted(awaited - self._absent):
            if not self._ports.connected(name, self._clocks.absent_s):
                self._record(Input("absent", name))
                self._tell_absent(name)

    def _tell_absent(self, name: str) -> None:
        self._absent.add(name)
        self._ports.emit("absent", name, self._round)

    def _statement(self, taken: Input) -> None:
        if self.state != "receipt" or self.result is None:
            raise ProtocolError("a statement before the total", code="job.order")
        if taken.department not in self.result.survivors:
            return
        token = taken.body.decode("ascii", "replace")
        take_statement(self._stages, self.result, self.hidden_cells, taken.department, token)
        if self._accept(taken):
            self.statements[taken.department] = token
            self._end_if_complete(self.result)

    def _refused(self, taken: Input) -> None:
        """A refusal ends the job; one of the receipt only leaves a signature out."""
        error, department = _public_error(taken.body), taken.department
        if department in self._refusing:
            return  # said before
        self._record(taken)
        self._ports.emit("refused", department, error.message)
        if self.state == "receipt" and self.result is not None:
            self._refusing.add(department)
            self._end_if_complete(self.result)
            return
        self._fail(
            type(error)(
                Text(f"{department}: {error.said.en}", f"{department}：{error.said.zh}"),
                remedy=error.advice,
                code=error.code,
            )
        )

    def _end_if_complete(self, result: Aggregate) -> None:
        if set(result.survivors) <= self.statements.keys() | self._refusing:
            self._end()

    def _end(self) -> None:
        self.state = "done"
        self._ports.finish(self)

    def _fail(self, error: VeilError) -> None:
        """Ends the job; the ending is recorded before a department hears of it."""
        self.state = "failed"
        self._waiting = frozenset()
        self._ports.fail(error)
        for name in self._names:
            self._ports.send(name, CANCEL_ROUND, "cancel", b"")


def _public_error(body: bytes) -> VeilError:
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(v, str) for v in fields.values()):
        raise ProtocolError("a fault must be a JSON object of texts", code="job.fault")
    return from_public({key: value[:MAX_FAULT_TEXT] for key, value in fields.items()})
