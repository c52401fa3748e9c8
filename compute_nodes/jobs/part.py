"""This department's own part of a plan: its SQL, its clipping, its noise.

Begun when the plan is admitted, so that the query runs while keys are exchanged; its result is
stored by the job before anything of it is used.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from catalog.algebra import Aggregate
from catalog.policy import narrowed_codes
from catalog.typing_rules import columns_of
from compute_nodes.cell_order import permute_axes
from compute_nodes.disclosure import suppress
from compute_nodes.engines.render import (
    dominance_sql,
    dominance_vetoes,
    render,
    subject_counts,
    to_vector,
)
from compute_nodes.guard import Admitted
from compute_nodes.jobs.runs import flag_blocks, shape_of
from compute_nodes.noise import draw_noise
from desensitize.engines.snapshot import Snapshot
from desensitize.engines.worker import QueryPool, QueryTask, RenderedSql
from protos.faults import PolicyError
from protos.language import Text

if TYPE_CHECKING:
    import pyarrow as pa

LOG: Final = logging.getLogger("veil.node")
_PARALLEL: Final = 2  # parts of one dataset at once; a machine has few cores


@dataclass(frozen=True)
class Computed:
    """What a part came to, noise included.

    Attributes:
        values: Measure-major over all cells, in declared order.
        counts: Exact mode: subjects per cell, then this owner's vetoes (0 or 1); else empty.
    """

    values: tuple[int, ...]
    counts: tuple[int, ...] = ()


class Part(Future[Computed]):
    """A part on its way; cancelling it kills its query, also one that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.stop = threading.Event()

    def cancel(self) -> bool:
        """Ends it; see `Future.cancel`."""
        self.stop.set()
        return super().cancel()


class Source:
    """Computes parts over one snapshot.

    Args:
        snapshot: The data.
        pool: Locked query workers.
        deadline_s: Longest time of one query.
    """

    def __init__(self, snapshot: Snapshot, pool: QueryPool, deadline_s: float) -> None:
        self._snapshot = snapshot
        self._pool = pool
        self._deadline_s = deadline_s
        self._threads = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="node-part")

    @property
    def snapshot_id(self) -> str:
        """Random id of the data's version."""
        return self._snapshot.id

    def check_exact(self, admitted: Admitted) -> None:
        """Refuses exact figures over values that are outside their declared bounds.

        Raises:
            PolicyError: There are some; a fixed message, because which ones is the owner's.
        """
        outside = self._outside(admitted.plan.aggregate)
        if outside:
            raise PolicyError(
                Text(
                    "exact figures are refused: values are outside the declared bounds",
                    "精确结果被拒绝：有数值超出声明的范围",
                ),
                remedy=Text(
                    "ask the owner to mend the data or the declaration; or ask ad hoc",
                    "请数据方改正数据或声明；或改用带噪查询",
                ),
                code="policy.out_of_bounds",
                detail=f"columns {sorted(outside)}",
            )

    def begin(self, admitted: Admitted) -> Future[Computed]:
        """Starts the query."""
        if admitted.plan.mode == "exact":
            return self._start(self._exact, admitted)
        outside = self._outside(admitted.plan.aggregate)
        if outside:
            LOG.info("job %s: values of %s are clipped", admitted.plan.job, sorted(outside))
        return self._start(self._noisy, admitted)

    def _start(
        self, work: Callable[[Admitted, threading.Event], Computed], admitted: Admitted
    ) -> Part:
        part = Part()

        def fill() -> None:
            if not part.set_running_or_notify_cancel():
                return  # cancelled before its turn came
            try:
                part.set_result(work(admitted, part.stop))
            except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                part.set_exception(error)

        waiting = self._threads.submit(fill)
        waiting.add_done_callback(lambda ended: part.cancel() if ended.cancelled() else None)
        return part

    def close(self) -> None:
        """Waits for no one: what is running is killed with its worker."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _outside(self, aggregate: Aggregate) -> frozenset[str]:
        """Columns in measures that hold values outside their bounds."""
        used = frozenset[str]().union(
            *(columns_of(m.value) for m in aggregate.measures if m.value is not None)
        )
        reports = self._snapshot.report.columns
        return frozenset(name for name in used if reports[name].out_of_bounds)

    def _stray(self) -> frozenset[str]:
        """Columns of the data that leave their declaration: bounds or code list."""
        reports = self._snapshot.report.columns
        return frozenset(
            name for name, found in reports.items() if found.out_of_bounds or found.outside_codes
        )

    def _noisy(self, admitted: Admitted, stop: threading.Event) -> Computed:
        aggregate, policy = admitted.plan.aggregate, admitted.policy
        sql = render(
            aggregate,
            policy.columns,
            max_rows=admitted.dataset.max_rows,
            clip=self._stray(),
            rank_limit=policy.max_rows_per_subject if self._snapshot.report.ranked else None,
            only=narrowed_codes(policy, admitted.dataset),
        )
        exact = to_vector(self._run(sql, stop), aggregate)
        assert admitted.calibration is not None  # noqa: S101 - ad hoc plans have one
        noise = draw_noise(admitted.calibration.sigma_node, aggregate.cells)
        return Computed(tuple(v + n for v, n in zip(exact, noise, strict=True)))

    def _exact(self, admitted: Admitted, stop: threading.Event) -> Computed:
        aggregate, policy = admitted.plan.aggregate, admitted.policy
        sql = render(
            aggregate,
            policy.columns,
            max_rows=admitted.dataset.max_rows,
            clip=self._stray(),
            subject=policy.subject,
            only=narrowed_codes(policy, admitted.dataset),
        )
        table = self._run(sql, stop)
        counts = subject_counts(table, aggregate)
        values, vetoes = to_vector(table, aggregate), self._vetoes(admitted, stop)
        if flag_blocks(admitted.plan):
            return Computed(_suppressed(values, counts, vetoes, admitted))
        return Computed(tuple(values), (*counts, *vetoes))

    def _vetoes(self, admitted: Admitted, stop: threading.Event) -> list[int]:
        """Cells in which few subjects hold most of a sum here (policy ``dominance``)."""
        aggregate, policy = admitted.plan.aggregate, admitted.policy
        sql = None
        if policy.dominance is not None:
            sql = dominance_sql(
                aggregate,
                policy.columns,
                subject=policy.subject,
                largest=policy.dominance[0],
                only=narrowed_codes(policy, admitted.dataset),
            )
        if sql is None or policy.dominance is None:
            return [0] * aggregate.cells
        return [
            int(v) for v in dominance_vetoes(self._run(sql, stop), aggregate, policy.dominance[1])
        ]

    def _run(self, sql: RenderedSql, stop: threading.Event) -> pa.Table:
        return self._pool.run(QueryTask(self._snapshot.path, sql), self._deadline_s, stop)


def secret_order(admitted: Admitted, counts: tuple[int, ...], key: bytes) -> list[int]:
    """Puts counts and vetoes into the cell order that the exchange does not know."""
    vector = np.array(counts, dtype=np.int64)
    return [int(v) for v in permute_axes(vector, shape_of(admitted.plan), key)]


def _suppressed(
    values: list[int], counts: list[int], vetoes: list[int], admitted: Admitted
) -> tuple[int, ...]:
    """A single owner's own suppression: flags of visible cells, then values with 0 for hidden."""
    visible = suppress(
        np.array(counts, dtype=np.int64),
        shape_of(admitted.plan),
        admitted.policy.min_group,
        np.array(vetoes, dtype=np.bool_),
    )
    flags = [int(v) for v in visible]
    return (*flags, *(value * flags[at % len(flags)] for at, value in enumerate(values)))
