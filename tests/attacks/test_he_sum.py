"""What a cheating exchange, analyst, department or outsider tries against he_sum."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tenseal as ts

from compute_nodes.crypto.bfv import BfvSum, generate_bfv_key
from compute_nodes.crypto.paillier import PaillierKey, PaillierSum
from compute_nodes.protocols.base import COORDINATOR, Message, compose, context, pack, unpack
from compute_nodes.protocols.he_sum import HeSetup, HeSumCoordinator, HeTotal, decrypt_total
from compute_nodes.protocols.he_sum.masking import expand_slots, pair_info
from compute_nodes.protocols.he_sum.total import frame, unframe
from protos.faults import ProtocolError, TrustError, VeilError
from tests.he_sum_world import (
    bfv_key,
    collect,
    departments,
    encode,
    make_coordinator,
    make_party,
    make_setup,
    paillier_key,
    replies,
    secret_key,
    transparent_block,
    verifier,
)

ROWS = [[1, 2, 3, 4, 5]] * 3
BOTH = pytest.mark.parametrize("scheme", ["bfv", "paillier"])


def started(setup: HeSetup) -> HeSumCoordinator:
    coordinator = make_coordinator(setup)
    coordinator.start()
    return coordinator


def altered(message: Message, payload: bytes) -> Message:
    header, _ = unpack(message.body)
    return Message(message.round, message.sender, pack(header, [payload]))


@BOTH
def test_a_modified_ciphertext_is_refused(scheme: str) -> None:
    setup = make_setup(scheme)
    message = replies(setup, ROWS)[0]
    payload = bytearray(unpack(message.body)[1][0])
    payload[len(payload) // 2] ^= 1
    with pytest.raises(TrustError, match="does not cover its ciphertexts"):
        started(setup).receive(altered(message, bytes(payload)))


@BOTH
def test_a_ciphertext_of_another_department_is_refused(scheme: str) -> None:
    setup = make_setup(scheme)
    first, second, _ = replies(setup, ROWS)
    relabelled = altered(second, bytes(unpack(first.body)[1][0]))
    with pytest.raises(TrustError):
        started(setup).receive(relabelled)


@BOTH
@pytest.mark.parametrize(
    "other",
    [{"job": "f" * 32}, {"plan_hash": "f" * 64}, {"instance": "counts"}, {"length": 4}],
    ids=lambda other: next(iter(other)),
)
def test_a_replay_from_another_job_is_refused(scheme: str, other: dict[str, Any]) -> None:
    setup = make_setup(scheme)
    elsewhere = make_setup(scheme, **other)
    rows = [row[: elsewhere.length] for row in ROWS]
    message = replies(elsewhere, rows)[0]
    with pytest.raises(ProtocolError, match="does not belong here"):
        started(setup).receive(message)
    # … and with a header written anew the signature still belongs to the other job
    header, parts = unpack(message.body)
    forged = compose(setup, "ciphertext", 0, {"token": header["token"]}, parts)
    with pytest.raises(TrustError):
        started(setup).receive(forged)


def test_an_exchange_that_swaps_the_key_learns_nothing() -> None:
    setup = make_setup("bfv")
    foreign = generate_bfv_key()
    request = compose(setup, "ciphertext", COORDINATOR, parts=[foreign.public.data])
    with pytest.raises(TrustError, match="not the one that the plan names"):
        make_party(setup, 0).receive(request, value=encode(setup, ROWS[0]))
    coordinator = HeSumCoordinator(setup, key=foreign.public.data, verify=verifier(setup))
    with pytest.raises(TrustError, match="not the one that the plan names"):
        coordinator.start()


def test_a_ciphertext_under_a_foreign_key_spoils_the_total_but_shows_nothing() -> None:
    """A cheating *department* can always destroy an answer; the analyst notices."""
    setup = make_setup("bfv", total_bits=40)
    messages = replies(setup, ROWS)
    payload = frame(generate_bfv_key().public.encrypt(np.arange(5, dtype=np.uint64)))
    token = departments(3)[0].sign(*signed(setup, 0, payload))
    forged = compose(setup, "ciphertext", 0, {"token": token}, [payload])
    result = collect(setup, [forged, *messages[1:]]).result
    assert isinstance(result, HeTotal)
    with pytest.raises(ProtocolError, match=r"does not open|outside the declared bounds"):
        decrypt_total(bfv_key(), setup, result, verifier(setup))


def signed(setup: HeSetup, sender: int, payload: bytes) -> tuple[str, dict[str, Any]]:
    body = context(setup, "ciphertext", sender)
    body["sha256"] = hashlib.sha256(payload).hexdigest()
    return "he-sum-ciphertext", body


@BOTH
def test_readable_ciphertexts_are_refused_although_signed(scheme: str, tmp_path: Path) -> None:
    setup = make_setup(scheme)
    if scheme == "bfv":
        payload = frame([transparent_block(tmp_path)])
    else:
        key = paillier_key().public
        nude = (1 + key.n * 42) % key.n_squared
        payload = frame([nude.to_bytes(key.block_bytes, "big")])
    token = departments(3)[0].sign(*signed(setup, 0, payload))
    message = compose(setup, "ciphertext", 0, {"token": token}, [payload])
    with pytest.raises(ProtocolError, match="anyone could read it"):
        started(setup).receive(message)


@BOTH
def test_an_exchange_that_drops_a_member_sees_only_noise(scheme: str) -> None:
    """Analyst and exchange together add two of three: masks do not cancel."""
    setup = make_setup(scheme, total_bits=40)
    messages = replies(setup, [[0] * 5] * 3)
    blocks = [unframe(unpack(message.body)[1][0]) for message in messages[:2]]
    key = secret_key(scheme).public
    adder = BfvSum(5) if scheme == "bfv" else PaillierSum(key, 1)
    for block in blocks:
        adder.add(block)
    tokens = tuple(str(unpack(message.body)[0]["token"]) for message in messages)
    lying = HeTotal(tuple(adder.blocks()), (0, 1, 2), tokens)
    with pytest.raises(ProtocolError, match="outside the declared bounds"):
        decrypt_total(secret_key(scheme), setup, lying, verifier(setup))
    honest_about_it = HeTotal(tuple(adder.blocks()), (0, 1), tokens[:2])
    with pytest.raises(ProtocolError, match="2 departments, 3 are needed"):
        decrypt_total(secret_key(scheme), setup, honest_about_it, verifier(setup))


def test_one_masked_input_opens_to_uniform_values() -> None:
    """Even analyst and exchange together: the same zeros open to unrelated numbers each time."""
    opened = []
    for job in range(3):
        setup = make_setup("bfv", job=f"{job:032x}", total_bits=47, length=4000)
        message = replies(setup, [[0] * 4000] * 3)[0]
        block = bytes(unframe(unpack(message.body)[1][0])[0])
        opened.append(bfv_key().decrypt([block], 4000))
    assert len({tuple(values.tolist()) for values in opened}) == 3
    spread = np.concatenate(opened) / float(1 << 47)  # uniform in [-1, 1]
    assert abs(spread.mean()) < 0.05
    assert abs(spread.std() - 3**-0.5) < 0.02


def test_pair_seeds_differ_by_job_roster_instance_and_key() -> None:
    base = make_setup("bfv")
    infos = {
        pair_info(setup, a, b)
        for setup in (
            base,
            make_setup("bfv", job="1" * 32),
            make_setup("bfv", plan_hash="1" * 64),
            make_setup("bfv", instance="counts"),
            make_setup("bfv", n=4, threshold=3),
            make_setup("bfv", key_digest="1" * 64),
        )
        for a, b in ((0, 1), (0, 2), (1, 2))
    }
    assert len(infos) == 18
    assert pair_info(base, 2, 1) == pair_info(base, 1, 2)


def test_slot_masks_are_exactly_uniform_at_the_edge() -> None:
    """Words from t up to 2**48 are skipped, not reduced (which would favour small residues)."""
    seed = secrets.token_bytes(32)
    mask = expand_slots(seed, 10_000)
    assert int(mask.max()) < 281_474_976_694_273
    assert np.array_equal(expand_slots(seed, 100), mask[:100])


@BOTH
def test_a_department_is_counted_once(scheme: str) -> None:
    setup = make_setup(scheme)
    coordinator = started(setup)
    message = replies(setup, ROWS)[0]
    for _ in range(3):
        assert coordinator.receive(message).waiting_for == {1, 2}


@BOTH
def test_a_signature_of_somebody_else_is_refused(scheme: str) -> None:
    setup = make_setup(scheme)
    payload = bytes(unpack(replies(setup, ROWS)[0].body)[1][0])
    token = departments(3)[1].sign(*signed(setup, 0, payload))
    with pytest.raises(TrustError):
        started(setup).receive(compose(setup, "ciphertext", 0, {"token": token}, [payload]))


@BOTH
@pytest.mark.parametrize(
    "payload", [b"", b"\x00" * 4, b"\xff" * 8, b"\x00\x00\x00\x05abcd", frame([b"x" * 300_000])]
)
def test_signed_rubbish_is_refused(scheme: str, payload: bytes) -> None:
    setup = make_setup(scheme)
    token = departments(3)[0].sign(*signed(setup, 0, payload))
    coordinator = started(setup)
    with pytest.raises(ProtocolError):
        coordinator.receive(compose(setup, "ciphertext", 0, {"token": token}, [payload]))
    step = None
    for message in replies(setup, ROWS):  # … and the job goes on as if it had not come
        step = coordinator.receive(message)
    assert step is not None
    assert step.done


def test_a_truncated_message_is_refused() -> None:
    setup = make_setup("bfv")
    message = replies(setup, ROWS)[0]
    for size in (0, 3, 100, len(message.body) - 1):
        with pytest.raises(VeilError):
            started(setup).receive(Message(message.round, message.sender, message.body[:size]))


def test_the_secret_key_is_in_nothing_that_leaves() -> None:
    for scheme in ("bfv", "paillier"):
        secret, setup = secret_key(scheme), make_setup(scheme)
        leaving = [secret.public.data, repr(secret).encode()]
        request = make_coordinator(setup).start().send[0][1]
        leaving.append(request.body)
        if scheme == "bfv":
            assert ts.context_from(secret.public.data, n_threads=1).is_public()
            assert not ts.context_from(secret.public.data, n_threads=1).has_secret_key()
            private = secret.private_bytes()
            tail = private[len(secret.public.data) :]  # the protobuf's last field
            assert len(tail) > 40_000
            needles = [tail[at : at + 32] for at in range(64, len(tail) - 32, 4096)]
        else:
            assert isinstance(secret.public, PaillierKey)
            p, q = secret._secret.p, secret._secret.q
            needles = [f"{p:x}".encode(), f"{q:x}".encode(), str(p).encode()]
            needles += [p.to_bytes(192, "big"), q.to_bytes(192, "big")]
        for needle in needles:
            assert not any(needle in data for data in leaving)


# --- without masks, where the owners have agreed to that


@BOTH
def test_an_exchange_talks_nobody_out_of_its_masks(scheme: str) -> None:
    """Which of the two it is stands in the plan; a request for the other is of another setup."""
    masked = make_setup(scheme, total_bits=40)
    bare = make_setup(scheme, total_bits=40, masked=False)
    for mine, asked in ((masked, bare), (bare, masked)):
        request = make_coordinator(asked).start().send[0][1]
        with pytest.raises(ProtocolError, match="setup is another"):
            make_party(mine, 0).receive(request, value=encode(mine, ROWS[0]))


@BOTH
def test_what_analyst_and_exchange_read_of_an_open_input_is_what_was_given_in(scheme: str) -> None:
    """So the noise must be in it already, in full; under masks they read nothing of it."""
    bare = make_setup(scheme, total_bits=40, masked=False, threshold=1)
    message = replies(bare, [[5, -6, 7, 8, 9], *ROWS[1:]])[0]
    result = collect(bare, [message]).result
    assert isinstance(result, HeTotal)
    alone = decrypt_total(secret_key(scheme), bare, result, verifier(bare))
    assert alone == [5, -6, 7, 8, 9]
