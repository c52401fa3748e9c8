"""masked_sum: whole runs, drop-outs, restarts, sizes."""

from dataclasses import replace
from typing import Any

import pytest

from compute_nodes.crypto.seed import PartySeed
from compute_nodes.crypto.signatures import signer, verifier
from compute_nodes.protocols.base import COORDINATOR, Message, PartyInfo, Setup, pack, unpack
from compute_nodes.protocols.masked_sum import (
    ROUNDS,
    MaskedSumCoordinator,
    MaskedSumParty,
    MaskedTotal,
    check_total,
    envelope_info,
    least_threshold,
    open_envelope,
    predicted_sizes,
)
from compute_nodes.protocols.masked_sum.keys import PartySecrets
from protos.faults import InputError, JobError, ProtocolError, TrustError
from protos.signing import IdentityKey, SealingKey, seal
from tests.masked_sum_world import Run, World, fake_seal, mac_verify


@pytest.mark.parametrize("n", [2, 3, 4, 7])
@pytest.mark.parametrize("bits", [32, 64, 128])
def test_the_total_is_the_sum(n: int, bits: int):
    world = World(n=n, bits=bits)
    total = Run(world).finish()
    assert total.survivors == tuple(range(n))
    assert world.opened(total) == world.expected(range(n))
    check_total(world.setup, total, mac_verify)


def test_without_the_envelope_the_coordinator_reads_the_total():
    world = World(envelope=False)
    total = Run(world).finish()
    assert total.sealed_seeds == {}
    assert world.ring.decode(world.ring.from_bytes(total.vector, 5)) == world.expected(range(4))
    check_total(world.setup, total, mac_verify)


def test_with_the_envelope_the_coordinator_does_not():
    world = World()
    total = Run(world).finish()
    assert world.ring.decode(world.ring.from_bytes(total.vector, 5)) != world.expected(range(4))


@pytest.mark.parametrize("name", ROUNDS)
def test_a_drop_out_in_any_round_is_survived(name: str):
    world = World(n=7)
    total = Run(world).finish({name: [0, 3]})
    late = name in ("consistency", "unmask")
    survivors = tuple(range(7)) if late else (1, 2, 4, 5, 6)
    assert total.survivors == survivors
    assert world.opened(total) == world.expected(survivors)
    check_total(world.setup, total, mac_verify)


def test_drop_outs_in_every_round_at_once():
    world = World(n=10)
    total = Run(world).finish({"shares": [9], "masked": [0, 9], "unmask": [0, 4, 9]})
    assert total.survivors == tuple(range(1, 9))
    assert world.opened(total) == world.expected(total.survivors)


@pytest.mark.parametrize("name", ROUNDS)
def test_too_few_answers_end_the_run_and_say_how_many(name: str):
    run = Run(World(n=4)).until(name)
    with pytest.raises(JobError) as caught:
        run.round(absent=[1, 2])
    assert caught.value.message == (
        f"only 2 of 4 departments answered round {name!r}, 3 are needed;"
        " no answer came from dept1, dept2"
    )
    with pytest.raises(ProtocolError):
        run.coordinator.expire()


@pytest.mark.parametrize("n", [2, 3])
def test_up_to_three_departments_a_drop_out_ends_the_attempt(n: int):
    with pytest.raises(JobError):
        Run(World(n=n)).finish({"masked": [0]})


def test_the_last_round_ends_as_soon_as_the_threshold_is_reached():
    run = Run(World(n=4)).until("unmask")
    for me in (3, 1):
        assert not run.coordinator.receive(run.answer(me, run.request(me))).done
    assert run.coordinator.receive(run.answer(0, run.request(0))).done
    with pytest.raises(ProtocolError) as caught:
        run.coordinator.receive(run.answer(2, run.request(2)))
    assert caught.value.code == "protocol.late"


def test_a_late_answer_is_refused_and_changes_nothing():
    run = Run(World(n=4)).until("masked")
    late = run.answer(2, run.request(2))
    run.round(absent=[2])
    with pytest.raises(ProtocolError) as caught:
        run.coordinator.receive(late)
    assert caught.value.code == "protocol.late"
    total = run.finish({"consistency": [2], "unmask": [2]})
    assert run.world.opened(total) == run.world.expected([0, 1, 3])


def test_a_repeated_request_gives_the_same_bytes_and_a_repeated_answer_changes_nothing():
    run = Run(World(n=4))
    for name in ROUNDS:
        run.until(name)
        request = run.request(1)
        first = run.answer(1, request)
        assert run.answer(1, request) is first
        before = run.coordinator.receive(first)
        assert run.coordinator.receive(first) == before
        run.round()
    assert run.step.done


