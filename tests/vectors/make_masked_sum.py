"""Writes ``masked_sum.json``: ``python -m tests.vectors.make_masked_sum``.

One complete run of four departments from fixed seeds, in which the last one drops out after its
vector was due. ECDSA is deterministic here (RFC 6979), so all bytes but HPKE's can be repeated;
the sealed seeds of the existing file are kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from compute_nodes.crypto.ring import Ring
from compute_nodes.crypto.seed import PartySeed
from compute_nodes.crypto.signatures import MESSAGE_TYPE, verifier
from compute_nodes.protocols.base import (
    COORDINATOR,
    Message,
    PartyInfo,
    Setup,
    compose,
    context,
    pack,
    unpack,
)
from compute_nodes.protocols.masked_sum import (
    MaskedSumCoordinator,
    MaskedSumParty,
    MaskedTotal,
    envelope_info,
    open_envelope,
)
from compute_nodes.protocols.masked_sum.keys import PartySecrets
from compute_nodes.protocols.masked_sum.messages import SURVIVORS_PURPOSE
from protos.canonical import canonical
from protos.signing import PublicIdentity, SealingKey, seal

FILE: Final = Path(__file__).parent / "masked_sum.json"
N: Final = 4
DROPPED: Final = 3
VALUES: Final = [[1, -2, 3_000_000_000], [10, -20, 4], [100, -200, 5], [1000, -2000, 6]]
RING: Final = Ring(64)


def identity(me: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1000 + me, ec.SECP256R1())


def analyst() -> SealingKey:
    return SealingKey(X25519PrivateKey.from_private_bytes(b"analyst".ljust(32, b"\x01")))


def party_seed(me: int) -> bytes:
    return bytes([me]) * 32


def make_setup(job: str = "0f" * 16) -> Setup:
    return Setup(
        job=job,
        plan_hash="1e" * 32,
        instance="main",
        parties=tuple(
            PartyInfo(me, f"dept{me}", PublicIdentity.of(identity(me).public_key()).fingerprint)
            for me in range(N)
        ),
        threshold=3,
        bits=RING.bits,
        length=len(VALUES[0]),
        envelope=analyst().public_hex,
    )


def make_verify() -> Callable[[int, str, str], dict[str, Any]]:
    return verifier([PublicIdentity.of(identity(me).public_key()) for me in range(N)])


def deterministic_signer(me: int) -> Callable[[str, dict[str, Any]], str]:
    """As `compute_nodes.crypto.signatures.signer`, but with RFC 6979's nonce."""
    key = identity(me)
    fingerprint = PublicIdentity.of(key.public_key()).fingerprint

    def sign(purpose: str, body: dict[str, Any]) -> str:
        header = {"alg": "ES256", "typ": MESSAGE_TYPE, "kid": fingerprint}
        payload = canonical({"purpose": purpose, "body": body})
        signed = _base64(json.dumps(header, separators=(",", ":")).encode()) + b"."
        signed += _base64(payload)
        der = key.sign(signed, ec.ECDSA(SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return (signed + b"." + _base64(signature)).decode()

    return sign


def make_party(setup: Setup, me: int, sealed: bytes) -> MaskedSumParty:
    def keep(_seed: bytes) -> bytes:
        return sealed

    verify = make_verify()
    seed = PartySeed(party_seed(me))
    return MaskedSumParty(setup, me, seed, deterministic_signer(me), verify, keep)


def make_sealed(setup: Setup) -> list[bytes]:
    """Keeps what the file has; seals afresh what it has not."""
    if FILE.exists():
        stored = json.loads(FILE.read_text())["sealed"]
        return [bytes.fromhex(stored[str(me)]) for me in range(N)]
    secrets = [PartySecrets(setup, me, PartySeed(party_seed(me))) for me in range(N)]
    return [
        seal(analyst().public_hex, one.envelope_seed, info=envelope_info(setup, one.me))
        for one in secrets
    ]


def play(
    setup: Setup, sealed: list[bytes]
) -> tuple[dict[str, dict[int, Message]], dict[str, dict[int, Message]], MaskedTotal]:
    """Returns requests and replies by round and party, and the total."""
    coordinator = MaskedSumCoordinator(setup, make_verify())
    parties = [make_party(setup, me, sealed[me]) for me in range(N)]
    requests: dict[str, dict[int, Message]] = {}
    replies: dict[str, dict[int, Message]] = {}
    step = coordinator.start()
    while not step.done:
        asked, round_name = dict(step.send), step.send[0][1].round
        requests[round_name], replies[round_name] = asked, {}
        for me, request in asked.items():
            if round_name == "masked" and me == DROPPED:
                continue
            value = RING.encode(VALUES[me]) if parties[me].needs_value(request) else None
            reply = parties[me].receive(request, value=value).send[0][1]
            replies[round_name][me] = reply
            step = coordinator.receive(reply)
        if not step.send and not step.done:
            step = coordinator.expire()
    assert isinstance(step.result, MaskedTotal)
    return requests, replies, step.result


def bad_requests(
    setup: Setup,
    requests: dict[str, dict[int, Message]],
    foreign: dict[str, dict[int, Message]],
) -> list[dict[str, Any]]:
    """What dept0 must refuse when everything before went well."""
    keys = [bytes(part) for part in unpack(requests["shares"][0].body)[1]]
    boxes = [bytes(part) for part in unpack(requests["masked"][0].body)[1]]
    tokens = [bytes(part) for part in unpack(requests["unmask"][0].body)[1]]
    header, _ = unpack(requests["consistency"][0].body)

    def made(name: str, parties: list[int], parts: list[bytes]) -> bytes:
        return compose(setup, name, COORDINATOR, {"parties": parties}, parts).body

    everybody = [0, 1, 2, 3]
    low_order = deterministic_signer(1)(
        "masked_sum.keys",
        context(setup, "advertise", 1)
        | {"cipher_key": "00" * 32, "mask_key": "01" + "00" * 31, "commitment": "00" * 32},
    ).encode()
    other_set = deterministic_signer(1)(
        SURVIVORS_PURPOSE,
        context(setup, "consistency", 1)
        | {"roster": "00" * 32, "sharers": "1111", "survivors": "1111"},
    ).encode()
    cases = [
        ("message of another job", "advertise", foreign["advertise"][0].body, "protocol"),
        ("keys of another job", "shares", foreign["shares"][0].body, "protocol"),
        (
            "key advertisement of another department",
            "shares",
            made("shares", everybody, [keys[0], keys[2], keys[1], keys[3]]),
            "trust",
        ),
        (
            "point of low order",
            "shares",
            made("shares", everybody, [keys[0], low_order, keys[2], keys[3]]),
            "trust",
        ),
        ("roster below the threshold", "shares", made("shares", [0, 1], keys[:2]), "protocol"),
        ("roster out of order", "shares", made("shares", [1, 0, 2, 3], keys), "protocol"),
        ("boxes for another department", "masked", requests["masked"][1].body, "trust"),
        ("box missing", "masked", made("masked", everybody, boxes[:2]), "protocol"),
        ("sharers below the threshold", "masked", made("masked", [0, 1], boxes[:1]), "protocol"),
        ("survivors without the recipient", "consistency", made("consistency", [1, 2, 3], []),
         "protocol"),
        ("survivors below the threshold", "consistency", made("consistency", [0, 1], []),
         "protocol"),
        ("survivor twice", "consistency", made("consistency", [0, 0, 1, 2], []), "protocol"),
        ("header with another field", "consistency", pack(header | {"more": 1}), "protocol"),
        ("header not canonical", "consistency",
         _spaced(requests["consistency"][0].body), "protocol"),
        ("bytes after the end", "consistency", requests["consistency"][0].body + b"\x00",
         "protocol"),
        ("cut short", "consistency", requests["consistency"][0].body[:-1], "protocol"),
        ("signature over another survivor set", "unmask",
         made("unmask", [0, 1, 2], [tokens[0], other_set, tokens[2]]), "trust"),
        ("signature of another department", "unmask",
         made("unmask", [0, 1, 2], [tokens[0], tokens[0], tokens[2]]), "trust"),
        ("signatures below the threshold", "unmask", made("unmask", [0, 1], tokens[:2]),
         "protocol"),
        ("signer that did not survive", "unmask",
         made("unmask", everybody, [*tokens, tokens[0]]), "protocol"),
        ("round skipped", "unmask before consistency", requests["unmask"][0].body, "protocol"),
    ]  # fmt: skip
    return [
        {
            "name": name,
            "before": where.split(" before ")[-1],
            "round": where.split(" before ")[0],
            "body": body.hex(),
            "error": error,
        }
        for name, where, body, error in cases
    ]


def make() -> dict[str, Any]:
    setup = make_setup()
    sealed = make_sealed(setup)
    requests, replies, total = play(setup, sealed)
    foreign, _, _ = play(make_setup(job="0e" * 16), sealed)
    seeds = [
        analyst().open(total.sealed_seeds[me], info=envelope_info(setup, me))
        for me in total.survivors
    ]
    vector = RING.from_bytes(total.vector, setup.length)
    return {
        "comment": "All bytes are hex. Identities are P-256 scalars, ECDSA by RFC 6979. dept3"
        " sends no vector. Each bad request goes to dept0 after the good ones before its round.",
        "setup": asdict(setup),
        "setup_digest": setup.digest,
        "identities": [1000 + me for me in range(N)],
        "seeds": [party_seed(me).hex() for me in range(N)],
        "values": VALUES,
        "sealed": {str(me): sealed[me].hex() for me in range(N)},
        "rounds": [
            {
                "round": name,
                "requests": {str(me): m.body.hex() for me, m in requests[name].items()},
                "replies": {str(me): m.body.hex() for me, m in replies[name].items()},
            }
            for name in requests
        ],
        "total": {
            "vector": total.vector.hex(),
            "survivors": list(total.survivors),
            "opened": RING.decode(open_envelope(vector, seeds, RING)),
        },
        "bad_requests": bad_requests(setup, requests, foreign),
    }


def _spaced(body: bytes) -> bytes:
    """The same header with a space that canonical JSON has not."""
    size = int.from_bytes(body[:4], "big")
    head = body[4 : 4 + size].replace(b",", b", ", 1)
    return len(head).to_bytes(4, "big") + head + body[4 + size :]


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=1) + "\n")
