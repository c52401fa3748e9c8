"""Files that several servers share: the disk is full, or another process holds on to them."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from catalog.access.audit import FILE
from tests.access_world import HOST, World, login
from tests.web_world import served

STRANGER = {"name": "nobody", "password": "wrong words"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for module in ("catalog.identity.database", "catalog.registry.database"):
        monkeypatch.setattr(f"{module}._BUSY_S", 0.2)  # as long as a write waits for another's
    with served(tmp_path / "c") as (client, services):
        client.base_url = HOST
        made = World(client, services)
        made.person("root", "administrator", "auditor")
        made.person("li", "analyst")
        yield made


@contextmanager
def full(most: int) -> Iterator[None]:
    """No file grows beyond this, as if the disk had no more room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_loses_nothing_and_is_over_when_there_is_room(world: World) -> None:
    directory = world.services.registry.directory
    program = world.program(world.key("root", "account.write")[1])

    def change(title: str) -> tuple[int, str]:
        answer = program.patch("/api/accounts/li", json={"title": title})
        return answer.status_code, answer.json().get("code", "")

    assert change("before") == (200, "")
    wal = (directory / "catalog.db-wal").stat().st_size
    world.services.audit._writing.settle()  # the journal has some room; the registry has none
    with full(wal):
        assert change("full") == (503, "catalog.database")
        answer = login(world.browser(), "li")
        assert (answer.status_code, answer.json()["code"]) == (503, "catalog.database")
        assert "disk" in answer.json()["detail"]
        assert "磁盘" in answer.json()["detail_zh"]
        assert world.client.get("/en/").status_code == 200, "reading goes on"
    assert world.gate.accounts.get("li").title == "before"
    with full(4096):  # nobody has any
        assert change("full") == (503, "audit.failed")
        assert world.client.get("/en/search").status_code == 200
    assert change("after") == (200, "")
    assert login(world.browser(), "li").status_code == 200
    assert world.gate.accounts.get("li").title == "after"
    assert world.services.audit.verify().entries > 4
    with closing(sqlite3.connect(directory / "catalog.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(("file", "code"), [(FILE, "audit.failed"), ("catalog.db", "catalog.busy")])
def test_a_sibling_that_is_stopped_while_it_writes_holds_up_no_reader(
    world: World, file: str, code: str
) -> None:
    """SIGSTOP leaves its locks; SIGKILL does not: then its half transaction is undone."""
    for _ in range(20):  # this stranger's share of the journal
        login(world.browser(), "nobody", "wrong words")
    path = world.services.registry.directory / file
    with closing(sqlite3.connect(path, isolation_level=None)) as stopped:
        stopped.execute("BEGIN IMMEDIATE")
        assert world.client.get("/en/").status_code == 200
        assert world.client.get("/api/catalog/datasets", params={"q": "x"}).status_code == 200
        assert world.client.post("/api/login", json=STRANGER).status_code in {401, 429}
        answer = login(world.browser(), "li")
        assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert login(world.browser(), "li").status_code == 200
    assert world.services.audit.verify().entries > 20
