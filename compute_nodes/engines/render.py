"""A node's part of a plan as one SELECT, and its result as one vector.

The statement is written here, from typed algebra, for this engine; SQL that an analyst wrote is
never executed by a node. One GROUP BY over the key expressions; the vector is put together from
the rows afterwards, so cells without rows are 0 and rows outside the declared domain fall away.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from sqlglot import expressions as exp

from catalog.algebra import (
    Aggregate,
    ColumnRef,
    Key,
    Measure,
    Scalar,
)
from catalog.typing_rules import columns_of, value_bound
from compute_nodes.engines.expressions import (
    ExpressionRenderer,
    Rendered,
    column,
    constant,
    widened,
)
from compute_nodes.engines.subjects import count_subjects
from desensitize.column import Code, Column
from desensitize.engines.reports import RANK
from desensitize.engines.worker import RenderedSql
from protos.faults import UnavailableError
from protos.language import Text

if TYPE_CHECKING:
    import pyarrow as pa

_BIGINT: Final = 1 << 63
_SUBJECTS: Final = "subjects"


def render(
    aggregate: Aggregate,
    columns: Mapping[str, Column],
    *,
    max_rows: int,
    clip: Collection[str] = (),
    rank_limit: int | None = None,
    subject: str | None = None,
    only: Mapping[str, Sequence[Code]] | None = None,
) -> RenderedSql:
    """Writes the SELECT of one department's part.

    Args:
        aggregate: What to compute.
        columns: Declared columns, with the bounds that hold here (the policy's).
        max_rows: Bound on the rows of the table; decides between 64- and 128-bit sums.
        clip: Columns whose data leave their declaration (from the load report): numbers are
            clipped to their bounds, keys are kept to their domain.
        rank_limit: Use at most so many rows of a subject; None for all (then the table needs no
            rank column).
        subject: Name of the subject column if subjects per cell are to be counted, too.
        only: Column → the values for which this department answers; rows with others are left out.

    Returns:
        SQL over table ``data`` with columns ``k0…``, ``m0…`` and, if asked for, ``subjects``.

    Raises:
        InputError: The algebra does not type, or a value could need more than 127 bits.
    """
    renderer = ExpressionRenderer(columns, clip)
    keys = [renderer.render(key.expr).sql for key in aggregate.keys]
    select = exp.select(
        *[exp.alias_(key.copy(), f"k{i}") for i, key in enumerate(keys)],
        *[
            exp.alias_(_measure(measure, renderer, columns, max_rows), f"m{i}")
            for i, measure in enumerate(aggregate.measures)
        ],
    ).from_("data")
    if subject is not None:
        counted = count_subjects(aggregate.measures, renderer, columns, subject)
        select = select.select(exp.alias_(counted, _SUBJECTS))
    if rank_limit is not None:
        rank = column(RANK)
        select = select.where(exp.LTE(this=rank, expression=exp.Literal.number(rank_limit)))
    whole = _finished(select, aggregate, renderer, clip, only or {})
    return RenderedSql(whole.sql(dialect="duckdb"))


def dominance_sql(
    aggregate: Aggregate,
    columns: Mapping[str, Column],
    *,
    subject: str,
    largest: int,
    clip: Collection[str] = (),
    only: Mapping[str, Sequence[Code]] | None = None,
) -> RenderedSql | None:
    """Writes the SELECT that finds how much the largest contributors hold of each cell.

    A contribution is the absolute value of what one subject adds to a summed value; NULL
    subjects count as one.

    Args:
        aggregate: What the exact answer would release.
        columns: Declared columns.
        subject: Name of the subject column.
        largest: n of the (n, k) rule.
        clip: As for `render`.
        only: As for `render`.

    Returns:
        SQL with columns ``k0…`` and, per summed measure i, ``top{i}`` and ``all{i}`` as decimal
        text; None when nothing is summed.
    """
    summed = [m for m in aggregate.measures if m.kind == "sum" and m.value is not None]
    if not summed:
        return None
    renderer = ExpressionRenderer(columns, clip)
    keys = [renderer.render(key.expr).sql for key in aggregate.keys]
    person = column(subject)
    inner = exp.select(
        *[exp.alias_(key.copy(), f"k{i}") for i, key in enumerate(keys)],
        *[
            exp.alias_(_call("abs", exp.Sum(this=widened(renderer.render(m.value)).sql)), f"c{i}")
            for i, m in enumerate(summed)
            if m.value is not None
        ],
    ).from_("data")
    parts = _finished(inner, aggregate, renderer, clip, only or {}).group_by(person)
    names = [exp.column(f"k{i}") for i in range(len(keys))]
    outer = exp.select(*names).from_(parts.subquery("parts"))
    for i in range(len(summed)):
        share = exp.column(f"c{i}")
        ordered = exp.Anonymous(this="max", expressions=[share, exp.Literal.number(largest)])
        # Text, not a list of sums: the engine would add the n largest as floats.
        outer = outer.select(
            exp.alias_(exp.cast(ordered, "VARCHAR[]"), f"top{i}"),
            exp.alias_(exp.cast(exp.Sum(this=share.copy()), "VARCHAR"), f"all{i}"),
        )
    if names:
        outer = outer.group_by(*[name.copy() for name in names])
    return RenderedSql(outer.sql(dialect="duckdb"))


def to_vector(table: pa.Table, aggregate: Aggregate) -> list[int]:
    """Reads the result of `render` as the measure-major vector over the declared cells.

    Raises:
        UnavailableError: The table is not a result of this aggregate.
    """
    cells, inside = _cells(table, aggregate.keys)
    vector: list[int] = []
    for i in range(len(aggregate.measures)):
        vector += _scattered(_integers(table, f"m{i}"), cells, inside, aggregate.cells)
    return vector


def subject_counts(table: pa.Table, aggregate: Aggregate) -> list[int]:
    """Reads the subjects per cell from the result of `render` with ``subject``.

    Raises:
        UnavailableError: The table has no such column.
    """
    cells, inside = _cells(table, aggregate.keys)
    return _scattered(_integers(table, _SUBJECTS), cells, inside, aggregate.cells)


def dominance_vetoes(table: pa.Table, aggregate: Aggregate, most: float) -> list[bool]:
    """Reads the result of `dominance_sql`: where the largest contributors hold more than ``most``.

    Args:
        table: The result.
        aggregate: The aggregate it belongs to.
        most: k of the (n, k) rule, in (0, 1].

    Returns:
        Per declared cell: whether this department vetoes it.
    """
    cells, inside = _cells(table, aggregate.keys)
    limit = Fraction(str(most))
    vetoed = np.zeros(aggregate.cells, dtype=np.bool_)
    i = 0
    while f"top{i}" in table.column_names:
        tops = table.column(f"top{i}").to_pylist()
        totals = table.column(f"all{i}").to_pylist()
        over = [
            top is not None and total is not None and sum(map(int, top)) > limit * int(total)
            for top, total in zip(tops, totals, strict=True)
        ]
        vetoed[cells[inside & np.array(over, dtype=np.bool_)]] = True
        i += 1
    return [bool(v) for v in vetoed]


def _measure(
    measure: Measure,
    renderer: ExpressionRenderer,
    columns: Mapping[str, Column],
    max_rows: int,
) -> exp.Expr:
    if measure.value is None:
        return exp.Count(this=exp.Star())
    value = renderer.render(measure.value)
    if measure.kind == "count":
        return exp.Count(this=value.sql)
    bound = value_bound(measure, columns)
    deviation = _minus(value, measure.offset)
    if measure.kind == "sum_squares":
        one = widened(deviation) if bound >= _BIGINT else deviation
        squared = exp.Mul(this=one.sql, expression=deviation.sql.copy())
        deviation = Rendered(exp.Paren(this=squared), bound, one.wide)
    total = exp.Coalesce(this=exp.Sum(this=deviation.sql), expressions=[exp.Literal.number(0)])
    # What may not fit 64 bits crosses as text: Arrow has no 128-bit integer.
    return exp.cast(total, "BIGINT" if bound * max(1, max_rows) < _BIGINT else "VARCHAR")


def _minus(value: Rendered, offset: int) -> Rendered:
    if offset == 0:
        return value
    most = value.most + abs(offset)
    if most >= _BIGINT:
        value = widened(value)
    moved = exp.Sub(this=value.sql, expression=constant(offset, "integer").sql)
    return Rendered(exp.Paren(this=moved), most, value.wide)


def _finished(
    select: exp.Select,
    aggregate: Aggregate,
    renderer: ExpressionRenderer,
    clip: Collection[str],
    only: Mapping[str, Sequence[Code]],
) -> exp.Select:
    for name, codes in only.items():
        kept = [constant(code, renderer.type_of(ColumnRef(name)).type).sql for code in codes]
        inside = exp.In(this=column(name), expressions=kept)
        select = select.where(exp.or_(inside, exp.Is(this=column(name), expression=exp.null())))
    if aggregate.predicate is not None:
        select = select.where(renderer.render(aggregate.predicate).sql)
    for key in aggregate.keys:
        if columns_of(key.expr) & set(clip):
            select = select.where(_inside(key, renderer))
    # By position: a name could be a column's, and a constant key would be taken for a position.
    for i in range(len(aggregate.keys)):
        select = select.group_by(exp.Literal.number(i + 1))
    return select


def _inside(key: Key, renderer: ExpressionRenderer) -> exp.Expr:
    """Keeps a key to its domain, so that stray values cannot make millions of groups."""
    sql = renderer.render(key.expr).sql
    kind = renderer.type_of(key.expr).type
    listed = [constant(value, kind).sql for value in key.domain if value is not None]
    tests: list[exp.Expr] = []
    if listed:
        tests.append(exp.In(this=sql.copy(), expressions=listed))
    if None in key.domain:
        tests.append(exp.Is(this=sql.copy(), expression=exp.null()))
    return exp.Paren(this=exp.or_(*tests))


def _call(name: str, *args: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(args))


def _cells(table: pa.Table, keys: Sequence[Key]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Returns, per row, its cell and whether it is in the declared domain."""
    cells = np.zeros(table.num_rows, dtype=np.int64)
    inside = np.ones(table.num_rows, dtype=np.bool_)
    for i, key in enumerate(keys):
        places: dict[Scalar, int] = {value: place for place, value in enumerate(key.domain)}
        encoded = _column(table, f"k{i}").dictionary_encode(null_encoding="encode")
        known = [places.get(value, -1) for value in encoded.dictionary.to_pylist()]
        place = np.array([*known, -1], dtype=np.int64)[_numbers(encoded.indices)]
        inside &= place >= 0
        cells = cells * len(key.domain) + place
    return cells, inside


def _scattered(
    values: NDArray[np.int64] | list[int],
    cells: NDArray[np.int64],
    inside: NDArray[np.bool_],
    size: int,
) -> list[int]:
    if isinstance(values, list):
        filled = [0] * size
        for value, cell, counts in zip(values, cells.tolist(), inside.tolist(), strict=True):
            if counts:
                filled[cell] = value
        return filled
    vector = np.zeros(size, dtype=np.int64)
    vector[cells[inside]] = values[inside]
    return [int(v) for v in vector]


def _integers(table: pa.Table, name: str) -> NDArray[np.int64] | list[int]:
    import pyarrow as pa

    column = _column(table, name)
    if column.null_count:
        raise _foreign(f"{name} has NULLs")
    if pa.types.is_string(column.type):
        return [int(text) for text in column.to_pylist()]
    if not pa.types.is_int64(column.type):
        raise _foreign(f"{name} is {column.type}")
    return _numbers(column)


def _numbers(column: pa.Array) -> NDArray[np.int64]:
    """The same memory as an array; pyarrow's own ``to_numpy`` would import pandas: 1 s, 50 MB."""
    return np.from_dlpack(column).astype(np.int64, copy=False)


def _column(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        raise _foreign(f"there is no column {name}")
    return table.column(name).combine_chunks()


def _foreign(detail: str) -> UnavailableError:
    return UnavailableError(
        Text("the department's engine gave an unexpected result", "该部门的引擎返回了意外结果"),
        code="engine.result",
        detail=detail,
    )
