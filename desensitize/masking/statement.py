"""One policy becomes one SELECT, in layers: read, then one layer for each step of the methods.

    SELECT c0 AS "身份证号", …, p1 AND c1 IS NULL AS lost1        the release, and what was lost
    FROM (SELECT *, step(c0) AS c0 …                              second methods
    FROM (SELECT *, …                                             first methods
    FROM (SELECT s0, s1 …, row_number() OVER () AS veil_row       what is read

Every layer names plain columns of the one below, so an expression is written and computed once.
What only one column of the source needs is pruned by the engine everywhere else.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, texts pass `literal`, numbers are Decimals

from __future__ import annotations

import json
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import duckdb
from duckdb import func

from desensitize.engines.stored_values import quoted
from desensitize.masking.base import (
    ROW,
    Cell,
    Function,
    Method,
    Percentile,
    Secrets,
    Workshop,
    percentiles_of,
)
from desensitize.masking.read_column import doubt, may_be_unclear, present, read_column
from desensitize.masking.visible import Keep
from desensitize.policy import PublishedColumn, PublishPolicy
from desensitize.row_order import place as place_of
from desensitize.sources import Table
from protos.faults import InputError
from protos.language import Text

_COLUMNS: Final = 32
_HELD: Final = 8_000_000
"""Columns, and values of them, that are held in memory at a time to find percentiles."""


@dataclass(frozen=True)
class Statement:
    """The SELECT of a release, ready to run in the engine of its table.

    Attributes:
        sql: Without any secret in it.
        names: Of the published columns, in order. As many columns follow in ``sql`` as are in
            ``counted``, each true where a value was lost.
        counted: Places of the columns in which values can be lost.
        stored: The engine's type of each published column.
        unclear: Places of those in which the engine says also whether a value was lost because it
            could mean several things; as many columns follow those of ``counted``.
        unmentioned: Columns of the table that the policy does not publish or drop.
        fresh: Columns that come out differently each time.
        late: What Python has still to do, by place; the flag in ``counted`` then says where there
            was a value.
        workshop: What the statement refers to.
    """

    sql: str
    names: tuple[str, ...]
    counted: tuple[int, ...]
    stored: tuple[str, ...]
    unclear: tuple[int, ...]
    unmentioned: tuple[str, ...]
    fresh: tuple[str, ...]
    late: dict[int, Function] = field(repr=False)
    workshop: Workshop = field(repr=False)


def prepare(
    table: Table,
    policy: PublishPolicy,
    secrets: Secrets,
    *,
    methods: Mapping[str, tuple[Method, ...]] | None = None,
    kept: Callable[[Mapping[str, str]], str] = lambda _: "",
    late: Container[str] = (),
    occasion: bytes = b"",
    order: bytes | None = None,
) -> Statement:
    """Puts the statement together and tells the engine what it refers to.

    Args:
        table: What is released; its engine keeps the order of rows.
        policy: What becomes of it.
        secrets: Keys of the domains.
        methods: Of columns whose policy leaves the method to the models, by name.
        kept: Says which rows are released, as a condition over columns as they are published; is
            given the expression of each by name. Empty for all.
        late: Columns of which Python may do its part on the rows that leave the engine, which is
            quicker; ``kept`` must not look at them.
        occasion: Secret bytes of the release, for what is drawn under a key.
        order: Seed of the order of the rows; None for that of the table.

    Raises:
        InputError: The policy and the table do not go together.
    """
    matched = match_columns(table, policy)
    layers, cells = _source(table)
    shop = Workshop(secrets, cells)
    shop.occasion = occasion
    chosen = methods or {}
    steps = [chosen.get(c.name, c.methods) for c in policy.published]
    read = [
        read_column(cells[column.name], column, own, shop)
        for column, own in zip(policy.published, steps, strict=True)
    ]
    doubted = [
        place for place, column in enumerate(policy.published)
        if may_be_unclear(steps[place], late=column.name in late)
    ]  # fmt: skip
    layers.compute(
        {f"c{i}": cell.sql for i, cell in enumerate(read)}
        | {f"p{i}": present(cells[c.name]) for i, c in enumerate(policy.published)}
        | {f"h{i}": read[i].sql for i in doubted}
    )
    current = [Cell(f"c{i}", cell.stored) for i, cell in enumerate(read)]
    for depth in range(max((len(each) for each in steps), default=0)):
        made: dict[int, Cell] = {}
        asked = [
            each for place, own in enumerate(steps) if depth < len(own)
            for each in percentiles_of(own[depth], current[place])
        ]  # fmt: skip
        shop.figures |= _measured(table, asked, layers.sql, shop)
        for place, column in enumerate(policy.published):
            if depth < len(steps[place]) and not isinstance(steps[place][depth], Keep):
                shop.column, shop.bounds = column.name, column.bounds
                made[place] = steps[place][depth].apply(current[place], shop)
                last = depth == len(steps[place]) - 1 and not _to_be_rounded(column, made[place])
                if column.name not in late or not last:
                    made[place] = replace(made[place], late=None)
        if shop.helpers:
            layers.compute(shop.helpers)
            shop.helpers.clear()
        if made:
            layers.compute({f"c{i}": c.late.argument if c.late else c.sql for i, c in made.items()})
        for place, cell in made.items():
            current[place] = Cell(f"c{place}", cell.stored, cell.late)
    if condition := kept({c.name: f"c{i}" for i, c in enumerate(policy.published)}):
        layers.filter(condition)
    # Windows and joins hand rows on as they like.
    by = ROW if shop.unordered or condition else ""
    by = by if order is None else place_of(ROW, shop.variable(order))
    doubts = {}
    for i in doubted:
        doubts[i] = doubt(Cell(f"h{i}", read[i].stored), f"p{i} AND c{i} IS NULL", shop)
    sql, counted = _outermost(layers.sql, policy.published, steps, current, by, doubts)
    tell(table.engine, shop)
    return Statement(
        sql,
        tuple(column.name for column in policy.published),
        counted,
        tuple(cell.stored for cell in current),
        tuple(doubted),
        tuple(column.name for column in table.columns if column.name not in matched),
        tuple(name for name in (c.name for c in policy.published) if name in shop.fresh),
        {place: cell.late.function for place, cell in enumerate(current) if cell.late},
        shop,
    )


def match_columns(table: Table, policy: PublishPolicy) -> frozenset[str]:
    """Compares the columns of table and policy; returns those that the policy speaks of.

    Raises:
        InputError: The table lacks one, has one that the policy refuses, or nothing is published.
    """
    beside = (c.within for c in policy.published if c.within)
    require_columns(table, dict.fromkeys([*policy.columns, *beside]))
    spoken = frozenset(c.name for c in policy.columns.values() if c.published or c.dropped)
    unmentioned(table, policy, spoken)
    if not policy.published:
        raise InputError(
            Text("the policy publishes no column", "策略没有发布任何列"),
            remedy=Text(
                "name methods in publish.methods", "请在 publish.methods 中为要发布的列写明方法"
            ),
            code="policy.nothing",
        )
    return spoken


def require_columns(table: Table, names: Iterable[str]) -> None:
    """Refuses a table that lacks a column.

    Raises:
        InputError: It does; names what it has.
    """
    present = [column.name for column in table.columns]
    if missing := [name for name in names if name not in present]:
        # As a policy writes them, so that spaces and line breaks can be seen and copied.
        written = [json.dumps(name, ensure_ascii=False) for name in present[:30]]
        raise InputError(
            Text(
                f"{table.name} has no column {', '.join(map(repr, missing))}, which the policy "
                "declares",
                f"{table.name} 没有策略中声明的列：{'、'.join(missing)}",
            ),
            remedy=Text(
                f"it has: {', '.join(written)}; names must match exactly",
                f"现有的列：{'、'.join(written)}；列名须完全一致",
            ),
            code="policy.missing_column",
        )


def unmentioned(table: Table, policy: PublishPolicy, spoken: frozenset[str]) -> tuple[str, ...]:
    """Returns the columns of which nothing is said.

    Raises:
        InputError: There is one, and the policy refuses such tables.
    """
    unknown = tuple(c.name for c in table.columns if c.name not in spoken)
    if unknown and policy.unknown_column == "refuse":
        raise InputError(
            Text(
                f"the policy says nothing about {', '.join(map(repr, unknown[:10]))}",
                f"策略未提及这些列：{'、'.join(unknown[:10])}",
            ),
            remedy=Text(
                'say in publish.methods what becomes of them, or write unknown_column = "drop"',
                '请在 publish.methods 中写明处理方式，或写 unknown_column = "drop"',
            ),
            code="policy.unknown_column",
        )
    return unknown


class _Layers:
    """Subqueries, one inside the other; each names the columns that it hands up.

    ``SELECT *`` would say the same, but costs the engine's binder the square of their number.
    """

    def __init__(self, source: str, names: Iterable[str]) -> None:
        self.sql = source
        self._names = list(names)

    def compute(self, columns: Mapping[str, str]) -> None:
        """Computes columns, new ones or anew, by name."""
        kept = [name for name in self._names if name not in columns]
        listed = [*kept, *(f"{sql} AS {name}" for name, sql in columns.items())]
        self.sql = f"(SELECT {', '.join(listed)} FROM {self.sql})"
        self._names = [*kept, *columns]

    def filter(self, condition: str) -> None:
        """Leaves rows out."""
        self.sql = f"(SELECT * FROM {self.sql} WHERE {condition})"


def _source(table: Table) -> tuple[_Layers, dict[str, Cell]]:
    """The innermost layer: columns under plain names, with the numbers of rows."""
    cells = {c.name: Cell(f"s{i}", c.stored) for i, c in enumerate(table.columns)}
    listed = ", ".join(f"{column.raw} AS s{i}" for i, column in enumerate(table.columns))
    numbered = f"SELECT {listed}, row_number() OVER () AS {ROW} FROM {table.sql}"
    return _Layers(f"({numbered})", [*(cell.sql for cell in cells.values()), ROW]), cells


def _to_be_rounded(column: PublishedColumn, cell: Cell) -> bool:
    """Whether a method has made fractions of what is declared to be whole."""
    return column.type == "integer" and cell.stored == "DOUBLE"


def _outermost(
    below: str,
    columns: tuple[PublishedColumn, ...],
    steps: list[tuple[Method, ...]],
    cells: list[Cell],
    by: str,
    doubts: Mapping[int, str],
) -> tuple[str, tuple[int, ...]]:
    outer, counted = [], []
    for place, column in enumerate(columns):
        value = f"c{place}"
        if _to_be_rounded(column, cells[place]):
            value = f"round({value})::BIGINT"
        outer.append(f"{value} AS {quoted(column.name)}")
        if (
            column.type in {"integer", "decimal", "date", "boolean"}
            or column.bounds
            or column.day_first is not None
            or any(not isinstance(method, Keep) for method in steps[place])
        ):
            counted.append(place)
    # The names of flags cannot be those of columns: these are compared by the engine.
    taken = {column.name.casefold() for column in columns}
    flags = [("lost", i, f"p{i}" if cells[i].late else f"p{i} AND c{i} IS NULL") for i in counted]
    flags += [("unclear", place, sql) for place, sql in doubts.items()]
    for what, place, sql in flags:
        name = f"{what}{place}"
        while name in taken:
            name += "_"
        outer.append(f"{sql} AS {name}")
    order = f" ORDER BY {by}" if by else ""
    return f"SELECT {', '.join(outer)} FROM {below}{order}", tuple(counted)


def _measured(
    table: Table, asked: Sequence[Percentile], below: str, shop: Workshop
) -> dict[Percentile, object]:
    """Returns percentiles of the rows below: many columns in one reading.

    The engine's own holds all values in memory. Where they are too many for that, each column is
    put in order, for which the engine uses the disk.
    """
    if not asked:
        return {}
    tell(table.engine, shop)
    [[rows]] = table.engine.sql(f"SELECT count(*) FROM {table.sql}").fetchall()
    if rows > _HELD:
        return {each: _in_order(table.engine, each, below) for each in asked}
    found: dict[Percentile, object] = {}
    together = min(_HELD // max(rows, 1), _COLUMNS)
    for first in range(0, len(asked), together):
        some = asked[first : first + together]
        listed = ", ".join(f"quantile_disc({each.number}, {each.share})" for each in some)
        [figures] = table.engine.sql(f"SELECT {listed} FROM {below}").fetchall()
        found |= zip(some, figures, strict=True)
    return found


def _in_order(engine: duckdb.DuckDBPyConnection, asked: Percentile, below: str) -> object:
    """Returns what ``quantile_disc`` would: the least value that so many do not exceed."""
    numbers = f"SELECT {asked.number} AS x FROM {below}"
    [[there]] = engine.sql(f"SELECT count(x) FROM ({numbers})").fetchall()
    if not there:
        return None
    place = max(math.ceil(there * asked.share), 1) - 1
    # From the nearer end: of few the engine keeps no more than these.
    way = "ASC" if place <= there // 2 else "DESC"
    before = min(place, there - 1 - place)
    [[found]] = engine.sql(
        f"SELECT x FROM ({numbers}) WHERE x IS NOT NULL ORDER BY x {way} LIMIT 1 OFFSET {before}"
    ).fetchall()
    return found


def tell(engine: duckdb.DuckDBPyConnection, shop: Workshop) -> None:
    """Makes known what the statement refers to, each thing once."""
    for name in shop.variables.keys() - shop.told:
        engine.execute(f"SET VARIABLE {name} = $it", {"it": shop.variables[name]}).fetchall()
    for name in shop.functions.keys() - shop.told:
        each = shop.functions[name]
        engine.create_function(
            name, each.compute, [each.takes], each.gives,
            type=func.ARROW, null_handling=func.SPECIAL, side_effects=not each.pure,
        )  # fmt: skip
    shop.told |= shop.variables.keys() | shop.functions.keys()


def forget(engine: duckdb.DuckDBPyConnection, shop: Workshop) -> None:
    """Undoes `tell`, so that another statement can use the names."""
    for name in shop.told:
        if name in shop.functions:
            engine.remove_function(name)
        else:
            engine.execute(f"RESET VARIABLE {name}").fetchall()
    shop.told.clear()
