"""What an aggregate does with each column, and which values it names: the input of policy rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.algebra import (
    Aggregate,
    Case,
    ColumnRef,
    Compare,
    Constant,
    Expr,
    InList,
    Scalar,
)
from catalog.typing_rules import children, columns_of
from desensitize.column import Column, Use


def uses_of(aggregate: Aggregate) -> dict[str, frozenset[Use]]:
    """Returns what the aggregate does with each column.

    WHERE and conditions inside measures filter; keys group; measured values aggregate.
    """
    pairs: set[tuple[str, Use]] = set()
    if aggregate.predicate is not None:
        pairs |= {(name, "filter") for name in columns_of(aggregate.predicate)}
    for key in aggregate.keys:
        pairs |= {(name, "group") for name in columns_of(key.expr)}
    for measure in aggregate.measures:
        if measure.value is not None:
            pairs |= set(_measured(measure.value))
    names = sorted({name for name, _ in pairs})
    return {name: frozenset(use for n, use in pairs if n == name) for name in names}


def named_values(
    aggregate: Aggregate, columns: Mapping[str, Column]
) -> dict[str, tuple[Scalar, ...]]:
    """Returns, by column, the values that are grouped by or compared with ``=`` or ``IN``.

    Only ``columns`` count; values are in their scaled units. NULL is no value, and a number
    with more decimals than its column can never be met and is left out.
    """
    found: dict[str, dict[Scalar, None]] = {}
    for key in aggregate.keys:
        if isinstance(key.expr, ColumnRef) and key.expr.name in columns:
            found.setdefault(key.expr.name, {}).update(dict.fromkeys(key.domain))
    parts = [key.expr for key in aggregate.keys]
    parts += [m.value for m in aggregate.measures if m.value is not None]
    if aggregate.predicate is not None:
        parts.append(aggregate.predicate)
    for part in parts:
        for name, constant in _equalities(part):
            if name in columns:
                value = _rescaled(constant, columns[name].decimals)
                found.setdefault(name, {})[value] = None
    return {n: tuple(v for v in values if v is not None) for n, values in found.items()}


def _rescaled(constant: Constant, decimals: int) -> Scalar:
    if constant.type not in {"integer", "decimal"} or constant.decimals == decimals:
        return constant.value
    value, more = int(constant.value or 0), decimals - constant.decimals
    if more >= 0:
        return value * int(10**more)
    return None if value % 10**-more else value // int(10**-more)


def _measured(expr: Expr) -> Iterator[tuple[str, Use]]:
    match expr:
        case ColumnRef(name=name):
            yield name, "aggregate"
        case Case(whens=whens, default=default):
            for condition, value in whens:
                for name in columns_of(condition):
                    yield name, "filter"
                yield from _measured(value)
            yield from _measured(default)
        case _:
            for child in children(expr):
                yield from _measured(child)


def _equalities(expr: Expr) -> Iterator[tuple[str, Constant]]:
    match expr:
        case Compare(op="=", left=ColumnRef(name=name), right=Constant() as constant):
            yield name, constant
        case Compare(op="=", left=Constant() as constant, right=ColumnRef(name=name)):
            yield name, constant
        case InList(arg=ColumnRef(name=name), items=items):
            for item in items:
                yield name, item
        case _:
            for child in children(expr):
                yield from _equalities(child)
