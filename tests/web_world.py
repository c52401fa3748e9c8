"""A catalog that is served, in this process: an app over a small registry, and a client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient

from catalog.registry.registry import create
from catalog.web.app import create_app
from catalog.web.services import Services, services


@contextmanager
def served(directory: Path, *, public: bool = False) -> Iterator[tuple[TestClient, Services]]:
    """Makes a catalog's directory if there is none, and lends a client of its app."""
    if not directory.exists():
        create(directory)
    with services(directory, public=public) as found:
        yield client_of(create_app(found)), found


def client_of(app: FastAPI) -> TestClient:
    """A client that shows what a stranger would see, also of a mistake in the server."""
    return TestClient(app, base_url="https://catalog.test", raise_server_exceptions=False)
