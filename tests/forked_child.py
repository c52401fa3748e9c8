"""A limited child that tells about itself, or waits until it is ended."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import sys
import threading
from pathlib import Path

import duckdb
import numpy as np

from desensitize.engines.child import Task, serve, tell_progress

_PR_GET_DUMPABLE = 3
_PR_GET_NO_NEW_PRIVS = 39


def run(task: Task) -> dict[str, object]:
    """Tells what it has from the process that it was forked from."""
    if task.sheet == "waits":
        tell_progress(os.getpid(), os.getppid())
        threading.Event().wait()
    if task.sheet == "fills its memory":
        held = bytearray(task.memory_bytes + (16 << 20))
        return {"held": len(held)}
    if task.sheet == "works":
        while (used := resource.getrusage(resource.RUSAGE_SELF).ru_utime) < 0.3:
            pass
        return {"worked_s": used}
    prctl = ctypes.CDLL(None).prctl
    status = Path("/proc/self/status").read_text("ascii")
    devices = Path("/proc/self/net/dev").read_text("ascii")
    return {
        "parent": os.getppid(),
        "files": _files(),
        "environment": dict(os.environ),
        "directory": str(Path.cwd()),
        "umask": os.umask(0o77),
        "modules": sorted(sys.modules),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "cpu_s": resource.getrlimit(resource.RLIMIT_CPU)[0],
        "file_bytes": resource.getrlimit(resource.RLIMIT_FSIZE)[0],
        "core_bytes": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "dumpable": prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0),
        "no_new_privileges": prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
        "devices": [line.split(":")[0].strip() for line in devices.splitlines()[2:]],
        "network": str(Path("/proc/self/ns/net").readlink()),
        "ignored": status.partition("SigIgn:")[2].split()[0],
        "drawn": [
            random.random(),  # noqa: S311 - seen to differ, used for nothing
            str(np.random.default_rng().random()),
            str(duckdb.connect().execute("SELECT random(), uuid()").fetchone()),
        ],
    }  # fmt: skip


def _files() -> list[str]:
    """Says what each descriptor is; one was the directory's, while it was listed."""
    listed = list(Path("/proc/self/fd").iterdir())
    return sorted(str(each.readlink()).split(":")[0] for each in listed if each.is_symlink())[::-1]


if __name__ == "__main__":
    serve(Task, run)
