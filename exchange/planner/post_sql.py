"""Rewrites everything above the private aggregate into DuckDB SQL over the table ``released``.

The private SELECT keeps its shape: its FROM becomes ``released``, its WHERE moves down to the
departments, its HAVING becomes the WHERE over released cells, and in every other expression a
group key becomes k0, k1, … and an aggregate a0, a1, …. Outer SELECTs stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from catalog.sql_gate import Statement
from catalog.sql_words import AGGREGATES
from exchange.planner.expressions import Translator
from protos.faults import SqlError
from protos.language import Text

TABLE: Final = "released"


@dataclass(frozen=True)
class KeyNode:
    """A group key: its syntax with resolved names, and its column in ``released``."""

    node: exp.Expr
    column: str


class Lifter:
    """Replaces keys and aggregates in expressions above the aggregate.

    Args:
        statement: For places in errors.
        translator: Resolves column names.
        keys: The group keys.
        aliases: Names that the SELECT list gives, lower case.
        add: Takes an aggregate and returns its column.
    """

    def __init__(
        self,
        statement: Statement,
        translator: Translator,
        keys: Sequence[KeyNode],
        aliases: frozenset[str],
        add: Callable[[exp.Expr], str],
    ) -> None:
        self._statement = statement
        self._translator = translator
        self._keys = keys
        self._aliases = aliases
        self._add = add

    def lift(self, node: exp.Expr) -> exp.Expr:
        """Returns ``node`` over ``released``.

        Raises:
            SqlError: A column is neither grouped nor aggregated, or an aggregate is refused.
        """
        return node.transform(self._replaced)

    def _replaced(self, node: exp.Expr) -> exp.Expr:
        if self._is_ordering_alias(node):
            return node
        for key in self._keys:
            if type(node) is type(key.node) and node == key.node:
                return _released(key.column)
        if is_private_aggregate(node):
            return _released(self._add(node))
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            raise self._statement.refuse(
                node,
                Text("rows themselves never leave a department", "明细行不出域"),
                remedy=Text(
                    "name aggregates: COUNT(*), SUM(x), AVG(x)",
                    "请写出汇总：COUNT(*)、SUM(x)、AVG(x)",
                ),
                code="sql.rows",
            )
        return node

    def _is_ordering_alias(self, node: exp.Expr) -> bool:
        """A bare name in the outer ORDER BY means the result column first, then the dataset's."""
        if not isinstance(node, exp.Column) or node.table:
            return False
        ordered = node.parent
        clause = ordered.parent if isinstance(ordered, exp.Ordered) else None
        return (
            isinstance(clause, exp.Order)
            and not isinstance(clause.parent, exp.Window)
            and node.name.casefold() in self._aliases
        )

    def _column(self, node: exp.Column) -> exp.Expr:
        name = self._translator.resolve(node)
        if not node.table and node.name.casefold() in self._aliases:
            return node
        if name is None:
            raise self._translator.unknown(node, tuple(sorted(self._aliases)))
        raise self._ungrouped(node, name)

    def _ungrouped(self, node: exp.Column, name: str) -> SqlError:
        return self._statement.refuse(
            node,
            Text(
                f"column {name!r} is neither grouped nor aggregated",
                f"列 {name!r} 既未分组也未汇总",
            ),
            remedy=Text(
                f"add it to GROUP BY, or aggregate it: AVG({name}), COUNT({name})",
                f"请加入 GROUP BY，或作汇总：AVG({name})、COUNT({name})",
            ),
            code="sql.rows",
        )


def is_private_aggregate(node: exp.Expr) -> bool:
    """An aggregate over rows; a window over aggregates is none, though it has the same name."""
    if not (type(node) in AGGREGATES or isinstance(node, exp.Filter)):
        return False
    inner: exp.Expr = node
    parent = node.parent
    # FILTER and IGNORE NULLS stand between an aggregate and its OVER.
    while isinstance(parent, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        inner, parent = parent, parent.parent
    return not (isinstance(parent, exp.Window) and parent.this is inner)


def rewritten(
    statement: Statement,
    private: exp.Select,
    lifter: Lifter,
) -> exp.Select:
    """Returns the private SELECT as a SELECT over ``released``."""
    post = exp.Select()
    names = [_shown(statement, projection) for projection in private.expressions]
    lifted = [lifter.lift(projection.unalias()) for projection in private.expressions]
    post.set("expressions", [
        # A bare alias keeps its own name; naming it again would make it refer to itself.
        value if value == projection else exp.alias_(value, name, quoted=True)
        for projection, value, name in zip(private.expressions, lifted, names, strict=True)
    ])  # fmt: skip
    post.set("from_", exp.From(this=exp.to_table(TABLE)))
    if (having := private.args.get("having")) is not None:
        post.set("where", exp.Where(this=lifter.lift(having.this)))
    for part in ("distinct", "qualify", "order"):
        if (clause := private.args.get(part)) is not None:
            post.set(part, lifter.lift(clause))
    for part in ("limit", "offset"):
        if (clause := private.args.get(part)) is not None:
            post.set(part, clause.copy())
    if windows := private.args.get("windows"):
        post.set("windows", [lifter.lift(window) for window in windows])
    return post


def _shown(statement: Statement, projection: exp.Expr) -> str:
    """The name of a result column: the alias, the column's name, or the text as written."""
    if isinstance(projection, exp.Column | exp.Alias):
        return projection.alias_or_name
    return " ".join(statement.places.text(projection).split())


def _released(column: str) -> exp.Column:
    return exp.column(column, table=TABLE)


def check_reserved(
    statement: Statement, private: exp.Select, released: frozenset[str], lifted: exp.Select
) -> None:
    """Refuses an alias that is used inside its own SELECT and would mean a released column.

    Raises:
        SqlError: Such an alias exists.
    """
    used = {c.name.casefold() for c in lifted.find_all(exp.Column) if not c.table}
    for projection in private.expressions:
        alias = projection.alias.casefold()
        if alias in released and alias in used:
            raise statement.refuse(
                projection,
                Text(
                    f"the name {projection.alias!r} has a meaning of its own here",
                    f"名称 {projection.alias!r} 在此另有含义",
                ),
                remedy=Text("give the column another name", "请给该列换一个名称"),
            )
