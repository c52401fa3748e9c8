"""A served catalog with accounts: people who log in, their keys, and a clock that can be moved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp
from fastapi.testclient import TestClient
from httpx2 import Response

from catalog.access.accounts import Account
from catalog.access.gate import Gate
from catalog.access.keys import ApiKey, Wish
from catalog.access.roles import Role
from catalog.web.services import Services
from tests.web_world import client_of, served

HOST = "https://catalog.test"
PASSWORD = "four odd words together"
DEPARTMENT = "440100-1"


@dataclass
class World:
    """A catalog, its services, and a client of each browser."""

    client: TestClient
    services: Services
    later: list[int] = field(default_factory=lambda: [0])

    @property
    def gate(self) -> Gate:
        assert self.services.gate is not None
        return self.services.gate

    def browser(self) -> TestClient:
        """Another browser: its own cookies, and the headers that browsers send."""
        made = client_of(self.client.app)  # type: ignore[arg-type]
        made.headers |= {"Origin": HOST, "Sec-Fetch-Site": "same-origin"}
        return made

    def program(self, key: str = "") -> TestClient:
        """A program: no cookies, no headers of browsers."""
        made = client_of(self.client.app)  # type: ignore[arg-type]
        if key:
            made.headers["Authorization"] = f"Bearer {key}"
        return made

    def person(
        self, name: str, *roles: Role, department: str = "", title: str = "", subject: str = ""
    ) -> Account:
        kept = self.gate.logins.new_password(name, PASSWORD)
        account = Account(name, title, frozenset(roles), department, subject)
        return self.gate.accounts.add(account, password=kept)

    def key(self, name: str, *scopes: str, **more: int) -> tuple[ApiKey, str]:
        maker = self.gate.accounts.get(name).principal()
        return self.gate.keys.add(maker, Wish("test", scopes or ("dataset.read",), **more))

    def second_factor(self, name: str) -> tuple[pyotp.TOTP, list[str]]:
        """Gives somebody a second factor; the code that confirmed it is used up."""
        totp = pyotp.TOTP(self.gate.factors.begin(name).text)
        return totp, self.gate.factors.confirm(name, totp.at(self.now()))

    def now(self) -> int:
        return self.services.registry.now()

    def audit(self, limit: int = 500) -> list[dict[str, Any]]:
        return [entry.record for entry in self.services.audit.before(None, limit)]


def login(client: TestClient, name: str, password: str = PASSWORD, code: str = "") -> Response:
    return client.post("/api/login", json={"name": name, "password": password, "code": code})


def logged_in(world: World, name: str, code: str = "") -> TestClient:
    client = world.browser()
    answer = login(client, name, code=code)
    assert answer.status_code == 200, answer.text
    return client


@contextmanager
def access_world(directory: Path) -> Iterator[World]:
    """Serves an empty catalog whose clock goes on by `World.later`."""
    later = [0]

    def clock() -> int:
        return int(time.time()) + later[0]

    with served(directory, clock=clock) as (client, services):
        yield World(client, services, later)
