"""What one run of ``masked_sum`` gives, and how anybody checks who agreed to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compute_nodes.protocols.base import Setup, Verify
from compute_nodes.protocols.masked_sum.keys import Roster
from compute_nodes.protocols.masked_sum.messages import check_survivor_tokens, read_keys
from protos.faults import ProtocolError


@dataclass(frozen=True)
class MaskedTotal:
    """The sum of the survivors' vectors, under the analyst's envelope if the setup has one.

    Attributes:
        vector: Ring elements, little-endian (`Ring.to_bytes`).
        survivors: Whose vectors are in it (U3), ascending.
        sharers: Who shared secrets (U2), ascending.
        sealed_seeds: By survivor, the envelope's seed sealed to the analyst; empty without one.
        keys: By party, its signed key advertisement (U1).
        signatures: By party, its signature over the survivor set (U4); at least the threshold.
    """

    vector: bytes
    survivors: tuple[int, ...]
    sharers: tuple[int, ...]
    sealed_seeds: Mapping[int, bytes]
    keys: Mapping[int, str]
    signatures: Mapping[int, str]


def check_total(setup: Setup, total: MaskedTotal, verify: Verify) -> None:
    """Checks that enough departments signed this very survivor set for this very run.

    It does not show that the coordinator added correctly.

    Args:
        setup: Derived from the plan by whoever checks.
        total: As received.
        verify: Against pinned identities.

    Raises:
        ProtocolError: Too few signatures, or sets that contradict each other.
        TrustError: A signature does not hold.
    """
    ascending = all(
        list(parties) == sorted(set(parties)) for parties in (total.survivors, total.sharers)
    )
    known = set(range(setup.n)) >= set(total.keys) >= set(total.sharers) >= set(total.survivors)
    if not (ascending and known and set(total.signatures) <= set(total.survivors)):
        raise ProtocolError("the survivor set contradicts itself", code="protocol.survivors")
    if len(total.signatures) < setup.threshold:
        raise ProtocolError(
            f"{len(total.signatures)} departments signed the survivor set,"
            f" {setup.threshold} are needed",
            code="protocol.threshold",
        )
    sealed = () if setup.envelope is None else total.survivors
    if set(total.sealed_seeds) != set(sealed):
        raise ProtocolError("the sealed seeds are not those of the survivors")
    roster = Roster(
        setup,
        tuple(
            read_keys(setup, party, memoryview(token.encode()), verify)
            for party, token in sorted(total.keys.items())
        ),
    )
    tokens = [(party, memoryview(token.encode())) for party, token in total.signatures.items()]
    check_survivor_tokens(roster, total.sharers, total.survivors, tokens, verify)
