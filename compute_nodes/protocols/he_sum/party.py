"""A department's side of he_sum: one message in, one message out."""

from __future__ import annotations

import hashlib
from typing import Final

from compute_nodes.crypto.paillier import RandomBytes
from compute_nodes.crypto.ring import Ring
from compute_nodes.protocols.base import (
    COORDINATOR,
    Answers,
    Message,
    Sign,
    Step,
    Transitions,
    Vector,
    compose,
    context,
    follow,
    read,
)
from compute_nodes.protocols.he_sum import bfv_scheme, paillier_scheme
from compute_nodes.protocols.he_sum.masking import PairSeed
from compute_nodes.protocols.he_sum.setup import PURPOSE, ROUND, HeSetup
from compute_nodes.protocols.he_sum.total import frame
from protos.faults import ProtocolError, TrustError

TRANSITIONS: Final[Transitions] = {"waiting": {ROUND: "sent"}, "sent": {}}


class HeSumParty:
    """Encrypts the department's vector under the analyst's key, masked unless the job is open.

    Encryption is randomised, so a second ciphertext of the same vector would differ; it would be
    as safe, but the driver stores the first one and replays it (``recorded``).

    Args:
        setup: Derived from the signed plan.
        me: Position in the roster.
        pair_seed: Peer -> 32 bytes shared with it alone (`masking.pair_seed_from`); not called
            in open jobs.
        random_bytes: Cryptographic randomness for Paillier; BFV draws inside SEAL.
        sign: Signs with the department's identity key.
    """

    def __init__(
        self,
        setup: HeSetup,
        me: int,
        *,
        pair_seed: PairSeed,
        random_bytes: RandomBytes,
        sign: Sign,
    ) -> None:
        self.setup = setup
        self.me = me
        self._pair_seed = pair_seed
        self._random_bytes = random_bytes
        self._sign = sign
        self._state = "waiting"
        self._answers = Answers()

    def __repr__(self) -> str:
        """Shows who and where, no secret."""
        return f"HeSumParty({self.setup.name(self.me)!r}, {self._state!r})"

    def needs_value(self, message: Message) -> bool:
        """Says whether ``receive`` of this message must be given the department's vector."""
        return message.round == ROUND and self._state == "waiting"

    def receive(
        self, message: Message, *, value: Vector | None = None, recorded: Message | None = None
    ) -> Step:
        """Answers the coordinator's request, which carries the analyst's public key.

        Args:
            message: Round ``ciphertext`` from the coordinator.
            value: Ring-encoded vector, shape as ``Ring(setup.bits)`` says, already noised.
            recorded: The reply that was stored before a restart, sent again as it is.

        Raises:
            ProtocolError: Malformed, or different from the one already answered.
            TrustError: The key is not the one that the signed plan names, or is weak.
            JobError: A value is outside the declared bounds.
        """
        repeated = self._answers.repeated(message)
        if repeated is not None:
            return repeated
        state = follow(TRANSITIONS, "a he_sum department", self._state, message.round)
        if message.sender != COORDINATOR:
            raise ProtocolError("only the coordinator asks for ciphertexts", code="protocol.sender")
        _, parts = read(self.setup, message)
        if len(parts) != 1:
            raise ProtocolError("the request carries one part, the analyst's public key")
        key = bytes(parts[0])
        check_key(self.setup, key)
        if recorded is None:
            if value is None:
                return Step(needs_input=True)
            recorded = self._reply(key, value)
        elif recorded.sender != self.me or recorded.round != ROUND:
            raise ProtocolError("the recorded reply is not this department's")
        step = Step(send=((COORDINATOR, recorded),), done=True)
        self._state = state
        self._answers.remember(message, step)
        return step

    def _reply(self, key: bytes, value: Vector) -> Message:
        setup = self.setup
        Ring(setup.bits).check(value, setup.length)
        if setup.scheme == "bfv":
            blocks = bfv_scheme.encrypt(setup, self.me, key, value, self._pair_seed)
        else:
            blocks = paillier_scheme.encrypt(
                setup, self.me, key, value, self._pair_seed, self._random_bytes
            )
        payload = frame(blocks)
        body = context(setup, ROUND, self.me) | {"sha256": hashlib.sha256(payload).hexdigest()}
        token = self._sign(PURPOSE, body)
        return compose(setup, ROUND, self.me, {"token": token}, [payload])


def check_key(setup: HeSetup, key: bytes) -> None:
    """Checks that a public key is the one that the analyst signed.

    Raises:
        TrustError: Its digest is another.
    """
    if hashlib.sha256(key).hexdigest() != setup.key_digest:
        raise TrustError("the HE key is not the one that the plan names", code="he.key")
