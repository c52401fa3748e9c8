"""The door to public rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from sqlalchemy import select

from catalog.datastore.glance import Glance, Glances
from catalog.datastore.places import HERE, Asker, Places
from catalog.datastore.resources import FRESH_S, Resource, Resources, Scope
from catalog.datastore.snapshots import LIMITS, Snapshots
from catalog.datastore.sql import MOST_ROWS, govern
from catalog.datastore.sql_tables import SqlAnswer, SqlLimits, SqlTables
from catalog.datastore.tables import ReadLimits, Table, Tables
from catalog.datastore.uses import Uses
from catalog.publishing.store import Store, open_store
from catalog.publishing.verified import Verified
from catalog.registry.registry import Registry
from catalog.registry.tables import PublicationRow
from desensitize.engines.snapshot import LoadLimits
from protos.faults import LimitError
from protos.language import Text

MOST_STREAMS: Final = 32
"""Downloads at once; each holds some megabytes and an engine's cursor."""
_KEPT: Final = 4  # of them, for members where there are some
_SHARE: Final = 8  # of one visitor's network, or one member


class Datastore:
    """All that programs read of what is public; for any number of threads.

    Args:
        registry: The catalog.
        store: Where public bytes lie; the catalog's own by default.
        reading: What a page or a piece of a stream may use.
        sql: What a statement may use.
        loading: What making a table's database may use.
        fresh_s: Seconds until the end of a publication is noticed.
        members: Whether some of the callers may have logged in, for whom places are kept.

    Attributes:
        resources: What there is.
        uses: How often it was used.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        store: Store | None = None,
        reading: ReadLimits | None = None,
        sql: SqlLimits | None = None,
        loading: LoadLimits = LIMITS,
        fresh_s: float = FRESH_S,
        members: bool = False,
    ) -> None:
        self._registry = registry
        self._streams = Places(MOST_STREAMS, kept=_KEPT if members else 0, share=_SHARE)
        self.resources = Resources(registry.database, fresh_s)
        self.uses = Uses(registry)
        self.verified = Verified(store or open_store(registry.directory))
        self._snapshots = Snapshots(registry.directory, self.verified, loading)
        self._tables = Tables(reading or ReadLimits())
        self._glances = Glances()
        self._sql = SqlTables(sql or SqlLimits(), self._path, members=members)

    def table(self, resource: Resource) -> Table:
        """Opens the rows of a resource.

        Raises:
            TrustError: The store has other bytes than were published.
            UnavailableError: The store cannot be reached; memory, disk or time did not suffice.
        """
        return self._tables.open(self._path(resource))

    def glances(self, resource: Resource) -> tuple[Glance, ...]:
        """Returns what stands in the columns of a resource; see `table` for what it raises."""
        rows = resource.publication.rows
        return self._glances.of(resource.id, rows, lambda: self.table(resource))

    def sql(
        self, text: str, scope: Scope, most_rows: int = MOST_ROWS, asker: Asker = HERE
    ) -> SqlAnswer:
        """Runs one SELECT over public tables and counts it as a use of each.

        Args:
            text: As it was written.
            scope: Which tables it may know of.
            most_rows: That the answer may have.
            asker: Who asks.

        Raises:
            SqlError: It is none, or more than is allowed.
            LimitError: Too many wait already, or nobody's statement ended in time.
            InputError: The engine understands it otherwise.
            UnavailableError: It needs more time, memory or room than it may.
        """
        governed = govern(text, lambda name: self.resources.find(name, scope), most_rows)
        answer = self._sql.run(governed, most_rows, asker)
        for resource in governed.tables.values():
            self.count(resource)
        return answer

    def file(self, resource: Resource) -> IO[bytes]:
        """Opens the attested file of a resource.

        Raises:
            TrustError: The store has other bytes than were published.
            UnavailableError: The store cannot be reached.
        """
        self.verify(resource)
        return self.verified.store.open(resource.publication.object)

    def verify(self, resource: Resource) -> None:
        """Returns if the store still has the attested bytes of a resource.

        Raises:
            TrustError: It has others.
            UnavailableError: It cannot be reached.
        """
        self.verified.check(resource.publication)

    def attestation(self, resource: Resource) -> str:
        """Returns what was signed about the bytes of a resource, JSON."""
        this = (PublicationRow.dataset == resource.dataset) & (
            PublicationRow.number == resource.publication.number
        )
        with self._registry.database.read() as connection:
            return str(connection.execute(select(PublicationRow.attestation).where(this)).scalar())

    def stream(self, asker: Asker = HERE) -> Callable[[], None]:
        """Takes a place for one stream; returns what gives it back.

        Raises:
            LimitError: There are as many as this server sends at once, or sends there.
        """
        if (ends := self._streams.take(asker)) is None:
            raise LimitError(
                Text("too many downloads run at once", "同时下载的数量已达上限"),
                remedy=Text("try again in a minute", "请稍后重试"),
                code="datastore.streams",
            )
        return ends

    def count(self, resource: Resource) -> None:
        """Counts one use of a dataset."""
        self.uses.add(resource.publication.source, resource.publication.identifier)

    def warm(self) -> None:
        """Has workers for SQL ready before somebody asks."""
        self._sql.start()

    def close(self) -> None:
        """Ends workers, closes tables, writes what was counted."""
        self._sql.close()
        self._tables.close()
        self.uses.close()

    def _path(self, resource: Resource) -> Path:
        return self._snapshots.path(resource.publication)


@contextmanager
def datastore(registry: Registry, *, members: bool = False) -> Iterator[Datastore]:
    """Opens the public rows of a catalog.

    Args:
        registry: The catalog.
        members: Whether some of the callers may have logged in.

    Raises:
        UnavailableError: The store cannot be reached.
    """
    found = Datastore(registry, members=members)
    try:
        yield found
    finally:
        found.close()
