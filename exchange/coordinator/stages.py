"""What a job goes through at the exchange: which protocol runs, in which order.

ad hoc:  main                      noise is in the values; every declared cell is released
exact:   counts → bitmap → values  small cells are dropped before any value leaves a node
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.dataset import Dataset
from catalog.plan import Plan
from compute_nodes.crypto.ring import Ring
from compute_nodes.crypto.signatures import verifier
from compute_nodes.disclosure import suppress
from compute_nodes.jobs.bitmap import BITMAP_PURPOSE, bitmap_body
from compute_nodes.jobs.runs import COUNT_BITS, COUNTS, MAIN, VALUES, is_homomorphic, shape_of
from compute_nodes.jobs.setups import coordinator_for, counts_setup, values_setup
from compute_nodes.protocols.base import Coordinator, Setup, Step, Verify
from compute_nodes.protocols.masked_sum.total import MaskedTotal
from compute_nodes.protocols.sealed import SealedVector
from exchange.outcome import Aggregate
from protos.faults import JobError, ProtocolError
from protos.identity import PublicIdentity
from protos.language import Text

Sign = Callable[[str, dict[str, Any]], str]


@dataclass(frozen=True)
class StagePlan:
    """What the stages of one job are made from.

    Attributes:
        plan: The decoded plan.
        plan_hash: SHA-256 (hex) of the signed claims.
        dataset: The declaration of the plan's dataset.
        identities: Keys of the plan's departments, in roster order.
        sign: Signs as the exchange.
        min_group: Strictest number of subjects a visible cell needs.
        he_key: The analyst's public HE key, or b"".
    """

    plan: Plan
    plan_hash: str
    dataset: Dataset
    identities: tuple[PublicIdentity, ...]
    sign: Sign
    min_group: int
    he_key: bytes = b""

    @property
    def verify(self) -> Verify:
        """Checks the departments' protocol signatures."""
        return verifier(self.identities)


@dataclass(frozen=True)
class Stage:
    """One protocol run.

    Attributes:
        setup: What all parties know of it.
        coordinator: The exchange's side.
        patient: Whether departments answer at their own time until the plan expires.
        needs_all: Whether one missing department makes further waiting vain.
        bitmap: Signed bitmap that goes ahead of it (exact values), or "".
        hidden_cells: How many cells that bitmap hides.
    """

    setup: Setup
    coordinator: Coordinator
    patient: bool = False
    needs_all: bool = False
    bitmap: str = ""
    hidden_cells: int = 0

    @property
    def instance(self) -> str:
        """Its name inside the job."""
        return self.setup.instance


def first_stage(stages: StagePlan) -> Stage:
    """The stage that a job opens with.

    Raises:
        TrustError: The HE key is not the one that the plan names, or is weak.
    """
    plan = stages.plan
    if is_homomorphic(plan):
        from compute_nodes.jobs.homomorphic import check_public_key

        check_public_key(plan, stages.he_key)
    if plan.mode == "adhoc" or plan.protocol == "sealed":
        return _values_stage(stages, MAIN, plan.aggregate.cells, "", 0)
    setup = counts_setup(plan, stages.plan_hash)
    coordinator = coordinator_for("masked_sum", setup, stages.verify)
    return Stage(setup, coordinator, is_homomorphic(plan), is_homomorphic(plan))


def next_stage(stages: StagePlan, done: Stage, step: Step) -> Stage | None:
    """The stage after ``done``, or None after the last one.

    Raises:
        JobError: No cell may be shown.
    """
    if done.instance != COUNTS:
        return None
    visible = _visible(stages, step)
    shown = int(visible.sum())
    if shown == 0:
        raise JobError(
            Text(
                "no group of this answer is large enough to be shown",
                "此结果中没有足够大、可以显示的分组",
            ),
            remedy=Text("use fewer or wider groups", "请减少分组或放宽分组"),
            code="job.nothing_to_show",
        )
    body = bitmap_body(stages.plan, stages.plan_hash, visible)
    bitmap = stages.sign(BITMAP_PURPOSE, body)
    return _values_stage(stages, VALUES, shown, bitmap, visible.size - shown)


def aggregate_of(stages: StagePlan, stage: Stage, step: Step) -> Aggregate:
    """Puts the last stage's result into the form that the analyst gets."""
    names = [member.name for member in stages.plan.roster]
    result = step.result
    if isinstance(result, MaskedTotal):
        survivors = tuple(names[index] for index in result.survivors)
        sealed = tuple(result.sealed_seeds[index] for index in result.survivors)
        return Aggregate(survivors, bytes(result.vector), sealed, stage.bitmap)
    if isinstance(result, SealedVector):
        return Aggregate((names[0],), b"", (result.sealed,), stage.bitmap)
    if is_homomorphic(stages.plan):
        from compute_nodes.jobs.homomorphic import homomorphic
        from compute_nodes.protocols.he_sum.total import HeTotal

        if isinstance(result, HeTotal):
            survivors = tuple(names[index] for index in result.survivors)
            total = result.to_bytes(homomorphic(stage.setup))
            return Aggregate(survivors, total, (), stage.bitmap)
    raise ProtocolError("the protocol ended without a total")


def _values_stage(stages: StagePlan, instance: str, cells: int, bitmap: str, hidden: int) -> Stage:
    plan = stages.plan
    setup = values_setup(plan, stages.plan_hash, instance, cells, stages.dataset)
    coordinator = coordinator_for(plan.protocol, setup, stages.verify, stages.he_key)
    patient = is_homomorphic(plan)
    return Stage(setup, coordinator, patient, patient and not plan.is_open, bitmap, hidden)


def _visible(stages: StagePlan, step: Step) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Applies thresholds to the summed counts, in the secret cell order."""
    result, cells = step.result, stages.plan.aggregate.cells
    if not isinstance(result, MaskedTotal):
        raise ProtocolError("the counts ended without a total")
    ring = Ring(COUNT_BITS)
    totals = np.array(ring.decode(ring.from_bytes(result.vector, 2 * cells)), dtype=np.int64)
    counts, vetoes = totals[:cells], totals[cells:] > 0
    return suppress(counts, shape_of(stages.plan), stages.min_group, vetoes)
