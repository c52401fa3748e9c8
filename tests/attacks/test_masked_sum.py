"""A malicious exchange, and malicious departments, against masked_sum.

Every attack is refused, leaves the attacked machine as it was, and the honest run goes on after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from compute_nodes.crypto import shamir
from compute_nodes.crypto.agreement import AgreementKey
from compute_nodes.crypto.masks import apply_masks
from compute_nodes.crypto.seed import PartySeed
from compute_nodes.protocols.base import COORDINATOR, Message, compose, context, pack, unpack
from compute_nodes.protocols.masked_sum import ROUNDS, least_threshold
from compute_nodes.protocols.masked_sum.keys import pairwise_seed
from compute_nodes.protocols.masked_sum.messages import KEYS_PURPOSE, SURVIVORS_PURPOSE
from protos.faults import JobError, ProtocolError, TrustError, VeilError
from tests.masked_sum_world import Run, World, mac_sign

Refusal = type[VeilError] | tuple[type[VeilError], ...]
REFUSED: Refusal = (ProtocolError, TrustError)


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


# ---- departments attack the exchange


@pytest.mark.parametrize("name", ROUNDS)
def test_answers_with_other_fields_or_parts_are_refused(name: str):
    run = Run(World(n=4)).until(name)
    reply = run.answer(0, run.request(0))
    header, parts = unpack(reply.body)
    raw = [bytes(part) for part in parts]
    bad = [
        pack(header | {"more": 1}, raw),
        pack(header, [*raw, b""]),
        pack(header, raw[:-1]),
        pack(header, [*raw[:-1], raw[-1] + b"\x00"]),
        pack(header | {"sender": 1}, raw),
        pack(header | {"roster": "00" * 32}, raw),
        b"",
    ]
    for body in bad:
        with pytest.raises(REFUSED):
            run.coordinator.receive(Message(name, 0, body))
    run.finish()


def test_a_different_second_answer_is_refused_and_the_first_one_counts():
    world = World(n=4)
    run = Run(world).until("masked")
    first = run.answer(0, run.request(0))
    run.coordinator.receive(first)
    header, (vector, sealed) = unpack(first.body)
    with pytest.raises(ProtocolError) as caught:
        run.coordinator.receive(Message("masked", 0, pack(header, [bytes(len(vector)), sealed])))
    assert caught.value.code == "protocol.contradiction"
    assert world.opened(run.finish()) == world.expected(range(4))


def test_a_department_that_dropped_out_does_not_come_back_in_a_later_round():
    world = World(n=4)
    run = Run(world).until("masked", {"shares": [3]})
    reply = run.answer(0, run.request(0))
    header, parts = unpack(reply.body)
    body = pack(header | {"sender": 3}, [bytes(part) for part in parts])
    with pytest.raises(ProtocolError) as caught:
        run.coordinator.receive(Message("masked", 3, body))
    assert caught.value.code == "protocol.late"
    total = run.finish()
    assert total.survivors == (0, 1, 2)
    assert world.opened(total) == world.expected([0, 1, 2])


@pytest.mark.parametrize("wrong", [0, 1])
def test_wrong_shares_end_the_run_and_never_give_a_wrong_total(wrong: int):
    """Of a survivor's self-mask seed, or of the drop-out's mask key."""
    run = Run(World(n=4)).until("unmask", {"masked": [3]})
    answers = [run.answer(me, run.request(me)) for me in range(3)]
    header, parts = unpack(answers[2].body)
    raw = [bytes(part) for part in parts]
    raw[wrong] = raw[wrong][:1] + bytes([raw[wrong][1] ^ 1]) + raw[wrong][2:]
    run.coordinator.receive(answers[0])
    run.coordinator.receive(answers[1])
    with pytest.raises(JobError) as caught:
        run.coordinator.receive(Message("unmask", 2, pack(header, raw)))
    assert caught.value.code == "job.wrong_shares"
    assert ("dept0", "dept3")[wrong] in caught.value.message
    with pytest.raises(ProtocolError):
        run.coordinator.expire()


def test_a_survivor_set_signed_differently_does_not_reach_the_others():
    run = Run(World(n=4)).until("consistency")
    odd = run.parties[0].receive(forge(run, "consistency", [0, 1, 2])).send[0][1]
    with pytest.raises(TrustError):
        run.coordinator.receive(odd)
    total = run.finish({"consistency": [0], "unmask": [0]})
    assert total.survivors == (0, 1, 2, 3)


# ---- what a coalition sees


def test_fewer_shares_than_the_threshold_say_nothing_about_a_secret():
    """Whatever t - 1 parties hold of dept0's secrets, the missing share makes it any secret."""
    world = World(n=4)
    shares = world.party(0)._secrets.shares
    for coalition in combinations((1, 2, 3), world.setup.threshold - 1):
        for at in (0, 31, 32, 63):
            known = [shares[party][at] for party in coalition]
            guesses = np.array([[guess, *known] for guess in range(256)], np.uint8).T
            points = [1, *(party + 1 for party in coalition)]
            assert set(shamir.rebuild(points, guesses).tolist()) == set(range(256))


