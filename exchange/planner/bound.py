"""What binding a statement gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from catalog.algebra import Aggregate
from catalog.dataset import Dataset
from catalog.plan import Mode

OutputFunction = Literal["count", "sum", "avg", "var_pop", "var_samp", "stddev_pop", "stddev_samp"]


@dataclass(frozen=True)
class Output:
    """One column a0, a1, … of the table ``released``, computed from measures.

    With ``n`` = measure ``rows``, ``s`` = measure ``sum`` and ``q`` = measure ``squares``, all
    over values in scaled units from which ``offset`` was taken:

    ==========  ===========================================================
    count       n
    sum         s + offset x n (``rows`` may be None only if offset is 0);
                exact mode always has ``rows``: SUM is NULL where n is 0
    avg         offset + s / n
    var_pop     (n q - s**2) / n**2
    var_samp    (n q - s**2) / (n (n - 1))
    stddev_*    the square root of the variance
    ==========  ===========================================================

    Attributes:
        column: Name in ``released``.
        function: Which aggregate.
        rows: Index of the measure that counts, or None.
        sum: Index of the measure that sums, or None.
        squares: Index of the measure that sums squares, or None.
        decimals: Digits after the point of the aggregated value.
        offset: Taken from every value before summing, in scaled units.
        type: ``integer`` for counts and sums of integers, ``decimal`` for sums of decimals,
            ``double`` for the others.
    """

    column: str
    function: OutputFunction
    rows: int | None
    sum: int | None
    squares: int | None
    decimals: int
    offset: int
    type: Literal["integer", "decimal", "double"]


@dataclass(frozen=True)
class Bound:
    """A statement that is bound to a dataset.

    Attributes:
        dataset: The one dataset that is read.
        aggregate: What nodes compute.
        outputs: The columns a0, a1, … of ``released``.
        post_sql: DuckDB SQL over ``released`` (k0 …, a0 …) that gives the user's result.
        sql: As written.
        mode: For which mode it was bound; measures differ.
    """

    dataset: Dataset
    aggregate: Aggregate
    outputs: tuple[Output, ...]
    post_sql: str
    sql: str
    mode: Mode
