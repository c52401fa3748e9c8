"""All that answering a request needs, opened once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from starlette.requests import Request

from catalog.access.audit import Audit
from catalog.access.gate import Gate, gate
from catalog.access.passwords import Passwords
from catalog.access.principal import Principal
from catalog.certificates.open_office import DIRECTORY, OpenOffice, opened_to_read
from catalog.ckan.catalogue import Catalogue
from catalog.datastore.datastore import Datastore, datastore
from catalog.registry.registry import Registry, opened
from catalog.search.find import Search
from catalog.web.callers import ByKey, BySession
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
        audit: What is done is written there first.
        datastore: Rows of what is public.
        catalogue: Datasets under CKAN's names.
        gate: Who has an account; None on a server for the public.
        cases: Of all workflows.
        authenticators: How callers may say who they are, the first that answers counts.
        site: What the operator says about it.
        office: Certificates and their log; None if there are none here.
    """

    registry: Registry
    search: Search
    public: bool
    audit: Audit
    cases: Cases
    datastore: Datastore
    catalogue: Catalogue
    gate: Gate | None = None
    authenticators: tuple[Authenticator, ...] = ()
    site: Site = field(default_factory=Site)
    office: OpenOffice | None = None


@contextmanager
def services(
    directory: Path,
    *,
    public: bool,
    office: OpenOffice | None = None,
    passwords: Passwords | None = None,
    clock: Callable[[], int] = lambda: int(time.time()),
) -> Iterator[Services]:
    """Opens a catalog to be served.

    Args:
        directory: Of the catalog.
        public: Whether it is served to the public alone.
        office: The exchange's own; by default the one in the catalog's directory, to be read, if
            there is one.
        passwords: How they are hashed; by default as RFC 9106 says.
        clock: The catalog's, Unix seconds.

    Raises:
        InputError: There is none, or it needs an upgrade.
        UnavailableError: It cannot be reached or read.
    """
    offices = nullcontext(office) if office else opened_to_read(directory / DIRECTORY)
    with ExitStack() as stack:
        registry = stack.enter_context(opened(directory, clock=clock))
        audit = Audit(registry.directory, lambda: time.time_ns() // 1_000_000)
        audit.open()
        stack.callback(audit.close)
        certificates = stack.enter_context(offices)
        cases = Cases(registry, certificates, WORKFLOWS)
        rows = stack.enter_context(datastore(registry, members=not public))
        search = Search(registry.database)
        found = Services(
            registry, search, public, audit, cases, rows, Catalogue(search),
            site=read_site(directory), office=certificates,
        )  # fmt: skip
        if not public:
            cases.settle()  # what a kill left on its way to the log
            doors = stack.enter_context(gate(registry, audit, passwords))
            found = replace(found, gate=doors, authenticators=(ByKey(doors), BySession(doors)))
        yield found
