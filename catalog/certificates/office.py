"""The office that issues certificates: each is signed, logged and on disk, or none of it happened.

One SQLite file holds certificates, status lists and the log. Issuing is one transaction: the
certificate, its commitment in the log and a checkpoint over it. Every change of a status is a
signed entry of the log, too.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from catalog.certificates import envelope, records, status, status_lists
from catalog.certificates.kinds import (
    Authorisation,
    Circulation,
    Registration,
    StatusChange,
    Subject,
    authorisation_of,
    check_source,
    circulation_of,
    kind_of,
)
from catalog.certificates.reading import CertificateReader
from catalog.certificates.records import Record
from catalog.certificates.status_lists import StatusLists
from catalog.codec import to_json
from catalog.identity.database import Database
from catalog.transparency import log as transparency
from catalog.transparency.log import SALT_BYTES, Log, commitment
from catalog.transparency.notes import NoteSigner, read_note
from catalog.transparency.policy import LogPolicy
from catalog.transparency.witness import Submission
from protos.compact_jws import unverified_payload
from protos.faults import InputError, TrustError
from protos.identity import IdentityKey
from protos.language import Text


@dataclass(frozen=True)
class Application:
    """What somebody wants certified; whether it may be is decided before.

    Attributes:
        subject: The claims.
        valid_until: Unix seconds, or None for no end.
        document: The grant or receipt that it is about; "".
        valid_from: Unix seconds; None for the time of issue.
    """

    subject: Subject
    valid_until: int | None = None
    document: str = ""
    valid_from: int | None = None

    @classmethod
    def of_grant(cls, grant: str, registrations: tuple[str, ...]) -> Application:
        """An authorisation, which begins and ends with the grant, whenever it is issued.

        Args:
            grant: ``vc+jwt`` of the department, whose key the caller has compared with a pin.
            registrations: Ids of the datasets' certificates.

        Raises:
            InputError: That is no id.
            TrustError: The grant does not hold.
        """
        subject, signed = authorisation_of(grant, _urns(registrations))
        return cls(subject, signed.valid_until, grant, signed.valid_from)

    @classmethod
    def of_receipt(
        cls, receipt: str, registrations: tuple[str, ...], authorisations: tuple[str, ...]
    ) -> Application:
        """A circulation.

        Args:
            receipt: ``vc+jwt`` of the exchange; the caller has verified its whole document.
            registrations: Ids of the datasets' certificates.
            authorisations: Ids of the grants' certificates.

        Raises:
            InputError: That is no id.
            TrustError: The receipt does not hold, or exact figures are not authorised by all.
        """
        subject, _ = circulation_of(receipt, _urns(registrations), _urns(authorisations))
        return cls(subject, None, receipt)


class CertificateOffice(CertificateReader):
    """One issuer with its log.

    Args:
        path: SQLite file.
        name: The issuer's name.
        key: The issuer's identity, P-256.
        log: The log's key, Ed25519.
        clock: Unix seconds.
    """

    def __init__(
        self, path: Path, name: str, key: IdentityKey, log: NoteSigner, clock: Callable[[], float]
    ) -> None:
        self.name = name
        self.log: Log = Log(log)
        self.db = Database(path, records.SCHEMA + status_lists.SCHEMA + transparency.SCHEMA)
        self._key = key
        self._lists: StatusLists = StatusLists(key, name)
        self._clock = clock

    def issue(self, application: Application) -> Record:
        """Issues and logs one certificate; see `issue_all`."""
        return self.issue_all([application])[0]

    def issue_all(self, applications: Iterable[Application]) -> list[Record]:
        """Issues and logs certificates in one transaction: all of them, or none.

        Raises:
            InputError: One is about what has a certificate already, or leads to one that is not
                there or about another dataset.
            TrustError: The grant or receipt that one is about does not hold or says something else.
            UnavailableError: They cannot be written.
        """
        wanted = list(applications)  # before the transaction: others wait for it
        with self.db.write() as db:
            return self._issue(db, wanted)

    def change(
        self, beginning: str, purpose: status.Purpose, reason: str, *, value: bool = True
    ) -> Record:
        """Revokes, suspends, or allows again; the change is signed and logged.

        Args:
            beginning: Of the certificate's id.
            purpose: Revocation (which has no way back) or suspension.
            reason: For people.
            value: False ends a suspension.

        Raises:
            InputError: There is no such certificate, it has no status, it is in that state
                already, or a revocation is to be undone.
        """
        with self.db.write() as db:
            record = records.find(db, beginning)
            if record.list is None or record.slot is None:
                raise InputError(
                    Text("this certificate cannot be revoked", "此证书不能撤销"),
                    code="status.none",
                )
            if purpose == "revocation" and not value:
                raise InputError(
                    Text("a revocation cannot be undone", "撤销不可恢复"),
                    remedy=Text("issue a new certificate", "请重新签发证书"),
                    code="status.final",
                )
            if self._lists.is_set(db, record.list, record.slot, purpose) == value:
                raise InputError(
                    Text(
                        f"the certificate's {purpose} is already so", "证书已处于该状态，无需变更"
                    ),
                    code="status.same",
                )
            self._lists.change(db, record.list, record.slot, purpose, value=value)
            change = StatusChange(record.urn, purpose, value, reason)
            return self._issue(db, [Application(change)])[0]

    def sign_lists(self) -> None:
        """Signs every status list that has changed, or half of whose time is over.

        So readers without the key (`CertificateReader`) have lists to give out.
        """
        with self.db.write() as db:
            for number in self._lists.numbers(db):
                self._all_lists(db, number)

    def note_down(self, commitments: Sequence[bytes]) -> list[int]:
        """Logs what is kept elsewhere, such as events of a case; the same again changes nothing.

        Args:
            commitments: 32 bytes each, salted (`catalog.transparency.log.commitment`).

        Returns:
            The index of each in the log.

        Raises:
            UnavailableError: The log cannot be written.
        """
        with self.db.write() as db:
            return self.log.append_once(db, commitments)

    def submission(self, witness: str) -> Submission:
        """Returns what a witness is to cosign: the latest checkpoint, from where it stands.

        Args:
            witness: Its name in the policy.
        """
        with self.db.read() as db:
            old, size = self.log.seen_by(db, witness), self.log.size(db)
            note = self.log.note(db, size)
            return Submission(old, self.log.consistency(db, old, size), note)

    def cosign(self, note: str, policy: LogPolicy) -> list[str]:
        """Takes a checkpoint that came back with cosignatures.

        Returns:
            The witnesses that it brought, by their names in the policy.

        Raises:
            TrustError: It is not a checkpoint of this log's present history, or a witness's
                signature does not hold.
        """
        seen = policy.open(note)
        with self.db.write() as db:
            own = self.log.note(db, seen.checkpoint.size)
            known = policy.open(own)
            if known.checkpoint != seen.checkpoint:
                raise TrustError(
                    Text(
                        f"the checkpoint of {seen.checkpoint.size} entries is of another history",
                        f"{seen.checkpoint.size} 条的检查点属于另一段历史",
                    ),
                    remedy=Text(
                        "keep it, it proves a fork; see: veil certificate log verify --noted FILE",
                        "请保留，它证明日志分叉；参见：veil certificate log verify --noted 文件",
                    ),
                    code="log.forked",
                )
            for name in seen.witnesses.keys() - known.witnesses.keys():
                line = read_note(note).lines_of(policy.witnesses[name])
                self.log.add_cosignature(db, seen.checkpoint.size, name, line)
        return sorted(seen.witnesses)

    def _issue(self, db: sqlite3.Connection, applications: list[Application]) -> list[Record]:
        now, drafts = int(self._clock()), []
        size = self.log.size(db)
        for offset, application in enumerate(applications):
            record = self._draft(db, application, size + offset, now)
            records.insert(db, record, _cited(application.subject))
            drafts.append(record)
        self.log.append(db, [commitment(r.salt, unverified_payload(r.token)) for r in drafts])
        return drafts

    def _draft(
        self, db: sqlite3.Connection, application: Application, entry: int, now: int
    ) -> Record:
        subject, identifier = application.subject, secrets.token_hex(16)
        source = _source(subject)
        if isinstance(subject, Authorisation | Circulation):
            check_source(subject, application.document)
        self._check(db, subject, source)
        number: int | None = None
        slot: int | None = None
        entries: list[dict[str, str]] = []
        if not isinstance(subject, StatusChange):
            number, slot, entries = self._lists.draw(db)
        token = envelope.issue(
            self._key,
            kind=kind_of(subject),
            identifier=identifier,
            issuer=self.name,
            subject=to_json(subject),
            valid_from=now if application.valid_from is None else application.valid_from,
            valid_until=application.valid_until,
            status=entries,
        )
        return Record(
            id=identifier,
            kind=kind_of(subject),
            dataset="" if isinstance(subject, StatusChange) else subject.dataset,
            issued_at=now,
            valid_until=application.valid_until,
            token=token,
            salt=secrets.token_bytes(SALT_BYTES),
            entry=entry,
            list=number,
            slot=slot,
            source=source,
            document=application.document,
        )

    def _check(self, db: sqlite3.Connection, subject: Subject, source: str | None) -> None:
        known = None if source is None else records.by_source(db, source)
        if known is not None:
            raise InputError(
                Text(
                    f"certificate {known.id[:12]} is about this already",
                    f"已有证书 {known.id[:12]} 涉及此内容",
                ),
                remedy=Text(
                    f"see: veil certificate show {known.id[:12]}",
                    f"请查看：veil certificate show {known.id[:12]}",
                ),
                code="certificate.twice",
            )
        for urn in _cited(subject):
            cited = records.find(db, urn)
            if not isinstance(subject, StatusChange) and cited.dataset != subject.dataset:
                raise InputError(
                    Text(
                        f"certificate {cited.id[:12]} is about {cited.dataset or 'no dataset'}",
                        f"证书 {cited.id[:12]} 涉及 {cited.dataset or '其他内容'}",
                    ),
                    remedy=Text(
                        f"name certificates about {subject.dataset}",
                        f"请使用涉及 {subject.dataset} 的证书",
                    ),
                    code="certificate.linked",
                )

    def _with_lists(self) -> AbstractContextManager[sqlite3.Connection]:
        return self.db.write()  # a list that has changed is signed

    def _all_lists(self, db: sqlite3.Connection, number: int) -> list[str]:
        now = int(self._clock())
        return [self._lists.signed(db, number, each, now) for each in status.PURPOSES]


def _urns(identifiers: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(UUID(hex=records.hex_of(each)).urn for each in identifiers)
    except ValueError as error:
        raise InputError(
            Text("that is not the id of a certificate", "这不是证书编号"),
            remedy=Text("see: veil certificate list", "请查看：veil certificate list"),
            code="certificate.unknown",
        ) from error


def _cited(subject: Subject) -> Sequence[str]:
    if isinstance(subject, Circulation):
        return (*subject.registrations, *subject.authorisations)
    if isinstance(subject, Authorisation):
        return subject.registrations
    return (subject.certificate,) if isinstance(subject, StatusChange) else ()


def _source(subject: Subject) -> str | None:
    """Digest of what a certificate is about: of that there is one certificate only."""
    match subject:
        case Registration():
            return subject.dataset_digest
        case Authorisation():
            return subject.grant.digest
        case Circulation():
            return subject.receipt.digest
    return None
