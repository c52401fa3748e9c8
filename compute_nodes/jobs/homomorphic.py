"""The runs of `he_sum` that a signed plan means; loaded with the first homomorphic job only.

TenSEAL takes a third of a second to load, which neither a command line nor a node that only ever
sums under masks should wait for.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from catalog.dataset import Dataset
from catalog.plan import Plan
from catalog.typing_rules import magnitude
from compute_nodes.crypto.bfv import BfvKey
from compute_nodes.crypto.paillier import PaillierKey, RandomBytes
from compute_nodes.jobs.runs import parties_of
from compute_nodes.protocols.base import Setup, Sign, Verify
from compute_nodes.protocols.he_sum.coordinator import HeSumCoordinator
from compute_nodes.protocols.he_sum.masking import pair_seed_from
from compute_nodes.protocols.he_sum.party import HeSumParty, check_key
from compute_nodes.protocols.he_sum.setup import HeSetup
from protos.cards import Card
from protos.faults import InputError, TrustError
from protos.sealing import SealingKey

_SCHEMES: Final[dict[str, Literal["bfv", "paillier"]]] = {
    "he_sum.bfv": "bfv",
    "he_sum.paillier": "paillier",
    "he_sum.bfv.open": "bfv",
    "he_sum.paillier.open": "paillier",
}
_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def check_key_digest(plan: Plan) -> None:
    """Checks that a plan names its analyst's HE key, before anybody spends anything on it.

    Raises:
        TrustError: It does not.
    """
    if not _HEX64.fullmatch(plan.he_key_digest):
        raise TrustError(
            f"a plan for {plan.protocol} must name the analyst's key for this job", code="he.key"
        )


def check_public_key(plan: Plan, key: bytes) -> None:
    """Checks the analyst's public HE key as it was handed in.

    Raises:
        TrustError: It is not the one that the signed plan names, or is weak.
    """
    check_key_digest(plan)
    kind = BfvKey if _scheme(plan) == "bfv" else PaillierKey
    if kind.load(key).digest != plan.he_key_digest:
        raise TrustError("the HE key is not the one that the plan names", code="he.key")


def he_setup(plan: Plan, plan_hash: str, instance: str, length: int, dataset: Dataset) -> HeSetup:
    """The setup of a homomorphic sum; under masks nobody of the roster may be missing.

    Args:
        plan: The plan.
        plan_hash: SHA-256 (hex) of the signed claims.
        instance: `MAIN` or `VALUES`.
        length: Figures of every department's vector.
        dataset: The declaration that the plan names. The width that its bounds prove decides how
            many slots a figure takes.

    Raises:
        InputError: A total could be wider than the plan's ring.
        TrustError: The plan names no key.
    """
    check_key_digest(plan)
    return HeSetup(
        job=plan.job,
        plan_hash=plan_hash,
        instance=instance,
        parties=parties_of(plan),
        threshold=plan.threshold if plan.is_open else len(plan.roster),
        bits=plan.bits,
        length=length,
        scheme=_scheme(plan),
        key_digest=plan.he_key_digest,
        masked=not plan.is_open,
        total_bits=magnitude(plan, dataset).bit_length() + 1,  # and one bit for the sign
    )


def he_coordinator(setup: Setup, key: bytes, verify: Verify) -> HeSumCoordinator:
    """The exchange's machine.

    Raises:
        TrustError: The key is not the one that the plan names.
    """
    expected = homomorphic(setup)
    check_key(expected, key)
    return HeSumCoordinator(expected, key=key, verify=verify)


def he_party(
    setup: Setup,
    me: int,
    sealing: SealingKey,
    peers: list[Card],
    sign: Sign,
    randomness: RandomBytes,
) -> HeSumParty:
    """A department's machine.

    Args:
        setup: Of the run.
        me: Position in the roster.
        sealing: The department's own key; the pairwise masks grow from it and the peers'.
        peers: The pinned cards of the whole roster, in order.
        sign: Signs with the department's identity key.
        randomness: Returns so many secret random bytes.
    """
    expected = homomorphic(setup)
    return HeSumParty(
        expected,
        me,
        pair_seed=pair_seed_from(lambda peer: sealing.agree(peers[peer].sealing_key), expected, me),
        random_bytes=randomness,
        sign=sign,
    )


def homomorphic(setup: Setup) -> HeSetup:
    """Returns the setup as one of a homomorphic sum.

    Raises:
        InputError: It is of another protocol.
    """
    if not isinstance(setup, HeSetup):
        raise InputError("this run is not a homomorphic sum", code="plan.protocol")
    return setup


def _scheme(plan: Plan) -> Literal["bfv", "paillier"]:
    scheme = _SCHEMES.get(plan.protocol)
    if scheme is None:
        raise InputError(f"there is no protocol {plan.protocol!r}", code="plan.protocol")
    return scheme
