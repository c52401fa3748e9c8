"""The analyst's jobs that are still out: plan and keys, on disk before anything is handed in.

Only these keys open the answer, and every department pays for it whether or not somebody is there
to take it. So they outlive the process that asked: a job's file (mode 0600) is there until its
answer is in the history, or the job has ended without one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from catalog.identity.files import create_directory
from protos.faults import InputError
from protos.language import Text
from protos.whole_file import write_whole


@dataclass(frozen=True)
class OpenJob:
    """One job as it was signed, with what opens its answer.

    Attributes:
        job: 32 hex digits.
        question: Under which its answer will be kept (``exchange.analyst.history.question_key``).
        plan: ``veil-plan+jwt``.
        order_key: The job's cell-order key, or b"".
        he_secret: The job's private HE key, or b"".
    """

    job: str
    question: str
    plan: str
    order_key: bytes = field(default=b"", repr=False)
    he_secret: bytes = field(default=b"", repr=False)


class OpenJobs:
    """Files in a folder, one a job.

    Args:
        directory: Made when it is first written to.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps every other process and thread of this analyst out of such a block."""
        create_directory(self._directory)
        descriptor = os.open(self._directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # releases it, as does the process's end

    def keep(self, job: OpenJob) -> None:
        """Keeps a job; it is on disk when this returns.

        Raises:
            UnavailableError: It cannot be written, so it must not be handed in.
        """
        create_directory(self._directory)
        body = {
            "question": job.question,
            "plan": job.plan,
            "order_key": job.order_key.hex(),
            "he_secret": job.he_secret.hex(),
        }
        write_whole(self._file(job.job), json.dumps(body).encode("ascii"))

    def all(self) -> list[OpenJob]:
        """Every job that is out, oldest first.

        Raises:
            InputError: A file is damaged; names it.
        """
        found = []
        for path in self._directory.glob("*.json"):
            try:
                found.append((path.stat().st_mtime, _read(path)))
            except FileNotFoundError:
                continue  # another process has just taken its answer
        return [job for _, job in sorted(found, key=lambda entry: (entry[0], entry[1].job))]

    def forget(self, job: str) -> None:
        """Removes a job that has ended; one that is not there is none."""
        self._file(job).unlink(missing_ok=True)

    def _file(self, job: str) -> Path:
        return self._directory / f"{job}.json"


def _read(path: Path) -> OpenJob:
    try:
        body = json.loads(path.read_text("ascii"))
        keys = bytes.fromhex(body["order_key"]), bytes.fromhex(body["he_secret"])
        return OpenJob(path.stem, str(body["question"]), str(body["plan"]), *keys)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            Text(
                f"{path} is damaged: it is no job of this analyst",
                f"{path} 已损坏：不是此分析员的任务",
            ),
            remedy=Text(
                "move it away; what it asked cannot be opened any more",
                "请移走该文件；其所查询的结果已无法打开",
            ),
            code="jobs.damaged",
        ) from error
