"""Opens an outcome with the analyst's key: from masked bytes to exact integer totals."""

from __future__ import annotations

from dataclasses import dataclass, field

from catalog.plan import Plan
from compute_nodes.cell_order import scatter
from compute_nodes.crypto.ring import Ring
from compute_nodes.crypto.signatures import verifier
from compute_nodes.jobs.bitmap import read_bitmap
from compute_nodes.jobs.runs import MAIN, VALUES, flag_blocks, is_homomorphic, shape_of
from compute_nodes.jobs.setups import sealing_info, values_setup
from compute_nodes.protocols.base import Setup
from compute_nodes.protocols.masked_sum.envelope import envelope_info, open_envelope
from exchange.analyst.federation import Federation
from exchange.outcome import Aggregate
from protos.faults import ProtocolError
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


@dataclass(frozen=True)
class OpeningKeys:
    """What the analyst opens an outcome with.

    Attributes:
        sealing: The analyst's own key.
        order_key: The job's cell-order key; b"" for ad hoc.
        he_secret: The job's private HE key; b"" where no HE key was made.
    """

    sealing: SealingKey
    order_key: bytes = field(repr=False)
    he_secret: bytes = field(repr=False)


def open_aggregate(
    plan: Plan, plan_hash: str, aggregate: Aggregate, keys: OpeningKeys, federation: Federation
) -> Opened:
    """Takes the envelope off and puts the cells into declared order.

    Args:
        plan: As signed.
        plan_hash: SHA-256 (hex) of its claims.
        aggregate: From the exchange.
        keys: The analyst's.
        federation: The pinned cards of those who signed, and the plan's dataset.

    Raises:
        TrustError: A seal or signature does not hold.
        ProtocolError: The parts do not fit the plan.
    """
    shown, visible, instance = plan.aggregate.cells, None, MAIN
    if aggregate.bitmap:
        token = aggregate.bitmap.encode("ascii")
        visible = read_bitmap(plan, plan_hash, federation.exchange.identity, token)
        shown, instance = int(visible.sum()), VALUES
    elif plan.mode == "exact" and plan.protocol != "sealed":
        raise ProtocolError("an exact answer without its bitmap", code="outcome.bitmap")
    setup = values_setup(plan, plan_hash, instance, shown, federation.datasets[plan.dataset])
    if is_homomorphic(plan):
        totals = _decrypted(plan, setup, aggregate, keys.he_secret, federation)
    else:
        totals = _unsealed(plan, setup, aggregate, keys.sealing)
    if flag_blocks(plan):
        flags, totals = totals[:shown], totals[shown:]
        kept = [value for at, value in enumerate(totals) if flags[at % shown]]
        return Opened(kept, tuple(bool(flag) for flag in flags))
    if visible is None:
        return Opened(totals, None)
    return Opened(*scatter(totals, visible, shape_of(plan), keys.order_key))


def _unsealed(plan: Plan, setup: Setup, aggregate: Aggregate, sealing: SealingKey) -> list[int]:
    """Opens what was sealed to the analyst's own key: the vector itself, or the mask over it."""
    ring = Ring(plan.bits)
    if len(aggregate.sealed) != len(aggregate.survivors):
        raise ProtocolError("the outcome lacks a department's sealed part", code="outcome.parts")
    if plan.protocol == "sealed":
        body = sealing.open(aggregate.sealed[0], info=sealing_info(setup))
        return ring.decode(ring.from_bytes(body, setup.length))
    index = {member.name: number for number, member in enumerate(plan.roster)}
    seeds = [
        sealing.open(sealed, info=envelope_info(setup, index[name]))
        for name, sealed in zip(aggregate.survivors, aggregate.sealed, strict=True)
    ]
    total = ring.from_bytes(aggregate.vector, setup.length)
    return ring.decode(open_envelope(total, seeds, ring))


def _decrypted(
    plan: Plan, setup: Setup, aggregate: Aggregate, he_secret: bytes, federation: Federation
) -> list[int]:
    """Opens an encrypted total with the key that was made for this job."""
    from compute_nodes.jobs.homomorphic import homomorphic
    from compute_nodes.protocols.he_sum import HeTotal, decrypt_total
    from exchange.analyst.he_key import load_he_key

    expected = homomorphic(setup)
    total = HeTotal.from_bytes(expected, aggregate.vector)
    names = [member.name for member in plan.roster]
    if tuple(names[index] for index in total.survivors) != aggregate.survivors:
        raise ProtocolError("the outcome and its total name others", code="outcome.parts")
    verify = verifier([federation.cards["department", name].identity for name in names])
    return decrypt_total(load_he_key(plan.protocol, he_secret), expected, total, verify)
