"""From a signed plan to the protocol runs that it means: names of rounds, setups, machines.

Pure, and shared by the exchange, the nodes and the analyst, so that all three derive the same.
"""

from __future__ import annotations

from typing import Final

from catalog.dataset import Dataset
from catalog.plan import Plan
from compute_nodes.protocols.base import Coordinator, PartyInfo, Setup, Verify
from compute_nodes.protocols.masked_sum.coordinator import MaskedSumCoordinator
from compute_nodes.protocols.sealed import SealedCoordinator
from protos.faults import InputError

PLAN_ROUND: Final = "plan"
BITMAP_ROUND: Final = "bitmap"
RECEIPT_ROUND: Final = "receipt"
CANCEL_ROUND: Final = "cancel"

MAIN: Final = "main"
COUNTS: Final = "counts"
VALUES: Final = "values"

COUNT_BITS: Final = 64


def parties_of(plan: Plan) -> tuple[PartyInfo, ...]:
    """The plan's roster as the protocols' parties; positions are party numbers."""
    return tuple(PartyInfo(i, m.name, m.fingerprint) for i, m in enumerate(plan.roster))


def shape_of(plan: Plan) -> tuple[int, ...]:
    """Size of each group key's domain, last key fastest."""
    return tuple(len(key.domain) for key in plan.aggregate.keys)


def counts_setup(plan: Plan, plan_hash: str) -> Setup:
    """Exact mode, first phase: subjects per cell, then owners' vetoes; nobody may be missing.

    The exchange reads the totals (no envelope); the order of cells is secret from it.
    """
    return Setup(
        job=plan.job,
        plan_hash=plan_hash,
        instance=COUNTS,
        parties=parties_of(plan),
        threshold=len(plan.roster),
        bits=COUNT_BITS,
        length=2 * plan.aggregate.cells,
    )


def values_setup(plan: Plan, plan_hash: str, instance: str, cells: int, dataset: Dataset) -> Setup:
    """The run that carries the values, under the analyst's envelope or HE key.

    Args:
        plan: The plan.
        plan_hash: SHA-256 (hex) of the signed claims.
        instance: `MAIN` or `VALUES`.
        cells: Cells that are sent: all, or in exact mode the surviving ones.
        dataset: The declaration that the plan names; bounds the totals of a homomorphic sum.
    """
    length = cells * (len(plan.aggregate.measures) + flag_blocks(plan))
    if is_homomorphic(plan):
        from compute_nodes.jobs.homomorphic import he_setup

        return he_setup(plan, plan_hash, instance, length, dataset)
    return Setup(
        job=plan.job,
        plan_hash=plan_hash,
        instance=instance,
        parties=parties_of(plan),
        # An exact total of fewer departments than the bitmap was made for could show a small cell.
        threshold=plan.threshold if plan.mode == "adhoc" else len(plan.roster),
        bits=plan.bits,
        length=length,
        envelope=plan.analyst_sealing_key,
    )


def is_homomorphic(plan: Plan) -> bool:
    """Whether the values travel as ciphertexts under the analyst's HE key."""
    return plan.protocol.startswith("he_sum.")


def runs_of(plan: Plan) -> tuple[str, ...]:
    """The protocol runs that a plan consists of, in order; a node takes part in no other."""
    if plan.mode == "exact" and plan.protocol != "sealed":
        return (COUNTS, VALUES)
    return (MAIN,)


def flag_blocks(plan: Plan) -> int:
    """Blocks of 0/1 flags ahead of the measures: 1 where a single owner suppresses by itself.

    An exact `sealed` answer has no exchange between two phases: its vector says first, per cell,
    whether it is shown; hidden cells hold 0.
    """
    return int(plan.mode == "exact" and plan.protocol == "sealed")


def sealing_info(setup: Setup) -> bytes:
    """HPKE info under which a single department seals its vector to the analyst."""
    return f"veil/v1/sealed/{setup.digest}".encode()


def order_key_info(plan: Plan, department: str) -> bytes:
    """HPKE info under which the analyst seals the cell-order key to one department."""
    return f"veil/v1/cell-order/{plan.job}/{department}".encode()


def coordinator_for(
    protocol: str, setup: Setup, verify: Verify, he_key: bytes = b""
) -> Coordinator:
    """The exchange's machine for one run.

    Args:
        protocol: Of this run.
        setup: Of this run.
        verify: Checks the departments' signatures.
        he_key: The analyst's public key, for a homomorphic sum.

    Raises:
        InputError: No such protocol.
    """
    if protocol == "masked_sum":
        return MaskedSumCoordinator(setup, verify)
    if protocol == "sealed":
        return SealedCoordinator(setup)
    if protocol.startswith("he_sum."):
        from compute_nodes.jobs.homomorphic import he_coordinator

        return he_coordinator(setup, he_key, verify)
    raise InputError(f"there is no protocol {protocol!r}", code="plan.protocol")
