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
from catalog.web.site import Site, read_site
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.cases import Cases

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
        cases: Of all workflows.
        office: Certificates and their log; None if this catalog has none.
        authenticators: How callers may say who they are, the first that answers counts.
        site: What the operator says about it.
    """

    registry: Registry
    search: Search
    public: bool
    cases: Cases
    office: CertificateOffice | None = None
    authenticators: tuple[Authenticator, ...] = ()
    site: Site = field(default_factory=Site)


@contextmanager
def services(
    directory: Path, *, public: bool, office: CertificateOffice | None = None
) -> Iterator[Services]:
    """Opens a catalog to be served.

    Args:
        directory: Made by ``veil catalog init``.
        public: For the public alone.
        office: Its certificates; None for those in its directory, if there are any.

    Raises:
        InputError: There is none, or it needs an upgrade.
        UnavailableError: It cannot be reached or read.
    """
    with opened(directory) as registry, _office(directory, office) as certificates:
        cases = Cases(registry, certificates, WORKFLOWS)
        if not public:
            cases.settle()  # what a kill left on its way to the log
        search, site = Search(registry.database), read_site(directory)
        yield Services(registry, search, public, cases, certificates, site=site)


@contextmanager
def _office(directory: Path, given: CertificateOffice | None) -> Iterator[CertificateOffice | None]:
    """Lends the office that was given, or the catalog's own."""
    files = OfficeFiles(directory / OFFICE)
    if given is not None or not files.is_there:
        yield given
        return
    own = files.office(time.time)
    try:
        yield own
    finally:
        own.close()
