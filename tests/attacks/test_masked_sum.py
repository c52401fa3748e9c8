"""A malicious exchange against masked_sum.

Every attack is refused, leaves the attacked machine as it was, and the honest run goes on after it.
"""

from dataclasses import replace
from typing import Any

import pytest

from compute_nodes.crypto.agreement import AgreementKey
from compute_nodes.protocols.base import COORDINATOR, Message, compose, context, pack, unpack
from compute_nodes.protocols.masked_sum import ROUNDS, least_threshold
from compute_nodes.protocols.masked_sum.messages import KEYS_PURPOSE, SURVIVORS_PURPOSE
from protos.faults import ProtocolError, TrustError, VeilError
from tests.masked_sum_world import Run, World, forge, mac_sign

Refusal = type[VeilError] | tuple[type[VeilError], ...]
REFUSED: Refusal = (ProtocolError, TrustError)


def refuse(run: Run, me: int, message: Message, error: Refusal = REFUSED, code: str | None = None):
    """The party refuses, and is exactly as it was."""
    party = run.parties[me]
    before = (party._state, dict(party._answers._given))
    value = run.world.value(me) if party.needs_value(message) else None
    with pytest.raises(error) as caught:
        party.receive(message, value=value)
    assert (party._state, party._answers._given) == before
    assert code is None or caught.value.code == code
    return caught.value


def tokens(run: Run, round_name: str):
    return {p: bytes(unpack(m.body)[1][0]) for p, m in run.replies[round_name].items()}


def restarted(run: Run, me: int):
    """The party after a crash: rebuilt from its seed and journal."""
    party = run.world.party(me)
    for name in ROUNDS:
        if me in run.replies.get(name, {}):
            party.receive(run.requests[name][me], recorded=run.replies[name][me])
    return party


# ---- the coordinator lies about who survived


@pytest.mark.parametrize("crash", [False, True])
def test_a_second_survivor_set_is_never_signed(crash: bool):
    run = Run(World(n=4)).until("consistency")
    run.round()
    for me in range(4):
        if crash:
            run.parties[me] = restarted(run, me)
        others = [party for party in range(4) if party != (me + 1) % 4]
        refuse(run, me, forge(run, "consistency", others), code="protocol.contradiction")
    run.finish()


@pytest.mark.parametrize("crash", [False, True])
def test_both_shares_of_a_peer_are_never_given(crash: bool):
    """First everybody survives, then dept3 is said to have dropped: its mask key is refused."""
    run = Run(World(n=4)).until("unmask")
    run.round()
    claims = context(run.world.setup, "consistency", 0)
    fake = {p: mac_sign(p)(SURVIVORS_PURPOSE, claims | {"sender": p}).encode() for p in range(3)}
    if crash:
        run.parties[0] = restarted(run, 0)
    refuse(run, 0, forge(run, "consistency", [0, 1, 2]), code="protocol.contradiction")
    refuse(run, 0, forge(run, "unmask", [0, 1, 2], list(fake.values())), ProtocolError)


@pytest.mark.parametrize("absent", [[], [3], [1, 6]])
def test_an_answer_holds_exactly_one_share_of_each_peer(absent: list[int]):
    run = Run(World(n=7)).until("unmask", {"masked": absent})
    run.round(absent)
    for me, reply in run.replies["unmask"].items():
        seeds, keys = (bytes(part) for part in unpack(reply.body)[1])
        for peer in range(7):
            share = run.parties[peer]._secrets.shares[me]
            assert (share[:32] in seeds) == (peer not in absent)
            assert (share[32:] in keys) == (peer in absent)
        assert len(seeds) + len(keys) == 7 * 32


