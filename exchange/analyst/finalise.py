"""From integer totals to the released table: what the analyst's key opened, as figures.

Runs at the analyst, pure. Everything that can be exact is: sums stay integers or decimals, and a
ratio is one correctly rounded division of integers, so an exact answer equals the one that a
single database over all rows would give. Ad hoc figures carry their noise; see
``exchange.planner.intervals`` for how much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from math import prod, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

from catalog.typing_rules import type_of
from exchange.planner import intervals as iv
from protos.faults import JobError, ProtocolError
from protos.language import Text

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.algebra import Key, Scalar
    from catalog.calibration import Calibration
    from catalog.dataset import Dataset
    from catalog.plan import Plan
    from exchange.planner.bound import Bound, Output

_MOST_DIGITS: Final = 38  # of a decimal128
_INT64: Final = range(-(2**63), 2**63)
_EXACTLY: Final = Context(prec=80)


@dataclass(frozen=True)
class Released:
    """The figures that were released, one row per cell.

    Attributes:
        table: Columns k0 … (keys) and a0 … (aggregates); suppressed cells are absent.
        intervals: Columns a0_low, a0_high …, row by row as in ``table``; null where no interval
            can be given. None for an exact answer: there is no noise.
        cells: Number of declared cells.
    """

    table: pa.Table
    intervals: pa.Table | None
    cells: int

    @property
    def hidden(self) -> int:
        """Number of declared cells that were suppressed."""
        return self.cells - int(self.table.num_rows)


@dataclass(frozen=True)
class _Column:
    """One output: values (None is NULL) and, for ad hoc answers, its interval's ends."""

    values: list[int | float | None]
    low: list[int | float | None]
    high: list[int | float | None]


