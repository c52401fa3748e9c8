"""Rows of what is public, by page: for portals, who pass on what strangers ask for.

The engine is DuckDB without files, network and settings: it sees one Arrow dataset under the name
``data`` and can open nothing else. No SQL comes from outside; columns are compared with the file's.
A page has an end in rows, memory and time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog.publishing.listing import Publication, publications
from catalog.publishing.store import Store, open_store
from catalog.registry.entries import entry
from catalog.registry.registry import Registry
from protos.faults import InputError, TrustError, UnavailableError
from protos.language import Text

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MOST_ROWS: Final = 1000
_LOCKS: Final = (
    # temp_directory first: without access to files it can no longer be set; the lock last.
    "SET temp_directory = ''",
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


@dataclass(frozen=True)
class ReadLimits:
    """What one reader may use.

    Attributes:
        memory_mib: Of the engine, MiB.
        page_s: Seconds for one page.
    """

    memory_mib: int = 256
    page_s: float = 5.0


@dataclass(frozen=True)
class Page:
    """Some rows.

    Attributes:
        rows: In the order of the file.
        offset: Number of the first, from 0.
        total: Rows in the file.
    """

    rows: pa.Table
    offset: int
    total: int

    @property
    def following(self) -> int | None:
        """Offset of the next page; None if this is the last."""
        end = self.offset + self.rows.num_rows
        return end if self.rows.num_rows and end < self.total else None


class PublicTable:
    """An open publication; for one thread at a time.

    Args:
        publication: What it is.
        columns: Names, in order.
        engine: Locked; sees the rows as ``data``.
        limits: For every page.
    """

    def __init__(
        self,
        publication: Publication,
        columns: Sequence[str],
        engine: duckdb.DuckDBPyConnection,
        limits: ReadLimits,
    ) -> None:
        self.publication = publication
        self.columns = tuple(columns)
        self._engine = engine
        self._limits = limits

    def page(
        self, offset: int = 0, rows: int = MOST_ROWS, columns: Sequence[str] | None = None
    ) -> Page:
        """Returns some rows.

        Args:
            offset: Number of the first, from 0.
            rows: How many at most, 1 to `MOST_ROWS`.
            columns: Which, in this order; all by default.

        Raises:
            InputError: Offset, number or a column is out of range.
            UnavailableError: Time or memory did not suffice.
        """
        wanted = self.columns if columns is None else tuple(columns)
        if offset < 0 or not 1 <= rows <= MOST_ROWS or not wanted or set(wanted) - {*self.columns}:
            raise InputError(
                Text("there is no such page", "没有这样的页"),
                remedy=Text(
                    f"ask for 1 to {MOST_ROWS:,} rows, from 0 on, of columns that are there",
                    f"请从 0 起取 1 至 {MOST_ROWS:,} 行，且只取已有的列",
                ),
                code="published.page",
            )
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in wanted)
        sql = f"SELECT {listed} FROM data LIMIT {int(rows)} OFFSET {int(offset)}"  # noqa: S608 - names are the file's, quoted
        return Page(self._run(sql), offset, self.publication.rows)

    def _run(self, sql: str) -> pa.Table:
        import duckdb

        begin = time.monotonic()
        timer = threading.Timer(self._limits.page_s, self._engine.interrupt)
        timer.start()
        try:
            table = self._engine.sql(sql).to_arrow_table()
        except duckdb.InterruptException as error:
            raise _too_much("time") from error
        except (duckdb.Error, MemoryError, OSError) as error:
            raise _too_much(str(error)) from error
        finally:
            timer.cancel()
        if time.monotonic() - begin > self._limits.page_s:
            raise _too_much("time")  # it ended by itself a moment later: the rule is the same
        return table


@contextmanager
def open_published(
    registry: Registry,
    source: str,
    identifier: str,
    number: int | None = None,
    *,
    store: Store | None = None,
    limits: ReadLimits | None = None,
) -> Iterator[PublicTable]:
    """Opens a publication for reading.

    Args:
        registry: The catalog.
        source: Catalog of the dataset.
        identifier: Its code.
        number: Version; the newest that is public by default.
        store: Where the bytes lie; the catalog's own by default.
        limits: What it may use.

    Raises:
        InputError: Nothing of that name is public.
        TrustError: The store has other bytes than were published, by their size or rows.
        UnavailableError: The store cannot be reached.
    """
    import duckdb
    from pyarrow import ArrowException
    from pyarrow import dataset as datasets

    limits, store = limits or ReadLimits(), store or open_store(registry.directory)
    found = _public(registry, source, identifier, number)
    try:
        if store.size(found.object) != found.bytes:
            raise _other(found)
        data = datasets.dataset(found.object, filesystem=store.filesystem, format="parquet")
        if data.count_rows() != found.rows:  # from the file's last bytes, not by counting
            raise _other(found)
    except (ArrowException, OSError) as error:
        raise _other(found) from error
    engine = duckdb.connect(
        ":memory:", config={"threads": 1, "memory_limit": f"{limits.memory_mib}MiB"}
    )
    try:
        engine.register("data", data)
        for statement in _LOCKS:
            engine.execute(statement)
        yield PublicTable(found, data.schema.names, engine, limits)
    finally:
        engine.close()


def _public(registry: Registry, source: str, identifier: str, number: int | None) -> Publication:
    with registry.database.read() as connection:
        about = entry(connection, source, identifier)
        all_of_it = publications(connection, dataset=about.number, number=number)
    public = [each for each in all_of_it if each.state == "published" and not each.withdrawn]
    if not public:
        raise InputError(
            Text(f"nothing of {identifier[:80]!r} is public", f"“{identifier[:80]}”没有公开的数据"),
            remedy=Text("veil catalog published shows what is", "用 veil catalog published 查看"),
            code="published.none",
        )
    return public[-1]


def _other(found: Publication) -> TrustError:
    return TrustError(
        Text(f"the store has other bytes for {found.identifier} version {found.number}",
             f"{found.identifier} 版本 {found.number} 的存储内容与发布时不一致"),
        remedy=Text("find out who changed the store; unpublish it, and publish the release again",
                    "请查明由谁改动存储；先撤下，再重新发布"),
        code="published.changed",
    )  # fmt: skip


def _too_much(detail: str) -> UnavailableError:
    return UnavailableError(
        Text("this page takes more time or memory than one page may", "该页所需时间或内存超出限制"),
        remedy=Text("ask for fewer rows or columns", "请减少行数或列数"),
        code="published.limits",
        detail=detail,
    )
