"""A catalog that is served, in this process: an app over a small registry, and a client."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from catalog.access.passwords import Passwords
from catalog.access.principal import Principal
from catalog.registry.registry import create
from catalog.web.app import create_app
from catalog.web.services import Services, services

# Hashes that cost nothing: tests log in hundreds of times.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@contextmanager
def served(
    directory: Path,
    *,
    public: bool = False,
    people: Mapping[str, Principal] | None = None,
    clock: Callable[[], int] = lambda: int(time.time()),
) -> Iterator[tuple[TestClient, Services]]:
    """Makes a catalog's directory if there is none, and lends a client of its app.

    Args:
        directory: Of the catalog.
        public: Only the public part.
        people: Who may call, besides those with real logins: the header ``X-As: li`` is li.
        clock: The catalog's, Unix seconds.
    """
    if not directory.exists():
        fresh(directory)
    quick = Passwords(QUICK)
    with services(directory, public=public, passwords=quick, clock=clock) as opened:
        known = dict(people or {})

        def by_name(request: Request) -> Principal | None:
            return known.get(request.headers.get("x-as", ""))

        found = replace(opened, authenticators=(by_name, *opened.authenticators))
        with client_of(create_app(found)) as client:
            yield client, found


def fresh(directory: Path) -> None:
    """Makes an empty catalog as `create` does, without going through all migrations each time."""
    directory.mkdir(mode=0o700, parents=True)
    database = directory / "catalog.db"
    database.touch(mode=0o600)
    database.write_bytes(_empty())
    create(directory)


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        create(Path(folder) / "c")
        return (Path(folder) / "c" / "catalog.db").read_bytes()


def client_of(app: FastAPI) -> TestClient:
    """A client that shows what a stranger would see, also of a mistake in the server.

    Entered, it has one event loop and the same threads for all requests, which halves their time.
    """
    return TestClient(app, base_url="https://catalog.test", raise_server_exceptions=False)
