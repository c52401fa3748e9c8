"""he_sum beside `phe` alone, on the same machine in the same run.

The work: ten departments each encrypt their vector, the exchange adds the ten, the analyst opens
the total. `phe` encrypts one value a ciphertext, as its own documentation shows. Rates are values
of one department's vector per second; the ratio is what travels between machines. A
department checks the key and builds its table of powers anew for each job, within the time.

    python -m benchmarks.he_sum
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import phe

from benchmarks import summary
from compute_nodes.crypto.ring import Ring
from compute_nodes.protocols.base import Message, PartyInfo, Step
from compute_nodes.protocols.he_sum import (
    BfvSecretKey,
    HeSetup,
    HeSumCoordinator,
    HeSumParty,
    HeTotal,
    PaillierSecretKey,
    decrypt_total,
    generate_bfv_key,
    generate_paillier_key,
    predicted_sizes,
)

DEPARTMENTS = 10
PEER_VALUES = 12
BFV_VALUES = 65_536
PAILLIER_VALUES = 38 * 100
SOME_VALUES = 650  # from here on the table of the fixed base has paid off
FEW_VALUES = 64
TARGETS = {"BFV": 5_000, "packed Paillier": 300}


@dataclass(frozen=True)
class Rates:
    """Values per second in each role, and bytes a value on the wire."""

    encrypt: float
    add: float
    decrypt: float
    bytes_each: float


def main() -> None:
    """Measures peer, BFV, packed Paillier, peer again, and prints the ratios."""
    public, private = phe.generate_paillier_keypair(n_length=3072)
    paillier = generate_paillier_key(random_bytes=secrets.token_bytes)
    before = _peer(public, private)
    ours = {
        "BFV": _ours("bfv", generate_bfv_key(), BFV_VALUES),
        "packed Paillier": _ours("paillier", paillier, PAILLIER_VALUES),
        f"the same, {SOME_VALUES} values": _ours("paillier", paillier, SOME_VALUES),
        f"the same, {FEW_VALUES} values": _ours("paillier", paillier, FEW_VALUES),
    }
    after = _peer(public, private)
    peer = Rates(*((a + b) / 2 for a, b in zip(_fields(before), _fields(after), strict=True)))
    print(f"{'':24}{'encrypt/s':>12}{'add/s':>14}{'decrypt/s':>12}{'bytes each':>12}{'ratio':>9}")
    print(_line("phe 3072, one by one", peer, 1.0))
    for name, rates in ours.items():
        print(_line(name, rates, rates.encrypt / peer.encrypt))
    for name, target in TARGETS.items():
        ratio = ours[name].encrypt / peer.encrypt
        verdict = "ok" if ratio >= target else "MISSED"
        print(f"{name}: {ratio:,.0f} x phe, target {target:,} x: {verdict}")
        summary.record(f"{name}, values encrypted a second", ratio, "x phe", least=target)


def _peer(public: phe.PaillierPublicKey, private: phe.PaillierPrivateKey) -> Rates:
    values = list(range(PEER_VALUES))
    encrypt, rows = _timed(lambda: [[public.encrypt(value) for value in values]])
    row = rows[0]
    add, total = _timed(lambda: [a + b for a, b in zip(row, row, strict=True)])
    decrypt, _ = _timed(lambda: [private.decrypt(one) for one in total])
    size = (public.nsquare.bit_length() + 7) // 8
    return Rates(PEER_VALUES / encrypt, PEER_VALUES / add, PEER_VALUES / decrypt, size)


def _ours(scheme: str, secret: BfvSecretKey | PaillierSecretKey, length: int) -> Rates:
    """Whole messages: masking, packing, encrypting, serialising, hashing; checks on arrival."""
    setup = HeSetup(
        job="0" * 32,
        plan_hash="0" * 64,
        instance="main",
        parties=tuple(PartyInfo(i, f"d{i}", f"{i:064x}") for i in range(DEPARTMENTS)),
        threshold=DEPARTMENTS,
        bits=64,
        length=length,
        scheme="bfv" if scheme == "bfv" else "paillier",
        key_digest=secret.public.digest,
        total_bits=47,
    )
    signed: dict[str, dict[str, Any]] = {}

    def sign(_: str, body: dict[str, Any]) -> str:
        token = f"{body['sender']}/{body['sha256']}"
        signed[token] = body
        return token

    def pair_seed(me: int) -> Callable[[int], bytes]:
        return lambda peer: hashlib.sha256(f"{min(me, peer)}/{max(me, peer)}".encode()).digest()

    coordinator = HeSumCoordinator(
        setup, key=secret.public.data, verify=lambda _party, _purpose, token: signed[token]
    )

    def answer(me: int, request: Message) -> Callable[[], Step]:
        party = HeSumParty(
            setup, me, pair_seed=pair_seed(me), random_bytes=secrets.token_bytes, sign=sign
        )
        return lambda: party.receive(request, value=value)

    value = Ring(64).encode(np.arange(length, dtype=np.int64) - length // 2)
    encrypt = add = 0.0
    step, sent = coordinator.start(), 0
    for me, request in step.send:
        took, reply = _timed(answer(me, request))
        encrypt += took
        message = reply.send[0][1]
        sent = max(sent, len(message.body))
        took, step = _timed(partial(coordinator.receive, message))
        add += took
    total = step.result
    if not isinstance(total, HeTotal) or sent > predicted_sizes(setup)["ciphertext"]:
        raise SystemExit("the run ended without a total, or sent more than was predicted")
    decrypt, opened = _timed(
        lambda: decrypt_total(secret, setup, total, lambda _party, _purpose, token: signed[token])
    )
    if opened != [DEPARTMENTS * (i - length // 2) for i in range(length)]:
        raise SystemExit("the total is wrong")
    values = DEPARTMENTS * length
    return Rates(values / encrypt, values / add, length / decrypt, sent / length)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _fields(rates: Rates) -> tuple[float, float, float, float]:
    return rates.encrypt, rates.add, rates.decrypt, rates.bytes_each


def _line(name: str, rates: Rates, ratio: float) -> str:
    return (
        f"{name:24}{rates.encrypt:12,.0f}{rates.add:14,.0f}{rates.decrypt:12,.0f}"
        f"{rates.bytes_each:12,.1f}{ratio:9,.0f}"
    )


if __name__ == "__main__":
    main()
