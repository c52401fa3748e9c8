"""The exchange's side of he_sum: collects ciphertexts and adds them without a key."""

from __future__ import annotations

import hashlib
from typing import Final

from compute_nodes.crypto.bfv import BfvSum
from compute_nodes.crypto.paillier import PaillierSum
from compute_nodes.protocols.base import (
    COORDINATOR,
    Message,
    Step,
    Transitions,
    Verify,
    compose,
    context,
    follow,
    read,
)
from compute_nodes.protocols.he_sum import bfv_scheme, paillier_scheme
from compute_nodes.protocols.he_sum.party import check_key
from compute_nodes.protocols.he_sum.setup import PURPOSE, ROUND, HeSetup
from compute_nodes.protocols.he_sum.total import HeTotal, unframe
from protos.faults import JobError, ProtocolError, TrustError
from protos.language import Text

TRANSITIONS: Final[Transitions] = {
    "new": {"start": "collecting"},
    "collecting": {ROUND: "collecting", "complete": "done", "expire": "done", "fail": "failed"},
    "done": {},
    "failed": {},
}


class HeSumCoordinator:
    """Asks every department once and adds what comes, in any order, until all came or time is up.

    Args:
        setup: Derived from the signed plan.
        key: The analyst's public HE key, handed to every department.
        verify: Checks a department's signature against its pinned identity key.
    """

    def __init__(self, setup: HeSetup, *, key: bytes, verify: Verify) -> None:
        self.setup = setup
        self._key = key
        self._verify = verify
        self._state = "new"
        self._sum: BfvSum | PaillierSum | None = None
        self._taken: dict[int, bytes] = {}  # party -> SHA-256 of its whole message
        self._tokens: dict[int, str] = {}
        self._result: HeTotal | None = None

    def start(self) -> Step:
        """Sends the analyst's key to every department.

        Raises:
            TrustError: The key is not the one that the plan names, or is weak.
        """
        state = self._follow("start")
        check_key(self.setup, self._key)
        if self.setup.scheme == "bfv":
            self._sum = bfv_scheme.adder(self.setup)
        else:
            self._sum = paillier_scheme.adder(self.setup, self._key)
        self._state = state
        request = compose(self.setup, ROUND, COORDINATOR, parts=[self._key])
        return Step(
            send=tuple((party.index, request) for party in self.setup.parties),
            waiting_for=self._missing,
        )

    def receive(self, message: Message) -> Step:
        """Takes one department's ciphertexts; a repeated message changes nothing.

        Raises:
            ProtocolError: Malformed, late, of another job, unsound, or a second, different one.
            TrustError: The department's signature does not cover these ciphertexts.
        """
        sender, digest = message.sender, hashlib.sha256(message.body).digest()
        if sender in self._taken:
            if self._taken[sender] != digest:
                raise ProtocolError(
                    f"{self.setup.name(sender)} already sent other ciphertexts",
                    code="protocol.contradiction",
                )
            return self._step()
        state = self._follow(message.round)
        if not 0 <= sender < self.setup.n:
            raise ProtocolError("the sender is not in the roster", code="protocol.sender")
        fields, parts = read(self.setup, message, {"token"})
        if len(parts) != 1 or not isinstance(fields["token"], str):
            raise ProtocolError("a reply carries a signature and one part of ciphertexts")
        self._authenticate(sender, fields["token"], parts[0])
        self._open_sum.add(unframe(parts[0]))
        self._taken[sender] = digest
        self._tokens[sender] = fields["token"]
        self._state = state
        if not self._missing:
            self._finish("complete")
        return self._step()

    def expire(self) -> Step:
        """Ends the job: an open sum goes on with at least ``threshold``; a masked one fails.

        Raises:
            JobError: Too few departments answered; says how many.
        """
        state = self._follow("expire")
        came, asked = len(self._taken), self.setup.n
        if self.setup.masked or came < self.setup.threshold:
            self._state = self._follow("fail")
            needs = (
                Text(
                    "a masked sum needs every department of its roster", "须由名单上的全部部门应答"
                )
                if self.setup.masked
                else Text(f"{self.setup.threshold} are needed", f"需要 {self.setup.threshold} 个")
            )
            raise JobError(
                Text(
                    f"{asked - came} of {asked} departments sent nothing before the deadline, and"
                    f" {needs.en}",
                    f"{asked} 个部门中有 {asked - came} 个在期限前没有应答，而{needs.zh}",
                ),
                remedy=Text(
                    "Ask again with a longer deadline or with the departments that answer.",
                    "请延长期限，或只向会应答的部门重新查询",
                ),
                code="job.survivors",
            )
        self._state = state
        self._finish(None)
        return self._step()

    @property
    def _missing(self) -> frozenset[int]:
        return frozenset(range(self.setup.n)) - self._taken.keys()

    @property
    def _open_sum(self) -> BfvSum | PaillierSum:
        if self._sum is None:
            raise ProtocolError("the coordinator has not started", code="protocol.order")
        return self._sum

    def _follow(self, event: str) -> str:
        return follow(TRANSITIONS, "the he_sum coordinator", self._state, event)

    def _authenticate(self, sender: int, token: str, payload: memoryview) -> None:
        expected = context(self.setup, ROUND, sender)
        expected["sha256"] = hashlib.sha256(payload).hexdigest()
        if self._verify(sender, PURPOSE, token) != expected:
            raise TrustError(
                f"the signature of {self.setup.name(sender)} does not cover its ciphertexts",
                code="he.signature",
            )

    def _finish(self, event: str | None) -> None:
        if event is not None:
            self._state = self._follow(event)
        survivors = tuple(sorted(self._taken))
        self._result = HeTotal(
            blocks=tuple(self._open_sum.blocks()),
            survivors=survivors,
            tokens=tuple(self._tokens[party] for party in survivors),
        )

    def _step(self) -> Step:
        if self._result is not None:
            return Step(done=True, result=self._result)
        return Step(waiting_for=self._missing)
