"""The only part that sees the data: each row as numbers of cells, and counts by GROUP BY.

Rows are read once, into a temporary table of the engine with two bytes a cell, which goes to disk
where memory does not suffice; then each marginal is one GROUP BY. Of each subject the first m rows
count; which these are depends on the subject's own rows alone. Rows without a subject could be
anybody's, and do not count.
"""

# ruff: noqa: S608 - own SQL over own tables

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np

from desensitize.masking.base import ROW, Cell, Workshop
from desensitize.masking.readings import as_text
from desensitize.masking.statement import tell
from desensitize.sources import Table
from desensitize.synthesis.domains import Domain
from desensitize.synthesis.mechanism import Whole

CODED: Final = "veil_coded"


@dataclass(frozen=True)
class CodedTable:
    """Rows as numbers of cells; satisfies `desensitize.synthesis.mechanism.Counts`.

    Attributes:
        engine: Where the table lies.
        sizes: Cells of each column, "no value" with them.
        name: Of the table.
    """

    engine: duckdb.DuckDBPyConnection
    sizes: tuple[int, ...]
    name: str = CODED

    def one(self, column: int) -> Whole:
        """Returns the counts of one column."""
        return self._counted((column,))

    def pair(self, first: int, second: int) -> Whole:
        """Returns the counts of two columns, one row for each cell of the first."""
        return self._counted((first, second))

    def rows(self) -> tuple[int, int]:
        """Returns how many rows there are, and how many of them count."""
        asked = f"SELECT count(*), count(*) FILTER (kept) FROM {self.name}"
        read, kept = self.engine.sql(asked).fetchall()[0]
        return int(read), int(kept)

    def outside(self, column: int) -> int:
        """Returns how many rows that count have a value that the domain has not."""
        asked = f"SELECT count(*) FROM {self.name} WHERE kept AND o{column}"
        return int(self.engine.sql(asked).fetchall()[0][0])

    def _counted(self, columns: tuple[int, ...]) -> Whole:
        # Grouped by plain columns: an expression in their place takes ten times as long.
        names = ", ".join(f"k{column}" for column in columns)
        found = self.engine.sql(
            f"SELECT {names}, count(*) AS n FROM {self.name} WHERE kept GROUP BY {names}"
        ).fetchnumpy()
        counts = np.zeros([self.sizes[column] for column in columns], dtype=np.int64)
        counts[tuple(found[f"k{column}"] for column in columns)] = found["n"]
        return counts


def encode(
    table: Table, domains: Sequence[Domain], shop: Workshop, subject: Cell | None, most_rows: int
) -> CodedTable:
    """Reads a table once.

    Args:
        table: The source; its engine keeps the order of rows.
        domains: Of the columns.
        shop: What their expressions refer to.
        subject: Whose row it is; None if every row is another subject's.
        most_rows: Rows of one subject that count.
    """
    engine = table.engine
    tell(engine, shop)
    raw = {column.name: column.raw for column in table.columns}
    cells = {f"s{i}": raw[domain.column] for i, domain in enumerate(domains)}
    cells |= {cell.sql: raw[name] for name, cell in shop.columns.items()}
    listed = ", ".join(f"{sql} AS {name}" for name, sql in cells.items())
    who = "true" if subject is None else f"nullif(trim({as_text(subject).sql}), '')"
    source = (
        f"SELECT {listed}, {who} AS veil_subject, row_number() OVER () AS {ROW} FROM {table.sql}"
    )
    read = ", ".join(f"{d.read} AS r{i}, {_there(f's{i}')} AS p{i}" for i, d in enumerate(domains))
    numbered = ", ".join(
        f"({d.code(f'r{i}')})::USMALLINT AS n{i}, p{i}" for i, d in enumerate(domains)
    )
    codes = ", ".join(
        f"coalesce(n{i}, {d.size})::USMALLINT AS k{i}, p{i} AND n{i} IS NULL AS o{i}"
        for i, d in enumerate(domains)
    )
    kept = "true"
    if subject is not None:
        rank = f"row_number() OVER (PARTITION BY veil_subject ORDER BY {ROW})"
        kept = f"veil_subject IS NOT NULL AND {rank} <= {most_rows}"
    engine.execute(
        f"CREATE TEMP TABLE {CODED} AS SELECT {codes}, {kept} AS kept "
        f"FROM (SELECT {numbered}, veil_subject, {ROW} "
        f"FROM (SELECT {read}, veil_subject, {ROW} FROM ({source})))"
    ).fetchall()
    return CodedTable(engine, tuple(domain.size + 1 for domain in domains))


def _there(cell: str) -> str:
    return f"({cell} IS NOT NULL AND {cell}::VARCHAR <> '')"
