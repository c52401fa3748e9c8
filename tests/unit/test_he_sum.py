from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from compute_nodes.protocols.base import Message
from compute_nodes.protocols.he_sum import HeTotal, decrypt_total, predicted_sizes, request_size
from protos.faults import InputError, JobError, ProtocolError, TrustError
from tests.he_sum_world import (
    collect,
    encode,
    make_coordinator,
    make_party,
    make_setup,
    replies,
    run,
    secret_key,
    verifier,
)

ROWS = [[1, -2, 3, 0, 2**40], [10, -20, 30, 0, -(2**40)], [100, -200, 300, 0, -7]]
TOTALS = [111, -222, 333, 0, -7]


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(("bits", "total_bits"), [(64, 0), (64, 46), (128, 0), (128, 47)])
@pytest.mark.parametrize("scheme", ["bfv", "paillier"])
def test_the_analyst_opens_the_exact_total(
    scheme: str, bits: int, total_bits: int, masked: bool
) -> None:
    if scheme == "bfv" and not masked and not total_bits:
        with pytest.raises(InputError, match="open BFV"):
            make_setup(scheme, bits=bits, masked=False)
        return
    setup = make_setup(scheme, bits=bits, total_bits=total_bits, masked=masked)
    assert run(setup, ROWS) == TOTALS


@pytest.mark.parametrize("scheme", ["bfv", "paillier"])
def test_32_bit_totals_reach_both_ends_of_the_ring(scheme: str) -> None:
    setup = make_setup(scheme, n=2, threshold=2, bits=32, length=2)
    rows = [[2**31 - 10, -(2**31) + 10], [9, -10]]
    assert run(setup, rows) == [2**31 - 1, -(2**31)]


@pytest.mark.parametrize("total_bits", [0, 47])
def test_vectors_longer_than_a_block(total_bits: int) -> None:
    setup = make_setup("bfv", n=2, threshold=2, length=4097, total_bits=total_bits)
    row = list(range(-2000, 2097))
    assert run(setup, [row, row]) == [2 * value for value in row]


def test_an_open_job_goes_on_without_the_missing_one() -> None:
    for scheme in ("bfv", "paillier"):
        setup = make_setup(scheme, n=4, threshold=3, masked=False, total_bits=40, length=1)
        messages = replies(setup, [[-1], [-20], [300], [4000]])
        step = collect(setup, [messages[3], messages[0], messages[1]])
        assert isinstance(step.result, HeTotal)
        assert step.result.survivors == (0, 1, 3)
        opened = decrypt_total(secret_key(scheme), setup, step.result, verifier(setup))
        assert opened == [3979]


def test_a_masked_job_fails_without_the_missing_one() -> None:
    setup = make_setup("bfv")
    messages = replies(setup, ROWS)
    with pytest.raises(JobError, match="1 of 3 departments sent nothing") as caught:
        collect(setup, messages[:2])
    assert caught.value.code == "job.survivors"


def test_an_open_job_fails_below_the_threshold() -> None:
    setup = make_setup("bfv", n=4, threshold=3, masked=False, total_bits=40, length=1)
    with pytest.raises(JobError, match=r"2 of 4 departments sent nothing.*3 are needed"):
        collect(setup, replies(setup, [[1]] * 4)[:2])


def test_duplicates_change_nothing_and_contradictions_are_refused() -> None:
    setup = make_setup("bfv")
    messages, others = replies(setup, ROWS), replies(setup, ROWS)
    coordinator = make_coordinator(setup)
    coordinator.start()
    first = coordinator.receive(messages[0])
    assert coordinator.receive(messages[0]) == first
    with pytest.raises(ProtocolError, match="dept0 already sent other ciphertexts"):
        coordinator.receive(others[0])  # the same values, encrypted again
    coordinator.receive(messages[1])
    step = coordinator.receive(messages[2])
    assert step.done
    assert coordinator.receive(messages[1]) == step
    assert isinstance(step.result, HeTotal)
    assert decrypt_total(secret_key("bfv"), setup, step.result, verifier(setup)) == TOTALS


def test_late_messages_are_refused() -> None:
    setup = make_setup("bfv", n=3, threshold=2, masked=False, total_bits=40, length=1)
    messages = replies(setup, [[1]] * 3)
    coordinator = make_coordinator(setup)
    coordinator.start()
    for message in messages[:2]:
        coordinator.receive(message)
    assert coordinator.expire().done
    with pytest.raises(ProtocolError, match="cannot take 'ciphertext' in state 'done'"):
        coordinator.receive(messages[2])
    with pytest.raises(ProtocolError):
        coordinator.expire()


