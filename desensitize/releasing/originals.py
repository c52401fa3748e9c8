"""What a release was made from, wherever it is kept: its digest, its order, and rows to attack."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from desensitize.engines.child import no_file
from desensitize.engines.scratch import scratch
from desensitize.engines.stored_values import quoted
from desensitize.releasing.facts import sha256_of
from desensitize.releasing.reading import opened
from desensitize.row_order import Occasion, RowOrder, seed_of
from desensitize.sources import Table


@dataclass(frozen=True)
class Original:
    """A file, or a table in memory whose rows were laid down in one.

    Attributes:
        name: For people.
        path: Where a process of its own can read the rows.
        rows: Digest and order of a table in memory; None for a file.
    """

    name: str
    path: Path
    rows: tuple[str, RowOrder] | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 as a manifest has it: of a file's bytes as they are now, or of rows."""
        return sha256_of(self.path) if self.rows is None else self.rows[0]

    def seed(self, occasion: Occasion) -> bytes:
        """Returns the seed of the order of a release made of it."""
        if self.rows is None:
            return seed_of(self.path, occasion)
        return self.rows[1].seed(occasion)


@contextmanager
def original(data: object) -> Iterator[Original]:
    """Yields what a caller calls the original; what it lays down is gone afterwards.

    Args:
        data: Path of a file; or the DataFrame, Arrow object or DuckDB relation that was released.

    Raises:
        InputError: There is no such file, or the object is of no known kind.
        UnavailableError: Memory did not suffice.
    """
    if isinstance(data, str | os.PathLike):
        path = Path(os.fspath(data))
        if not path.is_file():
            raise no_file(path)
        yield Original(path.name, path)
        return
    with scratch("original") as place:
        path = place / "original.parquet"
        with opened(data, "", None) as table:
            table.engine.execute("SET preserve_insertion_order = true").fetchall()
            name, rows = table.name, digests_of_rows(table)
            lay_down(table, path)
        yield Original(name, path, rows)


def lay_down(table: Table, path: Path) -> None:
    """Writes an object's rows where the attacking process can read them."""
    listed = ", ".join(f"{column.raw} AS {quoted(column.name)}" for column in table.columns)
    reader = table.engine.sql(f"SELECT {listed} FROM {table.sql}").to_arrow_reader(65_536)  # noqa: S608
    with pq.ParquetWriter(path, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def digests_of_rows(table: Table) -> tuple[str, RowOrder]:
    """SHA-256 of an object's rows as an Arrow IPC stream, and what draws a release's order."""
    listed = ", ".join(column.raw for column in table.columns)
    sql = f"SELECT {listed} FROM {table.sql}"  # noqa: S608 - own expressions
    hashed, order = hashlib.sha256(), RowOrder()

    class _Sink:
        """What looks like a file and only hashes."""

        closed = False

        def write(self, content: memoryview) -> int:
            hashed.update(content)
            order.update(content)
            return len(content)

        def flush(self) -> None: ...

        def close(self) -> None: ...

    reader = table.engine.sql(sql).to_arrow_reader(65_536)
    with pa.ipc.new_stream(pa.PythonFile(_Sink(), "w"), reader.schema) as stream:
        for batch in reader:
            stream.write_batch(batch)
    return hashed.hexdigest(), order
