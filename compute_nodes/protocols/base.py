"""What every protocol is made of: messages, steps, transition tables, and the wire layout.

A protocol is two state machines, a `Party` in each department and one `Coordinator`. They only
turn messages into steps: no socket, no clock, no thread, no randomness of their own. Three
drivers run the same machines: the exchange's session, the node's daemon, the simulation.

A message body is a canonical JSON header and binary parts (`layout`). The header always names job,
plan, instance, setup, round and sender, so that a message of another job, round or sender is
refused before anything in it is believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compute_nodes.protocols.layout import MAX_BODY_BYTES, pack, unpack
from protos.canonical import digest
from protos.faults import InputError, ProtocolError

__all__ = [
    "COORDINATOR",
    "MAX_BODY_BYTES",
    "MAX_PARTIES",
    "Answers",
    "Coordinator",
    "Message",
    "Party",
    "PartyInfo",
    "Setup",
    "Sign",
    "Step",
    "Transitions",
    "Vector",
    "Verify",
    "compose",
    "context",
    "follow",
    "pack",
    "party_list",
    "read",
    "unpack",
]

COORDINATOR: Final = -1
MAX_PARTIES: Final = 255  # the non-zero elements of GF(2**8): one Shamir coordinate each

Vector = NDArray[np.unsignedinteger[Any]]
Transitions = Mapping[str, Mapping[str, str]]
Sign = Callable[[str, dict[str, Any]], str]  # (purpose, body) -> token
Verify = Callable[[int, str, str], dict[str, Any]]  # (party, purpose, token) -> body; TrustError


@dataclass(frozen=True)
class PartyInfo:
    """One department of the roster.

    Attributes:
        index: Its position in the roster, from 0.
        name: The department.
        fingerprint: Of its pinned identity key, 64 hex digits.
    """

    index: int
    name: str
    fingerprint: str


@dataclass(frozen=True)
class Setup:
    """What all parties know before the first message; each derives it from the signed plan.

    Attributes:
        job: 32 hex digits.
        plan_hash: SHA-256 of the signed plan, hex.
        instance: Which run inside the job: ``counts``, ``values`` or ``main``.
        parties: The roster, in order.
        threshold: Fewest parties that must stay to the end.
        bits: Width of the ring Z_(2**bits).
        length: Elements of every party's vector.
        envelope: The analyst's X25519 sealing key (hex); ``None`` if the coordinator may read
            the total.
    """

    job: str
    plan_hash: str
    instance: str
    parties: tuple[PartyInfo, ...]
    threshold: int
    bits: int
    length: int
    envelope: str | None = None

    def __post_init__(self) -> None:
        """Refuses a setup that no honest plan gives.

        Raises:
            InputError: Roster, threshold, width or length are out of range.
        """
        count = len(self.parties)
        if not 1 <= count <= MAX_PARTIES:
            raise InputError(f"a roster has 1 to {MAX_PARTIES} departments, not {count}")
        if [party.index for party in self.parties] != list(range(count)):
            raise InputError("party numbers must be the positions in the roster")
        if len({party.fingerprint for party in self.parties}) != count:
            raise InputError("two departments of the roster have the same identity key")
        if not 1 <= self.threshold <= count:
            raise InputError(f"the threshold {self.threshold} does not fit {count} departments")
        if not (1 <= self.bits <= 128 and 1 <= self.length < 2**31):
            raise InputError("the ring's width or the vector's length is out of range")

    @property
    def n(self) -> int:
        """Number of departments in the roster."""
        return len(self.parties)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over every field: two parties that disagree on one never go on."""
        return digest(asdict(self))

    def name(self, party: int) -> str:
        """Returns the department's name, or what the coordinator is called."""
        return "the coordinator" if party == COORDINATOR else self.parties[party].name


@dataclass(frozen=True)
class Message:
    """One message of one round; ``sender`` is a party number or `COORDINATOR`."""

    round: str
    sender: int
    body: bytes

    def __repr__(self) -> str:
        """Shows size, never content."""
        return f"Message({self.round!r}, sender={self.sender}, {len(self.body)} bytes)"


@dataclass(frozen=True)
class Step:
    """What a machine asks of its driver.

    Attributes:
        send: (recipient, message) pairs, in order.
        waiting_for: Parties whose answer is still out (coordinator only).
        done: Nothing more will be sent or expected.
        needs_input: Call ``receive`` again with the same message and the value; nothing changed.
        result: The coordinator's result when ``done``.
    """

    send: tuple[tuple[int, Message], ...] = ()
    waiting_for: frozenset[int] = frozenset()
    done: bool = False
    needs_input: bool = False
    result: object | None = None


