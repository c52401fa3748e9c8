"""Who was invited, who is a member, and which certificates stand; kept in SQLite."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from catalog.identity.certificate import Certified
from catalog.identity.database import Database
from protos.faults import TrustError
from protos.language import Text
from protos.names import Role

Standing = Literal["valid", "revoked", "unknown"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS invites (
    secret_hash TEXT PRIMARY KEY,
    role        TEXT NOT NULL,
    name        TEXT NOT NULL COLLATE NOCASE,
    expires_at  INTEGER NOT NULL,
    void        INTEGER NOT NULL DEFAULT 0,
    key_hash    TEXT,             -- of the key that redeemed it; NULL while it is open
    certificate BLOB              -- what was answered, for a repeat by the same key
) STRICT;
CREATE TABLE IF NOT EXISTS members (
    role        TEXT NOT NULL,
    name        TEXT NOT NULL COLLATE NOCASE,
    card        TEXT NOT NULL,    -- veil-card+jwt
    identity    TEXT NOT NULL,    -- fingerprint of the card's key
    enrolled_at INTEGER NOT NULL,
    revoked_at  INTEGER,
    reason      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (role, name)
) STRICT;
CREATE TABLE IF NOT EXISTS certificates (
    fingerprint TEXT PRIMARY KEY,
    role        TEXT NOT NULL,
    name        TEXT NOT NULL COLLATE NOCASE,
    not_after   INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;
"""


@dataclass(frozen=True)
class Member:
    """One who has enrolled.

    Attributes:
        role: As certified.
        name: As certified.
        card: Its signed card, ``veil-card+jwt``.
        identity: Fingerprint of the card's identity key.
        enrolled_at: Unix seconds.
        revoked_at: Unix seconds, or None while it is a member.
        reason: Why it was revoked.
    """

    role: Role
    name: str
    card: str
    identity: str
    enrolled_at: int
    revoked_at: int | None
    reason: str


@dataclass(frozen=True)
class OpenInvite:
    """An invitation as the exchange knows it; ``answered`` is set once it was redeemed."""

    role: Role
    name: str
    expires_at: int
    key_hash: str | None
    answered: bytes | None


