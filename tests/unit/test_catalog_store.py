"""A catalog's directory, its migrations, and what happens when it cannot be used."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from catalog.registry import database as database_module
from catalog.registry.database import HEAD, Database, sqlite_url
from catalog.registry.migrations import configuration
from catalog.registry.registry import create, opened
from catalog.registry.withdrawal import read_tombstone
from catalog.search.find import Search
from catalog.search.query import Query
from protos.faults import InputError, TrustError, UnavailableError
from protos.keyfile import write_private
from protos.signing import IdentityKey
from tests.catalog_world import record

Patch = pytest.MonkeyPatch


def test_the_newest_migration_is_the_one_that_is_asked_for() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert scripts.get_heads() == [HEAD]


def test_a_catalog_is_private_and_made_once(tmp_path: Path) -> None:
    directory = tmp_path / "c"
    create(directory)
    with opened(directory) as registry:
        registry.register([record()])
        fingerprint = registry.key().public.fingerprint
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in directory.iterdir()}
    assert modes["catalog.db"] == modes["identity.pem"] == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    create(directory)
    with opened(directory) as registry:
        assert registry.count() == 1
        assert registry.key().public.fingerprint == fingerprint


def test_another_s_tombstone_is_none(tmp_path: Path) -> None:
    create(tmp_path / "c")
    with opened(tmp_path / "c") as registry:
        registry.register([record()])
        token = registry.withdraw("local", "A/1", reason="错", who="我")
        assert read_tombstone(token, registry.key().public)["reason"] == "错"
    with pytest.raises(TrustError):
        read_tombstone(token, IdentityKey.generate().public)


def test_an_older_catalog_asks_for_an_upgrade_and_a_newer_one_is_left_alone(
    tmp_path: Path,
) -> None:
    create(tmp_path / "c")
    for version, code in (("0000", "catalog.outdated"), ("9999", "catalog.newer")):
        with sqlite3.connect(tmp_path / "c" / "catalog.db") as file:
            file.execute("UPDATE alembic_version SET version_num = ?", (version,))
        with pytest.raises(InputError) as caught, opened(tmp_path / "c"):
            pass
        assert caught.value.code == code
    file.close()


def test_killed_in_the_middle_of_a_migration_it_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    program = f"""
import os, signal
from sqlalchemy import event
from sqlalchemy.engine import Engine
from catalog.registry.database import Database, sqlite_url
from pathlib import Path
seen = []
@event.listens_for(Engine, "before_cursor_execute")
def count(connection, cursor, statement, *_):
    seen.append(statement)
    if statement.lstrip().startswith("CREATE TABLE versions"):
        os.kill(os.getpid(), signal.SIGKILL)
Database(sqlite_url(Path({str(path)!r}))).open()
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=Path.cwd())
    assert done.returncode == -signal.SIGKILL
    database = Database(sqlite_url(path))
    database.open()
    assert database.revision() == HEAD
    database.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://root:secret@h/d", "catalog.url"),
        ("sqlite://", "catalog.url"),
        ("not a url with secret", "catalog.url"),
        ("postgresql://u:secret@127.0.0.1:1/d", "catalog.database"),
    ],
)
def test_a_database_that_is_none_is_told_without_its_password(url: str, code: str) -> None:
    with pytest.raises((InputError, UnavailableError)) as caught:
        Database(url).open()
    assert caught.value.code == code
    assert "secret" not in str(caught.value.public())
    assert caught.value.advice.zh


def test_the_url_lies_in_a_file_of_mode_0600(tmp_path: Path) -> None:
    create(tmp_path / "c")
    with pytest.raises(InputError, match="already"):
        create(tmp_path / "c", url="postgresql://h/d")
    directory = tmp_path / "d"
    create(directory)
    (directory / "catalog.db").unlink()
    write_private(directory / "database.url", f"sqlite:///{tmp_path}/other.db".encode())
    with opened(directory) as registry:
        assert registry.count() == 0
    assert (tmp_path / "other.db").exists()
    (directory / "database.url").chmod(0o644)
    with pytest.raises(TrustError, match="0644"), opened(directory):
        pass


def test_a_full_disk_leaves_the_catalog_as_it_was(tmp_path: Path) -> None:
    create(tmp_path / "c")
    many = [record(f"A/{i}", abstract="满" * 1000) for i in range(400)]
    with opened(tmp_path / "c") as registry:
        registry.register([record("B/1")])
        with registry.database.engine.connect() as connection:
            size = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {size + 20}")
        with pytest.raises(UnavailableError, match="cannot be read or written"):
            registry.register(many)
        assert registry.count() == 1
        assert Search(registry.database).find(Query("满")).total == 0
        with registry.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        assert registry.register(many).outcomes == {"new": 400}


def test_a_writer_that_waits_too_long_is_told(tmp_path: Path, monkeypatch: Patch) -> None:
    create(tmp_path / "c")
    monkeypatch.setattr(database_module, "_BUSY_S", 0.05)
    holder = sqlite3.connect(tmp_path / "c" / "catalog.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with opened(tmp_path / "c") as registry:
        with pytest.raises(UnavailableError, match="another program is writing"):
            registry.register([record()])
        assert registry.count() == 0  # readers need not wait
        holder.execute("ROLLBACK")
        holder.close()
        registry.register([record()])


def test_no_catalog_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no catalog"), opened(tmp_path):
        pass
    (tmp_path / "identity.pem").write_bytes(b"")
    (tmp_path / "catalog.db").write_bytes(b"this is no database, not even a bit of one" * 99)
    with pytest.raises(UnavailableError, match="cannot be read"), opened(tmp_path):
        pass
