"""The exchange as one process: identity, hub, gRPC service, enrolment door."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from catalog.certificates.office import CertificateOffice
from catalog.certificates.office_files import OfficeFiles
from catalog.certificates.open_office import DIRECTORY, OpenOffice
from catalog.identity.files import read_public
from catalog.identity.registry import ExchangeIdentity
from exchange.coordinator.archive import Archive
from exchange.coordinator.journal import Journals
from exchange.coordinator.session import Clocks
from exchange.serving.certifier import Certifier
from exchange.serving.desk import GrantDesk
from exchange.serving.enrolment import EnrolmentServer
from exchange.serving.hub import Hub
from exchange.serving.inbox import Inbox
from exchange.serving.server import ExchangeServer
from exchange.serving.shelf import DatasetShelf
from protos.cards import read_card
from protos.identity import IdentityKey
from protos.names import Role
from protos.open_files import allow_files
from protos.whole_file import write_whole

if TYPE_CHECKING:
    from catalog.declaration import Declaration
    from exchange.serving.catalog_service import CatalogService, ServedCatalog

READY_FILE: Final = "ready.json"
RENEW_EVERY_S: Final = 86_400.0


@dataclass(frozen=True)
class Addresses:
    """Where a running exchange can be reached.

    Attributes:
        grpc: ``host:port`` for members.
        enrolment: ``https://host:port`` for those who are invited.
        pid: The process.
        catalog: ``https://host:port`` of the catalog; "" if it is not served here.
    """

    grpc: str
    enrolment: str
    pid: int
    catalog: str = ""


class ExchangeProcess:
    """Everything that one exchange runs.

    Args:
        directory: Made by ``veil exchange init``.
        address: ``host:port`` for gRPC; port 0 takes a free one.
        enrolment_address: ``host:port`` for enrolment.
        clocks: How long jobs wait.
        catalog: A catalog to serve beside it.
    """

    def __init__(
        self,
        directory: Path,
        address: str,
        enrolment_address: str,
        clocks: Clocks,
        catalog: ServedCatalog | None = None,
    ) -> None:
        self._directory = directory
        self._clocks = clocks
        self._identity = ExchangeIdentity(
            directory, clock=time.time, randomness=secrets.token_bytes
        )
        self._address = address
        self._enrolment_address = enrolment_address
        self._archive: Archive | None = None
        self._office_files = OfficeFiles(directory / DIRECTORY)
        self._office: CertificateOffice | None = None
        self._certifier: Certifier | None = None
        self._desk = GrantDesk(directory / "grants.sqlite")
        self._hub: Hub | None = None
        self._server: ExchangeServer | None = None
        self._door: EnrolmentServer | None = None
        self._catalog = catalog
        self._web: CatalogService | None = None
        self._stopping = threading.Event()

    def start(self) -> Addresses:
        """Opens the stores, starts both services, and writes ``ready.json``."""
        allow_files()
        host = self._address.rpartition(":")[0]
        self._identity.open()
        self._desk.open()
        self._archive = Archive(self._directory / "jobs.sqlite")
        self._office = self._open_office()
        shelf = DatasetShelf(self._directory / "datasets")
        self._certifier = Certifier(
            self._office, shelf, self._archive, self._desk, self._publish_pins
        )
        self._hub = Hub(
            identity=IdentityKey.load(self._directory / "identity.key"),
            card=read_public(self._directory / "card.jwt").decode("ascii"),
            members=self._members,
            shelf=shelf,
            desk=self._desk,
            archive=self._archive,
            certifier=self._certifier,
            journals=Journals(self._directory / "running", time.time),
            inbox=Inbox(),
            clocks=self._clocks,
            clock=time.time,
            monotonic=time.monotonic,
            declared=self._declared,
            answered=self._answered,
        )
        if self._catalog is not None:  # before any node can declare what it holds
            self._web = self._make_service(self._catalog, self._office, shelf, self._hub)
            self._web.start()
        self._certifier.start()
        self._hub.start()
        self._server = ExchangeServer(self._hub, self._identity, self._address)
        self._server.start()
        grpc_address = f"{host}:{self._server.port}"
        self._door = EnrolmentServer(self._identity, lambda: grpc_address, self._enrolment_address)
        self._door.start()
        threading.Thread(target=self._renew, name="exchange-keeper", daemon=True).start()
        addresses = Addresses(grpc_address, self._door.url, os.getpid(),
                              self._web.url if self._web else "")  # fmt: skip
        write_whole(self._directory / READY_FILE, json.dumps(addresses.__dict__).encode())
        return addresses

    def stop(self) -> None:
        """Ends jobs and calls, then closes the stores."""
        self._stopping.set()
        (self._directory / READY_FILE).unlink(missing_ok=True)
        for part in (self._door, self._hub, self._server, self._web):
            if part is not None:
                part.stop()
        if self._certifier is not None:
            self._certifier.stop()
        if self._archive is not None:
            self._archive.close()
        if self._office is not None:
            self._office.close()
        self._desk.close()
        self._identity.close()

    def _open_office(self) -> CertificateOffice:
        """Opens the exchange's office; makes it the first time."""
        files = self._office_files
        if not files.exists():
            name = read_card(read_public(self._directory / "card.jwt").decode("ascii")).name
            key = IdentityKey.load(self._directory / "identity.key")
            files.create(name, f"{name}/certificates", key)
        return files.office(time.time)

    def _publish_pins(self) -> None:
        """Lets readers of certificates check the departments' grants, too."""
        departments = {
            name: read_card(card).identity.fingerprint
            for (role, name), card in self._members().items()
            if role == "department"
        }
        self._office_files.publish(departments)

    def _make_service(
        self, catalog: ServedCatalog, office: CertificateOffice, shelf: DatasetShelf, hub: Hub
    ) -> CatalogService:
        from catalog.web.server import Tls
        from exchange.serving.catalog_service import CatalogService

        tls = Tls(*self._identity.server_files)
        return CatalogService(catalog, tls, OpenOffice(office, self._office_files), shelf, hub)

    def _declared(self, declaration: Declaration, token: str, fingerprint: str) -> None:
        if self._web is not None:
            self._web.take(declaration, token, fingerprint)

    def _answered(self) -> None:
        if self._web is not None:
            self._web.wake()

    def _renew(self) -> None:
        """Replaces the server's certificate in good time; calls under way get a moment to end."""
        while not self._stopping.wait(RENEW_EVERY_S):
            if self._identity.refresh_server():
                for part in (self._server, self._door, self._web):
                    if part is not None:
                        part.restart()

    def _members(self) -> dict[tuple[Role, str], str]:
        return {
            (member.role, member.name): member.card
            for member in self._identity.members()
            if member.revoked_at is None
        }


def read_addresses(directory: Path) -> Addresses | None:
    """Where the exchange of this directory is reached, or None while it is not ready."""
    try:
        return Addresses(**json.loads((directory / READY_FILE).read_text("utf-8")))
    except FileNotFoundError:
        return None