def finalise(
    bound: Bound,
    plan: Plan,
    totals: Sequence[int],
    visible: Sequence[bool] | None,
    calibration: Calibration | None,
    survivors: int,
) -> Released:
    """Computes every output column from the totals.

    Args:
        bound: The bound statement: aggregate and outputs.
        plan: The signed plan.
        totals: Measure-major over the released cells in declared order (all cells if ``visible``
            is None): exact integers, noise included.
        visible: Exact mode: per declared cell whether it survived suppression.
        calibration: Ad hoc mode: noise per node and measure. None for exact.
        survivors: Departments whose values are in the totals.

    Raises:
        ProtocolError: The number of totals does not fit the plan.
        JobError: A sum has more than 38 digits.
    """
    import pyarrow as pa

    aggregate = bound.aggregate
    cells = aggregate.cells
    shown = range(cells) if visible is None else [c for c, ok in enumerate(visible) if ok]
    if visible is not None and len(visible) != cells:
        raise ProtocolError(f"the bitmap has {len(visible)} cells, the plan has {cells}")
    if len(totals) != len(aggregate.measures) * len(shown):
        raise ProtocolError(
            f"{len(totals)} totals arrived for {len(aggregate.measures)} measures "
            f"of {len(shown)} cells"
        )
    n = len(shown)
    measures = [list(totals[m * n : (m + 1) * n]) for m in range(len(aggregate.measures))]
    noise = (
        [0.0] * len(measures)
        if calibration is None
        else [survivors * sigma**2 for sigma in calibration.sigma_node]
    )
    columns: dict[str, pa.Array] = {}
    shape = tuple(len(key.domain) for key in aggregate.keys)
    for axis, key in enumerate(aggregate.keys):
        domain = _domain(key, bound.dataset)
        below = prod(shape[axis + 1 :])
        positions = [cell // below % shape[axis] for cell in shown]
        columns[f"k{axis}"] = domain.take(pa.array(positions, pa.int64()))
    ends: dict[str, pa.Array] = {}
    for output in bound.outputs:
        bounds = _bounds(output, bound)
        column = _FUNCTIONS[output.function](output, measures, noise, bounds)
        kind = _arrow_type(output, column)
        columns[output.column] = _array(column.values, kind, output)
        ends[f"{output.column}_low"] = _array(column.low, kind, output)
        ends[f"{output.column}_high"] = _array(column.high, kind, output)
    table = pa.table(columns)
    return Released(table, pa.table(ends) if plan.mode == "adhoc" else None, cells)


Measures = list[list[int]]
Bounds = tuple[float, float] | None


def _count(output: Output, measures: Measures, noise: list[float], _: Bounds) -> _Column:
    rows, half = measures[_index(output.rows)], iv.margin(noise[_index(output.rows)])
    return _Column(list(rows), [max(0, n - half) for n in rows], [max(0, n + half) for n in rows])


def _sum(output: Output, measures: Measures, noise: list[float], _: Bounds) -> _Column:
    """Sum of values = sum of (value - offset) + offset x rows; NULL where nothing was summed."""
    totals, spread = measures[_index(output.sum)], noise[_index(output.sum)]
    if output.rows is None:
        values: list[int | None] = list(totals)
    else:
        rows = measures[output.rows]
        spread += output.offset**2 * noise[output.rows]
        noiseless = spread == 0
        values = [
            None if noiseless and n == 0 else s + output.offset * n
            for s, n in zip(totals, rows, strict=True)
        ]
    half = iv.margin(spread)
    return _Column(
        list(values),
        [None if v is None else v - half for v in values],
        [None if v is None else v + half for v in values],
    )


def _avg(output: Output, measures: Measures, noise: list[float], bounds: Bounds) -> _Column:
    s_at, n_at = _index(output.sum), _index(output.rows)
    totals, rows = measures[s_at], measures[n_at]
    scale = 10**output.decimals
    values = [
        (s + output.offset * n) / (n * scale) if n > 0 else None
        for s, n in zip(totals, rows, strict=True)
    ]
    centred = None if bounds is None else (bounds[0] - output.offset, bounds[1] - output.offset)
    found = iv.ratio(_reals(totals), _reals(rows), noise[s_at], noise[n_at], centred)
    present = _reals(rows) > 0
    return _Column(
        list(values),
        _optional((found.low + output.offset) / scale, present),
        _optional((found.high + output.offset) / scale, present),
    )


def _variance(output: Output, measures: Measures, noise: list[float], bounds: Bounds) -> _Column:
    """VAR_POP and VAR_SAMP: (n Q - S**2) / (n (n - 0 or 1)), one division of integers."""
    s_at, q_at, n_at = _index(output.sum), _index(output.squares), _index(output.rows)
    sample = output.function in {"var_samp", "stddev_samp"}
    scale = 100**output.decimals
    values: list[int | float | None] = []
    for s, q, n in zip(measures[s_at], measures[q_at], measures[n_at], strict=True):
        divisor = n - 1 if sample else n
        # Noise can make it negative; a variance is not, and cutting is free post-processing.
        values.append(max(0, n * q - s * s) / (n * divisor * scale) if divisor > 0 else None)
    found = iv.variance(
        _reals(measures[s_at]),
        _reals(measures[q_at]),
        _reals(measures[n_at]),
        (noise[s_at], noise[q_at], noise[n_at]),
        sample=sample,
    )
    if bounds is not None and not sample:  # Popoviciu's inequality
        most = (bounds[1] - bounds[0]) ** 2 / 4
        found = iv.Interval(np.minimum(found.low, most), np.minimum(found.high, most))
    present = np.array([v is not None for v in values], dtype=np.bool_)
    return _Column(
        values, _optional(found.low / scale, present), _optional(found.high / scale, present)
    )


def _deviation(output: Output, measures: Measures, noise: list[float], bounds: Bounds) -> _Column:
    squared = _variance(output, measures, noise, bounds)
    return _Column(
        *(
            [None if v is None else sqrt(v) for v in part]
            for part in (squared.values, squared.low, squared.high)
        )
    )


_FUNCTIONS: Final[dict[str, Callable[[Output, Measures, list[float], Bounds], _Column]]] = {
    "count": _count,
    "sum": _sum,
    "avg": _avg,
    "var_pop": _variance,
    "var_samp": _variance,
    "stddev_pop": _deviation,
    "stddev_samp": _deviation,
}


def _bounds(output: Output, bound: Bound) -> Bounds:
    """Declared bounds of the aggregated value, scaled; they follow from the dataset alone."""
    if output.sum is None:
        return None
    value = bound.aggregate.measures[output.sum].value
    if value is None:
        return None
    found = type_of(value, bound.dataset.columns).bounds
    return None if found is None else (float(found[0]), float(found[1]))


def _domain(key: Key, dataset: Dataset) -> pa.Array:
    import pyarrow as pa

    found = type_of(key.expr, dataset.columns)
    if found.type == "date":
        return pa.array(key.domain, pa.int32()).cast(pa.date32())
    if found.type == "decimal":
        scaled: list[Decimal | None] = [_decimal(v, found.decimals) for v in key.domain]
        return pa.array(scaled, pa.decimal128(_MOST_DIGITS, found.decimals))
    plain = {"integer": pa.int64(), "boolean": pa.bool_()}
    return pa.array(key.domain, plain.get(found.type, pa.string()))


def _arrow_type(output: Output, column: _Column) -> pa.DataType:
    """Counts and sums of integers are int64 where they fit, sums of decimals decimal128."""
    import pyarrow as pa

    if output.function not in {"count", "sum"}:
        return pa.float64()
    figures = (*column.values, *column.low, *column.high)
    whole = output.decimals == 0 or output.function == "count"
    if whole and all(v is None or v in _INT64 for v in figures):
        return pa.int64()
    return pa.decimal128(_MOST_DIGITS, output.decimals)


def _array(values: list[int | float | None], kind: pa.DataType, output: Output) -> pa.Array:
    import pyarrow as pa

    if not pa.types.is_decimal(kind):
        return pa.array(values, kind)
    if any(v is not None and abs(v) >= 10**_MOST_DIGITS for v in values):
        raise JobError(
            Text(
                f"{output.column} has a sum of more than {_MOST_DIGITS} digits",
                f"{output.column} 的合计超过 {_MOST_DIGITS} 位",
            ),
            remedy=Text("sum a value with narrower bounds", "请对范围更窄的值求和"),
        )
    return pa.array([_decimal(v, output.decimals) for v in values], kind)


def _decimal(scaled: Scalar | float, decimals: int) -> Decimal | None:
    return None if scaled is None else Decimal(scaled).scaleb(-decimals, _EXACTLY)


def _reals(values: list[int]) -> iv.Reals:
    return np.array([float(v) for v in values], dtype=np.float64)


def _optional(values: iv.Reals, present: iv.Reals | np.ndarray) -> list[int | float | None]:
    keep = present.astype(np.bool_) & ~np.isnan(values)
    return [v if ok else None for v, ok in zip(values.tolist(), keep.tolist(), strict=True)]


def _index(measure: int | None) -> int:
    if measure is None:
        raise ProtocolError("an output column lacks a measure that its function needs")
    return measure