class IdentityStore:
    """The tables of membership.

    Args:
        path: SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA)

    def open(self) -> None:
        """Opens the file; see `Database.open`."""
        self._database.open()

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def add_invite(self, secret_hash: str, role: Role, name: str, expires_at: int) -> None:
        """Notes an invitation; an older open one for the same name no longer counts.

        Raises:
            TrustError: The name has a member.
        """
        with self._database.write() as connection:
            _refuse_taken(connection, role, name)
            connection.execute(
                "UPDATE invites SET void = 1 WHERE role = ? AND name = ? AND key_hash IS NULL",
                (role, name),
            )
            connection.execute(
                "INSERT INTO invites (secret_hash, role, name, expires_at) VALUES (?, ?, ?, ?)",
                (secret_hash, role, name, expires_at),
            )

    def invite(self, secret_hash: str) -> OpenInvite | None:
        """Returns the invitation with this secret, unless a newer one has replaced it."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT * FROM invites WHERE secret_hash = ? AND void = 0", (secret_hash,)
            ).fetchone()
        if row is None:
            return None
        return OpenInvite(
            row["role"], row["name"], row["expires_at"], row["key_hash"], row["certificate"]
        )

    def admit(
        self,
        secret_hash: str,
        key_hash: str,
        member: Member,
        certified: Certified,
        certificate: bytes,
    ) -> None:
        """Makes a member, its certificate and the invitation's end one transaction.

        Raises:
            TrustError: Meanwhile the invitation was used or the name was taken, or another
                member has this identity key.
        """
        with self._database.write() as connection:
            _refuse_taken(connection, member.role, member.name)
            twin = connection.execute(
                "SELECT role, name FROM members WHERE identity = ? AND revoked_at IS NULL",
                (member.identity,),
            ).fetchone()
            if twin is not None:
                raise TrustError(
                    Text(
                        f"this identity key belongs to {twin['role']} {twin['name']} already",
                        f"此身份密钥已属于 {twin['role']} {twin['name']}",
                    ),
                    remedy=Text(
                        "enrol from a directory of its own, so that new keys are made",
                        "请在单独的目录中注册，以生成新的密钥",
                    ),
                    code="enrol.key_taken",
                )
            used = connection.execute(
                "UPDATE invites SET key_hash = ?, certificate = ?"
                " WHERE secret_hash = ? AND void = 0 AND key_hash IS NULL",
                (key_hash, certificate, secret_hash),
            )
            if used.rowcount != 1:
                raise invite_used()
            connection.execute(
                "INSERT OR REPLACE INTO members (role, name, card, identity, enrolled_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (member.role, member.name, member.card, member.identity, member.enrolled_at),
            )
            _record(connection, certified)

    def add_certificate(self, certified: Certified) -> None:
        """Notes a further certificate of a member.

        Raises:
            TrustError: There is no such member, or it was revoked.
        """
        with self._database.write() as connection:
            if not _is_member(connection, certified.role, certified.name):
                raise TrustError(
                    Text(
                        f"{certified.role} {certified.name} is not a member",
                        f"{certified.role} {certified.name} 不是成员",
                    ),
                    remedy=Text(
                        "ask the exchange's operator for an invitation",
                        "请向交换中心运维人员索取邀请码",
                    ),
                    code="member.unknown",
                )
            _record(connection, certified)

    def revoke(self, role: Role, name: str, reason: str, now: int) -> int:
        """Ends a membership and every certificate of it.

        Returns:
            How many certificates were revoked.

        Raises:
            TrustError: There is no such member.
        """
        with self._database.write() as connection:
            ended = connection.execute(
                "UPDATE members SET revoked_at = ?, reason = ?"
                " WHERE role = ? AND name = ? AND revoked_at IS NULL",
                (now, reason, role, name),
            )
            if ended.rowcount != 1:
                raise TrustError(
                    Text(f"{role} {name} is not a member", f"{role} {name} 不是成员"),
                    code="member.unknown",
                )
            return connection.execute(
                "UPDATE certificates SET revoked_at = ?"
                " WHERE role = ? AND name = ? AND revoked_at IS NULL",
                (now, role, name),
            ).rowcount

    def standing(self, fingerprint: str) -> Standing:
        """Returns whether this exchange issued the certificate and still stands by it."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT revoked_at FROM certificates WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()
        if row is None:
            return "unknown"
        return "valid" if row["revoked_at"] is None else "revoked"

    def member(self, role: Role, name: str) -> Member | None:
        """Returns one who has enrolled, also when revoked."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT * FROM members WHERE role = ? AND name = ?", (role, name)
            ).fetchone()
        return None if row is None else Member(**row)

    def members(self) -> tuple[Member, ...]:
        """Returns all who are members now, by role and name."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT * FROM members WHERE revoked_at IS NULL ORDER BY role, name"
            ).fetchall()
        return tuple(Member(**row) for row in rows)


def invite_used() -> TrustError:
    """The error for an invitation that somebody has redeemed."""
    return TrustError(
        Text("the invitation was used already", "邀请码已被使用"),
        remedy=Text(
            "if it was not you, tell the exchange's operator; ask for a new one",
            "若不是您本人使用，请告知交换中心运维人员，并索取新的邀请码",
        ),
        code="invite.used",
    )


def _is_member(connection: sqlite3.Connection, role: Role, name: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM members WHERE role = ? AND name = ? AND revoked_at IS NULL", (role, name)
    ).fetchone()
    return found is not None


def _refuse_taken(connection: sqlite3.Connection, role: Role, name: str) -> None:
    if _is_member(connection, role, name):
        raise TrustError(
            Text(f"the name {name!r} is taken by a {role}", f"名称 {name!r} 已被某个 {role} 占用"),
            remedy=Text(
                "choose another name, or revoke that member first", "请换一个名称，或先吊销该成员"
            ),
            code="member.taken",
        )


def _record(connection: sqlite3.Connection, certified: Certified) -> None:
    connection.execute(
        "INSERT INTO certificates (fingerprint, role, name, not_after) VALUES (?, ?, ?, ?)",
        (certified.fingerprint, certified.role, certified.name, certified.not_after),
    )
