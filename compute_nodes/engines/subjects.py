"""How many people an exact figure is about, as one expression beside the figures themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import expressions as exp

from catalog.algebra import Case, ColumnRef, Compare, Constant, Expr, Measure
from catalog.exact_rules import sides_of, split_condition
from catalog.typing_rules import children
from compute_nodes.engines.expressions import ExpressionRenderer, column
from desensitize.column import Code, Column


def count_subjects(
    measures: Sequence[Measure],
    renderer: ExpressionRenderer,
    columns: Mapping[str, Column],
    subject: str,
) -> exp.Expr:
    """Counts the subjects that a cell describes: the fewest of any measure.

    A measure may describe fewer than its cell: ``COUNT(CASE WHEN …)`` those that meet the
    condition, a sum those with a value (and, if it has conditions, with a value other than 0). A
    sum over a column of two values describes those on either side of it: total and count together
    say how many they are.

    Args:
        measures: Of the exact statement.
        renderer: Over the table's columns.
        columns: The same columns; their bounds and codes say which have two values.
        subject: Name of the subject column.

    Returns:
        An aggregate expression, one number per group.
    """
    person = column(subject)
    distinct = exp.Count(this=exp.Distinct(expressions=[person]))
    found: dict[str, exp.Expr] = {}
    for measure in measures:
        counted: exp.Expr = distinct.copy()
        if measure.value is not None:
            value = renderer.render(measure.value).sql
            holds: exp.Expr = exp.Not(this=exp.Is(this=value, expression=exp.null()))
            if measure.kind != "count" and _conditional(measure.value):
                holds = exp.and_(
                    holds, exp.NEQ(this=value.copy(), expression=exp.Literal.number(0))
                )
            counted = exp.Filter(this=counted, expression=exp.Where(this=holds))
        found[counted.sql(dialect="duckdb")] = counted
        for side in _sides(measure, renderer, columns):
            beside = exp.Filter(this=distinct.copy(), expression=exp.Where(this=side))
            found[beside.sql(dialect="duckdb")] = beside
    counts = list(found.values())
    return counts[0] if len(counts) == 1 else exp.Anonymous(this="least", expressions=counts)


def _sides(
    measure: Measure, renderer: ExpressionRenderer, columns: Mapping[str, Column]
) -> Iterator[exp.Expr]:
    """Yields, per value of each two-valued column that is summed, who has it among the measured."""
    _, value = split_condition(measure.value)
    if measure.value is None or measure.kind == "count":
        return
    whole = renderer.render(measure.value).sql
    for name, two in sides_of(value, columns).items():
        for side in two:
            has = renderer.render(Compare("=", ColumnRef(name), _as_constant(side, columns[name])))
            yield exp.and_(exp.Not(this=exp.Is(this=whole.copy(), expression=exp.null())), has.sql)


def _as_constant(value: Code, column: Column) -> Constant:
    return Constant(value, column.type, column.decimals)


def _conditional(expr: Expr) -> bool:
    return isinstance(expr, Case) or any(_conditional(child) for child in children(expr))
