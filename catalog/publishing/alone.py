"""One publication at a time in a catalog's directory, and what killed ones have left is removed."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import select

from catalog.publishing.staging import sweep_staged
from catalog.publishing.store import Store, sweep_copies
from catalog.registry.registry import Registry
from catalog.registry.tables import PublicationRow
from protos.faults import UnavailableError
from protos.language import Text

_LOCK: Final = "publishing.lock"
_PATIENCE_S: Final = 120.0
_LOOK_S: Final = 0.1


@contextmanager
def alone(registry: Registry, store: Store) -> Iterator[None]:
    """Waits for whoever publishes now, then sweeps; the system frees the lock of a killed process.

    Args:
        registry: The catalog.
        store: Where its public bytes lie.

    Raises:
        UnavailableError: Another process publishes for more than two minutes.
    """
    descriptor = os.open(registry.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + _PATIENCE_S
        while not _taken(descriptor):
            if time.monotonic() >= end:
                raise UnavailableError(
                    Text("another process publishes in this catalog", "另一进程正在此目录库中发布"),
                    remedy=Text("try again when it is done", "请待其完成后重试"),
                    code="publish.busy",
                )
            time.sleep(_LOOK_S)
        sweep(registry, store)
        yield
    finally:
        os.close(descriptor)


def sweep(registry: Registry, store: Store) -> int:
    """Removes objects that no publication refers to, and copies; returns how many objects.

    Only for whoever holds the lock: an object that is being written has no row yet.
    """
    sweep_staged(registry.directory)
    with registry.database.read() as connection:
        public = {
            row.object: row.sha256
            for row in connection.execute(
                select(PublicationRow.object, PublicationRow.sha256).where(
                    PublicationRow.state == "published"
                )
            )
        }
    sweep_copies(registry.directory, set(public.values()))
    left = [name for name in store.names() if name not in public]
    for name in left:
        store.remove(name)
    return len(left)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
