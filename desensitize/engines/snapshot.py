"""Snapshots: a department's file, converted once per version into a native database.

A directory holds ``<id>.duckdb`` and, written last, ``<id>.json``: a snapshot exists when its
JSON does. Loading happens in a limited child process under a temporary name, so whatever goes
wrong leaves nothing behind, and queries never wait for a load.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from desensitize.column import Column
from desensitize.engines.reports import ColumnReport, LoadReport
from protos.canonical import digest
from protos.faults import InputError, UnavailableError, VeilError, from_public
from protos.language import Text
from protos.whole_file import sync

GIB: Final = 1 << 30
_LAYOUT: Final = 1  # raise it when the same source must be loaded anew
_LOADING: Final = ".loading-"
_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]
_ENVIRONMENT: Final = {
    "PATH": os.defpath,
    "PYTHONPATH": str(_PACKAGE_ROOT),
    # The GNU allocator reserves 64 to 128 MiB of address space for every thread that allocates;
    # under the limit that is taken from the data, and how much depends on the scheduler.
    "MALLOC_ARENA_MAX": "1",
}


@dataclass(frozen=True)
class LoadLimits:
    """What one load may use.

    Attributes:
        memory_bytes: Address space of the loader.
        disk_bytes: Largest file that it may write.
        cpu_s: CPU seconds.
        deadline_s: Seconds until it is killed.
    """

    memory_bytes: int = 2 * GIB
    disk_bytes: int = 200 * GIB
    cpu_s: int = 24 * 3600
    deadline_s: float = 12 * 3600.0


@dataclass(frozen=True)
class Snapshot:
    """One version of one department's data.

    Attributes:
        id: 32 random hex digits; says nothing about the data.
        path: Native database file; its table is ``data``.
        report: What the load found; private to the owner.
    """

    id: str
    path: Path
    report: LoadReport

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.report.rows


def load(
    source: Path,
    columns: Mapping[str, Column],
    *,
    subject: str,
    directory: Path,
    max_rows: int = 1_000_000_000,
    max_rows_per_subject: int = 1,
    limits: LoadLimits | None = None,
) -> Snapshot:
    """Returns the snapshot of ``source``, loading it unless that has been done.

    Args:
        source: CSV (UTF-8 or GB18030) or ``.parquet`` file.
        columns: The columns to take, by name; no other column of the file is kept.
        subject: Name of the subject column, declared in ``columns`` or not.
        directory: Where this dataset's snapshots live; made with mode 0700.
        max_rows: A file with more rows is refused.
        max_rows_per_subject: If a subject has more, every row gets its rank in the subject.
        limits: What the loader may use.

    Raises:
        InputError: The file does not exist or is wrong; names file, line and column.
        UnavailableError: Memory, disk or time did not suffice.
    """
    wanted = dict(columns)
    wanted.setdefault(subject, Column(subject, "string"))
    declared = _declaration(wanted, subject, max_rows, max_rows_per_subject)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _only_loader(directory):
            found = _existing(directory, source, declared)
            if found is not None:
                return found
            before = _version(source)
            sha256 = _sha256(source)
            task = {
                "source": str(source.resolve()),
                "columns": {n: _column_body(c) for n, c in wanted.items()},
                "subject": subject,
                "max_rows": max_rows,
                "max_rows_per_subject": max_rows_per_subject,
            }
            with _scratch(directory) as scratch:
                report = _run_loader(task, scratch, source.name, limits or LoadLimits())
                if _version(source) != before:
                    raise InputError(
                        Text(
                            f"{source.name} changed while it was read",
                            f"{source.name} 在读取过程中被改动",
                        ),
                        remedy=Text(
                            "load again when the export has ended", "请在导出结束后重新加载"
                        ),
                        code="source.changed",
                    )
                meta = {"declared": declared, "version": before, "sha256": sha256}
                return _publish(scratch / "data.duckdb", directory, meta, report)
    except FileNotFoundError as error:
        raise InputError(
            Text(f"{source} does not exist", f"{source} 不存在"), code="source.not_found"
        ) from error
    except OSError as error:
        raise UnavailableError(
            Text(
                f"the snapshot of {source.name} cannot be written: {error.strerror}",
                f"{source.name} 的快照无法写入：{error.strerror}",
            ),
            remedy=Text(
                "check the disk and the rights on the snapshot directory",
                "请检查磁盘和快照目录的权限",
            ),
            code="source.disk",
            detail=str(error),
        ) from error


def discard(directory: Path, keep: frozenset[str]) -> None:
    """Deletes the snapshots of a directory but those in ``keep`` (ids)."""
    with _only_loader(directory):
        for meta in directory.glob("*.json"):
            if meta.stem not in keep:
                meta.unlink()
                meta.with_suffix(".duckdb").unlink(missing_ok=True)


def _declaration(
    columns: Mapping[str, Column], subject: str, max_rows: int, max_rows_per_subject: int
) -> str:
    body = {name: _column_body(column) for name, column in columns.items()}
    return digest([_LAYOUT, body, subject, max_rows, max_rows_per_subject])


def _column_body(column: Column) -> dict[str, Any]:
    return {
        "type": column.type,
        "decimals": column.decimals,
        "bounds": column.bounds,
        "codes": column.codes,
        "nullable": column.nullable,
    }


def _existing(directory: Path, source: Path, declared: str) -> Snapshot | None:
    """Finds a snapshot of the same bytes under the same declaration."""
    version = _version(source)
    sha256 = ""
    for path in sorted(directory.glob("*.json")):
        meta = json.loads(path.read_text("utf-8"))
        database = path.with_suffix(".duckdb")
        if meta["declared"] != declared or not database.exists():
            continue
        if database.stat().st_size != meta["bytes"]:
            continue
        if meta["version"] != version:
            sha256 = sha256 or _sha256(source)
            if meta["sha256"] != sha256:
                continue
        return Snapshot(path.stem, database, _read_report(meta["report"]))
    return None


def _run_loader(
    task: dict[str, Any], scratch: Path, name: str, limits: LoadLimits
) -> dict[str, Any]:
    body = task | {
        "memory_bytes": limits.memory_bytes,
        "disk_bytes": limits.disk_bytes,
        "cpu_s": limits.cpu_s,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "desensitize.engines.load"],
            input=json.dumps(body).encode(),
            capture_output=True,
            cwd=scratch,
            env=_ENVIRONMENT,
            timeout=limits.deadline_s,
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise _lost(name, "the deadline passed") from error
    except ValueError as error:
        last_words = done.stderr.decode("utf-8", "replace")[-4000:]
        raise _lost(name, f"exit status {done.returncode}: {last_words}") from error
    if "fault" in answer:
        raise _rebuilt(answer["fault"])
    report: dict[str, Any] = answer["report"]
    return report


def _publish(
    database: Path, directory: Path, meta: dict[str, Any], report: dict[str, Any]
) -> Snapshot:
    """Gives the file its name; the JSON file comes last and makes it exist."""
    name = secrets.token_hex(16)
    final = directory / f"{name}.duckdb"
    sync(database)
    size = database.stat().st_size
    database.rename(final)
    draft = database.with_name("meta.json")
    draft.write_text(json.dumps(meta | {"bytes": size, "report": report}), "utf-8")
    sync(draft)
    draft.rename(directory / f"{name}.json")
    sync(directory)
    return Snapshot(name, final, _read_report(report))


def _read_report(body: dict[str, Any]) -> LoadReport:
    columns = {name: ColumnReport(**column) for name, column in body["columns"].items()}
    return LoadReport(**(body | {"columns": columns}))


def _rebuilt(fault: dict[str, str]) -> VeilError:
    error = from_public(fault)
    error.detail = fault["detail"]
    return error


def _lost(name: str, detail: str) -> UnavailableError:
    return UnavailableError(
        Text(
            f"the loader ended before {name} was read: a limit on memory, disk or time",
            f"加载程序在读完 {name} 之前结束：达到内存、磁盘或时间限额",
        ),
        remedy=Text(
            "raise the loader's limits, or split the file", "请提高加载程序的限额，或拆分文件"
        ),
        code="source.limits",
        detail=detail,
    )


@contextmanager
def _only_loader(directory: Path) -> Iterator[None]:
    """One loader per directory; so a scratch directory found here is a dead one's."""
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left in directory.glob(f"{_LOADING}*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    path = directory / f"{_LOADING}{secrets.token_hex(8)}"
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _version(source: Path) -> list[int]:
    status = source.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _sha256(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