def test_signatures_over_another_survivor_set_do_not_unmask():
    """The coordinator tells half of them that dept4 dropped, and mixes the signatures."""
    run = Run(World(n=5)).until("consistency")
    everybody = forge(run, "consistency", range(5))
    without = forge(run, "consistency", range(4))
    signed = {}
    for me, request in enumerate((everybody, everybody, everybody, without, everybody)):
        reply = run.parties[me].receive(request).send[0][1]
        signed[me] = bytes(unpack(reply.body)[1][0])
    mixed = forge(run, "unmask", range(4), [signed[p] for p in range(4)])
    for me in range(4):
        refuse(run, me, mixed, TrustError, "protocol.survivors")


def test_two_survivor_sets_can_never_both_get_enough_signatures():
    """Each honest party signs once and colluders sign both: for every n, one set stays short."""
    for n in range(2, 256):
        threshold, colluders = least_threshold(n), (n - 1) // 3
        honest = n - colluders
        assert not any(
            first + colluders >= threshold and honest - first + colluders >= threshold
            for first in range(honest + 1)
        )


def test_forged_signatures_do_not_unmask():
    run = Run(World(n=4)).until("unmask")
    good = tokens(run, "consistency")
    body = context(run.world.setup, "consistency", 1)
    cases = {
        "another's": good[0],
        "own key, victim's name": mac_sign(0)(SURVIVORS_PURPOSE, body).encode(),
        "cut": good[1][:-1],
        "flipped": bytes([good[1][0] ^ 1]) + good[1][1:],
        "empty": b"",
        "not ASCII": b"\xff" * 80,
        "too long": good[1] + b"0" * 5_000,
        "another purpose": tokens(run, "advertise")[1],
    }
    for token in cases.values():
        refuse(run, 0, forge(run, "unmask", range(4), [good[0], token, good[2], good[3]]))
    run.finish()


def test_signatures_of_another_run_do_not_unmask():
    run = Run(World(n=4)).until("unmask")
    other = Run(World(n=4, job="1" * 32)).until("unmask")
    refuse(run, 0, forge(run, "unmask", range(4), list(tokens(other, "consistency").values())))
    run.finish()


def test_a_party_that_is_said_to_have_dropped_does_not_sign_that():
    run = Run(World(n=4)).until("consistency")
    refuse(run, 3, forge(run, "consistency", [0, 1, 2]), ProtocolError)


def test_survivors_that_never_shared_are_refused():
    run = Run(World(n=5)).until("consistency", {"shares": [4]})
    refuse(run, 0, forge(run, "consistency", range(5)), ProtocolError)
    run.finish({"masked": [], "consistency": []})


# ---- the coordinator goes below the threshold


def test_fewer_than_the_threshold_never_get_anywhere():
    run = Run(World(n=4)).until("shares")
    keys = tokens(run, "advertise")
    refuse(run, 0, forge(run, "shares", [0, 1], [keys[0], keys[1]]), code="protocol.threshold")
    run.until("masked")
    box = bytes(unpack(run.request(0).body)[1][0])
    refuse(run, 0, forge(run, "masked", [0, 1], [box]), code="protocol.threshold")
    run.until("consistency")
    refuse(run, 0, forge(run, "consistency", [0, 1]), code="protocol.threshold")
    run.until("unmask")
    signed = tokens(run, "consistency")
    pair = [signed[0], signed[1]]
    refuse(run, 0, forge(run, "unmask", [0, 1], pair), code="protocol.threshold")
    run.finish()


def test_a_plan_with_a_lower_threshold_is_another_setup():
    run = Run(World(n=5))
    lower = World(n=5, threshold=5)
    refuse(run, 0, forge(run, "advertise", None, world=lower), code="protocol.context")


# ---- the coordinator lies about keys and rosters


