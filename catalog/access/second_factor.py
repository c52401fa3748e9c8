"""One-time passwords (TOTP, RFC 6238) and recovery codes.

A time step that was used is never taken again, nor one before it (RFC 6238 section 5.2); a
recovery code is deleted when it is used. Both are one conditional statement in the database, so
of two logins at once with the same code one wins.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyotp
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from catalog.access import tokens
from catalog.access.tables import AccountRow, RecoveryCodeRow, SecondFactorRow
from catalog.access.vault import Vault
from catalog.registry.database import Database
from protos.faults import ConflictError, LoginError
from protos.language import Text

STEP_S: Final = 30
RECOVERY_CODES: Final = 10
_DIGITS: Final = 6
_DRIFT: Final = 1  # steps that a clock may be off


@dataclass(frozen=True)
class Secret:
    """What an authenticator app is given.

    Attributes:
        text: Base32.
        url: ``otpauth://``, for a QR code.
    """

    text: str
    url: str

    def __repr__(self) -> str:
        """Returns nothing of it."""
        return "Secret(…)"


class SecondFactors:
    """The second factors of a catalog's accounts.

    Args:
        database: Open.
        vault: Seals the secrets.
        clock: Unix seconds.
    """

    def __init__(
        self, database: Database, vault: Vault, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def begin(self, account: str) -> Secret:
        """Makes a secret; it counts once `confirm` has seen a code of it.

        Raises:
            ConflictError: The account has a second factor already.
        """
        text = pyotp.random_base32()
        sealed = self._vault.seal("second factor", text, bound=account)
        with self._database.write() as (db, _):
            if _confirmed(db, account) is not None:
                raise ConflictError(
                    Text("this account has a second factor already", "该账号已启用双因素验证"),
                    remedy=Text("remove it first", "请先移除"),
                    code="totp.exists",
                )
            db.execute(delete(SecondFactorRow).where(SecondFactorRow.account == account))
            db.execute(insert(SecondFactorRow).values(
                account=account, secret=sealed, confirmed=False, step=0))  # fmt: skip
        return Secret(text, _totp(text).provisioning_uri(name=account, issuer_name="Veil"))

    def confirm(self, account: str, code: str) -> list[str]:
        """Makes a new secret count; all sessions of the account are over.

        Returns:
            Recovery codes, for the person and nobody else: only their hashes are kept.

        Raises:
            LoginError: The code is not of this secret.
        """
        codes = [tokens.new_recovery_code() for _ in range(RECOVERY_CODES)]
        with self._database.write() as (db, _):
            row = db.execute(
                select(SecondFactorRow.secret, SecondFactorRow.confirmed)
                .where(SecondFactorRow.account == account)
            ).first()  # fmt: skip
            step = None if row is None or row.confirmed else self._step(account, row.secret, code)
            if step is None:
                raise LoginError(
                    Text("the code is not of this second factor", "验证码不匹配"),
                    remedy=Text("is the clock of the telephone right? begin again",
                                "请检查手机时间后重新开始"),
                    code="totp.code",
                )  # fmt: skip
            db.execute(
                update(SecondFactorRow)
                .where(SecondFactorRow.account == account)
                .values(confirmed=True, step=step)
            )
            _forget_codes(db, account)
            db.execute(
                insert(RecoveryCodeRow),
                [{"account": account, "hash": tokens.recovery_hash(code)} for code in codes],
            )
            _count(db, account)
        return codes

    def remove(self, account: str) -> None:
        """Takes the second factor away; all sessions of the account are over."""
        with self._database.write() as (db, _):
            db.execute(delete(SecondFactorRow).where(SecondFactorRow.account == account))
            _forget_codes(db, account)
            _count(db, account)

    def has(self, account: str) -> bool:
        """Whether the account logs in with a second factor."""
        with self._database.read() as db:
            return _confirmed(db, account) is not None

    def guessable(self, code: str) -> bool:
        """Whether a code is one of an app: a million of them are all."""
        return _digits(code) is not None

    def matches(self, account: str, code: str) -> bool:
        """Whether a code would be taken now; it is not used up."""
        if not code:
            return False
        with self._database.read() as db:
            row = _confirmed(db, account)
            if row is None:
                return False
            sealed, last = row
            step = self._step(account, sealed, code)
            if step is not None:
                return step > last
            statement = select(RecoveryCodeRow.hash).where(*_this(account, code))
            return db.execute(statement).first() is not None

    def use(self, account: str, code: str) -> bool:
        """Uses a code up; False if it is not right, or was used before."""
        with self._database.write() as (db, _):
            row = _confirmed(db, account)
            if row is None:
                return False
            step = self._step(account, row[0], code)
            if step is None:
                return (
                    db.execute(delete(RecoveryCodeRow).where(*_this(account, code))).rowcount == 1
                )
            newer = (
                update(SecondFactorRow)
                .where(SecondFactorRow.account == account, SecondFactorRow.step < step)
                .values(step=step)
            )
            return db.execute(newer).rowcount == 1

    def _step(self, account: str, sealed: str, code: str) -> int | None:
        """The time step whose code this is; None if it is of none near now."""
        digits = _digits(code)
        if digits is None:
            return None
        totp = _totp(self._vault.open("second factor", sealed, bound=account))
        now = int(self._clock()) // STEP_S
        for step in range(now - _DRIFT, now + _DRIFT + 1):
            if pyotp.utils.strings_equal(digits, totp.generate_otp(step)):
                return step
        return None


def _digits(code: str) -> str | None:
    digits = code.replace(" ", "")
    good = len(digits) == _DIGITS and digits.isascii() and digits.isdigit()
    return digits if good else None


def _totp(text: str) -> pyotp.TOTP:
    return pyotp.TOTP(text, digits=_DIGITS, interval=STEP_S)


def _confirmed(db: Connection, account: str) -> tuple[str, int] | None:
    row = db.execute(
        select(SecondFactorRow.secret, SecondFactorRow.step)
        .where(SecondFactorRow.account == account, SecondFactorRow.confirmed)
    ).first()  # fmt: skip
    return None if row is None else (row.secret, row.step)


def _this(account: str, code: str) -> tuple[ColumnElement[bool], ...]:
    return (RecoveryCodeRow.account == account,
            RecoveryCodeRow.hash == tokens.recovery_hash(code))  # fmt: skip


def _forget_codes(db: Connection, account: str) -> None:
    db.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.account == account))


def _count(db: Connection, account: str) -> None:
    db.execute(
        update(AccountRow).where(AccountRow.name == account).values(rights=AccountRow.rights + 1)
    )
