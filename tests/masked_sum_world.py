"""A whole masked_sum run in one process, for tests: departments, exchange, analyst.

Signatures here are HMACs, which are quick and repeatable; runs with real identities are in
``tests/vectors`` and ``tests/unit/test_masked_sum.py``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.crypto.seed import PartySeed, derive
from compute_nodes.protocols.base import COORDINATOR, Message, PartyInfo, Setup, Step, compose
from compute_nodes.protocols.masked_sum import (
    MaskedSumCoordinator,
    MaskedSumParty,
    MaskedTotal,
    least_threshold,
    open_envelope,
)
from protos.canonical import canonical
from protos.faults import TrustError

ANALYST = "ab" * 32


def mac_sign(party: int) -> Callable[[str, dict[str, Any]], str]:
    def sign(purpose: str, body: dict[str, Any]) -> str:
        payload = canonical({"purpose": purpose, "body": body})
        return payload.hex() + "." + _mac(party, payload)

    return sign


def mac_verify(party: int, purpose: str, token: str) -> dict[str, Any]:
    payload_hex, _, tag = token.partition(".")
    try:
        payload = bytes.fromhex(payload_hex)
    except ValueError as error:
        raise TrustError("not a token") from error
    good = hmac.compare_digest(tag.encode(), _mac(party, payload).encode())
    if not good or payload.hex() != payload_hex:
        raise TrustError("forged")
    claims = json.loads(payload)
    if claims["purpose"] != purpose:
        raise TrustError("another purpose")
    body: dict[str, Any] = claims["body"]
    return body


def _mac(party: int, payload: bytes) -> str:
    return hmac.new(b"identity %d" % party, payload, hashlib.sha256).hexdigest()


def fake_seal(seed: bytes) -> bytes:
    """As long as HPKE; opened by cutting. Sealing itself is tested in ``protos``."""
    return bytes(48) + seed


@dataclass
class World:
    """One run: everything follows from these fields."""

    n: int = 4
    length: int = 5
    bits: int = 64
    job: str = "0" * 32
    instance: str = "main"
    threshold: int | None = None
    envelope: bool = True
    seed: bytes = b"world"
    values: Sequence[Sequence[int]] = field(default_factory=list)

    @cached_property
    def setup(self) -> Setup:
        return Setup(
            job=self.job,
            plan_hash=hashlib.sha256(b"plan").hexdigest(),
            instance=self.instance,
            parties=tuple(PartyInfo(i, f"dept{i}", f"{i:064x}") for i in range(self.n)),
            threshold=self.threshold or least_threshold(self.n),
            bits=self.bits,
            length=self.length,
            envelope=ANALYST if self.envelope else None,
        )

    @cached_property
    def ring(self) -> Ring:
        return Ring(self.bits)

    def party(self, me: int, **changes: object) -> MaskedSumParty:
        arguments: dict[str, Any] = {
            "seed": PartySeed(derive(self.seed.ljust(32), b"party %d" % me)),
            "sign": mac_sign(me),
            "verify": mac_verify,
            "seal": fake_seal if self.envelope else None,
        }
        return MaskedSumParty(self.setup, me, **(arguments | changes))

    def coordinator(self) -> MaskedSumCoordinator:
        return MaskedSumCoordinator(self.setup, mac_verify)

    def row(self, me: int) -> list[int]:
        if self.values:
            return list(self.values[me])
        return [(-1) ** me * (1000 * me + position) for position in range(self.length)]

    def value(self, me: int) -> Vector:
        return self.ring.encode(self.row(me))

    def expected(self, survivors: Collection[int]) -> list[int]:
        return [sum(self.row(me)[i] for me in survivors) for i in range(self.length)]

    def opened(self, total: MaskedTotal) -> list[int]:
        vector = self.ring.from_bytes(total.vector, self.length)
        seeds = [sealed[48:] for sealed in total.sealed_seeds.values()]
        return self.ring.decode(open_envelope(vector, seeds, self.ring))


class Run:
    """Plays round by round, so that a test can interfere between rounds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.coordinator = world.coordinator()
        self.parties = [world.party(me) for me in range(world.n)]
        self.step = self.coordinator.start()
        self.requests: dict[str, dict[int, Message]] = {}
        self.replies: dict[str, dict[int, Message]] = {}

    def answer(self, me: int, message: Message) -> Message:
        party = self.parties[me]
        value = self.world.value(me) if party.needs_value(message) else None
        return party.receive(message, value=value).send[0][1]

    def round(self, absent: Collection[int] = ()) -> Step:
        """Plays one round; the absent ones neither receive nor answer."""
        requests = dict(self.step.send)
        name = next(iter(requests.values())).round
        self.requests[name] = requests
        self.replies[name] = {
            to: self.answer(to, message) for to, message in requests.items() if to not in absent
        }
        for message in self.replies[name].values():
            if self.step.done:
                break
            self.step = self.coordinator.receive(message)
        if self.step.waiting_for and not self.step.send:
            self.step = self.coordinator.expire()
        return self.step

    def until(self, name: str, absent: Mapping[str, Collection[int]] | None = None) -> Run:
        """Plays until the requests of round ``name`` are ready."""
        while self.step.send[0][1].round != name:
            self.round((absent or {}).get(self.step.send[0][1].round, ()))
        return self

    def finish(self, absent: Mapping[str, Collection[int]] | None = None) -> MaskedTotal:
        while not self.step.done:
            self.round((absent or {}).get(self.step.send[0][1].round, ()))
        assert isinstance(self.step.result, MaskedTotal)
        return self.step.result

    def request(self, me: int) -> Message:
        """The request of the open round to one party."""
        return dict(self.step.send)[me]


def forge(
    run: Run,
    round_name: str,
    parties: Iterable[int] | None,
    parts: Sequence[bytes] = (),
    world: World | None = None,
):
    """A request that a malicious coordinator makes up."""
    setup = (world or run.world).setup
    fields = {} if parties is None else {"parties": list(parties)}
    return compose(setup, round_name, COORDINATOR, fields, parts)
