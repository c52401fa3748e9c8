"""The disk fills up: nothing is answered that could not be written down first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compute_nodes.ledger import Charge
from compute_nodes.store import Answered, NodeStore
from protos.faults import UnavailableError

ROOT = Path(__file__).resolve().parents[2]


def charge(number: int) -> Charge:
    return Charge(f"{number:032x}", "visits", "p", "ana", 1e-4, 1e9, 1e9, 10**9)


def opened(path: Path) -> NodeStore:
    store = NodeStore(path)
    store.open()
    return store


def walk(store: NodeStore, number: int) -> None:
    """One job, as `compute_nodes.jobs.job` writes it."""
    store.begin(charge(number).job, number, lambda: b"s" * 32)
    with store.db.write() as db:
        store.budget.reserve(db, charge(number), number)
    answer = Answered("main/masked", b"request", "message", b"x" * 5000)
    store.keep(charge(number).job, answer, recipient="exchange", at=number, releases=True)


def until_full(store: NodeStore) -> tuple[int, UnavailableError]:
    """Returns how many jobs were written before the disk was full, and the error."""
    for done in range(1000):
        try:
            walk(store, done)
        except UnavailableError as error:
            return done, error
    raise AssertionError("it never became full")


def test_full_then_free_again(tmp_path: Path) -> None:
    store = opened(tmp_path / "store.sqlite")
    with store.db.write() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
    with store.db.read() as db:
        db.execute(f"PRAGMA max_page_count = {pages + 40}")
    done, error = until_full(store)
    assert 0 < done < 999
    assert "disk" in error.remedy
    # Fail closed: as long as it is full, no step is taken …
    for _ in range(3):
        with pytest.raises(UnavailableError):
            walk(store, done + 1)
    with store.db.read() as db:
        store.budget.verify(db)
        store.egress.verify(db)
        released = {r.job for r in store.budget.rows(db, 10**6) if r.state == "released"}
        assert {line["job"] for line in store.egress.rows(db)} == released
        assert len(released) == done
        # … and when there is space again, work goes on with the same store.
        db.execute("PRAGMA max_page_count = 1000000")
    walk(store, done + 2)
    store.close()


def test_operating_system_refuses_to_write(tmp_path: Path) -> None:
    """A file-size limit in a real process, as ENOSPC would be: an error, and nothing half."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, 'tests/attacks')\n"
        "from test_store_full_disk import opened, until_full\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "store = opened(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "print(until_full(store)[0])\n"
    )
    path = tmp_path / "store.sqlite"
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True, text=True, cwd=ROOT, check=True, timeout=60,
    )  # fmt: skip
    done = int(ran.stdout)
    assert done > 0
    store = opened(path)
    with store.db.read() as db:
        store.budget.verify(db)
        store.egress.verify(db)
        released = {r.job for r in store.budget.rows(db, 10**6) if r.state == "released"}
        assert len(released) == done
    store.close()


def test_tiny_file_system(tmp_path: Path) -> None:
    """A real full disk, where the system lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount")
    try:
        store = opened(disk / "store.sqlite")
        done, _ = until_full(store)
        with store.db.read() as db:
            store.budget.verify(db)
            released = {r.job for r in store.budget.rows(db, 10**6) if r.state == "released"}
            assert len(released) == done
        store.close()
    finally:
        subprocess.run(["umount", str(disk)], capture_output=True, check=False)


def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        opened(tmp_path / "missing" / "store.sqlite")
    (tmp_path / "garbage.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(UnavailableError):
        opened(tmp_path / "garbage.sqlite")
