"""This department's own values in one job: what of its part each run sends.

The part is computed once, and stored before anything of it is used. It is used only while data,
policy and declaration are those that the plan was judged under.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.codec import dataset_digest
from compute_nodes.cell_order import gather
from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.guard import Admitted
from compute_nodes.jobs.part import Computed, secret_order
from compute_nodes.jobs.runs import COUNT_BITS, COUNTS, flag_blocks, order_key_info, shape_of
from compute_nodes.jobs.tools import JobTools
from protos.faults import InputError, TrustError, UnavailableError, VeilError
from protos.language import Text

PART: Final = "part"
SNAPSHOT: Final = "snapshot"
LAW: Final = "law"


class OwnValues:
    """The rows' side of one job.

    Args:
        job: 32 hex digits.
        tools: See `JobTools`.
    """

    def __init__(self, job: str, tools: JobTools) -> None:
        self._job = job
        self._tools = tools
        self._part: Future[Computed] | None = None

    def keep_basis(self, admitted: Admitted) -> None:
        """Notes which data, policy and declaration the plan was judged under.

        Raises:
            UnavailableError: It cannot be written.
        """
        snapshot = self._tools.sources[admitted.plan.dataset].snapshot_id
        basis = {SNAPSHOT: snapshot.encode("ascii"), LAW: _law(admitted)}
        self._tools.store.keep_values(self._job, basis)

    def begin(self, admitted: Admitted) -> Future[Computed]:
        """Starts the query."""
        self._part = self._tools.sources[admitted.plan.dataset].begin(admitted)
        return self._part

    def cancel(self) -> None:
        """Ends the query, if one runs."""
        if self._part is not None:
            self._part.cancel()

    def check_law(self, admitted: Admitted) -> None:
        """Checks that policy and declaration are those that the plan was judged under.

        A restarted node has the present ones: a plan that they would refuse must not be answered
        because earlier ones did not, nor with other noise than it was charged for.

        Raises:
            UnavailableError: One has changed.
        """
        if self._tools.store.value(self._job, LAW) != _law(admitted):
            raise UnavailableError(
                Text(
                    "policy or declaration have changed while the job ran",
                    "任务运行期间策略或数据声明已更改",
                ),
                remedy=Text("ask again", "请重新查询"),
                code="job.law",
            )

    def snapshot(self, admitted: Admitted) -> str:
        """Returns the data version that the job was admitted for.

        Raises:
            UnavailableError: The data has changed since.
        """
        current = self._tools.sources[admitted.plan.dataset].snapshot_id
        admitted_for = self._tools.store.value(self._job, SNAPSHOT)
        if admitted_for is not None and admitted_for.decode("ascii") != current:
            raise UnavailableError(
                Text("the data has changed while the job ran", "任务运行期间数据已更新"),
                remedy=Text("ask again", "请重新查询"),
                code="job.snapshot",
            )
        return current

    def vector(
        self, admitted: Admitted, instance: str, visible: NDArray[np.bool_] | None
    ) -> Vector:
        """Returns what one run sends.

        Args:
            admitted: The plan.
            instance: The run.
            visible: Exact mode, values: which cells are shown, in secret order; else None.

        Raises:
            UnavailableError: The query failed, or its result cannot be stored.
            TrustError: The bitmap shows a cell that this owner has vetoed.
        """
        computed = self._computed(admitted)
        plan = admitted.plan
        if instance == COUNTS:
            key = self.order_key(admitted)
            return Ring(COUNT_BITS).encode(secret_order(admitted, computed.counts, key))
        values = list(computed.values)
        if visible is not None:
            key = self.order_key(admitted)
            vetoes = secret_order(admitted, computed.counts, key)[plan.aggregate.cells :]
            if np.any(visible & (np.array(vetoes) > 0)):
                # Whatever the exchange has signed, nobody else decides on this owner's veto.
                raise TrustError(
                    Text(
                        "the bitmap shows a cell that this owner has vetoed",
                        "位图显示了本数据方已否决的分组",
                    ),
                    code="bitmap.veto",
                )
            values = gather(values, visible, shape_of(plan), key)
        return Ring(plan.bits).encode(values)

    def hidden_cells(self, admitted: Admitted, visible: NDArray[np.bool_] | None) -> int:
        """Returns how many cells of an exact answer are not shown; 0 of another."""
        if visible is not None:
            return int((~visible).sum())
        flags = flag_blocks(admitted.plan) * admitted.plan.aggregate.cells
        if not flags:
            return 0
        return flags - sum(self._computed(admitted).values[:flags])

    def order_key(self, admitted: Admitted) -> bytes:
        """Opens the key of the cell order, which the exchange does not know.

        Raises:
            InputError: It is malformed.
            TrustError: It is not the one that all departments were given.
        """
        plan, department = admitted.plan, self._tools.department
        sealed = dict(plan.order_keys).get(department, "")
        try:
            body = bytes.fromhex(sealed)
        except ValueError as error:
            raise InputError(
                Text("the plan's cell-order key is malformed", "计划的分组顺序密钥格式有误"),
                code="plan.order",
            ) from error
        key = self._tools.keys.sealing.open(body, info=order_key_info(plan, department))
        if hashlib.sha256(key).hexdigest() != plan.order_key_digest:
            # Two orders would add one department's small cell to another's large one.
            raise TrustError(
                Text("the plan names another cell order", "计划指定了另一种分组顺序"),
                code="plan.order",
            )
        return key

    def _computed(self, admitted: Admitted) -> Computed:
        stored = self._tools.store.value(self._job, PART)
        if stored is not None:
            fields = json.loads(stored)
            return Computed(*(tuple(int(v) for v in fields[name]) for name in ("values", "counts")))
        part = self._part
        if part is None:  # restarted before the part was stored: compute it now
            part = self.begin(admitted)
            self.snapshot(admitted)
        error = part.exception()
        if error is not None and not isinstance(error, VeilError):
            raise UnavailableError(
                Text("the query failed", "查询执行失败"), code="engine.failed", detail=repr(error)
            )
        computed = part.result()
        # As texts: totals may be wider than a JSON number.
        fields = {
            "values": [str(v) for v in computed.values],
            "counts": [str(v) for v in computed.counts],
        }
        self._tools.store.keep_values(self._job, {PART: json.dumps(fields).encode("ascii")})
        return computed


def _law(admitted: Admitted) -> bytes:
    """What the plan was judged under: the versions of policy and declaration."""
    return f"{admitted.policy.version} {dataset_digest(admitted.dataset)}".encode("ascii")
