"""A department's side of ``masked_sum`` (Bonawitz et al. 2017, figure 4, active server).

The coordinator may be malicious. Against it this machine signs one survivor set per run, gives
either share of a peer and never both, and answers each round for one message only. That holds over
restarts too: all that is secret follows from one seed, and the node replays its journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from compute_nodes.crypto.boxes import OVERHEAD_BYTES, close_box, open_box
from compute_nodes.crypto.masks import apply_masks
from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.crypto.seed import SEED_BYTES, PartySeed
from compute_nodes.protocols.base import (
    COORDINATOR,
    Answers,
    Message,
    Setup,
    Sign,
    Step,
    Transitions,
    Verify,
    compose,
    follow,
    party_list,
    read,
)
from compute_nodes.protocols.masked_sum.keys import (
    SHARE_BYTES,
    PartySecrets,
    Roster,
)
from compute_nodes.protocols.masked_sum.messages import (
    KEYS_PURPOSE,
    SEALED_SEED_BYTES,
    SURVIVORS_PURPOSE,
    check_parts,
    check_survivor_tokens,
    enough,
    keys_claims,
    read_keys,
    survivor_claims,
)
from compute_nodes.protocols.masked_sum.threshold import check_setup
from protos.faults import InputError, ProtocolError, TrustError

Seal = Callable[[bytes], bytes]

TRANSITIONS: Final[Transitions] = {
    "new": {"advertise": "advertised"},
    "advertised": {"shares": "shared"},
    "shared": {"masked": "masked"},
    "masked": {"consistency": "signed"},
    "signed": {"unmask": "done"},
    "done": {},
}


@dataclass(frozen=True)
class _State:
    """What the party knows; replaced as a whole, so that an error changes nothing."""

    name: str = "new"
    roster: Roster | None = None
    box_keys: Mapping[int, tuple[bytes, bytes]] = field(default_factory=dict, repr=False)
    masks: Mapping[int, tuple[bytes, int]] = field(default_factory=dict, repr=False)
    shares: Mapping[int, bytes] = field(default_factory=dict, repr=False)  # held for each of U2
    survivors: tuple[int, ...] = ()

    @property
    def sharers(self) -> tuple[int, ...]:
        return tuple(sorted(self.shares))


class MaskedSumParty:
    """One party of one run.

    Args:
        setup: Derived from the plan by this node itself.
        me: This party's number.
        seed: This party's seed for the job.
        sign: Signs with this party's identity key.
        verify: Verifies against pinned identities.
        seal: Seals the envelope's 32-byte seed to the analyst (HPKE, info from
            `envelope.envelope_info`); needed exactly if the setup has an envelope.

    Raises:
        InputError: The setup is not one for this protocol.
    """

    def __init__(
        self,
        setup: Setup,
        me: int,
        seed: PartySeed,
        sign: Sign,
        verify: Verify,
        seal: Seal | None = None,
    ) -> None:
        check_setup(setup)
        if (setup.envelope is None) != (seal is None):
            raise InputError("an envelope needs a sealing function, and only then")
        self.me = me
        self._setup = setup
        self._ring = Ring(setup.bits)
        self._secrets = PartySecrets(setup, me, seed)
        self._sign = sign
        self._verify = verify
        self._seal = seal
        self._state = _State()
        self._answers = Answers()
        self._take: Final[Mapping[str, Callable[[Message], _State]]] = {
            "advertise": self._take_advertise,
            "shares": self._take_shares,
            "masked": self._take_masked,
            "consistency": self._take_consistency,
            "unmask": self._take_unmask,
        }
        self._answer: Final[Mapping[str, Callable[[_State, Vector | None], Message]]] = {
            "advertise": self._advertise,
            "shares": self._share,
            "masked": self._mask,
            "consistency": self._accept,
            "unmask": self._unmask,
        }

    @property
    def survivors(self) -> tuple[int, ...]:
        """The survivor set that this party has signed; empty before it has signed one."""
        return self._state.survivors

    def needs_value(self, message: Message) -> bool:
        """Says whether ``receive`` of this message must be given the vector."""
        return message.round == "masked" and self._state.name == "shared"

    def receive(
        self, message: Message, *, value: Vector | None = None, recorded: Message | None = None
    ) -> Step:
        """Takes one message; see `Party.receive`."""
        if message.sender != COORDINATOR:
            raise ProtocolError("a department takes messages from the coordinator only")
        earlier = self._answers.repeated(message)
        if earlier is not None:
            return earlier
        name = follow(TRANSITIONS, self._setup.name(self.me), self._state.name, message.round)
        if recorded is not None and (recorded.round, recorded.sender) != (message.round, self.me):
            raise ProtocolError("the recorded answer is of another round or sender")
        if self.needs_value(message) and value is None and recorded is None:
            return Step(needs_input=True)
        state = self._take[message.round](message)
        reply = recorded or self._answer[message.round](state, value)
        step = Step(send=((COORDINATOR, reply),), done=not TRANSITIONS[name])
        self._answers.remember(message, step)
        self._state = replace(state, name=name)
        return step

    # What each request must be, and what the party knows after it.

    def _take_advertise(self, message: Message) -> _State:
        _, parts = read(self._setup, message)
        check_parts(parts, 0)
        return self._state

    def _take_shares(self, message: Message) -> _State:
        fields, parts = read(self._setup, message, ["parties"])
        parties = party_list(self._setup, fields["parties"])
        enough(self._setup, parties, range(self._setup.n), self.me)
        check_parts(parts, len(parties))
        keys = tuple(
            read_keys(self._setup, party, token, self._verify)
            for party, token in zip(parties, parts, strict=True)
        )
        roster = Roster(self._setup, keys)
        if roster.of(self.me) != self._secrets.advertisement:
            raise TrustError("the coordinator changed this department's keys", code="key.swapped")
        points = {point for key in keys for point in (key.cipher_key, key.mask_key)}
        if len(points) != 2 * len(keys):
            raise TrustError("two departments advertised the same key", code="key.repeated")
        # All keys are agreed on here, so that a key of low order is refused before any share goes.
        peers = [party for party in parties if party != self.me]
        return replace(
            self._state,
            roster=roster,
            box_keys={peer: self._secrets.box_keys(roster, peer) for peer in peers},
            masks={peer: self._secrets.pairwise_mask(roster, peer) for peer in peers},
        )

    def _take_masked(self, message: Message) -> _State:
        fields, parts = read(self._setup, message, ["parties"])
        roster = self._roster(self._state)
        sharers = party_list(self._setup, fields["parties"])
        enough(self._setup, sharers, roster.parties, self.me)
        peers = [party for party in sharers if party != self.me]
        size = SHARE_BYTES + OVERHEAD_BYTES
        check_parts(parts, len(peers), [size] * len(peers))
        held = {self.me: self._secrets.shares[self.me]}
        for peer, box in zip(peers, parts, strict=True):
            _, key = self._state.box_keys[peer]
            held[peer] = open_box(key, box)
        return replace(self._state, shares=held)

    def _take_consistency(self, message: Message) -> _State:
        fields, parts = read(self._setup, message, ["parties"])
        check_parts(parts, 0)
        survivors = party_list(self._setup, fields["parties"])
        enough(self._setup, survivors, self._state.sharers, self.me)
        return replace(self._state, survivors=survivors)

    def _take_unmask(self, message: Message) -> _State:
        fields, parts = read(self._setup, message, ["parties"])
        state = self._state
        signers = party_list(self._setup, fields["parties"])
        enough(self._setup, signers, state.survivors, self.me)
        check_parts(parts, len(signers))
        tokens = zip(signers, parts, strict=True)
        check_survivor_tokens(
            self._roster(state), state.sharers, state.survivors, tokens, self._verify
        )
        return state

    # What the party answers.

    def _advertise(self, _state: _State, _value: Vector | None) -> Message:
        claims = keys_claims(self._setup, self._secrets.advertisement)
        token = self._sign(KEYS_PURPOSE, claims).encode("ascii")
        return self._compose("advertise", [token])

    def _share(self, state: _State, _value: Vector | None) -> Message:
        boxes = [
            close_box(key, self._secrets.shares[peer])
            for peer, (key, _) in sorted(state.box_keys.items())
        ]
        return self._compose("shares", boxes, roster=self._roster(state).digest)

    def _mask(self, state: _State, value: Vector | None) -> Message:
        if value is None:  # receive() has asked for it
            raise InputError("the masked round needs the department's vector")
        self._ring.check(value, self._setup.length)
        masks = [state.masks[peer] for peer in state.sharers if peer != self.me]
        masks.append((self._secrets.self_seed, 1))
        sealed = []
        if self._seal is not None:
            masks.append((self._secrets.envelope_seed, 1))
            sealed.append(self._seal(self._secrets.envelope_seed))
            if len(sealed[0]) != SEALED_SEED_BYTES:
                raise InputError(f"a sealed seed has {SEALED_SEED_BYTES} bytes")
        masked = value.copy()
        apply_masks(masked, masks, self._ring)
        return self._compose("masked", [self._ring.as_bytes(masked), *sealed])

    def _accept(self, state: _State, _value: Vector | None) -> Message:
        claims = survivor_claims(self._roster(state), self.me, state.sharers, state.survivors)
        return self._compose("consistency", [self._sign(SURVIVORS_PURPOSE, claims).encode("ascii")])

    def _unmask(self, state: _State, _value: Vector | None) -> Message:
        """One share of each peer: of a survivor's self mask, of a drop-out's mask key."""
        seeds, keys, survivors = bytearray(), bytearray(), frozenset(state.survivors)
        for party, share in sorted(state.shares.items()):
            if party in survivors:
                seeds += share[:SEED_BYTES]
            else:
                keys += share[SEED_BYTES:]
        return self._compose("unmask", [bytes(seeds), bytes(keys)])

    def _compose(
        self, round_name: str, parts: Sequence[bytes | memoryview], **fields: str
    ) -> Message:
        return compose(self._setup, round_name, self.me, fields, parts)

    def _roster(self, state: _State) -> Roster:
        if state.roster is None:  # the transition table does not lead here
            raise ProtocolError("no roster is known yet")
        return state.roster
