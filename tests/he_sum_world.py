"""A whole he_sum job in one process, for tests: departments, exchange, analyst."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tenseal import sealapi

from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.protocols.base import Message, PartyInfo, Step, Verify
from compute_nodes.protocols.he_sum import (
    BfvSecretKey,
    HeSetup,
    HeSumCoordinator,
    HeSumParty,
    HeTotal,
    PaillierSecretKey,
    decrypt_total,
    generate_bfv_key,
    pair_seed_from,
)
from protos.faults import TrustError
from protos.signing import IdentityKey, PublicIdentity, SealingKey

VECTORS = Path(__file__).parent / "vectors" / "paillier_3072.json"


@dataclass
class Department:
    name: str
    identity: IdentityKey = field(default_factory=IdentityKey.generate)
    sealing: SealingKey = field(default_factory=SealingKey.generate)

    def sign(self, purpose: str, body: dict[str, Any]) -> str:
        return self.identity.sign("veil-message+jwt", {"purpose": purpose, "body": body})


@cache
def departments(count: int) -> tuple[Department, ...]:
    return tuple(Department(f"dept{index}") for index in range(count))


@cache
def paillier_key() -> PaillierSecretKey:
    vector = json.loads(VECTORS.read_text())
    return PaillierSecretKey(*(int(vector[name], 16) for name in ("p", "q", "hs")))


@cache
def bfv_key() -> BfvSecretKey:
    return generate_bfv_key()


def secret_key(scheme: str) -> BfvSecretKey | PaillierSecretKey:
    return bfv_key() if scheme == "bfv" else paillier_key()


def make_setup(scheme: str, n: int = 3, **changes: object) -> HeSetup:
    fields: dict[str, Any] = {
        "job": "0" * 32,
        "plan_hash": hashlib.sha256(b"plan").hexdigest(),
        "instance": "main",
        "parties": tuple(
            PartyInfo(index, one.name, one.identity.public.fingerprint)
            for index, one in enumerate(departments(n))
        ),
        "threshold": 2 * n // 3 + 1,
        "bits": 64,
        "length": 5,
        "scheme": scheme,
        "key_digest": secret_key(scheme).public.digest,
    }
    return HeSetup(**(fields | changes))


def make_party(setup: HeSetup, me: int) -> HeSumParty:
    crew = departments(setup.n)
    return HeSumParty(
        setup,
        me,
        pair_seed=pair_seed_from(
            lambda peer: crew[me].sealing.agree(crew[peer].sealing.public_hex), setup, me
        ),
        random_bytes=secrets.token_bytes,
        sign=crew[me].sign,
    )


def verifier(setup: HeSetup) -> Verify:
    pinned: list[PublicIdentity] = [one.identity.public for one in departments(setup.n)]

    def verify(party: int, purpose: str, token: str) -> dict[str, Any]:
        claims = pinned[party].verify("veil-message+jwt", token)
        if claims["purpose"] != purpose:
            raise TrustError("another purpose")
        body: dict[str, Any] = claims["body"]
        return body

    return verify


def make_coordinator(setup: HeSetup) -> HeSumCoordinator:
    return HeSumCoordinator(setup, key=secret_key(setup.scheme).public.data, verify=verifier(setup))


def encode(setup: HeSetup, values: Sequence[int]) -> Vector:
    return Ring(setup.bits).encode(list(values))


def replies(setup: HeSetup, rows: Sequence[Sequence[int]]) -> list[Message]:
    """Every department's one message."""
    start = make_coordinator(setup).start()
    out = []
    for (me, request), row in zip(start.send, rows, strict=True):
        step = make_party(setup, me).receive(request, value=encode(setup, row))
        out.append(step.send[0][1])
    return out


def collect(setup: HeSetup, messages: Sequence[Message]) -> Step:
    """The coordinator's last step; time runs out if not all came."""
    coordinator = make_coordinator(setup)
    step = coordinator.start()
    for message in messages:
        step = coordinator.receive(message)
    return step if step.done else coordinator.expire()


def run(setup: HeSetup, rows: Sequence[Sequence[int]]) -> list[int]:
    """Plays a job to its end and returns the total that the analyst opens."""
    result = collect(setup, replies(setup, rows)).result
    assert isinstance(result, HeTotal)
    arrived = HeTotal.from_bytes(setup, result.to_bytes(setup))
    return decrypt_total(secret_key(setup.scheme), setup, arrived, verifier(setup))


def transparent_block(directory: Path) -> bytes:
    """A BFV ciphertext of zeros, which SEAL itself refuses to compute, in TenSEAL's layout."""
    context = generate_bfv_key()._context
    ciphertext = sealapi.Ciphertext(context.seal_context().data)
    ciphertext.resize(context.seal_context().data, 2)
    path = directory / "transparent"
    ciphertext.save(str(path))
    data = path.read_bytes()
    assert len(data) < 128  # one length byte
    sizes = bytes([0x0A, 2, 0x80, 0x20])  # protobuf: field 1, packed, [4096]
    return sizes + bytes([0x12, len(data)]) + data
