"""What an attacker works with: the release, and what the original looks like once masked.

The attacker knows the policy (Kerckhoffs): whatever he knows of a person he treats as the policy
does, as far as that needs no key and no chance, and then compares. So the original goes through
the very statement of the release, with the methods that anybody can repeat. Rows of the release
stand in an order that only the original tells (`row_order`), and those that models have left out
are whole classes: so each row's own original is known to us, who have to say whether an attacker is
right, but not to him.

Everything lies in tables of the engine, which go to disk when memory is full:

==============  ================================================================================
`HERE`          the release: a code for each cell, row by row
`THERE`         the original, masked: its released rows first, in the order of the release
`CELLS`         each combination of the known columns, with how many rows both tables have of it
==============  ================================================================================

A code is a hash of 64 bits, so that rows are compared as numbers whatever is in them. Two of n
different values of a column share one with a chance below n² / 2⁶⁵: 3 in 10,000 for a hundred
million of them, and then a single row is judged wrongly.
"""

# ruff: noqa: S608 - own SQL: names pass `quoted`, the rest is made here

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from desensitize.engines.stored_values import quoted
from desensitize.engines.tables import make_table
from desensitize.keys import TokenKeys
from desensitize.masking.base import Cell, Method
from desensitize.masking.readings import as_date, as_number
from desensitize.masking.statement import forget, prepare
from desensitize.policy import PublishedColumn, PublishPolicy
from desensitize.sources import SourceColumn, Table

HERE: Final = "veil_here"
THERE: Final = "veil_there"
CELLS: Final = "veil_cells"


@dataclass(frozen=True)
class View:
    """Both tables, laid side by side.

    Attributes:
        policy: What was done.
        release: The published table.
        original: The table that it was made of, in the same engine.
        rows: Of the release.
        methods: What was done to each column that anybody can repeat from the original values, by
            name, in order.
        codes: Where `HERE` has the codes of these and of sensitive columns, by name; `THERE` and
            `CELLS` have those of the known ones, equal for equal cells.
        near: Where `HERE` has columns that come out near what they were, as numbers, by name.
        origin: Whether `THERE` tells which row of the original each row of the release was.
    """

    policy: PublishPolicy
    release: Table
    original: Table
    rows: int
    methods: dict[str, tuple[Method, ...]]
    codes: dict[str, str]
    near: dict[str, str]
    origin: bool

    @property
    def known(self) -> tuple[str, ...]:
        """Names of the columns that anybody can repeat."""
        return tuple(self.methods)

    def identifying(self) -> tuple[str, ...]:
        """Returns the known columns that somebody may know of a person."""
        columns = self.policy.columns
        return tuple(n for n in self.known if columns[n].quasi or columns[n].role == "direct")

    def ask(self, sql: str) -> tuple[int, ...]:
        """Returns the one row of whole numbers that a statement gives."""
        [row] = self.release.engine.sql(sql).fetchall()
        return tuple(int(each or 0) for each in row)

    def fetch(self, sql: str) -> pa.Table:
        """Returns what a statement gives; for little."""
        return self.release.engine.sql(sql).to_arrow_table()

    def stream(self, sql: str) -> pa.RecordBatchReader:
        """Returns what a statement gives, a batch at a time; the engine must do nothing else."""
        return self.release.engine.sql(sql).to_arrow_reader(BATCH)

    def count(
        self, table: str, names: Sequence[str], sql: Callable[[str], str], *, within: str = ""
    ) -> tuple[int, ...]:
        """Adds up what a statement counts over classes, as many at a time as fit into memory.

        Args:
            table: Whose classes: `CELLS`, or one with rows of the release.
            names: The known columns that make a class.
            sql: Gives the statement, for the condition that a row is of a class whose turn it is.
            within: Expression by which it divides each class further.
        """
        turns = parts(self.release, table, self.keys(names), within)
        found = [self.ask(sql(turn)) for turn in turns]
        return tuple(sum(figures) for figures in zip(*found, strict=True))

    def classes(self, names: Sequence[str], turn: str) -> str:
        """Returns the combinations of some known columns, with the rows of both tables in each.

        Args:
            names: The columns.
            turn: Condition on rows; see `count`.
        """
        keys = self.keys(names)
        listed = ", ".join([*keys, "sum(here)::BIGINT AS here", "sum(there)::BIGINT AS there"])
        by = f" GROUP BY {', '.join(keys)}" if keys else ""
        return f"(SELECT {listed} FROM {CELLS} WHERE {turn}{by})"

    def keys(self, names: Sequence[str]) -> list[str]:
        """Returns where the codes of some columns are."""
        return [self.codes[name] for name in names]