def test_colluding_departments_and_exchange_do_not_see_an_honest_input():
    """n - 1 parties take off every pairwise mask of dept0; its self mask still hides the vector.

    They may not rebuild that one: at most t - 1 of them collude, and honest departments gave out
    the share of dept0's mask key *or* of its self mask. Here dept0 dropped after sending, so the
    coordinator holds its masked vector and may ask for the key only.
    """
    world = World(n=4, envelope=False, length=64)
    run = Run(world).until("masked")
    sent = {me: run.answer(me, run.request(me)) for me in range(4)}
    vector = world.ring.from_bytes(unpack(sent[0].body)[1][0], world.length).copy()
    roster = run.coordinator._roster
    pairs = [pairwise_seed(run.parties[peer]._secrets.mask, peer, roster, 0) for peer in (1, 2, 3)]
    apply_masks(vector, pairs, world.ring)
    honest, hidden = np.array(world.row(0)), np.array(world.ring.decode(vector))
    assert not np.any(honest == hidden)
    # Only the self mask is left, and it is uniform: about half of the bits differ.
    bits = np.unpackbits((honest ^ hidden).view(np.uint8)).mean()
    assert 0.45 < bits < 0.55
    apply_masks(vector, [(run.parties[0]._secrets.self_seed, -1)], world.ring)
    assert world.ring.decode(vector) == world.row(0)


@pytest.mark.parametrize("n", [4, 7, 10])
def test_an_exchange_cannot_cut_a_department_off_from_the_honest_ones(n: int):
    """It leaves out as many honest departments as may drop out, and as many collude as may.

    All sign that, and the run ends well, so the exchange has rebuilt the masks of those left out
    and the self masks. Somebody honest always stays whose mask it does not know: everybody is
    everybody's neighbour (docs/decisions/0016). A graph of fewer neighbours does not promise it.
    """
    world = World(n=n, envelope=False, length=64)
    dropped = n - world.setup.threshold
    colluding = range(1, 1 + (n - 1) // 3)
    left_out = range(colluding.stop, colluding.stop + dropped)
    run = Run(world)
    run.finish({"masked": left_out, "consistency": left_out, "unmask": left_out})
    roster = run.coordinator._roster
    vector = world.ring.from_bytes(unpack(run.replies["masked"][0].body)[1][0], 64).copy()

    def pairs(peers: Iterable[int]) -> list[tuple[bytes, int]]:
        return [pairwise_seed(run.parties[p]._secrets.mask, p, roster, 0) for p in peers]

    self_mask = (run.parties[0]._secrets.self_seed, -1)
    apply_masks(vector, [self_mask, *pairs(colluding), *pairs(left_out)], world.ring)
    honest, hidden = np.array(world.row(0)), np.array(world.ring.decode(vector))
    assert 0.45 < np.unpackbits((honest ^ hidden).view(np.uint8)).mean() < 0.55
    stayed = range(left_out.stop, n)
    assert stayed
    apply_masks(vector, pairs(stayed), world.ring)
    assert world.ring.decode(vector) == world.row(0)


def test_two_honest_departments_hide_each_other():
    """Whatever the coalition knows of two honest inputs is their sum.

    Inputs (x, y) and (x + d, y - d) give the same view if the two honest departments' common mask
    differs by d; that mask is known to nobody else.
    """
    d = 12345
    rows = [[100], [200], [300], [400]]
    moved = [[100 + d], [200 - d], [300], [400]]
    views = []
    for values in (rows, moved):
        world = World(n=4, length=1, envelope=False, values=values)
        run = Run(world).until("consistency")
        roster = run.coordinator._roster
        vectors = []
        for me in (0, 1):
            vector = world.ring.from_bytes(unpack(run.replies["masked"][me].body)[1][0], 1).copy()
            known = [
                pairwise_seed(run.parties[peer]._secrets.mask, peer, roster, me) for peer in (2, 3)
            ]
            self_mask = (run.parties[me]._secrets.self_seed, -1)  # is rebuilt for survivors
            apply_masks(vector, [*known, self_mask], world.ring)
            vectors.append(vector)
        common, sign = pairwise_seed(run.parties[0]._secrets.mask, 0, roster, 1)
        views.append((vectors, world.ring.decode(world.ring.add(*vectors)), common, sign))
    (first, total, _, _), (second, same_total, _, _) = views
    assert total == same_total == [300]
    ring = World().ring
    assert ring.decode(ring.sub(second[0], first[0])) == [d]
    assert ring.decode(ring.sub(second[1], first[1])) == [-d]


def test_a_new_attempt_uses_no_mask_again():
    """{A,B,C} and then {A,B} would reveal C if masks were repeated."""
    seeds = PartySeed(b"s" * 32)
    drawn = set()
    for world in (World(n=4), World(n=5), World(n=4, job="1" * 32), World(n=4, instance="counts")):
        party = world.party(0, seed=seeds)._secrets
        drawn |= {party.self_seed, party.envelope_seed, party.mask.public, party.cipher.public}
    assert len(drawn) == 16
