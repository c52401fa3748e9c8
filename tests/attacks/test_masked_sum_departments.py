"""Malicious departments against masked_sum, and what a coalition of them sees."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pytest

from compute_nodes.crypto import shamir
from compute_nodes.crypto.masks import apply_masks
from compute_nodes.crypto.seed import PartySeed
from compute_nodes.protocols.base import Message, pack, unpack
from compute_nodes.protocols.masked_sum import ROUNDS
from compute_nodes.protocols.masked_sum.keys import pairwise_seed
from protos.faults import JobError, ProtocolError, TrustError
from tests.masked_sum_world import Run, World, forge

REFUSED = (ProtocolError, TrustError)


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
