"""Journals of running jobs: what each session took in, so that a killed exchange can go on.

One file per job, made before the job is acknowledged, appended to before an input has any effect
that others can see, and deleted when the job has ended. A record is

    header length (u32) │ body length (u64) │ CRC-32 of both (u32) │ header (JSON) │ body

in network byte order; the first one says what the job began with. Reading stops at the first
record that is cut off or does not match its checksum: what comes before is a prefix of what
happened, and a prefix is enough (``docs/decisions/0019``). For that reason nothing is synced: a
killed process loses nothing, a power cut at most the last inputs, which the departments send again.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final

from catalog.identity.files import create_directory
from exchange.coordinator.inputs import Input
from protos.canonical import canonical
from protos.faults import InputError, ProtocolError, UnavailableError
from protos.frames import MAX_MESSAGE_BYTES
from protos.language import Text

_FRAME: Final = Struct("!IQI")
_MAX_HEADER_BYTES: Final = 16 * 1024 * 1024  # hundreds of cards
_SUFFIX: Final = ".journal"
_VERSION: Final = 1


@dataclass(frozen=True)
class Begun:
    """What a job began with.

    Attributes:
        analyst: Who asked, as certified.
        submission: As handed in (``exchange.submission``).
        cards: Of the roster, the analyst and this exchange, as they were then.
        min_group: Strictest number of subjects that a visible cell needs.
        submitted_at: Unix seconds.
    """

    analyst: str
    submission: str = field(repr=False)
    cards: tuple[str, ...] = field(repr=False)
    min_group: int
    submitted_at: float


class Journal:
    """The journal of one job; used by one thread at a time.

    Args:
        path: Its file.
        clock: Unix seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._file: BinaryIO | None = None

    def create(self, begun: Begun) -> None:
        """Makes the file.

        Raises:
            InputError: The job has a journal.
            UnavailableError: It cannot be written.
        """
        header: dict[str, Any] = {
            "version": _VERSION,
            "analyst": begun.analyst,
            "cards": list(begun.cards),
            "min_group": begun.min_group,
            "submitted_at": begun.submitted_at,
        }
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise InputError(
                Text("a job of this id was submitted before", "此编号的任务已提交过"),
                remedy=Text(
                    "submit the question again; a new id is drawn", "请重新提交查询，会另取新编号"
                ),
                code="job.repeated",
            ) from error
        except OSError as error:
            raise _full(error) from error
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            self._write(header, begun.submission.encode("ascii"))
        except UnavailableError:
            self.discard()
            raise

    def open(self) -> Begun:
        """Opens the file that an earlier process left; `inputs` come next.

        Raises:
            UnavailableError: It is missing or cannot be read.
            ProtocolError: It does not begin as it should.
        """
        try:
            self._file = self._path.open("r+b", buffering=0)
        except OSError as error:
            raise _full(error) from error
        first = self._read()
        if first is None or first[0].get("version") != _VERSION:
            raise ProtocolError("the job's journal has no beginning", code="journal.malformed")
        header, body = first
        del header["version"]
        cards = tuple(header.pop("cards"))
        return Begun(**header, cards=cards, submission=body.decode("ascii"))

    def inputs(self) -> Iterator[tuple[float, Input]]:
        """Yields what the session took in, and when (Unix seconds); afterwards `append` goes on."""
        held: tuple[float, Input] | None = None
        while (record := self._read()) is not None:
            header, body = record
            at = header.pop("at")
            if header["what"] == "signed" and held is not None:
                held = (held[0], replace(held[1], signature=body.decode("ascii")))
                continue
            if held is not None:
                yield held
            held = (at, Input(**header, body=body))
        if held is not None:
            yield held

    def append(self, taken: Input) -> None:
        """Keeps one input.

        Raises:
            UnavailableError: It cannot be written; nothing of it is kept.
        """
        header: dict[str, Any] = {"what": taken.what, "at": self._clock()}
        if taken.what == "signed":
            self._write(header, taken.signature.encode("ascii"))
            return
        header |= {"department": taken.department, "round": taken.round, "kind": taken.kind}
        self._write(header, taken.body)

    def discard(self) -> None:
        """Deletes it: the job has ended. Doing so twice is harmless."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file and keeps it for the next process."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, header: dict[str, Any], body: bytes) -> None:
        text = canonical(header)
        frame = _FRAME.pack(len(text), len(body), zlib.crc32(body, zlib.crc32(text)))
        file = self._open_file()
        start = file.tell()
        try:
            for part in (frame + text, body):
                rest = memoryview(part)
                while rest:
                    rest = rest[file.write(rest) :]
        except OSError as error:
            file.truncate(start)
            file.seek(start)
            raise _full(error) from error

    def _read(self) -> tuple[dict[str, Any], bytes] | None:
        """The next record; None, and the rest is cut off, where there is no whole one."""
        file = self._open_file()
        start = file.tell()
        record = _parse(file)
        if record is None:
            file.truncate(start)
            file.seek(start)
        return record

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise UnavailableError(
                Text("the job's journal is closed", "任务日志已关闭"), code="exchange.store"
            )
        return self._file


class Journals:
    """The journals of all running jobs, in one directory.

    Args:
        directory: Made with mode 0700 when it does not exist.
        clock: Unix seconds.
    """

    def __init__(self, directory: Path, clock: Callable[[], float]) -> None:
        create_directory(directory)
        self._directory = directory
        self._clock = clock

    def of(self, job: str) -> Journal:
        """The journal of a job, neither made nor opened.

        Raises:
            InputError: The analyst has chosen no proper number for the job: it names a file here.
        """
        if not re.fullmatch(r"[0-9a-f]{32}", job):
            raise InputError(
                Text(
                    "the job's number must be 32 lower-case hex digits",
                    "任务编号须为 32 位小写十六进制数",
                ),
                code="plan.job",
            )
        return Journal(self._directory / f"{job}{_SUFFIX}", self._clock)

    def keep_only(self, jobs: Collection[str]) -> None:
        """Deletes what belongs to no running job: its process died between two writes."""
        for path in self._directory.glob(f"*{_SUFFIX}"):
            if path.stem not in jobs:
                path.unlink(missing_ok=True)


def _parse(file: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    frame = _exactly(file, _FRAME.size)
    if frame is None:
        return None
    header_length, body_length, checksum = _FRAME.unpack(frame)
    if header_length > _MAX_HEADER_BYTES or body_length > MAX_MESSAGE_BYTES:
        return None
    text, body = _exactly(file, header_length), _exactly(file, body_length)
    if text is None or body is None or zlib.crc32(body, zlib.crc32(text)) != checksum:
        return None
    header: dict[str, Any] = json.loads(text)
    return header, body


def _exactly(file: BinaryIO, size: int) -> bytes | None:
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return None if size else b"".join(parts)


def _full(error: OSError) -> UnavailableError:
    return UnavailableError(
        Text("the exchange cannot write its record of jobs", "交换中心无法写入任务记录"),
        remedy=Text("ask its operator to look at the disk", "请联系其运维人员检查磁盘"),
        code="exchange.store",
        detail=str(error),
    )