def test_the_masked_round_asks_for_the_value_and_nothing_changes_until_it_comes():
    run = Run(World(n=4)).until("masked")
    party, request = run.parties[0], run.request(0)
    state = party._state
    assert party.needs_value(request)
    assert party.receive(request).needs_input
    assert party._state is state
    assert party.receive(request, value=run.world.value(0)).send
    assert not party.needs_value(request)


def test_a_vector_of_another_shape_is_refused():
    run = Run(World(n=4)).until("masked")
    with pytest.raises(InputError, match="5 elements"):
        run.parties[0].receive(run.request(0), value=run.world.ring.zeros(6))
    assert run.finish().survivors == (0, 1, 2, 3)


@pytest.mark.parametrize("killed_before", ROUNDS)
def test_a_node_that_was_killed_replays_its_journal_and_goes_on(killed_before: str):
    """Signing and sealing are random here, so only the recorded answers can be the same."""
    keys = [IdentityKey.generate() for _ in range(3)]
    analyst = SealingKey.generate()
    setup = real_setup(keys, analyst)
    parties = [real_party(setup, keys, me) for me in range(3)]
    coordinator = MaskedSumCoordinator(setup, verifier([key.public for key in keys]))
    ring, journal = World().ring, []
    step = coordinator.start()
    while not step.done:
        for to, request in step.send:
            if to == 1 and request.round == killed_before:
                parties[1] = real_party(setup, keys, 1)
                for earlier, reply in journal:
                    replayed = parties[1].receive(earlier, recorded=reply)
                    assert replayed.send == ((COORDINATOR, reply),)
            party = parties[to]
            value = ring.encode([to, -to]) if party.needs_value(request) else None
            reply = party.receive(request, value=value).send[0][1]
            if to == 1:
                journal.append((request, reply))
            step = coordinator.receive(reply)
    assert open_with(analyst, setup, step.result) == [3, -3]


def test_recorded_answers_must_be_the_partys_own():
    run = Run(World(n=4)).until("shares")
    for wrong in (run.replies["advertise"][0], Message("shares", 2, b"")):
        with pytest.raises(ProtocolError):
            run.parties[0].receive(run.request(0), recorded=wrong)


def test_the_same_seed_gives_the_same_bytes_and_another_setup_gives_others():
    first, again = Run(World()).finish(), Run(World()).finish()
    assert first == again
    other = Run(World(instance="values")).finish()
    assert first.keys[0] != other.keys[0]
    seed = PartySeed(bytes(32))
    one = PartySecrets(World().setup, 0, seed)
    two = PartySecrets(World(instance="counts").setup, 0, seed)
    assert one.advertisement != two.advertisement
    assert one.shares[1] != two.shares[1]
    assert one.envelope_seed != two.envelope_seed


@pytest.mark.parametrize("n", [2, 3, 9])
@pytest.mark.parametrize("envelope", [True, False])
def test_predicted_sizes_are_the_real_ones(n: int, envelope: bool):
    keys = [IdentityKey.generate() for _ in range(n)]
    analyst = SealingKey.generate()
    setup = real_setup(keys, analyst if envelope else None)
    parties = [real_party(setup, keys, me) for me in range(n)]
    coordinator = MaskedSumCoordinator(setup, verifier([key.public for key in keys]))
    step, sizes = coordinator.start(), {me: {} for me in range(n)}
    while not step.done:
        for to, request in step.send:
            value = World().ring.encode([7, 8]) if parties[to].needs_value(request) else None
            reply = parties[to].receive(request, value=value).send[0][1]
            sizes[to][reply.round] = len(reply.body)
            step = coordinator.receive(reply) if not step.done else step
    for me in range(n):
        assert predicted_sizes(setup, me) == sizes[me]
    assert predicted_sizes(setup) == sizes[n - 1]


def test_predicted_sizes_bound_runs_with_drop_outs():
    run = Run(World(n=12))
    run.finish({"masked": [3], "unmask": [3, 5]})
    bound = predicted_sizes(run.world.setup)
    for name in ("shares", "masked"):  # the others carry signatures, which are fakes here
        assert all(len(m.body) <= bound[name] for m in run.replies[name].values())
    assert {len(m.body) for m in run.replies["unmask"].values()} <= {
        bound["unmask"],
        bound["unmask"] - 1,  # a party's number with one digit
    }


def test_secrets_stay_out_of_repr():
    run = Run(World(n=4)).until("unmask")
    party = run.parties[0]
    shown = repr(party._secrets) + repr(party._state) + repr(run.replies)
    for secret in (party._secrets.self_seed, party._secrets.envelope_seed, party._state.shares[1]):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 2},
        {"n": 1, "threshold": 1},
        {"bits": 48},
        {"length": 2**25},
        {"n": 256},
        {"threshold": 5},
    ],
)
def test_setups_that_are_unsafe_or_impossible_are_refused(changes: dict[str, Any]):
    with pytest.raises(InputError):
        World(**changes).coordinator()


