"""A PostgreSQL of our own for the tests, or the one that ``VEIL_TEST_POSTGRES`` names.

Debian's package ``postgresql`` brings the programs; the server listens on a socket in a directory
of its own, never on a port, and forgets its data with the directory.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MISSING = (
    "no PostgreSQL here: the registry was NOT tested on it "
    "(install Debian's `postgresql`, or set VEIL_TEST_POSTGRES to the URL of an empty database)"
)


def programs() -> Path | None:
    """Where initdb and postgres are, the newest first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Starts a server; gives the URL of its empty database."""
    bin_ = programs()
    assert bin_ is not None
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    as_user = {"user": user, "group": user, "extra_groups": []} if os.getuid() == 0 else {}
    if os.getuid() == 0:
        shutil.chown(folder, user, user)
    data = folder / "data"

    def run(*command: str | Path) -> None:
        """Output into nothing: a server that starts would keep a pipe open."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([str(c) for c in command], check=True, cwd=folder, **quiet, **as_user)

    run(bin_ / "initdb", "-D", data, "-U", "veil", "--auth=trust", "--encoding=UTF8",
        "--locale=C", "--no-sync")  # fmt: skip
    # Nobody needs the data after a power cut.
    settings = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=20"
    run(bin_ / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", settings, "start")
    try:
        yield f"postgresql://veil@/postgres?host={folder}"
    finally:
        run(bin_ / "pg_ctl", "-D", data, "-m", "immediate", "stop")


@contextmanager
def empty_database() -> Iterator[str | None]:
    """Gives the URL of a database without tables, or None where there is no PostgreSQL."""
    if url := os.environ.get("VEIL_TEST_POSTGRES"):
        yield url
    elif programs() is None:
        yield None
    else:
        folder = Path(tempfile.mkdtemp(prefix="veil-pg-", dir="/tmp"))
        try:
            with server(folder) as own:
                yield own
        finally:
            shutil.rmtree(folder, ignore_errors=True)
