"""The audit of an office's book against its log: what was certified is what was logged.

The log holds commitments only, so its own audit (`catalog.transparency.audit`) cannot see that a
certificate was exchanged, taken out, or allowed again behind its back. Whoever has the book can.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from catalog.certificates import status
from catalog.certificates.records import hex_of
from catalog.certificates.status_lists import StatusListReader
from catalog.transparency.audit import BrokenLogError
from catalog.transparency.log import SALT_BYTES, commitment
from protos.compact_jws import unverified_payload
from protos.faults import TrustError
from protos.identity import unverified_claims
from protos.language import Text

_CHANGE: Final = "VeilStatusChange"
_STRAY: Final = """
SELECT MIN(entry) FROM log_entries WHERE entry NOT IN (SELECT entry FROM certificates)
AND NOT EXISTS (SELECT 1 FROM log_noted n WHERE n.entry = log_entries.entry
                AND n.commitment = log_entries.commitment)
"""
State = dict[tuple[str, status.Purpose], tuple[bool, int]]
"""Certificate and purpose → the bit as it was logged last, and the entry that says so."""


def audit_book(db: sqlite3.Connection) -> None:
    """Compares certificates with their entries, and status lists with the changes in the log.

    Args:
        db: The office's file, to read; its log was audited.

    Raises:
        BrokenLogError: They differ; names the entry.
    """
    said: State = {}
    rows = db.execute(
        "SELECT c.id, c.kind, c.token, c.salt, c.entry, l.commitment FROM certificates c "
        "LEFT JOIN log_entries l ON l.entry = c.entry ORDER BY c.entry"
    )
    for identifier, kind, token, salt, entry, logged in rows:
        if not _is_logged(token, salt, logged):
            raise _broken(entry, "the certificate of entry {} is not the one that was logged",
                          "第 {} 条的证书与收录时不同")  # fmt: skip
        if kind == _CHANGE:
            change = unverified_claims(token)["credentialSubject"]
            said[hex_of(change["certificate"]), change["purpose"]] = bool(change["value"]), entry
        else:
            said |= {(identifier, purpose): (False, entry) for purpose in status.PURPOSES}
    (stray,) = db.execute(_STRAY).fetchone()
    if stray is not None:
        raise _broken(stray, "entry {} was logged, and what it is about is gone",
                      "第 {} 条已收录，其内容却已缺失")  # fmt: skip
    for key, value in _set(db):
        logged_as, entry = said[key]
        if logged_as != value:
            raise _broken(entry, "a status list says something else than entry {} of the log",
                          "状态列表与日志第 {} 条不符")  # fmt: skip


def _is_logged(token: str, salt: bytes, logged: bytes | None) -> bool:
    try:
        return len(salt) == SALT_BYTES and commitment(salt, unverified_payload(token)) == logged
    except TrustError:
        return False


def _set(db: sqlite3.Connection) -> Iterator[tuple[tuple[str, status.Purpose], bool]]:
    """Yields each certificate's bits."""
    lists = StatusListReader()
    for number in lists.numbers(db):
        bits = {purpose: lists.bits(db, number, purpose) for purpose in status.PURPOSES}
        for identifier, slot in db.execute(
            "SELECT id, slot FROM certificates WHERE list = ?", (number,)
        ):
            for purpose, each in bits.items():
                yield (identifier, purpose), status.is_set(each, slot)


def _broken(entry: int, en: str, zh: str) -> BrokenLogError:
    return BrokenLogError(Text(en.format(entry), zh.format(entry)), entry, entry, "log.book")
