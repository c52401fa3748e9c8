"""Opens an outcome with the analyst's key: from masked bytes to exact integer totals."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.plan import Plan
from compute_nodes.cell_order import scatter
from compute_nodes.crypto.ring import Ring
from compute_nodes.jobs.bitmap import read_bitmap
from compute_nodes.jobs.setups import (
    MAIN,
    VALUES,
    flag_blocks,
    sealing_info,
    shape_of,
    values_setup,
)
from compute_nodes.protocols.masked_sum.envelope import envelope_info, open_envelope
from exchange.coordinator.outcome import Aggregate
from protos.faults import ProtocolError
from protos.identity import PublicIdentity
from protos.sealing import SealingKey


@dataclass(frozen=True)
class Opened:
    """What only the analyst sees.

    Attributes:
        totals: Measure-major over the released cells, in declared order.
        visible: Exact mode: per declared cell whether it survived; None otherwise.
    """

    totals: list[int]
    visible: tuple[bool, ...] | None


def open_aggregate(
    plan: Plan,
    plan_hash: str,
    aggregate: Aggregate,
    sealing: SealingKey,
    exchange: PublicIdentity,
    order_key: bytes,
) -> Opened:
    """Takes the envelope off and puts the cells into declared order.

    Args:
        plan: As signed.
        plan_hash: SHA-256 (hex) of its claims.
        aggregate: From the exchange.
        sealing: The analyst's key.
        exchange: The pinned exchange, which signed the bitmap.
        order_key: The job's cell-order key; b"" for ad hoc.

    Raises:
        TrustError: A seal or signature does not hold.
        ProtocolError: The parts do not fit the plan.
    """
    shown, visible, instance = plan.aggregate.cells, None, MAIN
    if aggregate.bitmap:
        token = aggregate.bitmap.encode("ascii")
        visible = read_bitmap(plan, plan_hash, exchange, token)
        shown, instance = int(visible.sum()), VALUES
    elif plan.mode == "exact" and plan.protocol != "sealed":
        raise ProtocolError("an exact answer without its bitmap", code="outcome.bitmap")
    setup = values_setup(plan, plan_hash, instance, shown)
    ring = Ring(plan.bits)
    if len(aggregate.sealed) != len(aggregate.survivors):
        raise ProtocolError("the outcome lacks a department's sealed part", code="outcome.parts")
    if plan.protocol == "sealed":
        body = sealing.open(aggregate.sealed[0], info=sealing_info(setup))
        totals = ring.decode(ring.from_bytes(body, setup.length))
    else:
        index = {member.name: number for number, member in enumerate(plan.roster)}
        seeds = [
            sealing.open(sealed, info=envelope_info(setup, index[name]))
            for name, sealed in zip(aggregate.survivors, aggregate.sealed, strict=True)
        ]
        total = ring.from_bytes(aggregate.vector, setup.length)
        totals = ring.decode(open_envelope(total, seeds, ring))
    if flag_blocks(plan):
        flags, totals = totals[:shown], totals[shown:]
        kept = [value for at, value in enumerate(totals) if flags[at % shown]]
        return Opened(kept, tuple(bool(flag) for flag in flags))
    if visible is None:
        return Opened(totals, None)
    return Opened(*scatter(totals, visible, shape_of(plan), order_key))
