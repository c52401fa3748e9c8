"""How many bytes a node will send for a plan: from declarations only, never from data."""

from __future__ import annotations

from catalog.codec import to_json
from catalog.plan import Plan
from compute_nodes.jobs.setups import COUNTS, MAIN, VALUES, counts_setup, values_setup
from compute_nodes.protocols import sealed
from compute_nodes.protocols.base import Setup
from compute_nodes.protocols.masked_sum.sizes import predicted_sizes
from protos.canonical import digest


def predicted_bytes(plan: Plan) -> dict[str, int]:
    """Predicts the bytes of every protocol message of one department, by round.

    In exact mode all cells are counted as visible, so the real values may be fewer.
    """
    plan_hash = digest(to_json(plan))
    runs = [(MAIN, values_setup(plan, plan_hash, MAIN, plan.aggregate.cells))]
    if plan.mode == "exact" and plan.protocol != "sealed":
        runs = [
            (COUNTS, counts_setup(plan, plan_hash)),
            (VALUES, values_setup(plan, plan_hash, VALUES, plan.aggregate.cells)),
        ]
    sizes: dict[str, int] = {}
    for instance, setup in runs:
        protocol = "masked_sum" if instance == COUNTS else plan.protocol
        for round_, size in _sizes(protocol, setup).items():
            sizes[f"{instance}/{round_}"] = size
    return sizes


def _sizes(protocol: str, setup: Setup) -> dict[str, int]:
    if protocol == "sealed":
        return {sealed.ROUND: sealed.predicted_size(setup)}
    return predicted_sizes(setup)
