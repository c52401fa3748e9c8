"""An answer, as the analyst holds it: the table, how sure it is, and the proof of its making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from catalog.plan import Plan
from exchange.analyst.finalise import Released, finalise
from exchange.analyst.postprocess import Processed, postprocess
from protos.language import Text

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from catalog.calibration import Calibration
    from exchange.planner.bound import Bound


@dataclass(frozen=True)
class Answer:
    """The result of one statement.

    Attributes:
        processed: The user's table with the intervals that still apply to it.
        released: The figures as they were released, before post-processing, with all intervals.
        receipt: The receipt document (``exchange.proof.receipt``); save it as JSON and keep it.
        remarks: What the reader must know about these figures, in both languages.
    """

    processed: Processed
    released: Released
    receipt: Mapping[str, Any] = field(repr=False)
    remarks: tuple[Text, ...] = ()

    def to_arrow(self) -> pa.Table:
        """Returns the table; sums are exact integers or decimals."""
        return self.processed.table

    def with_intervals(self) -> pa.Table:
        """Returns the table with its intervals beside the figures: ``n``, ``n_low``, ``n_high``.

        A name that the statement gave to another column gets an underscore behind it.
        """
        table, ends = self.processed.table, self.processed.intervals
        if ends is None:
            return table
        columns, names = [], []
        taken = set(table.column_names)
        for name, column in zip(table.column_names, table.columns, strict=True):
            columns.append(column)
            names.append(name)
            for end in (f"{name}_low", f"{name}_high"):
                if end in ends.column_names:
                    columns.append(ends.column(end))
                    names.append(f"{end}_" if end in taken else end)
        return table.from_arrays(columns, names=names)

    def to_pandas(self) -> pd.DataFrame:
        """Returns the table as a DataFrame."""
        frame: pd.DataFrame = self.processed.table.to_pandas()
        return frame

    @property
    def intervals(self) -> pa.Table | None:
        """95 % intervals ``NAME_low``, ``NAME_high``, row by row; None for an exact answer.

        They cover the noise that was added for privacy, not what clipping to the declared
        bounds changed. Columns that are computed from several figures have none; the intervals
        of what they are computed from are in ``released.intervals``.
        """
        return self.processed.intervals

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know, in the language of this process."""
        return tuple(str(remark) for remark in self.remarks)

    def _repr_html_(self) -> str:
        """Shows itself in a notebook: escaped, without scripts, readable in light and dark."""
        from exchange.analyst.notebook_view import answer_html

        return answer_html(self)


def make_answer(
    bound: Bound,
    plan: Plan,
    totals: Sequence[int],
    *,
    visible: Sequence[bool] | None,
    calibration: Calibration | None,
    survivors: Sequence[str],
    receipt: Mapping[str, Any],
    unsigned: Sequence[str] = (),
    deadline_s: float = 60.0,
) -> Answer:
    """Turns opened totals into an answer; see ``finalise`` for the arguments.

    Args:
        bound: The bound statement.
        plan: The signed plan.
        totals: Measure-major over released cells.
        visible: Exact mode: which cells survived, in declared order.
        calibration: Ad hoc mode: the noise.
        survivors: Names of the departments whose values are in the totals.
        receipt: The receipt document.
        unsigned: Survivors whose signature the receipt lacks.
        deadline_s: For post-processing.
    """
    released = finalise(bound, plan, totals, visible, calibration, len(survivors))
    processed = postprocess(bound.post_sql, released, deadline_s=deadline_s)
    remarks = _remarks(plan, survivors, released, processed)
    if unsigned:
        remarks = (*remarks, _UNSIGNED.format(missing=", ".join(unsigned)))
    return Answer(processed, released, receipt, remarks)


def _remarks(
    plan: Plan, survivors: Sequence[str], released: Released, processed: Processed
) -> tuple[Text, ...]:
    remarks: list[Text] = []
    asked = [member.name for member in plan.roster]
    missing = [name for name in asked if name not in survivors]
    if missing:
        remarks.append(
            _DROPPED.format(missing=", ".join(missing), answered=len(survivors), asked=len(asked))
        )
    if plan.mode == "adhoc":
        remarks.append(_NOISE.format(epsilon=f"{plan.epsilon:g}", delta=f"{plan.delta:g}"))
        if missing:
            remarks.append(_LESS_NOISE)
        if processed.unbarred:
            remarks.append(_UNBARRED.format(columns=", ".join(processed.unbarred)))
        if _has_gaps(released):
            remarks.append(_GAPS)
    else:
        remarks.append(_EXACT)
        if released.hidden:
            remarks.append(_HIDDEN.format(hidden=released.hidden, cells=released.cells))
    return tuple(remarks)


def _has_gaps(released: Released) -> bool:
    ends = released.intervals
    return ends is not None and any(column.null_count for column in ends.columns)


_NOISE = Text(
    "Figures carry noise for ({epsilon}, {delta})-differential privacy. The 95 % intervals cover "
    "this noise, not what clipping to the declared bounds changed.",
    "数值含差分隐私噪声（ε={epsilon}，δ={delta}）。95% 区间只反映噪声，"
    "不含按声明范围截断带来的偏差。",
)
_DROPPED = Text(
    "{missing} dropped out: the figures cover {answered} of {asked} departments, and nothing is "
    "estimated for the missing ones.",
    "{missing} 中途退出：结果覆盖 {asked} 个部门中的 {answered} 个，缺席部门未作任何估计。",
)
_UNSIGNED = Text(
    "{missing} answered, but was gone before signing the receipt: its figures are included; under "
    "which policy, and how many bytes left it, nobody confirms.",
    "{missing} 已应答但未签署回执:结果包含其数据;其所依策略与出域字节数未经确认。",
)
_LESS_NOISE = Text(
    "With fewer departments there is also less noise in the total; the intervals account for it.",
    "参与部门减少，总噪声也随之减小；区间已按实际噪声计算。",
)
_UNBARRED = Text(
    "{columns}: computed from noisy figures (≈), so without an interval of its own; ask for its "
    "inputs as columns, too, to see theirs.",
    "{columns}：由带噪数值计算得出（≈），没有自己的区间；把输入数值也列为查询的列，即可看到它们的区间。",
)
_GAPS = Text(
    "Where the noisy number of rows is too small, an average or variance has no interval.",
    "带噪行数过小时，平均值或方差没有区间。",
)
_EXACT = Text(
    "Exact figures under every owner's grant: no noise was added.",
    "精确结果，已获全部数据方授权：未加噪声。",
)
_HIDDEN = Text(
    "{hidden} of {cells} groups are not shown: too few people, or needed to protect such a group.",
    "{cells} 个分组中有 {hidden} 个不显示：人数过少，或为保护此类分组而隐藏。",
)
