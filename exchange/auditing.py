"""Audits a log of certificates: an office's own, or a copy from somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from catalog.certificates.office import CertificateOffice
from catalog.transparency.audit import Audited, audit, compare, read_copy
from catalog.transparency.checkpoints import Checkpoint
from catalog.transparency.policy import LogPolicy
from exchange.certificate_views import read_file


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
        return audit(
            office.log.entries(db),
            stored=lambda level, position: office.log.node(db, level, position),
            checkpoints=[trusted.open(note).checkpoint for note in office.log.notes(db)],
            noted=_noted(trusted, noted),
        )


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


def _noted(policy: LogPolicy, files: Sequence[Path]) -> list[Checkpoint]:
    return [policy.open(read_file(file).decode("utf-8", "replace")).checkpoint for file in files]
