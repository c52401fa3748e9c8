"""All that answering a request needs, opened once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.requests import Request

from catalog.access.principal import Principal
from catalog.certificates.office import CertificateOffice
from catalog.certificates.office_files import OfficeFiles
from catalog.registry.registry import Registry, opened
from catalog.search.find import Search
from catalog.transparency.policy import LogPolicy
from catalog.web.site import Site, read_site
from protos.cards import Pins

OFFICE: Final = "certificates"
"""In the catalog's directory: the office that a catalog without an exchange has for itself."""
Authenticator = Callable[[Request], Principal | None]
"""Says who sends a request; None if it carries no login of this kind.

Raises:
    LoginError: It carries one that does not hold.
"""


@dataclass(frozen=True)
class Services:
    """What routers work with.

    Attributes:
        registry: The catalog.
        search: Over it.
        public: Whether this server is for the public alone: no logins, no workflows.
        authenticators: How callers may say who they are, the first that answers counts.
        site: What the operator says about it.
        office: Certificates and their log; None if this catalog has none.
        pins: The issuers that a visitor of this site is told to believe.
        policy: The log and its witnesses; None if this catalog has none.
    """

    registry: Registry
    search: Search
    public: bool
    authenticators: tuple[Authenticator, ...] = ()
    site: Site = field(default_factory=Site)
    office: CertificateOffice | None = None
    pins: Pins = field(default_factory=Pins)
    policy: LogPolicy | None = None


@contextmanager
def services(directory: Path, *, public: bool) -> Iterator[Services]:
    """Opens a catalog to be served.

    Raises:
        InputError: There is none, or it needs an upgrade.
        UnavailableError: It cannot be reached or read.
    """
    files = OfficeFiles(directory / OFFICE)
    with opened(directory) as registry, _office(files) as office:
        yield Services(
            registry,
            Search(registry.database),
            public,
            site=read_site(directory),
            office=office,
            pins=Pins.load(files.pins_file),
            policy=None if office is None else files.policy(),
        )


@contextmanager
def _office(files: OfficeFiles) -> Iterator[CertificateOffice | None]:
    """Lends the catalog's own office, if it has one."""
    if not files.policy_file.exists():
        yield None
        return
    office = files.office(time.time)
    try:
        yield office
    finally:
        office.close()
