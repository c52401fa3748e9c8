"""Publishing that is killed, meets another or a full disk; and what stores and readers meet."""

from __future__ import annotations

import datetime as dt
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from catalog.publishing import signers
from catalog.publishing.publish import PublicationRefusedError, publish
from catalog.publishing.store import Store, open_store, use_store
from catalog.publishing.unpublish import unpublish
from catalog.registry.registry import Registry, create, opened
from protos.faults import InputError, TrustError, UnavailableError, VeilError
from tests.catalog_world import HEALTH
from tests.publishing_world import (
    World,
    clone,
    damaged,
    enrol,
    objects,
    public,
    readable,
    refused,
)

Patch = pytest.MonkeyPatch


@pytest.fixture
def catalog(publishing: World, tmp_path: Path) -> Iterator[Registry]:
    with opened(clone(publishing, tmp_path)) as registry:
        yield registry


@pytest.fixture
def release(publishing: World, tmp_path: Path) -> Path:
    return damaged(publishing, tmp_path)


# ---- two at once, kills, full disks -------------------------------------------------------------


def test_two_publishes_at_once_one_wins(catalog: Registry, publishing: World) -> None:
    found: list[object] = []

    def one() -> None:
        try:
            with opened(catalog.directory) as mine:
                found.append(publish(mine, publishing.release, "local", "YL/001").number)
        except PublicationRefusedError as error:
            found.append(error.code)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, found)) == ["1", "publish.already"]
    assert len(objects(catalog)) == 1


def test_a_signer_who_is_removed_while_the_bytes_are_copied(
    catalog: Registry, publishing: World, monkeypatch: Patch
) -> None:
    put = Store.put

    def removed_meanwhile(self: Store, *words: Any) -> Any:  # noqa: ANN401 - as `put`
        done = put(self, *words)
        signers.remove(catalog, 1, by="数据局", reason="离职")
        return done

    monkeypatch.setattr(Store, "put", removed_meanwhile)
    assert refused(catalog, publishing.release) == {"publish.signer"}


def test_a_full_disk_leaves_nothing(catalog: Registry, publishing: World) -> None:
    store = open_store(catalog.directory)
    size = (publishing.release / "yl_001.parquet").stat().st_size
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system's own limit on files stands for the disk; the catalog's database is not written.
    put = store.put

    def full(*words: Any) -> Any:  # noqa: ANN401 - as `put`
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, old[1]))
        try:
            return put(*words)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)

    store.put = full  # type: ignore[method-assign]
    with pytest.raises(UnavailableError) as caught:
        publish(catalog, publishing.release, "local", "YL/001", store=store)
    assert caught.value.code == "publish.store"
    assert (public(catalog), objects(catalog)) == ([], [])
    assert publish(catalog, publishing.release, "local", "YL/001").number == 1


STEPS = ("staged", "half", "copied", "inserting", "committed", "unpublishing", "unpublished")
KILLER = """
import os, signal, sys
from pathlib import Path
import pyarrow.fs, rfc8785  # once, before the forks
from sqlalchemy import event
from sqlalchemy.engine import Engine
from catalog.publishing import publish as p, unpublish as u
from catalog.publishing.store import Store
from catalog.registry.registry import opened
folder, release, steps = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def dying(step):
    put, remove = Store.put, Store.remove
    if step == "staged":
        Store.put = die
    if step == "half":
        class Half:
            def __init__(self, source): self.source, self.parts = source, 0
            def read(self, _):
                if self.parts: die()
                self.parts += 1
                return self.source.read(500)
        Store.put = lambda self, name, source: put(self, name, Half(source))
    if step == "copied":
        Store.put = lambda *words: (put(*words), die())
    if step in ("inserting", "unpublishing"):
        word = "INSERT INTO publications" if step == "inserting" else "UPDATE publications"
        event.listen(Engine, "after_cursor_execute",
                     lambda c, cursor, sql, *_: die() if sql.startswith(word) else None)
    if step == "committed":
        p.publications = die
    if step == "unpublished":
        Store.remove = die
    with opened(folder / step) as registry:
        if step.startswith("unpubl"):
            u.unpublish(registry, "local", "YL/001", 1, reason="r", who="w")
        else:
            p.publish(registry, release, "local", "YL/001")

for step in steps:
    child = os.fork()
    if child == 0:
        dying(step)
        os._exit(1)
    print(step, os.waitpid(child, 0)[1], flush=True)
"""