def test_rosters_with_one_key_twice_or_wrong_numbers_are_refused():
    setup = World().setup
    twice = (*setup.parties[:3], replace(setup.parties[0], index=3))
    for parties in (twice, setup.parties[::-1], setup.parties[1:]):
        with pytest.raises(InputError):
            replace(setup, parties=parties)


def test_an_envelope_needs_a_sealing_function_and_only_then():
    with pytest.raises(InputError):
        World(envelope=True).party(0, seal=None)
    with pytest.raises(InputError):
        World(envelope=False).party(0, seal=fake_seal)


def test_thresholds_are_those_of_the_paper():
    expected = {2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5, 10: 7, 100: 67}
    assert {n: least_threshold(n) for n in expected} == expected


def check_total_cases():
    good = Run(World(n=7)).finish({"masked": [0]})
    few = dict(list(good.signatures.items())[:4])
    return {
        "too few signatures": replace(good, signatures=few),
        "another survivor set": replace(good, survivors=good.survivors[:-1]),
        "a survivor too many": replace(good, survivors=(0, *good.survivors)),
        "other sharers": replace(good, sharers=good.sharers[1:]),
        "a seed is missing": replace(good, sealed_seeds={}),
        "keys left out": replace(good, keys={p: k for p, k in good.keys.items() if p}),
        "keys exchanged": replace(good, keys=good.keys | {1: good.keys[2]}),
        "unsorted": replace(good, survivors=good.survivors[::-1]),
        "signature of another": replace(good, signatures=good.signatures | {1: good.signatures[2]}),
    }


@pytest.mark.parametrize("name", check_total_cases())
def test_a_total_that_was_not_agreed_on_is_refused(name: str):
    with pytest.raises((ProtocolError, TrustError)):
        check_total(World(n=7).setup, check_total_cases()[name], mac_verify)


def test_envelope_seeds_have_32_bytes():
    ring = World().ring
    with pytest.raises(ProtocolError):
        open_envelope(ring.zeros(3), [bytes(31)], ring)


def test_bodies_are_read_only_as_they_are_written():
    body = pack({"a": 1}, [b"xy", b""])
    header, parts = unpack(body)
    assert header == {"a": 1}
    assert [bytes(part) for part in parts] == [b"xy", b""]
    spaced = b'{"a": 1}'
    bad = [
        b"",
        body[:-1],
        body + b"\x00",
        b"\xff\xff\xff\xff" + body[4:],
        len(spaced).to_bytes(4, "big") + spaced + b"\x00\x00",
        (2).to_bytes(4, "big") + b"[]" + b"\x00\x00",
        (13).to_bytes(4, "big") + b'{"a":1,"a":1}' + b"\x00\x00",
        (4).to_bytes(4, "big") + b"\xff\xfe{}" + b"\x00\x00",
        (60_000).to_bytes(4, "big") + b"[" * 60_000 + b"\x00\x00",
        (2).to_bytes(4, "big") + b"{}" + b"\xff\xff",
    ]
    for wrong in bad:
        with pytest.raises(ProtocolError):
            unpack(wrong)


def real_setup(keys: list[IdentityKey], analyst: SealingKey | None) -> Setup:
    return Setup(
        job="0" * 32,
        plan_hash="1" * 64,
        instance="main",
        parties=tuple(
            PartyInfo(index, f"dept{index}", key.public.fingerprint)
            for index, key in enumerate(keys)
        ),
        threshold=least_threshold(len(keys)),
        bits=64,
        length=2,
        envelope=analyst.public_hex if analyst else None,
    )


def real_party(setup: Setup, keys: list[IdentityKey], me: int) -> MaskedSumParty:
    analyst = setup.envelope

    def seal_to_analyst(seed: bytes) -> bytes:
        assert analyst is not None
        return seal(analyst, seed, info=envelope_info(setup, me))

    return MaskedSumParty(
        setup,
        me,
        PartySeed(bytes([me]) * 32),
        signer(keys[me]),
        verifier([key.public for key in keys]),
        seal_to_analyst if analyst else None,
    )


def open_with(analyst: SealingKey, setup: Setup, total: object) -> list[int]:
    assert isinstance(total, MaskedTotal)
    ring = World().ring
    seeds = [
        analyst.open(sealed, info=envelope_info(setup, party))
        for party, sealed in total.sealed_seeds.items()
    ]
    return ring.decode(open_envelope(ring.from_bytes(total.vector, setup.length), seeds, ring))
