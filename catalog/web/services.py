"""All that answering a request needs, opened once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from catalog.access.principal import Principal
from catalog.registry.registry import Registry, opened
from catalog.search.find import Search
from catalog.web.site import Site, read_site

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
    """

    registry: Registry
    search: Search
    public: bool
    authenticators: tuple[Authenticator, ...] = ()
    site: Site = field(default_factory=Site)


@contextmanager
def services(directory: Path, *, public: bool) -> Iterator[Services]:
    """Opens a catalog to be served.

    Raises:
        InputError: There is none, or it needs an upgrade.
        UnavailableError: It cannot be reached or read.
    """
    with opened(directory) as registry:
        yield Services(registry, Search(registry.database), public, site=read_site(directory))
