"""Known answers for a whole run of masked_sum: every byte of every message, and named bad ones."""

import json
from typing import Any

import pytest

from compute_nodes.protocols.base import COORDINATOR, Message
from compute_nodes.protocols.masked_sum import (
    MaskedSumCoordinator,
    MaskedSumParty,
    check_total,
    envelope_info,
    open_envelope,
)
from protos.faults import VeilError
from tests.vectors.make_masked_sum import (
    FILE,
    RING,
    VALUES,
    N,
    analyst,
    make,
    make_party,
    make_setup,
    make_verify,
)

VECTOR = json.loads(FILE.read_text())
SETUP = make_setup()


def party(me: int) -> MaskedSumParty:
    return make_party(SETUP, me, bytes.fromhex(VECTOR["sealed"][str(me)]))


def test_the_file_is_what_its_script_writes():
    assert json.loads(json.dumps(make())) == VECTOR


def test_the_setup_digest():
    assert SETUP.digest == VECTOR["setup_digest"]


@pytest.mark.parametrize("me", range(N))
def test_a_party_answers_byte_for_byte(me: int):
    machine = party(me)
    for entry in VECTOR["rounds"]:
        if str(me) not in entry["replies"]:
            break  # it dropped out here
        request = Message(entry["round"], COORDINATOR, bytes.fromhex(entry["requests"][str(me)]))
        value = RING.encode(VALUES[me]) if machine.needs_value(request) else None
        [(to, reply)] = machine.receive(request, value=value).send
        assert (to, reply.round, reply.sender) == (COORDINATOR, entry["round"], me)
        assert reply.body.hex() == entry["replies"][str(me)]


def test_the_coordinator_asks_byte_for_byte_and_gives_the_total():
    coordinator = MaskedSumCoordinator(SETUP, make_verify())
    step = coordinator.start()
    for entry in VECTOR["rounds"]:
        assert {str(to): m.body.hex() for to, m in step.send} == entry["requests"]
        for me, body in entry["replies"].items():
            step = coordinator.receive(Message(entry["round"], int(me), bytes.fromhex(body)))
        if not step.send and not step.done:
            step = coordinator.expire()
    total: Any = step.result
    assert total.vector.hex() == VECTOR["total"]["vector"]
    assert list(total.survivors) == VECTOR["total"]["survivors"] == [0, 1, 2]
    check_total(SETUP, total, make_verify())


def test_the_analyst_opens_the_total():
    seeds = [
        analyst().open(bytes.fromhex(VECTOR["sealed"][str(me)]), info=envelope_info(SETUP, me))
        for me in VECTOR["total"]["survivors"]
    ]
    vector = RING.from_bytes(bytes.fromhex(VECTOR["total"]["vector"]), SETUP.length)
    opened = RING.decode(open_envelope(vector, seeds, RING))
    assert opened == VECTOR["total"]["opened"] == [111, -222, 3_000_000_009]


@pytest.mark.parametrize("bad", VECTOR["bad_requests"], ids=lambda bad: str(bad["name"]))
def test_bad_requests_are_refused(bad: dict[str, str]):
    machine = party(0)
    for entry in VECTOR["rounds"]:
        if entry["round"] == bad["before"]:
            break
        request = Message(entry["round"], COORDINATOR, bytes.fromhex(entry["requests"]["0"]))
        machine.receive(request, value=RING.encode(VALUES[0]))
    before = machine._state
    message = Message(bad["round"], COORDINATOR, bytes.fromhex(bad["body"]))
    with pytest.raises(VeilError) as caught:
        machine.receive(message, value=RING.encode(VALUES[0]))
    assert caught.value.kind == bad["error"]
    assert machine._state is before
