"""A harvest is read, changed or ended by one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from catalog.registry.registry import Registry
from protos.faults import UnavailableError
from protos.language import Text


@contextmanager
def alone(registry: Registry, name: str) -> Iterator[None]:
    """Holds a harvest for this process; the system frees it when the process is killed.

    Raises:
        UnavailableError: Another process holds it.
    """
    descriptor = os.open(
        registry.directory / f"harvest-{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnavailableError(
                Text(f"{name} is being harvested by another process", f"另一进程正在采集 {name}"),
                remedy=Text("wait until it is done", "请待其完成"),
                code="harvest.busy",
            ) from error
        yield
    finally:
        os.close(descriptor)
