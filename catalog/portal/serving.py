"""The public part of a catalog as a process, or as several on one port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.certificates.open_office import DIRECTORY, opened_to_read
from catalog.search.query import Query
from catalog.web.app import create_app
from catalog.web.doorkeeper import DOWNLOADS
from catalog.web.proxies import Network
from catalog.web.server import HttpServer, Tls
from catalog.web.services import services
from catalog.web.siblings import Siblings
from protos.open_files import allow_files
from protos.signals import wait_for_signal


@dataclass(frozen=True)
class Portal:
    """What is served, and where.

    Attributes:
        directory: Of the catalog.
        address: ``host:port``; port 0 takes a free one.
        tls: The certificate; None for plain HTTP.
        office: The exchange's certificates; None for those in the catalog's directory.
        proxies: Where proxies are that are believed about who stands behind them.
    """

    directory: Path
    address: str
    tls: Tls | None = None
    office: Path | None = None
    proxies: tuple[Network, ...] = ()

    def run(self, processes: int, told: Callable[[str], None]) -> None:
        """Serves with several processes until SIGTERM or Ctrl-C; see `serve`."""
        self.serve(told, siblings=processes - 1, shared=processes > 1)

    def serve(
        self, told: Callable[[str], None], *, siblings: int = 0, shared: bool = False
    ) -> None:
        """Serves until SIGTERM or Ctrl-C.

        Args:
            told: Told the address once it is reached there.
            siblings: Further processes to start.
            shared: Whether others listen on the same address.

        Raises:
            InputError: There is no catalog, or it needs an upgrade.
            UnavailableError: The address is in use, or something cannot be read.
        """
        allow_files()
        with (
            opened_to_read(self.office or self.directory / DIRECTORY) as certificates,
            services(self.directory, public=True, office=certificates) as found,
        ):
            server = HttpServer(
                create_app(found), self.address,
                tls=self.tls, limits=DOWNLOADS, shared=shared, proxies=self.proxies,
            )  # fmt: skip
            server.start()
            host = self.address.rpartition(":")[0]
            there = replace(self, address=f"{host}:{server.port}")
            others = Siblings(siblings, _sibling, there)
            others.start()
            told(server.url)
            found.search.find(Query(limit=1))  # reads the columns, so that no visitor waits for it
            found.datastore.warm()
            wait_for_signal()
            others.stop()
            server.stop()


def _sibling(portal: Portal) -> None:
    portal.serve(lambda _: None, shared=True)