def test_swapped_keys_are_refused():
    """A coordinator in the middle: it advertises keys that it made itself."""
    run = Run(World(n=4)).until("shares")
    keys = tokens(run, "advertise")
    middle = AgreementKey(b"m" * 32).public.hex()
    body = context(run.world.setup, "advertise", 1) | {
        "cipher_key": middle,
        "mask_key": AgreementKey(b"n" * 32).public.hex(),
        "commitment": "00" * 32,
    }
    cases = {
        "signed by a department that colludes": mac_sign(3)(KEYS_PURPOSE, body).encode(),
        "not signed": b"{}",
        "keys of another department": keys[2],
        "another purpose": mac_sign(1)(SURVIVORS_PURPOSE, body).encode(),
    }
    for token in cases.values():
        refuse(run, 0, forge(run, "shares", range(4), [keys[0], token, keys[2], keys[3]]))
    run.finish()


def test_own_keys_from_an_earlier_attempt_are_noticed():
    """Rightly signed by the department itself for the same setup, but from another seed."""
    run = Run(World(n=4)).until("shares")
    older = Run(World(n=4, seed=b"earlier")).until("shares")
    old, new = tokens(older, "advertise"), tokens(run, "advertise")
    refuse(run, 0, forge(run, "shares", range(4), list((new | {0: old[0]}).values())), TrustError)
    refuse(run, 0, forge(run, "shares", range(4), list(old.values())), code="key.swapped")
    run.finish()


def test_a_peers_keys_from_another_job_are_refused():
    """Where that peer dropped out, the coordinator has rebuilt its mask key."""
    run = Run(World(n=4)).until("shares")
    older = Run(World(n=4, job="1" * 32)).until("shares")
    old, new = tokens(older, "advertise"), tokens(run, "advertise")
    mixed = forge(run, "shares", range(4), list((new | {3: old[3]}).values()))
    refuse(run, 0, mixed, TrustError, "signature.context")
    with pytest.raises(TrustError):
        Run(World(n=4)).coordinator.receive(compose(run.world.setup, "advertise", 3, {}, [old[3]]))
    run.finish()


def test_one_key_advertised_twice_is_refused():
    """A department that repeats a peer's key would share the masks of that peer."""
    run = Run(World(n=4)).until("shares")
    keys = tokens(run, "advertise")
    copied = run.parties[1]._secrets.advertisement
    for same in ({"cipher_key": copied.cipher_key.hex()}, {"mask_key": copied.cipher_key.hex()}):
        body = context(run.world.setup, "advertise", 2) | {
            "cipher_key": AgreementKey(b"c" * 32).public.hex(),
            "mask_key": AgreementKey(b"d" * 32).public.hex(),
            "commitment": "00" * 32,
        }
        token = mac_sign(2)(KEYS_PURPOSE, body | same).encode()
        bad = forge(run, "shares", range(4), [keys[0], keys[1], token, keys[3]])
        refuse(run, 0, bad, TrustError, "key.repeated")
    run.finish()


@pytest.mark.parametrize("field", ["cipher_key", "mask_key"])
@pytest.mark.parametrize("point", ["00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f"])
def test_points_of_low_order_are_refused_by_everybody(field: str, point: str):
    world = World(n=4)
    honest = world.party(2)._secrets.advertisement
    body = context(world.setup, "advertise", 2) | {
        "cipher_key": honest.cipher_key.hex(),
        "mask_key": honest.mask_key.hex(),
        "commitment": honest.commitment.hex(),
        field: point,
    }
    token = mac_sign(2)(KEYS_PURPOSE, body).encode()

    run = Run(world)  # the exchange refuses it, and the department counts as dropped
    with pytest.raises(TrustError):
        run.coordinator.receive(compose(world.setup, "advertise", 2, {}, [token]))
    assert run.finish({name: [2] for name in ROUNDS}).survivors == (0, 1, 3)

    run = Run(world).until("shares")  # a careless or malicious exchange passes it on
    keys = list(tokens(run, "advertise").values())
    keys[2] = token
    refuse(run, 0, forge(run, "shares", range(4), keys), TrustError, "key.invalid")
    run.finish()


