"""How far the noise will move each released column: said before anything is asked.

Follows from the plan and the declaration alone. Counts and sums have the same noise in every
group. An average divides noisy sums by a noisy count, so its noise depends on how many rows
a group has: it is told for groups of stated sizes, never for the true ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10, sqrt
from typing import TYPE_CHECKING, Final

import sqlglot
from sqlglot import exp

from catalog.algebra_text import expr_text
from catalog.plan import Plan
from catalog.typing_rules import value_bound
from exchange.planner.bound import Bound, Output
from exchange.planner.intervals import Z, margin
from protos.language import Text

if TYPE_CHECKING:
    from catalog.calibration import Calibration

SIZES: Final = (1_000, 10_000)  # rows of a group that an average's noise is told for
_SQL_NAMES: Final = {
    "count": "COUNT", "sum": "SUM", "avg": "AVG", "var_pop": "VAR_POP", "var_samp": "VAR_SAMP",
    "stddev_pop": "STDDEV_POP", "stddev_samp": "STDDEV_SAMP",
}  # fmt: skip


def column_names(bound: Bound) -> dict[str, str]:
    """Returns what a reader calls each released column: ``visits = COUNT(*)``."""
    shown: dict[str, str] = {}
    tree = sqlglot.parse_one(bound.post_sql, read="duckdb")
    # The private SELECT is the innermost one; there, a plain projection gives a figure its name.
    for projection in [p for s in tree.find_all(exp.Select) for p in s.expressions]:
        value = projection.unalias()
        if isinstance(value, exp.Column) and value.table == "released":
            shown.setdefault(value.name, projection.alias_or_name)
    names = {}
    for output in bound.outputs:
        name, formula = shown.get(output.column, ""), _formula(bound, output)
        # Without an alias, the name is the formula as it was written.
        own = bool(name) and "(" not in name
        names[output.column] = f"{name} = {formula}" if own else name or formula
    return names


def expected_noise(plan: Plan, bound: Bound, calibration: Calibration) -> tuple[Text, ...]:
    """Returns one line per released column, in the column's own unit.

    Args:
        plan: An ad hoc plan.
        bound: Its statement.
        calibration: Its noise.
    """
    variances = [len(plan.roster) * sigma**2 for sigma in calibration.sigma_node]
    names = column_names(bound)
    lines = []
    for output in bound.outputs:
        said = _noise_of(output, plan, bound, variances)
        lines.append(
            Text(f"{names[output.column]}: {said.en}", f"{names[output.column]}：{said.zh}")
        )
    return tuple(lines)


def _formula(bound: Bound, output: Output) -> str:
    at = output.rows if output.sum is None else output.sum
    value = None if at is None else bound.aggregate.measures[at].value
    return f"{_SQL_NAMES[output.function]}({'*' if value is None else expr_text(value)})"


def _noise_of(output: Output, plan: Plan, bound: Bound, variances: list[float]) -> Text:
    rows = 0.0 if output.rows is None else variances[output.rows]
    if output.function == "count":
        return _everywhere(f"±{margin(rows):,}")
    total = 0.0 if output.sum is None else variances[output.sum]
    unit = 10.0**output.decimals
    if output.function == "sum":
        half = Z * sqrt(total + output.offset**2 * rows) / unit
        return _everywhere(f"±{rounded(half)}")
    if output.function == "avg" and output.sum is not None:
        widest = value_bound(plan.aggregate.measures[output.sum], bound.dataset.columns)
        told = {n: _ratio(n, widest, total, rows) / unit for n in SIZES}
        return _average(told)
    return _SPREAD


def _ratio(n: int, widest: float, total: float, rows: float) -> float:
    """Half-width of sum / count over ``n`` rows, at most: Fieller's interval at the far bound."""
    room = n**2 - Z**2 * rows
    if room <= 0:
        return widest
    return min(widest, Z * n * sqrt(total + rows * widest**2) / room)


def _average(told: Mapping[int, float]) -> Text:
    en = ", ".join(f"±{rounded(half)} in a group of {n:,} rows" for n, half in told.items())
    zh = "，".join(f"{n:,} 行的分组不超过 ±{rounded(half)}" for n, half in told.items())
    return Text(
        f"at most {en}; the answer says it for each group",
        f"{zh}；每个分组的区间随结果给出",
    )


def rounded(half: float) -> str:
    """Writes a half-width with two significant digits: ``27``, ``2.4``, ``0.031``."""
    digits = min(6, max(0, 1 - floor(log10(half)))) if half > 0 else 0
    return f"{half:,.{digits}f}"


def _everywhere(width: str) -> Text:
    return Text(f"{width} in 95 % of cases", f"95% 的情况下在 {width} 以内")


_SPREAD: Final = Text(
    "from a noisy sum, a noisy sum of squares and a noisy count; its interval comes with the "
    "answer",
    "由带噪的合计、平方和与计数算出；其区间随结果给出",
)
