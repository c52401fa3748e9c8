"""What an issuer keeps of its certificates: tokens, salts, places in log and status list, links."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from protos.faults import InputError
from protos.language import Text

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS certificates (
    id          TEXT PRIMARY KEY,          -- 32 hex digits
    kind        TEXT NOT NULL,
    dataset     TEXT NOT NULL,             -- '' for a change of status
    issued_at   INTEGER NOT NULL,
    valid_until INTEGER,
    token       TEXT NOT NULL,
    salt        BLOB NOT NULL,
    entry       INTEGER NOT NULL UNIQUE,   -- in the log
    list        INTEGER,                   -- number of the pair of status lists
    slot        INTEGER,
    source      TEXT UNIQUE,               -- digest of the grant, receipt or declaration
    document    TEXT NOT NULL DEFAULT '',  -- the grant or receipt itself
    UNIQUE (list, slot)
) STRICT;
CREATE INDEX IF NOT EXISTS certificates_by_dataset ON certificates (kind, dataset);
CREATE TABLE IF NOT EXISTS links (
    citing TEXT NOT NULL,
    cited  TEXT NOT NULL,
    PRIMARY KEY (cited, citing)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_by_citing ON links (citing);
"""


@dataclass(frozen=True)
class Record:
    """One certificate at its issuer.

    Attributes:
        id: 32 hex digits.
        kind: Such as ``VeilRegistration``.
        dataset: Catalog name; "" for a change of status.
        issued_at: Unix seconds.
        valid_until: Unix seconds, or None.
        token: ``vc+jwt``.
        salt: 32 bytes; with it the log's entry can be recomputed.
        entry: Index in the log.
        list: Number of its pair of status lists; None without status.
        slot: Its bit there.
        source: Digest of what it is about; None for a change of status.
        document: The grant or receipt that it is about; "".
    """

    id: str
    kind: str
    dataset: str
    issued_at: int
    valid_until: int | None
    token: str
    salt: bytes
    entry: int
    list: int | None
    slot: int | None
    source: str | None
    document: str

    @property
    def urn(self) -> str:
        """The id of the credential."""
        return UUID(hex=self.id).urn


def insert(db: sqlite3.Connection, record: Record, cites: Sequence[str]) -> None:
    """Adds a certificate with its links.

    Args:
        db: Within a transaction.
        record: The certificate.
        cites: ``urn:uuid`` or ids of the certificates that it leads to.
    """
    db.execute(
        "INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (record.id, record.kind, record.dataset, record.issued_at, record.valid_until,
         record.token, record.salt, record.entry, record.list, record.slot, record.source,
         record.document),
    )  # fmt: skip
    db.executemany(
        "INSERT OR IGNORE INTO links VALUES (?, ?)", [(record.id, hex_of(urn)) for urn in cites]
    )


def find(db: sqlite3.Connection, beginning: str) -> Record:
    """Returns the certificate whose id begins so.

    Raises:
        InputError: None does, or several do.
    """
    digits = hex_of(beginning)
    rows = db.execute(
        "SELECT * FROM certificates WHERE id >= ? AND id < ? LIMIT 2", (digits, digits + "g")
    ).fetchall()
    if len(rows) != 1 or not digits:
        raise InputError(
            Text(
                f"{len(rows) or 'no'} certificates begin with {beginning[:40]!r}"
                if len(rows) != 1
                else "name a certificate",
                f"以 {beginning[:40]!r} 开头的证书有 {len(rows)} 份",
            ),
            remedy=Text("see: veil certificate list", "请查看：veil certificate list"),
            code="certificate.unknown",
        )
    return Record(**dict(rows[0]))


def by_id(db: sqlite3.Connection, identifier: str) -> Record | None:
    """Returns the certificate with this id."""
    row = db.execute("SELECT * FROM certificates WHERE id = ?", (identifier,)).fetchone()
    return None if row is None else Record(**dict(row))


def by_source(db: sqlite3.Connection, source: str) -> Record | None:
    """Returns the certificate about a document or declaration with this digest."""
    row = db.execute("SELECT * FROM certificates WHERE source = ?", (source,)).fetchone()
    return None if row is None else Record(**dict(row))


def listed(
    db: sqlite3.Connection,
    kind: str | None = None,
    dataset: str | None = None,
    most: int = 1000,
    before: int | None = None,
) -> list[Record]:
    """Returns certificates, the latest first.

    Args:
        db: To read with.
        kind: Only of this kind.
        dataset: Only about this dataset.
        most: At most so many.
        before: Only those whose entry in the log is before this one.
    """
    rows = db.execute(
        "SELECT * FROM certificates WHERE kind = coalesce(?, kind) "
        "AND dataset = coalesce(?, dataset) AND entry < coalesce(?, entry + 1) "
        "ORDER BY entry DESC LIMIT ?",
        (kind, dataset, before, most),
    )
    return [Record(**dict(row)) for row in rows]


def cited_by(db: sqlite3.Connection, identifier: str) -> list[Record]:
    """Returns the certificates that a certificate leads to."""
    rows = db.execute(
        "SELECT c.* FROM links JOIN certificates c ON c.id = cited WHERE citing = ? ORDER BY entry",
        (identifier,),
    )
    return [Record(**dict(row)) for row in rows]


def citing(db: sqlite3.Connection, identifier: str) -> list[Record]:
    """Returns the certificates that lead to a certificate: the way back."""
    rows = db.execute(
        "SELECT c.* FROM links JOIN certificates c ON c.id = citing WHERE cited = ? ORDER BY entry",
        (identifier,),
    )
    return [Record(**dict(row)) for row in rows]


def hex_of(urn: str) -> str:
    """Returns the hex digits of a ``urn:uuid``, or of a part of one."""
    return urn.strip().lower().removeprefix("urn:uuid:").replace("-", "")
