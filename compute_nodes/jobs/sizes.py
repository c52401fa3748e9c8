"""How many bytes a node will send for a plan: from declarations only, never from data."""

from __future__ import annotations

from dataclasses import replace

from catalog.codec import to_json
from catalog.dataset import Dataset
from catalog.plan import Plan
from compute_nodes.jobs.runs import COUNTS, MAIN, VALUES, is_homomorphic
from compute_nodes.jobs.setups import counts_setup, values_setup
from compute_nodes.protocols import sealed
from compute_nodes.protocols.base import Setup
from compute_nodes.protocols.masked_sum.sizes import predicted_sizes
from protos.canonical import digest


def predicted_bytes(plan: Plan, dataset: Dataset) -> dict[str, int]:
    """Predicts the bytes of every protocol message of one department, by round.

    In exact mode all cells are counted as visible, so the real values may be fewer. What SEAL
    makes of a BFV ciphertext varies by a few bytes: the largest is given.

    Args:
        plan: The plan; a homomorphic one need not name its key yet.
        dataset: Its declaration.
    """
    if is_homomorphic(plan):
        plan = replace(plan, he_key_digest=plan.he_key_digest or "0" * 64)
    plan_hash, cells = digest(to_json(plan)), plan.aggregate.cells
    instance = MAIN
    if plan.mode == "exact" and plan.protocol != "sealed":
        instance = VALUES
    runs = [(instance, values_setup(plan, plan_hash, instance, cells, dataset))]
    if instance == VALUES:
        runs.insert(0, (COUNTS, counts_setup(plan, plan_hash)))
    sizes: dict[str, int] = {}
    for instance, setup in runs:
        protocol = "masked_sum" if instance == COUNTS else plan.protocol
        for round_, size in _sizes(protocol, setup).items():
            sizes[f"{instance}/{round_}"] = size
    return sizes


def _sizes(protocol: str, setup: Setup) -> dict[str, int]:
    if protocol == "sealed":
        return {sealed.ROUND: sealed.predicted_size(setup)}
    if protocol.startswith("he_sum."):
        from compute_nodes.jobs.homomorphic import homomorphic
        from compute_nodes.protocols.he_sum.sizes import predicted_sizes as he_sizes

        return he_sizes(homomorphic(setup))
    return predicted_sizes(setup)