@pytest.mark.parametrize("value", ["zz" * 32, "AB" * 32, "00" * 31, 7, None, ["00" * 32]])
def test_keys_that_are_none_are_refused(value: object):
    run = Run(World(n=4)).until("shares")
    keys = list(tokens(run, "advertise").values())
    honest = run.parties[2]._secrets.advertisement
    body = context(run.world.setup, "advertise", 2) | {
        "cipher_key": value,
        "mask_key": honest.mask_key.hex(),
        "commitment": honest.commitment.hex(),
    }
    keys[2] = mac_sign(2)(KEYS_PURPOSE, body).encode()
    refuse(run, 0, forge(run, "shares", range(4), keys), TrustError)
    run.finish()


def test_different_rosters_to_different_parties_share_nothing():
    """dept0 hears of 0..3, dept1 of 0..4: their boxes do not open for each other."""
    run = Run(World(n=5)).until("shares")
    keys = list(tokens(run, "advertise").values())
    small = forge(run, "shares", range(4), keys[:4])
    large = forge(run, "shares", range(5), keys)
    replies = [run.parties[0].receive(small), *(run.parties[p].receive(large) for p in range(1, 5))]
    boxes = [unpack(step.send[0][1].body)[1] for step in replies]
    to_one = [bytes(boxes[0][0]), *(bytes(boxes[peer][1]) for peer in (2, 3, 4))]
    refuse(run, 1, forge(run, "masked", range(5), to_one), TrustError, "box.invalid")
    to_zero = [bytes(boxes[peer][0]) for peer in (1, 2, 3)]
    refuse(run, 0, forge(run, "masked", range(4), to_zero), TrustError, "box.invalid")
    with pytest.raises(ProtocolError):  # and an honest exchange refuses the odd one
        run.coordinator.receive(replies[0].send[0][1])


def test_a_second_roster_is_refused():
    run = Run(World(n=5)).until("masked")
    keys = list(tokens(run, "advertise").values())
    refuse(run, 0, forge(run, "shares", range(4), keys[:4]), code="protocol.contradiction")
    run.finish()


def test_different_sharer_sets_to_different_parties_are_noticed_before_unmasking():
    """U2 is shrunk for dept0 only: its pairwise masks differ, and its signature says so."""
    run = Run(World(n=5)).until("masked")
    boxes = [bytes(part) for part in unpack(run.request(0).body)[1]]
    shrunk = forge(run, "masked", range(4), boxes[:3])
    run.parties[0].receive(shrunk, value=run.world.value(0))
    for me in range(1, 5):
        run.answer(me, run.request(me))
    survivors = forge(run, "consistency", range(4))
    signed = [
        bytes(unpack(run.parties[p].receive(survivors).send[0][1].body)[1][0]) for p in range(4)
    ]
    for me in range(4):
        refuse(run, me, forge(run, "unmask", range(4), signed), TrustError, "protocol.survivors")


def test_a_second_sharer_set_is_refused():
    run = Run(World(n=5)).until("masked")
    run.round()
    boxes = [bytes(part) for part in unpack(run.requests["masked"][0].body)[1]]
    refuse(run, 0, forge(run, "masked", range(4), boxes[:3]), code="protocol.contradiction")
    run.finish()


# ---- the coordinator replays, reorders, exchanges and damages messages


@pytest.mark.parametrize("name", ROUNDS)
@pytest.mark.parametrize("other", [{"job": "1" * 32}, {"instance": "counts"}, {"length": 6}])
def test_messages_of_other_jobs_and_instances_are_refused(name: str, other: dict[str, Any]):
    run, foreign = Run(World(n=4)).until(name), Run(World(n=4, **other)).until(name)
    refuse(run, 0, foreign.request(0), ProtocolError, "protocol.context")
    reply = foreign.answer(0, foreign.request(0))
    with pytest.raises(ProtocolError):
        run.coordinator.receive(reply)
    run.finish()


