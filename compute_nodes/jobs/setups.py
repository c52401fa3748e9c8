"""From a signed plan to the setups and machines of its protocol runs.

Pure, and shared by the exchange, the nodes and the analyst, so that all three derive the same.
"""

from __future__ import annotations

from catalog.dataset import Dataset
from catalog.plan import Plan
from compute_nodes.jobs.runs import COUNT_BITS, COUNTS, flag_blocks, is_homomorphic, parties_of
from compute_nodes.protocols.base import Coordinator, Setup, Verify
from compute_nodes.protocols.masked_sum.coordinator import MaskedSumCoordinator
from compute_nodes.protocols.sealed import SealedCoordinator
from protos.faults import InputError


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


def sealing_info(setup: Setup) -> bytes:
    """HPKE info under which a single department seals its vector to the analyst."""
    return f"veil/v1/sealed/{setup.digest}".encode()


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
