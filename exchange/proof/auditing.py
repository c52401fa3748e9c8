"""Audits a log of certificates: an office's own, or a copy from somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from catalog.certificates.book_audit import audit_book
from catalog.certificates.office import CertificateOffice
from catalog.transparency.audit import Audited, BrokenLogError, audit, compare, read_copy
from catalog.transparency.checkpoints import Checkpoint
from catalog.transparency.policy import LogPolicy
from exchange.proof.files import read_file
from protos.faults import TrustError
from protos.language import Text


def audit_office(
    office: CertificateOffice, policy: Path, noted: Sequence[Path], against: Path | None
) -> Audited:
    """Recomputes an office's log with all its hashes and checkpoints.

    Args:
        office: Open.
        policy: Whose log it is.
        noted: Checkpoints that were noted elsewhere.
        against: A copy of the log.

    Raises:
        TrustError: Something is wrong; names the entry.
    """
    trusted = LogPolicy.load(policy)
    with office.db.read() as db:
        if against is not None:
            compare(office.log.entries(db), _copy(against)[0])
        found = audit(
            office.log.entries(db),
            stored=lambda level, position: office.log.node(db, level, position),
            checkpoints=[_own(trusted, *each) for each in office.log.notes(db).items()],
            noted=_noted(trusted, noted),
        )
        audit_book(db)
        return found


def audit_copy(copy: Path, policy: Path, noted: Sequence[Path], against: Path | None) -> Audited:
    """Recomputes a copy of a log; arguments and errors as of `audit_office`."""
    trusted = LogPolicy.load(policy)
    entries, note = _copy(copy)
    if against is not None:
        compare(entries, _copy(against)[0])
    own = trusted.open(note).checkpoint
    return audit(entries, checkpoints=[own], noted=_noted(trusted, noted))


def _copy(path: Path) -> tuple[list[tuple[int, bytes]], str]:
    return read_copy(read_file(path).decode("utf-8", "replace"))


def _own(policy: LogPolicy, size: int, note: str) -> Checkpoint:
    """Reads one of the log's own checkpoints.

    Raises:
        BrokenLogError: It is not what the log had signed at that size; names the last entry.
    """
    try:
        found = policy.open(note).checkpoint
        if found.size == size:
            return found
        why = Text("it is another one", "检查点不符")
    except TrustError as error:
        why = error.said
    said = Text(f"the checkpoint over entries 0 to {size - 1} was altered: {why.en}",
                f"第 0 条至第 {size - 1} 条的检查点被改动：{why.zh}")  # fmt: skip
    raise BrokenLogError(said, 0, size - 1, "log.checkpoint")


def _noted(policy: LogPolicy, files: Sequence[Path]) -> list[Checkpoint]:
    return [policy.open(read_file(file).decode("utf-8", "replace")).checkpoint for file in files]