@pytest.mark.parametrize("name", ROUNDS)
def test_a_message_under_the_name_of_another_round_is_refused(name: str):
    run = Run(World(n=4)).until(name)
    for label in ROUNDS:
        if label != name:
            refuse(run, 0, replace(run.request(0), round=label), ProtocolError)
    for label in ("", "done", "failed", "new", "advertise "):
        refuse(run, 0, replace(run.request(0), round=label), ProtocolError)
    run.finish()


@pytest.mark.parametrize("name", ROUNDS[1:])
def test_rounds_cannot_be_skipped(name: str):
    run = Run(World(n=4)).until(name)
    fresh = Run(World(n=4))
    error = refuse(fresh, 0, run.request(0), ProtocolError, "protocol.order")
    assert error.message == f"dept0 cannot take {name!r} in state 'new'"


@pytest.mark.parametrize("name", ROUNDS)
def test_senders_cannot_be_exchanged(name: str):
    run = Run(World(n=4)).until(name)
    for sender in (0, 1, -2, 4):
        refuse(run, 0, replace(run.request(0), sender=sender), ProtocolError)
    reply = run.answer(0, run.request(0))
    for sender in (1, -1, 4, -2):
        with pytest.raises(REFUSED):
            run.coordinator.receive(replace(reply, sender=sender))
    run.finish()


@pytest.mark.parametrize("name", ROUNDS)
def test_a_department_cannot_speak_for_the_coordinator(name: str):
    run = Run(World(n=4)).until(name)
    header, parts = unpack(run.request(0).body)
    body = pack(header | {"sender": 1}, [bytes(part) for part in parts])
    refuse(run, 0, Message(name, 1, body), ProtocolError)
    run.finish()


def test_boxes_for_another_party_do_not_open():
    run = Run(World(n=4)).until("masked")
    refuse(run, 0, run.request(1), TrustError, "box.invalid")
    run.finish()


def test_exchanged_boxes_do_not_open():
    run = Run(World(n=4)).until("masked")
    boxes = [bytes(part) for part in unpack(run.request(0).body)[1]]
    refuse(run, 0, forge(run, "masked", range(4), boxes[::-1]), TrustError, "box.invalid")
    run.finish()


@pytest.mark.parametrize("name", ROUNDS)
def test_every_damaged_byte_of_a_request_is_noticed(name: str):
    run = Run(World(n=3)).until(name)
    request = run.request(0)
    for at in range(0, len(request.body), 1 + len(request.body) // 400):
        body = bytearray(request.body)
        body[at] ^= 1 << at % 8
        refuse(run, 0, replace(request, body=bytes(body)))
    for size in (0, 1, 4, len(request.body) // 2, len(request.body) - 1):
        refuse(run, 0, replace(request, body=request.body[:size]), ProtocolError)
    refuse(run, 0, replace(request, body=request.body + b"\x00"), ProtocolError)
    run.finish()


@pytest.mark.parametrize("name", ROUNDS)
def test_requests_with_other_fields_or_parts_are_refused(name: str):
    run = Run(World(n=4)).until(name)
    header, parts = unpack(run.request(0).body)
    raw = [bytes(part) for part in parts]
    lists = [
        [],
        [0, 0, 1],
        [3, 2, 1, 0],
        [0, 1, 2, 4],
        [-1, 0, 1],
        [0, 1, 2.5],
        [True, 1, 2],
        "012",
    ]
    bad = [pack(header | {"more": 1}, raw), pack(header, [*raw, b""])]
    bad += [pack({k: v for k, v in header.items() if k != gone}, raw) for gone in header]
    if "parties" in header:
        bad += [pack(header | {"parties": value}, raw) for value in lists]
    if raw:
        bad += [pack(header, raw[:-1]), pack(header, [*raw[:-1], b""])]
    for body in bad:
        refuse(run, 0, Message(name, COORDINATOR, body))
    run.finish()
