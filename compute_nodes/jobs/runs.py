"""What a signed plan means in protocol runs: names of rounds and runs, parties, shapes.

Pure, and shared by the exchange, the nodes and the analyst, so that all three derive the same.
"""

from __future__ import annotations

from typing import Final

from catalog.plan import Plan
from compute_nodes.protocols.base import PartyInfo

PLAN_ROUND: Final = "plan"
BITMAP_ROUND: Final = "bitmap"
RECEIPT_ROUND: Final = "receipt"
CANCEL_ROUND: Final = "cancel"

MAIN: Final = "main"
COUNTS: Final = "counts"
VALUES: Final = "values"

COUNT_BITS: Final = 64


def runs_of(plan: Plan) -> tuple[str, ...]:
    """The protocol runs that a plan consists of, in order; a node takes part in no other."""
    if plan.mode == "exact" and plan.protocol != "sealed":
        return (COUNTS, VALUES)
    return (MAIN,)


def parties_of(plan: Plan) -> tuple[PartyInfo, ...]:
    """The plan's roster as the protocols' parties; positions are party numbers."""
    return tuple(PartyInfo(i, m.name, m.fingerprint) for i, m in enumerate(plan.roster))


def shape_of(plan: Plan) -> tuple[int, ...]:
    """Size of each group key's domain, last key fastest."""
    return tuple(len(key.domain) for key in plan.aggregate.keys)


def is_homomorphic(plan: Plan) -> bool:
    """Whether the values travel as ciphertexts under the analyst's HE key."""
    return plan.protocol.startswith("he_sum.")


def flag_blocks(plan: Plan) -> int:
    """Blocks of 0/1 flags ahead of the measures: 1 where a single owner suppresses by itself.

    An exact `sealed` answer has no exchange between two phases: its vector says first, per cell,
    whether it is shown; hidden cells hold 0.
    """
    return int(plan.mode == "exact" and plan.protocol == "sealed")


def order_key_info(plan: Plan, department: str) -> bytes:
    """HPKE info under which the analyst seals the cell-order key to one department."""
    return f"veil/v1/cell-order/{plan.job}/{department}".encode()
