"""What a release was made from, wherever it is kept: its digest, and rows to attack."""

from __future__ import annotations

import hashlib
import hmac
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
from desensitize.releasing.facts import Release, digest_of
from desensitize.releasing.reading import opened
from desensitize.salt import Salt
from desensitize.sources import Table
from protos.faults import TrustError
from protos.language import Text


@dataclass(frozen=True)
class Original:
    """A file, or a table in memory whose rows were laid down in one.

    Attributes:
        name: For people.
        path: Where a process of its own can read the rows.
        rows: Digest of a table in memory; None for a file.
    """

    name: str
    path: Path
    rows: bytes | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of a file's bytes as they are now, or of rows; never told to anybody."""
        return digest_of(self.path) if self.rows is None else self.rows

    def made(self, release: Release, salt: Salt) -> bool:
        """Whether a release was made of it, which is known to whoever has the salt."""
        told = "" if release.input is None else release.input.commitment
        return hmac.compare_digest(salt.commitment(self.digest), told)

    def check(self, release: Release, salt: Salt, code: str) -> None:
        """Refuses what a release was not made of.

        Raises:
            TrustError: It is another original, or another release's salt; under this code.
        """
        if not self.made(release, salt):
            raise TrustError(
                Text(f"{self.name} is not what the release was made from, or the salt is another's",
                     f"{self.name} 不是生成此发布的原始数据，或盐值文件不属于此发布"),
                remedy=Text(
                    "name the original, unchanged, and the salt that 'run' wrote with the release",
                    "请指定未经改动的原始数据，以及 run 生成此发布时写出的盐值文件",
                ),
                code=code,
            )  # fmt: skip


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
            name, rows = table.name, digest_of_rows(table)
            lay_down(table, path)
        yield Original(name, path, rows)


def lay_down(table: Table, path: Path) -> None:
    """Writes an object's rows where the attacking process can read them."""
    listed = ", ".join(f"{column.raw} AS {quoted(column.name)}" for column in table.columns)
    reader = table.engine.sql(f"SELECT {listed} FROM {table.sql}").to_arrow_reader(65_536)  # noqa: S608
    with pq.ParquetWriter(path, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def digest_of_rows(table: Table) -> bytes:
    """SHA-256 of an object's rows as an Arrow IPC stream."""
    listed = ", ".join(column.raw for column in table.columns)
    sql = f"SELECT {listed} FROM {table.sql}"  # noqa: S608 - own expressions
    hashed = hashlib.sha256()

    class _Sink:
        """What looks like a file and only hashes."""

        closed = False

        def write(self, content: memoryview) -> int:
            hashed.update(content)
            return len(content)

        def flush(self) -> None: ...

        def close(self) -> None: ...

    reader = table.engine.sql(sql).to_arrow_reader(65_536)
    with pa.ipc.new_stream(pa.PythonFile(_Sink(), "w"), reader.schema) as stream:
        for batch in reader:
            stream.write_batch(batch)
    return hashed.digest()
