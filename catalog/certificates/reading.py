"""An office's book, to be read: certificates, how they stand, and what proves them.

Reading needs no key. A portal that faces the public opens the book this way: it gives out status
lists as the office last signed them, and nothing on its machine could sign another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from catalog.certificates import records, status
from catalog.certificates.bundle import Bundle
from catalog.certificates.records import Record
from catalog.certificates.status_lists import StatusListReader
from catalog.identity.database import Database
from catalog.transparency.checkpoints import Proof
from catalog.transparency.log import LogReader
from catalog.transparency.tiles import Tiles
from protos.faults import MissingError
from protos.language import Text

State = Mapping[status.Purpose, bool]


class CertificateReader:
    """One issuer's certificates and its log.

    Args:
        path: SQLite file of the office; must be there.
        name: The issuer's name.
    """

    log: LogReader
    _lists: StatusListReader

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.log = LogReader()
        self.db = Database(path, "", read_only=True)
        self._lists = StatusListReader()

    def open(self) -> None:
        """Opens the file; see `Database.open`."""
        self.db.open()

    def close(self) -> None:
        """Closes the file."""
        self.db.close()

    @property
    def tiles(self) -> Tiles:
        """The log as files that others fetch."""
        return Tiles(self.log, self.db)

    def state(self, record: Record) -> State:
        """Returns which bits of a certificate are set."""
        return self.states([record])[0]

    def states(self, found: Sequence[Record]) -> list[State]:
        """Returns which bits of certificates are set, in their order; each list is read once."""
        with self.db.read() as db:
            lists = {
                (number, purpose): self._lists.bits(db, number, purpose)
                for number in {each.list for each in found if each.list is not None}
                for purpose in status.PURPOSES
            }
        return [
            {
                purpose: each.slot is not None
                and each.list is not None
                and status.is_set(lists[each.list, purpose], each.slot)
                for purpose in status.PURPOSES
            }
            for each in found
        ]

    def noted(self) -> list[tuple[int, bytes]]:
        """Returns index and content of all that `note_down` has logged, in order."""
        with self.db.read() as db:
            return list(self.log.all_noted(db))

    def inclusion(self, entry: int) -> Proof:
        """Proves an entry of the log under the checkpoint that most witnesses have cosigned.

        Raises:
            TrustError: The log is damaged.
        """
        with self.db.read() as db:
            return self.log.proof(db, entry, self.log.best(db, entry))

    def find(self, beginning: str) -> Record:
        """Returns the certificate whose id begins so; see `records.find`."""
        with self.db.read() as db:
            return records.find(db, beginning)

    def get(self, identifier: str) -> Record:
        """Returns the certificate with this id, all 32 digits.

        Raises:
            MissingError: There is none.
        """
        with self.db.read() as db:
            record = records.by_id(db, identifier)
        if record is None:
            raise MissingError(
                Text("there is no such certificate", "没有该证书"), code="certificate.unknown"
            )
        return record

    def listed(
        self,
        kind: str | None = None,
        dataset: str | None = None,
        most: int = 1000,
        before: int | None = None,
    ) -> list[Record]:
        """Returns certificates, the latest first; see `records.listed`."""
        with self.db.read() as db:
            return records.listed(db, kind, dataset, most, before)

    def latest(self) -> int:
        """Returns the log's entry of the newest certificate or change of status; -1 of none."""
        with self.db.read() as db:
            return int(
                db.execute("SELECT coalesce(max(entry), -1) FROM certificates").fetchone()[0]
            )

    def about(self, source: str) -> Record | None:
        """Returns the certificate about a declaration, grant or receipt with this digest."""
        with self.db.read() as db:
            return records.by_source(db, source)

    def cited_by(self, record: Record) -> list[Record]:
        """Returns what a certificate leads to."""
        with self.db.read() as db:
            return records.cited_by(db, record.id)

    def citing(self, record: Record) -> list[Record]:
        """Returns what leads to a certificate."""
        with self.db.read() as db:
            return records.citing(db, record.id)

    def status_list(self, identifier: str) -> str:
        """Returns the signed status list with this id (32 hex digits), ``vc+jwt``.

        Raises:
            MissingError: There is none, or nobody has signed it since a bit has changed.
        """
        with self._with_lists() as db:
            number, purpose = self._lists.find(db, identifier)
            token = dict(zip(status.PURPOSES, self._all_lists(db, number), strict=True))[purpose]
        if not token:
            raise MissingError(
                Text("this status list is being signed anew", "该状态列表正在重新签署"),
                remedy=Text("ask again in a moment", "请稍后再试"),
                code="status.unsigned",
            )
        return token

    def bundle(self, record: Record, *, linked: bool = False) -> Bundle:
        """Puts together what proves a certificate offline.

        Args:
            record: The certificate.
            linked: Whether to include the certificates that it leads to.
        """
        with self._with_lists() as db:
            parts: list[Bundle] = []
            if linked:
                chain = records.cited_by(db, record.id)
                further = [again for each in chain for again in records.cited_by(db, each.id)]
                known = {each.id: each for each in [*chain, *further]}
                parts = [self._bundle(db, each) for each in known.values()]
            return replace(self._bundle(db, record), linked=tuple(parts))

    def _with_lists(self) -> AbstractContextManager[sqlite3.Connection]:
        """Lends the connection for work in which status lists are given out."""
        return self.db.read()

    def _bundle(self, db: sqlite3.Connection, record: Record) -> Bundle:
        size = self.log.best(db, record.entry)
        lists = [] if record.list is None else self._all_lists(db, record.list)
        return Bundle(
            certificate=record.token,
            salt=record.salt,
            proof=str(self.log.proof(db, record.entry, size)),
            status=tuple(filter(None, lists)),
            document=record.document,
        )

    def _all_lists(self, db: sqlite3.Connection, number: int) -> list[str]:
        """Returns the signed lists of a pair, in the order of `status.PURPOSES`."""
        return [self._lists.last_signed(db, number, each) for each in status.PURPOSES]
