"""Directories of a process's own that do not outlive it, also if it is killed.

Whoever makes one holds a lock on it as long as he lives; the system lets go of the lock with the
process, whatever ended it. The next to make one sweeps away what nobody holds. (A file without a
name would be gone at once, but the engine spills into files that have one.)
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scratch(kind: str) -> Iterator[Path]:
    """Yields an empty directory among the temporary ones, for a child process to work in.

    What killed processes have left of the same kind is removed first: it may hold rows.

    Args:
        kind: What it is for, such as ``scan``; part of its name.
    """
    # Of a name of its own: what holds no lock at all must not be taken for a dead one's.
    parent, begins = Path(tempfile.gettempdir()), f"veil-locked-{kind}-"
    sweep(parent, begins)
    place, lock = locked_directory(parent, begins)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def locked_directory(parent: Path, begins: str) -> tuple[Path, int]:
    """Makes a private directory and takes its lock.

    Args:
        parent: Where.
        begins: Of its name.

    Returns:
        The directory, and the open descriptor that holds the lock.

    Raises:
        OSError: The disk is full, or the parent is not writable.
    """
    while True:
        place = parent / f"{begins}{secrets.token_hex(8)}"
        place.mkdir(mode=0o700)
        try:
            lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # another process took it for a dead one's before it was locked
        except OSError:
            place.rmdir()
            raise
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists():
            return place, lock
        os.close(lock)


def sweep(parent: Path, begins: str) -> None:
    """Removes this user's directories that begin so and that nobody holds."""
    for left in parent.glob(f"{_glob_safe(begins)}*"):
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_uid == os.getuid():
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


def _glob_safe(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