def test_killed_at_any_step_the_old_state_or_the_new(publishing: World, tmp_path: Path) -> None:
    with opened(clone(publishing, tmp_path)) as registry:
        for step in STEPS:
            if step.startswith("unpubl"):
                continue
            shutil.copytree(registry.directory, tmp_path / step)
        publish(registry, publishing.release, "local", "YL/001")
    for step in ("unpublishing", "unpublished"):
        shutil.copytree(registry.directory, tmp_path / step)
    said = subprocess.run(
        [sys.executable, "-c", KILLER, tmp_path, publishing.release, *STEPS],
        check=True, capture_output=True, text=True, cwd=Path.cwd(),
    )  # fmt: skip
    assert said.stdout.split("\n")[:-1] == [f"{step} {signal.SIGKILL}" for step in STEPS]
    published, unpublished = [("YL/001", 1, "published")], [("YL/001", 1, "unpublished")]
    new = {"committed": published, "unpublishing": published, "unpublished": unpublished}
    for step in STEPS:
        with opened(tmp_path / step) as registry:
            state = public(registry)
            assert state == new.get(step, []), step
            if state == published:
                assert readable(registry) == [400]
                assert refused(registry, publishing.release) == {"publish.already"}
            elif state == unpublished:
                assert len(objects(registry)) == 1  # which nobody can open any more
                assert readable(registry) == []
                with pytest.raises(PublicationRefusedError):
                    publish(registry, publishing.release, "local", "YL/001")
            else:
                publish(registry, publishing.release, "local", "YL/001")
            # What was left is swept by whoever comes next.
            assert len(objects(registry)) == (0 if state == unpublished else 1), step
            assert not list(registry.directory.glob(".staged-*"))


# ---- stores and readers ------------------------------------------------------------------------


@pytest.fixture
def remote() -> Store:
    """A store that is no folder: Arrow's own in memory, below a subtree."""
    memory, _ = fs.FileSystem.from_uri("mock:///public")
    memory.create_dir("public")
    return Store(fs.SubTreeFileSystem("public", memory))


def test_another_file_system_of_arrow(catalog: Registry, publishing: World, remote: Store) -> None:
    publish(catalog, publishing.release, "local", "YL/001", store=remote)
    assert objects(catalog) == []
    [name] = remote.names()
    assert readable(catalog, remote) == [400]
    # Whoever can write the store cannot pass other bytes off: not shorter, not longer, not none,
    # and none of the same length.
    [good] = [bytearray((publishing.release / "yl_001.parquet").read_bytes())]
    good[len(good) // 2] ^= 1
    for content in (b"", b"x" * 100, None, bytes(good)):
        remote.remove(name)
        if content is not None:
            with remote.filesystem.open_output_stream(name) as out:
                out.write(content)
        with pytest.raises(TrustError, match="other bytes"):
            readable(catalog, remote)
    unpublish(catalog, "local", "YL/001", 1, reason="有误", who="我", store=remote)
    assert remote.names() == []


def test_a_store_by_uri(catalog: Registry, publishing: World, tmp_path: Path) -> None:
    for uri in ("", "nothing", "nosuch://x"):
        with pytest.raises(InputError):
            use_store(catalog, uri)
    use_store(catalog, (tmp_path / "elsewhere").as_uri())
    publish(catalog, publishing.release, "local", "YL/001")
    assert len(list((tmp_path / "elsewhere").glob("*.parquet"))) == 1
    with pytest.raises(InputError):
        use_store(catalog, (tmp_path / "other").as_uri())


def test_a_store_with_somebody_elses_files_is_left_alone(
    catalog: Registry, publishing: World, tmp_path: Path
) -> None:
    """A folder with a department's originals, or another catalog's store: nothing is removed."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "original.parquet").write_bytes(b"x")
    refused_store(catalog, theirs)
    shared = tmp_path / "shared"
    create(tmp_path / "other")
    with opened(tmp_path / "other") as other:
        use_store(other, shared.as_uri())
    refused_store(catalog, shared)
    use_store(catalog, (tmp_path / "mine").as_uri())
    (catalog.directory / "store.uri").unlink()  # killed before it was written
    use_store(catalog, (tmp_path / "mine").as_uri())
    (tmp_path / "mine" / "original.parquet").write_bytes(b"x")  # put there later
    publish(catalog, publishing.release, "local", "YL/001")
    unpublish(catalog, "local", "YL/001", 1, reason="有误", who="我")
    assert [path.name for path in (tmp_path / "mine").glob("*.parquet")] == ["original.parquet"]


def refused_store(catalog: Registry, place: Path) -> None:
    before = sorted(place.iterdir())
    with pytest.raises(InputError) as caught:
        use_store(catalog, place.as_uri())
    assert caught.value.code == "publish.store_not_empty"
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize(
    ("department", "key", "more"),
    [
        ("none", "", {}),
        (HEALTH.code, "did:key:zzz", {}),
        (HEALTH.code, "1234", {}),
        (HEALTH.code, "", {"until": dt.date(2020, 1, 1)}),
        (HEALTH.code, "signer", {}),
    ],
)
def test_enrolments_that_are_none(
    catalog: Registry, publishing: World, department: str, key: str, more: dict[str, Any]
) -> None:
    """An unknown department, no key, a term in the past, a second role for one key."""
    key = publishing.dids.get(key or "stranger", key)
    with pytest.raises(VeilError):
        enrol(catalog, department, key, "chief", **more)
    with catalog.database.read() as connection:
        assert len(signers.signers(connection)) == 4