BATCH: Final = 65_536
"""Rows of one batch."""
TURN: Final = 4_000_000
"""Classes that are grouped at a time, some 100 bytes each. The engine groups more than fit into
memory by way of the disk, but needs memory in proportion all the same, and takes many times as long
as it takes to read the rows once for each turn."""


def parts(table: Table, name: str, keys: Sequence[str], within: str = "") -> list[str]:
    """Returns conditions that divide rows by their class, each for about `TURN` groups or fewer.

    Args:
        table: Whose engine it is.
        name: Of a table of that engine.
        keys: Its columns that make a class.
        within: Expression that divides each class into groups; a class is not divided itself.
    """
    [[rows]] = table.engine.sql(f"SELECT count(*) FROM {name}").fetchall()
    if rows <= TURN or not keys:
        return ["true"]
    mark = f"hash({', '.join(keys)})"
    each = f"hash({', '.join([*keys, within])})" if within else mark
    [[groups]] = table.engine.sql(f"SELECT approx_count_distinct({each}) FROM {name}").fetchall()
    # An odd number of turns: the engine finds a class by the last bits of the very same hash.
    turns = -(-groups // TURN) // 2 * 2 + 1
    return [f"{mark} % {turns} = {turn}" for turn in range(turns)]


def text(table: Table, name: str) -> str:
    """Returns the expression of a column's cells as a reader sees them."""
    return f"{column_of(table, name).raw}::VARCHAR"


def code(cell: str) -> str:
    """Returns the expression of a cell's code. A missing value is a value like any other."""
    return f"hash({cell})"


def number(
    table: Table,
    name: str,
    like: SourceColumn | None = None,
    rule: PublishedColumn | None = None,
) -> str:
    """Returns the expression of a column as numbers, a date as its day; NaN for what is neither.

    Args:
        table: Has it.
        name: Of the column.
        like: The column that it became: where that holds days, numbers are a form of them.
        rule: What the policy says of how it is written.
    """
    column = column_of(table, name)
    cell = Cell(column.raw, column.stored)
    read = as_date(cell, day_first=None if rule is None else rule.day_first)
    day = f"date_diff('day', DATE '1970-01-01', {read.sql})::DOUBLE"
    if like is not None and like.stored == "DATE":
        return f"coalesce({day}, 'nan'::DOUBLE)"
    return f"coalesce(({as_number(cell).sql})::DOUBLE, {day}, 'nan'::DOUBLE)"


def numbered(table: Table, columns: Mapping[str, str]) -> str:
    """Returns rows with their number from 0, ``line``, and some expressions by name."""
    listed = "".join(f", {sql} AS {name}" for name, sql in columns.items())
    return f"(SELECT row_number() OVER () - 1 AS line{listed} FROM {table.sql})"


def column_of(table: Table, name: str) -> SourceColumn:
    """Returns a column of a table by its name."""
    return next(column for column in table.columns if column.name == name)


def mask_into(
    name: str,
    table: Table,
    policy: PublishPolicy,
    methods: Mapping[str, tuple[Method, ...]],
    cell: Callable[[str], str] = code,
) -> None:
    """Runs the release's own statement over a table, for some of its columns.

    Args:
        name: Of the table to make: one column per entry of ``methods``, c0 and on, and the rows
            in order.
        table: Has these columns.
        policy: Says how they are read.
        methods: What to do, by column; nothing that needs a key.
        cell: Gives the expression of what is kept of a text.
    """
    if not methods:
        make(table, name, f"SELECT 0 AS nothing FROM {table.sql}")
        return
    columns = {
        each: replace(policy.columns[each], methods=steps, hierarchy=None)
        for each, steps in methods.items()
    }
    asked = replace(policy, columns=columns, unknown_column="drop")
    statement = prepare(table, asked, TokenKeys())
    try:
        listed = ", ".join(
            f"{cell(f'{quoted(each)}::VARCHAR')} AS c{i}" for i, each in enumerate(methods)
        )
        make(table, name, f"SELECT {listed} FROM ({statement.sql})")
    finally:
        forget(table.engine, statement.workshop)


def make(table: Table, name: str, sql: str, values: Mapping[str, object] | None = None) -> None:
    """Makes a table of what a statement gives, in the engine of another."""
    make_table(table.engine, name, sql, values)