def test_nothing_comes_before_the_start() -> None:
    setup = make_setup("bfv")
    coordinator = make_coordinator(setup)
    with pytest.raises(ProtocolError, match="state 'new'"):
        coordinator.receive(replies(setup, ROWS)[0])


def test_a_party_answers_once_and_asks_for_its_value() -> None:
    setup = make_setup("bfv")
    request = make_coordinator(setup).start().send[1][1]
    party = make_party(setup, 1)
    assert party.needs_value(request)
    assert party.receive(request).needs_input
    step = party.receive(request, value=encode(setup, ROWS[1]))
    assert step.done
    assert not party.needs_value(request)
    assert party.receive(request) is step
    with pytest.raises(ProtocolError, match="already answered"):
        party.receive(Message(request.round, request.sender, request.body + b"x"))


def test_a_restarted_party_sends_the_recorded_bytes() -> None:
    setup = make_setup("bfv")
    request = make_coordinator(setup).start().send[0][1]
    sent = make_party(setup, 0).receive(request, value=encode(setup, ROWS[0])).send[0][1]
    again = make_party(setup, 0).receive(request, recorded=sent)
    assert again.send[0][1] is sent
    with pytest.raises(ProtocolError, match="not this department's"):
        make_party(setup, 1).receive(request, recorded=sent)


def test_a_party_takes_requests_only_from_the_coordinator() -> None:
    setup = make_setup("bfv")
    request = make_coordinator(setup).start().send[0][1]
    with pytest.raises(ProtocolError, match="only the coordinator"):
        make_party(setup, 0).receive(
            Message(request.round, 2, request.body), value=encode(setup, ROWS[0])
        )


def test_values_outside_the_bounds_stop_the_job_with_a_fixed_message() -> None:
    setup = make_setup("bfv", total_bits=10, length=1)
    request = make_coordinator(setup).start().send[0][1]
    for value in (512, -513):
        with pytest.raises(JobError, match=r"^a value is outside the declared bounds$"):
            make_party(setup, 0).receive(request, value=encode(setup, [value]))


@pytest.mark.parametrize(
    ("scheme", "changes"),
    [
        ("bfv", {"length": 5}),
        ("bfv", {"length": 5000, "total_bits": 47}),
        ("bfv", {"length": 5000, "bits": 128}),
        ("paillier", {"length": 39}),
        ("paillier", {"length": 39, "masked": False}),
    ],
)
def test_predicted_sizes_are_the_real_ones_or_just_above(
    scheme: str, changes: dict[str, Any]
) -> None:
    setup = make_setup(scheme, n=2, threshold=2, **changes)
    predicted = predicted_sizes(setup)["ciphertext"]
    for message in replies(setup, [[7] * setup.length] * 2):
        least = 0.99 if scheme == "bfv" else 1.0  # SEAL compresses
        assert least * predicted <= len(message.body) <= predicted
    assert len(make_coordinator(setup).start().send[0][1].body) <= request_size(setup)


@pytest.mark.parametrize(
    "changes",
    [
        {"bits": 48},
        {"total_bits": 65},
        {"total_bits": 1},
        {"scheme": "ckks"},
        {"key_digest": "ab"},
        {"envelope": "0" * 64},
    ],
)
def test_setups_that_cannot_be_summed_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        dataclasses.replace(make_setup("bfv"), **changes)


def test_a_single_department_cannot_be_masked() -> None:
    with pytest.raises(InputError, match="two departments"):
        make_setup("bfv", n=1, threshold=1)


def test_every_field_of_the_setup_is_in_its_digest() -> None:
    base = make_setup("bfv")
    others = [{"masked": False, "total_bits": 40}, {"total_bits": 40}, {"key_digest": "0" * 64}]
    digests = {make_setup("bfv", **changes).digest for changes in others}
    assert len(digests | {base.digest}) == 4


def test_the_analyst_needs_the_key_of_the_plan() -> None:
    setup = make_setup("bfv")
    result = collect(setup, replies(setup, ROWS)).result
    assert isinstance(result, HeTotal)
    with pytest.raises(TrustError, match="not the one that the plan names"):
        decrypt_total(secret_key("paillier"), setup, result, verifier(setup))
