"""All that answering a request needs, opened once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from catalog.access.principal import Principal
from catalog.certificates.open_office import DIRECTORY, OpenOffice, opened_to_read
from catalog.registry.registry import Registry, opened
from catalog.search.find import Search
from catalog.web.site import Site, read_site
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.cases import Cases

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
        authenticators: How callers may say who they are, the first that answers counts.
        site: What the operator says about it.
        office: Certificates and their log; None if there are none here.
    """

    registry: Registry
    search: Search
    public: bool
    cases: Cases
    authenticators: tuple[Authenticator, ...] = ()
    site: Site = field(default_factory=Site)
    office: OpenOffice | None = None


@contextmanager
def services(
    directory: Path, *, public: bool, office: OpenOffice | None = None
) -> Iterator[Services]:
    """Opens a catalog to be served.

    Args:
        directory: Of the catalog.
        public: Whether it is served to the public alone.
        office: The exchange's own; by default the one in the catalog's directory, to be read, if
            there is one.

    Raises:
        InputError: There is none, or it needs an upgrade.
        UnavailableError: It cannot be reached or read.
    """
    offices = nullcontext(office) if office else opened_to_read(directory / DIRECTORY)
    with opened(directory) as registry, offices as found:
        cases, search = Cases(registry, found, WORKFLOWS), Search(registry.database)
        if not public:
            cases.settle()  # what a kill left on its way to the log
        yield Services(registry, search, public, cases, site=read_site(directory), office=found)
