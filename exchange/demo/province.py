"""What nobody has in real life: all rows of all departments in one place.

The demo made the rows itself, so it can run the same SQL over all of them and compare. Nothing of
this is reachable from the federation's processes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.sample import CITIES, DATASET, visits

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Province:
    """The generated rows of every city.

    Args:
        rows: Rows per city.
    """

    rows: int
    _tables: dict[str, pa.Table] = field(default_factory=dict, init=False, repr=False)

    def truth(self, statement: str, *, without: Collection[str] = ()) -> pa.Table:
        """Answers a statement over all rows together, without noise.

        Args:
            statement: SQL that both Veil and DuckDB understand.
            without: Cities whose rows are left out.
        """
        import duckdb
        import pyarrow as pa

        asked = [city.name for city in CITIES if city.name not in without]
        with duckdb.connect() as connection:
            connection.register(DATASET, pa.concat_tables([self._table(name) for name in asked]))
            table: pa.Table = connection.sql(statement).to_arrow_table()
        return table

    def _table(self, city: str) -> pa.Table:
        if city not in self._tables:
            self._tables[city] = visits(city, rows=self.rows)
        return self._tables[city]
