"""A witness: keeps the last checkpoint that it has seen of each log, and cosigns what continues it.

Speaks the request and the answer of C2SP ``tlog-witness`` (``add-checkpoint``), as files or over
whatever carries text. What it has seen is on disk before its cosignature leaves, and looking and
noting are one transaction; so it never signs two histories, also across a crash.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.identity.database import Database
from catalog.transparency.checkpoints import (
    MOST_STEPS,
    Checkpoint,
    cosigned,
    decimal,
    read_checkpoint,
    unverified_checkpoint,
)
from catalog.transparency.merkle import EMPTY_ROOT, check_consistency
from catalog.transparency.notes import NoteKey, NoteSigner, from_base64, read_note
from protos.faults import TrustError
from protos.language import Text

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS seen (
    origin TEXT PRIMARY KEY,
    size   INTEGER NOT NULL,
    root   BLOB NOT NULL,
    note   TEXT NOT NULL              -- as signed by the log: proof, should it sign another
) STRICT;
"""


class ConflictError(TrustError):
    """The witness has seen something that the request does not continue.

    Attributes:
        size: Of the last tree that it has cosigned; the entries from there on are in question.
    """

    def __init__(self, said: Text, size: int, *, code: str, remedy: Text) -> None:
        super().__init__(said, remedy=remedy, code=code)
        self.size = size


@dataclass(frozen=True)
class Submission:
    """The body of ``add-checkpoint``: a checkpoint and how it continues an earlier one.

    Attributes:
        old: Size of the tree that the witness has seen; 0 for none.
        steps: Proof of consistency.
        note: The new checkpoint.
    """

    old: int
    steps: Sequence[bytes]
    note: str

    def __str__(self) -> str:
        """Writes the body."""
        hashes = [base64.b64encode(step).decode() for step in self.steps]
        return "\n".join([f"old {self.old}", *hashes, "", self.note])

    @classmethod
    def parse(cls, content: str) -> Submission:
        """Reads a body.

        Raises:
            TrustError: It is malformed.
        """
        head, _, note = content.partition("\n\n")
        first, *lines = head.split("\n")
        word, _, old = first.partition(" ")
        try:
            if word != "old" or len(lines) > MOST_STEPS:
                raise ValueError("no request, or too many hashes")
            return cls(decimal(old), [from_base64(line) for line in lines], note)
        except ValueError as error:
            raise TrustError(
                Text("the request to the witness is malformed", "提交给见证方的请求格式有误"),
                code="witness.request",
                detail=str(error),
            ) from error


class Witness:
    """One witness.

    Args:
        path: SQLite file of what it has seen.
        signer: Its key, of type `WITNESS`.
        logs: Keys of the logs that it watches.
    """

    def __init__(self, path: Path, signer: NoteSigner, logs: Sequence[NoteKey]) -> None:
        self._database = Database(path, _SCHEMA)
        self._signer = signer
        self._logs: Mapping[str, NoteKey] = {log.name: log for log in logs}

    def open(self) -> None:
        """Opens the file; see `Database.open`."""
        self._database.open()

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def last(self, origin: str) -> Checkpoint | None:
        """Returns the last tree that it has cosigned of a log."""
        with self._database.read() as db:
            return _last(db, origin)

    def add_checkpoint(self, submission: Submission, now: int) -> str:
        """Cosigns a checkpoint that continues what was seen.

        Args:
            submission: From the log, or from anybody.
            now: Unix seconds.

        Returns:
            The signature line.

        Raises:
            ConflictError: The log has gone backwards, was forked, or starts elsewhere.
            TrustError: The log is not watched, its signature does not hold, or the request is
                malformed.
            UnavailableError: It cannot be written down, so nothing is signed.
        """
        note = read_note(submission.note)
        origin = unverified_checkpoint(note).origin
        key = self._logs.get(origin)
        if key is None:
            raise TrustError(
                Text(f"the log {origin} is not watched here", f"本机不见证日志 {origin}"),
                remedy=Text(
                    "add the log's key to the witness's policy", "请将该日志的公钥加入见证方策略"
                ),
                code="witness.unknown_log",
            )
        new = read_checkpoint(note, key)
        with self._database.write() as db:
            last = _last(db, origin) or Checkpoint(origin, 0, EMPTY_ROOT)
            _check_continues(last, new, submission)
            db.execute(
                "INSERT INTO seen VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET "
                "size = excluded.size, root = excluded.root, note = excluded.note",
                (origin, new.size, new.root, submission.note),
            )
        return cosigned(note, self._signer, now)


def _last(db: sqlite3.Connection, origin: str) -> Checkpoint | None:
    row = db.execute("SELECT size, root FROM seen WHERE origin = ?", (origin,)).fetchone()
    return None if row is None else Checkpoint(origin, row["size"], row["root"])


def _check_continues(last: Checkpoint, new: Checkpoint, submission: Submission) -> None:
    if new.size < last.size:
        raise ConflictError(
            Text(
                f"the log went backwards: {last.size} entries were cosigned, "
                f"this checkpoint has {new.size}: entry {new.size} and later are gone",
                f"日志倒退：已会签 {last.size} 条，此检查点只有 {new.size} 条："
                f"第 {new.size} 条起已缺失",
            ),
            last.size,
            code="witness.backwards",
            remedy=_KEEP,
        )
    if submission.old != last.size:
        raise ConflictError(
            Text(
                f"the proof starts from {submission.old} entries, {last.size} were cosigned",
                f"证明从 {submission.old} 条开始，而已会签 {last.size} 条",
            ),
            last.size,
            code="witness.size",
            remedy=Text(
                f"prove the way from {last.size} entries", f"请提供从 {last.size} 条开始的证明"
            ),
        )
    if last.size == 0:
        if submission.steps or (new.size == 0 and new.root != EMPTY_ROOT):
            raise TrustError(
                Text("nothing is proven from an empty log", "空日志无需证明"), code="log.proof"
            )
        return
    try:
        check_consistency(last.size, new.size, submission.steps, last.root, new.root)
    except TrustError as error:
        raise ConflictError(
            Text(
                f"the log was forked or rewritten: its tree of {new.size} entries does not "
                f"continue the {last.size} that were cosigned; an entry before {last.size} differs",
                f"日志被分叉或改写：{new.size} 条的日志并非已会签的 {last.size} 条的延续；"
                f"第 {last.size} 条之前有条目不同",
            ),
            last.size,
            code="witness.fork",
            remedy=_KEEP,
        ) from error


_KEEP: Final = Text(
    "keep both checkpoints, they prove it; compare copies of the log to find the entry",
    "请保留两份检查点作为证据；比对两份日志副本可找到不同的条目",
)
