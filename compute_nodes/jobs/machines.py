"""Builds this department's protocol machines from an admitted plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from compute_nodes.crypto.seed import PartySeed
from compute_nodes.crypto.signatures import signer, verifier
from compute_nodes.guard import Admitted
from compute_nodes.jobs.runs import COUNTS, is_homomorphic
from compute_nodes.jobs.setups import counts_setup, sealing_info, values_setup
from compute_nodes.protocols.base import Party, Setup
from compute_nodes.protocols.masked_sum.envelope import envelope_info
from compute_nodes.protocols.masked_sum.party import MaskedSumParty
from compute_nodes.protocols.sealed import SealedParty
from protos.faults import InputError
from protos.identity import IdentityKey
from protos.sealing import SealingKey, seal


@dataclass(frozen=True)
class Keys:
    """The department's own keys."""

    identity: IdentityKey = field(repr=False)
    sealing: SealingKey = field(repr=False)


def setup_of(admitted: Admitted, instance: str, cells: int) -> Setup:
    """The setup of one run, derived from the plan alone."""
    plan, plan_hash = admitted.plan, admitted.plan_hash
    if instance == COUNTS:
        return counts_setup(plan, plan_hash)
    return values_setup(plan, plan_hash, instance, cells, admitted.dataset)


def party_of(
    admitted: Admitted,
    setup: Setup,
    seed: PartySeed,
    keys: Keys,
    randomness: Callable[[int], bytes],
) -> Party:
    """This department's machine for one run.

    Args:
        admitted: The plan.
        setup: Of the run.
        seed: From which all randomness that must survive a restart is derived.
        keys: The department's own.
        randomness: Returns so many secret random bytes, for what is drawn once and stored.

    Raises:
        InputError: No such protocol.
    """
    protocol = "masked_sum" if setup.instance == COUNTS else admitted.plan.protocol
    if protocol == "sealed":
        return SealedParty(setup, _sealer(admitted, sealing_info(setup)))
    if protocol == "masked_sum":
        identities = [admitted.cards["department", party.name].identity for party in setup.parties]
        enveloped = setup.envelope is not None
        return MaskedSumParty(
            setup,
            admitted.me,
            seed,
            signer(keys.identity),
            verifier(identities),
            _sealer(admitted, envelope_info(setup, admitted.me)) if enveloped else None,
        )
    if is_homomorphic(admitted.plan):
        from compute_nodes.jobs.homomorphic import he_party

        peers = [admitted.cards["department", party.name] for party in setup.parties]
        return he_party(setup, admitted.me, keys.sealing, peers, signer(keys.identity), randomness)
    raise InputError(f"this node has no protocol {protocol!r}", code="plan.protocol")


def _sealer(admitted: Admitted, info: bytes) -> Callable[[bytes], bytes]:
    key = admitted.plan.analyst_sealing_key
    return lambda plaintext: seal(key, plaintext, info=info)
