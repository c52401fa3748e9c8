"""Bounds of measures and totals, from declarations alone.

From the range of an expression (``catalog.expression_types``) follow the sensitivity of a measure
and the ring that no total can leave; a node derives both itself and trusts no plan for them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from catalog.algebra import Aggregate, Measure
from catalog.dataset import Dataset
from catalog.expression_types import (
    EPOCH,
    MAX_DECIMALS,
    NUMBERS,
    ExprType,
    ValueType,
    children,
    columns_of,
    expect_type,
    type_of,
    unified,
)
from catalog.intervals import Interval
from catalog.plan import Bits, Plan
from desensitize.column import Column
from protos.faults import InputError
from protos.language import Text

__all__ = [
    "EPOCH",
    "MAX_DECIMALS",
    "ExprType",
    "ValueType",
    "bits_needed",
    "check_aggregate",
    "children",
    "columns_of",
    "magnitude",
    "type_of",
    "unified",
    "value_bound",
]

MIN_EPSILON: Final = 1e-9  # below it nothing is left of any answer
_TAIL: Final = 16  # standard deviations; a larger discrete Gaussian has probability < 2**-180


def value_bound(measure: Measure, columns: Mapping[str, Column]) -> int:
    """Returns the most that one row can add to ``measure``, in absolute value (at least 1).

    Raises:
        InputError: The value is not a number, or a column it needs has no declared bounds.
    """
    if measure.kind in {"rows", "count"}:
        return 1
    low, high = _measured(measure, columns)
    widest = max(abs(low - measure.offset), abs(high - measure.offset), 1)
    return widest**2 if measure.kind == "sum_squares" else widest


def magnitude(plan: Plan, dataset: Dataset) -> int:
    """Returns a proven bound on the absolute value of every element of the opened total.

    max_rows x members x the bound of one row, plus 16 standard deviations of all the noise. The
    classic conversion rho = (sqrt(ln(1/delta) + eps) - sqrt(ln(1/delta)))**2 (Bun and Steinke
    2016, Proposition 1.3) is never above the tighter one that calibrates the noise, so the
    deviation here is never below the real one.

    Raises:
        InputError: A measure has no bound, or the plan's privacy parameters make no sense.
    """
    members = len(plan.roster)
    bounds = [value_bound(m, dataset.columns) for m in plan.aggregate.measures]
    if max(bounds) >= 1 << 127:
        raise _too_wide()
    tail = [0] * len(bounds)
    if plan.mode == "adhoc":
        alone = plan.protocol == "sealed" or plan.is_open
        holders = 1 if alone else plan.threshold - plan.colluders
        if not (plan.epsilon >= MIN_EPSILON and 0 < plan.delta < 1 and holders >= 1):
            raise InputError(
                Text(
                    f"the plan needs epsilon of at least {MIN_EPSILON:g}, 0 < delta < 1, and a "
                    "threshold above colluders",
                    f"计划的 epsilon 须不低于 {MIN_EPSILON:g}，0 < delta < 1，门限须大于 colluders",
                ),
                code="plan.privacy",
            )
        odds = math.log(1 / plan.delta)
        # The difference of the roots, written so that a small epsilon is not lost in rounding.
        rho = (plan.epsilon / (math.sqrt(odds + plan.epsilon) + math.sqrt(odds))) ** 2
        share = math.sqrt(len(bounds) / (2 * rho))
        overlap = 1 if dataset.subjects_disjoint else members
        rows = dataset.max_rows_per_subject * overlap
        tail = [
            math.ceil(_TAIL * math.sqrt(members) * max(2.0, b * rows * share / math.sqrt(holders)))
            for b in bounds
        ]
    return max(b * dataset.max_rows * members + t for b, t in zip(bounds, tail, strict=True))


def bits_needed(plan: Plan, dataset: Dataset) -> Bits:
    """Returns the narrowest ring Z_(2**bits) in which no signed total can wrap.

    ``plan.bits`` is ignored.

    Raises:
        InputError: Even 128 bits are too few (code ``bounds.too_wide``), or no bound exists.
    """
    most = magnitude(plan, dataset)
    widths: tuple[Bits, ...] = (32, 64, 128)
    for bits in widths:
        if most < 1 << (bits - 1):
            return bits
    raise _too_wide()


def check_aggregate(aggregate: Aggregate, columns: Mapping[str, Column]) -> None:
    """Checks everything about ``aggregate`` that its JSON form cannot express.

    Raises:
        InputError: A type does not hold, a key's domain is empty, repeats a value or has values
            of another type, or a measure's value does not suit its kind.
    """
    if not aggregate.measures:
        raise InputError(
            Text("the plan releases no measure", "计划没有发布任何度量"), code="plan.empty"
        )
    if aggregate.predicate is not None:
        expect_type(
            type_of(aggregate.predicate, columns),
            {"boolean"},
            Text("WHERE needs a condition", "WHERE 需要条件"),
        )
    for key in aggregate.keys:
        _check_domain(type_of(key.expr, columns), key.domain)
    for measure in aggregate.measures:
        if (measure.value is None) != (measure.kind == "rows"):
            raise InputError(f"measure {measure.kind} has a wrong value", code="plan.measure")
        if measure.kind in {"rows", "count"} and measure.offset:
            raise InputError("a count has no offset", code="plan.measure")
        if measure.value is not None:
            type_of(measure.value, columns)
        value_bound(measure, columns)


def _measured(measure: Measure, columns: Mapping[str, Column]) -> Interval:
    if measure.value is None:
        raise InputError(f"measure {measure.kind} has no value", code="plan.measure")
    found = type_of(measure.value, columns)
    expect_type(
        found,
        NUMBERS,
        Text("only numbers can be summed", "只有数字可以求和"),
        Text("count it: COUNT(x), or GROUP BY it", "请计数：COUNT(x)，或按它 GROUP BY"),
    )
    if found.bounds is None:
        names = ", ".join(n for n in sorted(columns_of(measure.value)) if columns[n].bounds is None)
        raise InputError(
            Text(
                f"no bounds are declared for {names or 'this value'}, so it cannot be summed "
                "safely",
                f"{names or '该值'}没有声明范围，无法安全求和",
            ),
            remedy=Text(
                "ask the owners to declare bounds for it in the dataset",
                "请数据方在数据集中声明其范围",
            ),
            code="bounds.missing",
        )
    return found.bounds


def _too_wide() -> InputError:
    return InputError(
        Text("a total could need more than 128 bits", "合计可能超过 128 位"),
        remedy=Text(
            "aggregate a value with narrower bounds, or without squares",
            "请汇总范围更窄的值，或不要平方",
        ),
        code="bounds.too_wide",
    )


def _check_domain(found: ExprType, domain: tuple[object, ...]) -> None:
    python: dict[str, type] = {"string": str, "boolean": bool, "null": type(None)}
    expected = python.get(found.type, int)
    values = [v for v in domain if v is not None]
    if not domain or len({(type(v), v) for v in domain}) != len(domain):
        raise InputError("a group key's domain is empty or repeats a value", code="plan.domain")
    if any(type(v) is not expected for v in values):
        raise InputError("a group key's domain has values of another type", code="plan.domain")
