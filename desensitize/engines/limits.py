"""What child processes give up before they touch anything foreign. Linux; imports nothing heavy."""

from __future__ import annotations

import ctypes
import gc
import resource
import signal
import sys
from pathlib import Path
from typing import Final

_CLONE_NEWNET: Final = 0x40000000
_CLONE_NEWUSER: Final = 0x10000000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38


def isolate() -> None:
    """Leaves the network if the system lets us; gives up new privileges and core dumps.

    Must run before anything that starts a thread: a user namespace needs a single thread. Puts the
    garbage collector off until the libraries are loaded (`loaded`): they leave no garbage, and
    looking for it took a sixth of the loading.
    """
    gc.disable()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        # Unprivileged: allowed together with a user namespace on most systems.
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def loaded() -> None:
    """Begins to collect garbage, but not among what was loaded, which stays."""
    gc.freeze()
    gc.enable()


class _NoPandas:
    """Says that there is no pandas."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def without_pandas() -> None:
    """Keeps pyarrow from importing pandas with its first array: 0.2 s and 33 MB, for nothing."""
    sys.meta_path.insert(0, _NoPandas)


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def bind(memory_bytes: int, disk_bytes: int, cpu_s: int) -> None:
    """Limits a process that reads one foreign file; it dies with its parent.

    Args:
        memory_bytes: Address space beyond what it has now.
        disk_bytes: Largest file that it may write.
        cpu_s: CPU seconds.
    """
    loaded()
    die_with_parent()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # too large a file becomes an error, not a death
    for kind, limit in (
        (resource.RLIMIT_AS, address_space() + memory_bytes),
        (resource.RLIMIT_FSIZE, disk_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def address_space() -> int:
    """Returns the address space of this process, bytes."""
    pages = Path("/proc/self/statm").read_text("ascii").split()[0]
    return int(pages) * resource.getpagesize()
