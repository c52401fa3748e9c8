"""The catalog beside the exchange: its web server, and what nodes declare that they hold."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from catalog.certificates.open_office import OpenOffice
from catalog.declaration import Declaration
from catalog.web.app import create_app
from catalog.web.doorkeeper import DOWNLOADS
from catalog.web.proxies import Network
from catalog.web.server import HttpServer, Tls
from catalog.web.services import services
from exchange.serving.carrier import Carrier, Nodes
from exchange.serving.holdings import Holdings
from exchange.serving.shelf import DatasetShelf


@dataclass(frozen=True)
class ServedCatalog:
    """A catalog that is served beside the exchange.

    Attributes:
        directory: Made by ``veil catalog init``.
        address: ``host:port``; port 0 takes a free one.
        proxies: Where proxies are that are believed about who stands behind them.
    """

    directory: Path
    address: str
    proxies: tuple[Network, ...] = ()


class CatalogService:
    """Serves a catalog until it is stopped.

    Args:
        catalog: Which, and where.
        tls: The exchange's certificate.
        office: The exchange's certificates.
        shelf: The declared datasets.
        nodes: The exchange, which reaches the departments' nodes.
    """

    def __init__(
        self,
        catalog: ServedCatalog,
        tls: Tls,
        office: OpenOffice,
        shelf: DatasetShelf,
        nodes: Nodes,
    ) -> None:
        self._catalog = catalog
        self._tls = tls
        self._office = office
        self._shelf = shelf
        self._nodes = nodes
        self._carrier: Carrier | None = None
        self._opened = ExitStack()
        self._holdings: Holdings | None = None
        self._server: HttpServer | None = None

    @property
    def url(self) -> str:
        """Where it is reached, once started."""
        return self._server.url if self._server is not None else ""

    def start(self) -> None:
        """Opens the catalog and listens.

        Raises:
            InputError: There is none, or it needs an upgrade.
            UnavailableError: It cannot be opened, or the address is in use.
        """
        found = self._opened.enter_context(
            services(self._catalog.directory, public=False, office=self._office)
        )
        self._holdings = Holdings(found.registry, self._shelf)
        self._holdings.start()
        self._carrier = Carrier(found.cases, self._nodes)
        found.cases.stepped = self._carrier.wake
        self._carrier.start()
        self._server = HttpServer(
            create_app(found), self._catalog.address,
            tls=self._tls, limits=DOWNLOADS, proxies=self._catalog.proxies,
        )  # fmt: skip
        self._server.start()

    def stop(self) -> None:
        """Ends calls and writes, and closes the catalog."""
        if self._server is not None:
            self._server.stop()
        if self._carrier is not None:
            self._carrier.stop()
            self._carrier = None
        if self._holdings is not None:
            self._holdings.stop()
            self._holdings = None
        self._opened.close()

    def restart(self) -> None:
        """Takes up the certificate that is on disk now; the catalog stays open."""
        if self._server is not None:
            self._server.restart()

    def take(self, declaration: Declaration, token: str, fingerprint: str) -> None:
        """Takes what a department declares that it holds; see `Holdings.take`."""
        if self._holdings is not None:
            self._holdings.take(declaration, token, fingerprint)

    def wake(self) -> None:
        """Says that a department has answered a request for a grant."""
        if self._carrier is not None:
            self._carrier.wake()
