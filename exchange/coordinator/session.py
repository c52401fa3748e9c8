"""One job at the exchange: drives the protocol's coordinators from round to round.

The session is a state machine like the protocols below it: deliveries from departments and the
passing of time are its inputs; deliveries to departments, progress and, once, the ending are its
outputs. It opens nothing: in ad hoc jobs all that it sums stays under the analyst's envelope.

    plan ──► stage ──► (stage) ──► receipt ──► outcome
      └────────┴──────────┴── failed (one public error)
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from compute_nodes.jobs.setups import BITMAP_ROUND, CANCEL_ROUND, PLAN_ROUND, RECEIPT_ROUND
from compute_nodes.protocols.base import Message, Step
from exchange.coordinator.outcome import Aggregate
from exchange.coordinator.stages import Stage, StagePlan, aggregate_of, first_stage, next_stage
from protos.canonical import canonical
from protos.faults import JobError, ProtocolError, VeilError, from_public
from protos.language import Text

State = Literal["running", "receipt", "done", "failed"]

MAX_FAULT_TEXT: Final = 2000  # characters of a department's own words that are passed on


@dataclass(frozen=True)
class Clocks:
    """How long a session waits.

    Attributes:
        round_s: Longest wait for one round.
        absent_s: A department that has not been connected for so long has dropped out.
        receipt_s: Longest wait for the departments' statements.
    """

    round_s: float = 120.0
    absent_s: float = 2.0
    receipt_s: float = 5.0


@dataclass(frozen=True)
class Ports:
    """What a session may do to the world.

    Attributes:
        send: (department, round, kind, body): puts a delivery into the department's inbox.
        emit: (what, department, text): progress for the analyst; nothing from data in it.
        connected: (department, within_s): whether it was connected in the last seconds.
        finish: Called once with the result of the last stage and the statements.
        fail: Called once with the error that ended the job.
    """

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
        self._stages = stages
        self._opening = opening
        self._ports = ports
        self._clocks = clocks
        self._lock = threading.RLock()
        self._names = [member.name for member in stages.plan.roster]
        self._index = {name: index for index, name in enumerate(self._names)}
        self._stage: Stage = first_stage(stages)
        self._refusing: set[str] = set()
        self._round = PLAN_ROUND
        self._waiting: frozenset[int] = frozenset()
        self._absent: set[str] = set()
        self._deadline = now + clocks.round_s
        self._expiry = now + max(0, stages.plan.expires_at - stages.plan.issued_at)

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
        """
        with self._lock:
            if self.state in ("done", "failed"):
                return  # late, and harmless: the job is over
            if department not in self._index:
                raise ProtocolError(f"{department} has no part in this job", code="job.foreign")
            if kind == "fault":
                self._refused(department, body)
            elif round_ == PLAN_ROUND:
                self._ports.emit("accepted", department, PLAN_ROUND)
            elif round_ == RECEIPT_ROUND:
                self._statement(department, body)
            else:
                self._message(department, round_, body, now)

    def tick(self, now: float) -> None:
        """Lets time pass: a round ends at its deadline, or when all it waits for are gone."""
        with self._lock:
            if self._stage.patient:
                self._name_absent()
            if self.state == "running" and self._waiting:
                absent = not any(
                    self._ports.connected(self._names[index], self._clocks.absent_s)
                    for index in self._waiting
                )
                if now >= self._deadline or (absent and not self._stage.patient):
                    self._expire(now)
            elif self.state == "receipt" and now >= self._deadline:
                self._end()

    def cancel(self, error: VeilError) -> None:
        """Ends the job; departments that have sent nothing yet take their reservation back."""
        with self._lock:
            if self.state in ("running", "receipt"):
                self._fail(error)

    def _open(self, stage: Stage, now: float) -> None:
        self._stage = stage
        self.hidden_cells = stage.hidden_cells
        if stage.bitmap:
            for name in self._names:
                self._ports.send(name, BITMAP_ROUND, "bitmap", stage.bitmap.encode("ascii"))
        self._advance(stage.coordinator.start(), now)

    def _message(self, department: str, round_: str, body: bytes, now: float) -> None:
        instance, _, inner = round_.partition("/")
        if self.state != "running" or instance != self._stage.instance:
            return  # a late answer to an earlier stage
        index = self._index[department]
        try:
            step = self._stage.coordinator.receive(Message(inner, index, body))
        except VeilError as error:
            awaited = round_ == self._round and index in self._waiting
            if self._stage.patient and awaited:  # nobody may be missing: more waiting is in vain
                self._fail(
                    JobError(
                        Text(f"{department}: {error.message}", f"{department}：{error.said.zh}"),
                        code=error.code,
                    )
                )
            raise
        self._ports.emit("answered", department, round_)
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
        except JobError as error:
            self._fail(error)
            return
        if following is not None:
            self._open(following, now)
            return
        self.result = aggregate_of(self._stages, self._stage, step)
        self.state = "receipt"
        self._waiting = frozenset()
        self._deadline = now + self._clocks.receipt_s
        self._ports.emit("round", "", RECEIPT_ROUND)
        self._absent = set()
        if self._stage.patient:  # who answered at its own time signs at its own time, too
            self._deadline = max(self._deadline, self._expiry)
        notice = {"survivors": list(self.result.survivors), "outcome": self.result.digest}
        for name in self.result.survivors:
            self._ports.send(name, RECEIPT_ROUND, "receipt", canonical(notice))

    def _name_absent(self) -> None:
        """Tells the analyst, once a round, for whom the job waits."""
        awaited = {self._names[index] for index in self._waiting}
        if self.state == "receipt" and self.result is not None:
            awaited = set(self.result.survivors) - self.statements.keys() - self._refusing
        for name in sorted(awaited - self._absent):
            if not self._ports.connected(name, self._clocks.absent_s):
                self._absent.add(name)
                self._ports.emit("absent", name, self._round)

    def _statement(self, department: str, body: bytes) -> None:
        if self.state != "receipt" or self.result is None:
            raise ProtocolError("a statement before the total", code="job.order")
        if department in self.result.survivors:
            self.statements[department] = body.decode("ascii", "replace")
        self._end_if_complete(self.result)

    def _refused(self, department: str, body: bytes) -> None:
        """A refusal ends the job; one of the receipt only leaves a signature out."""
        error = _public_error(body)
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
        self.state = "failed"
        self._waiting = frozenset()
        for name in self._names:
            self._ports.send(name, CANCEL_ROUND, "cancel", b"")
        self._ports.fail(error)


def _public_error(body: bytes) -> VeilError:
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(v, str) for v in fields.values()):
        raise ProtocolError("a fault must be a JSON object of texts", code="job.fault")
    return from_public({key: value[:MAX_FAULT_TEXT] for key, value in fields.items()})