class Party(Protocol):
    """A department's side of a protocol."""

    me: int

    def needs_value(self, message: Message) -> bool:
        """Says whether ``receive`` of this message must be given the department's vector."""
        ...

    def receive(
        self, message: Message, *, value: Vector | None = None, recorded: Message | None = None
    ) -> Step:
        """Takes one message; on any error the state is as before.

        Args:
            message: From the coordinator. A repeated one gives the same step.
            value: Ring-encoded vector, where `needs_value` says so.
            recorded: When a restarted node replays its journal, the reply that it stored (and
                perhaps sent) before; it stands in place of a newly made one, because signatures
                and sealings are randomised.

        Raises:
            ProtocolError: Malformed, out of order, or different from one already answered.
            TrustError: A signature, key or box does not hold.
        """
        ...


class Coordinator(Protocol):
    """The exchange's side of a protocol."""

    def start(self) -> Step:
        """Opens the first round."""
        ...

    def receive(self, message: Message) -> Step:
        """Takes one party's answer; on any error the state is as before.

        Raises:
            ProtocolError: Malformed, late, or different from one already taken.
            TrustError: A signature does not hold.
        """
        ...

    def expire(self) -> Step:
        """Ends the current round: goes on with who answered.

        Raises:
            JobError: Too few answered.
        """
        ...


def follow(table: Transitions, role: str, state: str, event: str) -> str:
    """Looks up the next state.

    Raises:
        ProtocolError: ``event`` is not possible in ``state``; names role, state and event.
    """
    try:
        return table[state][event]
    except KeyError:
        raise ProtocolError(
            f"{role} cannot take {event[:40]!r} in state {state!r}", code="protocol.order"
        ) from None


class Answers:
    """Remembers what a party answered: one request per round, the same step for the same one."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[bytes, Step]] = {}

    def repeated(self, message: Message) -> Step | None:
        """Returns the earlier step for this very message, ``None`` for a new round.

        Raises:
            ProtocolError: The round was answered for a different message.
        """
        given = self._given.get(message.round)
        if given is None:
            return None
        if given[0] != hashlib.sha256(message.body).digest():
            raise ProtocolError(
                f"round {message.round!r} was already answered for a different message",
                code="protocol.contradiction",
            )
        return given[1]

    def remember(self, message: Message, step: Step) -> None:
        """Keeps the step that answers ``message``."""
        self._given[message.round] = (hashlib.sha256(message.body).digest(), step)


def context(setup: Setup, round_name: str, sender: int) -> dict[str, Any]:
    """Returns what every header and every signed body begins with."""
    return {
        "job": setup.job,
        "plan": setup.plan_hash,
        "instance": setup.instance,
        "setup": setup.digest,
        "round": round_name,
        "sender": sender,
    }


def compose(
    setup: Setup,
    round_name: str,
    sender: int,
    fields: Mapping[str, Any] | None = None,
    parts: Iterable[bytes | memoryview] = (),
) -> Message:
    """Makes a message: the context, further header fields, and binary parts."""
    header = context(setup, round_name, sender) | dict(fields or {})
    return Message(round_name, sender, pack(header, tuple(parts)))


def read(
    setup: Setup, message: Message, fields: Collection[str] = ()
) -> tuple[dict[str, Any], tuple[memoryview, ...]]:
    """Opens a message of this very setup, round and sender.

    Args:
        setup: What this party derived from the plan.
        message: As received.
        fields: Names that the header must have beside the context, no more and no fewer.

    Returns:
        Those fields, not yet checked further, and the binary parts.

    Raises:
        ProtocolError: Malformed, or of another job, plan, instance, round or sender.
    """
    header, parts = unpack(message.body)
    for name, expected in context(setup, message.round, message.sender).items():
        given = header.pop(name, None)
        if type(given) is not type(expected) or given != expected:  # True == 1 in Python
            raise ProtocolError(
                f"the message does not belong here: its {name} is another", code="protocol.context"
            )
    if set(header) != set(fields):
        raise ProtocolError("the message's header has other fields than its round defines")
    return header, parts


def party_list(setup: Setup, value: object) -> tuple[int, ...]:
    """Checks a list of party numbers: integers of the roster, strictly ascending.

    Raises:
        ProtocolError: It is anything else.
    """
    numbers = value if isinstance(value, list) else [None]
    known = all(type(item) is int and 0 <= item < setup.n for item in numbers)
    if known and numbers == sorted(set(numbers)):
        return tuple(numbers)
    raise ProtocolError("a list of parties must hold ascending numbers of the roster")
