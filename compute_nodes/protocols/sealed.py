"""``sealed``: one department alone answers, and seals its vector to the analyst.

Nothing is summed, so nothing hides among others: policy, noise (all of it, at this one node) and
receipt are those of every other protocol. One round, ``sealed``; the coordinator is a relay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.protocols.base import (
    COORDINATOR,
    Answers,
    Message,
    Setup,
    Step,
    compose,
    read,
)
from protos.faults import InputError, JobError, ProtocolError
from protos.language import Text

ROUND: Final = "sealed"
_SEAL_OVERHEAD: Final = 48  # HPKE: 32 bytes of encapsulated key, 16 bytes of tag


@dataclass(frozen=True)
class SealedVector:
    """The result: bytes that only the analyst opens."""

    sealed: bytes = field(repr=False)


class SealedParty:
    """The department's side.

    Args:
        setup: A roster of one.
        seal: HPKE to the analyst's sealing key, bound to this job.
    """

    def __init__(self, setup: Setup, seal: Callable[[bytes], bytes]) -> None:
        if setup.n != 1:
            raise InputError(Text("`sealed` is for a single department", "sealed 只适用于单个部门"))
        self.me = 0
        self._setup = setup
        self._seal = seal
        self._answers = Answers()

    def needs_value(self, message: Message) -> bool:
        """Says whether ``receive`` of this message must be given the vector."""
        return message.round == ROUND

    def receive(
        self, message: Message, *, value: Vector | None = None, recorded: Message | None = None
    ) -> Step:
        """Answers the one request; see `base.Party`."""
        if (repeated := self._answers.repeated(message)) is not None:
            return repeated
        if message.sender != COORDINATOR or message.round != ROUND:
            raise ProtocolError("`sealed` has one round, from the coordinator")
        read(self._setup, message)
        if recorded is None and value is None:
            return Step(needs_input=True)
        step = Step(send=((COORDINATOR, recorded or self._reply(value)),), done=True)
        self._answers.remember(message, step)
        return step

    def _reply(self, value: Vector | None) -> Message:
        if value is None:
            raise ProtocolError("there is no value to seal")
        ring = Ring(self._setup.bits)
        ring.check(value, self._setup.length)
        return compose(self._setup, ROUND, self.me, parts=(self._seal(ring.to_bytes(value)),))


class SealedCoordinator:
    """The exchange's side: passes the sealed vector on.

    Args:
        setup: A roster of one.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._taken: Message | None = None
        self._step = Step()

    def start(self) -> Step:
        """Asks the department."""
        request = compose(self._setup, ROUND, COORDINATOR)
        return Step(send=((0, request),), waiting_for=frozenset({0}))

    def receive(self, message: Message) -> Step:
        """Takes the answer; see `base.Coordinator`."""
        if self._taken is not None:
            if self._taken != message:
                raise ProtocolError("the department has already sent another answer")
            return self._step
        if message.sender != 0 or message.round != ROUND:
            raise ProtocolError("`sealed` expects one answer from its department")
        _, parts = read(self._setup, message)
        expected = self._setup.length * Ring(self._setup.bits).element_bytes + _SEAL_OVERHEAD
        if len(parts) != 1 or len(parts[0]) != expected:
            raise ProtocolError("the sealed answer has another size than the plan gives")
        self._taken = message
        self._step = Step(done=True, result=SealedVector(bytes(parts[0])))
        return self._step

    def expire(self) -> Step:
        """Ends the job: there is nobody else to ask.

        Raises:
            JobError: Always.
        """
        raise JobError(
            Text(f"{self._setup.name(0)} did not answer", f"{self._setup.name(0)} 没有应答"),
            remedy=Text(
                "ask again when it is online (`veil status`)", "请在它上线后再查询（veil status）"
            ),
            code="job.too_few",
        )


def predicted_size(setup: Setup) -> int:
    """Bytes of the department's one message."""
    vector = bytes(setup.length * Ring(setup.bits).element_bytes + _SEAL_OVERHEAD)
    return len(compose(setup, ROUND, 0, parts=(vector,)).body)
