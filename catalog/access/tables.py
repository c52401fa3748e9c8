"""The tables of those who call: accounts, how they log in, and what they hold meanwhile.

Nothing here lets its reader in: passwords are argon2 hashes, tokens, keys and recovery codes are
SHA-256 hashes of random values, secrets of one-time passwords are sealed (`catalog.access.vault`).
Times are Unix seconds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.registry.tables import Base


class AccountRow(Base):
    """An account. ``rights`` counts the changes of what it may do and how it logs in."""

    __tablename__ = "accounts"
    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    roles: Mapped[str]
    department: Mapped[str | None] = mapped_column(ForeignKey("departments.code"))
    subject: Mapped[str]
    enabled: Mapped[bool] = mapped_column(Boolean())
    rights: Mapped[int]
    password: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)


class SecondFactorRow(Base):
    """The secret of an account's one-time passwords; it counts once it is confirmed."""

    __tablename__ = "second_factors"
    account: Mapped[str] = mapped_column(
        ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True
    )
    secret: Mapped[str]
    confirmed: Mapped[bool] = mapped_column(Boolean())
    step: Mapped[int] = mapped_column(BigInteger)


class RecoveryCodeRow(Base):
    """A recovery code that is not used yet."""

    __tablename__ = "recovery_codes"
    account: Mapped[str] = mapped_column(
        ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True
    )
    hash: Mapped[str] = mapped_column(primary_key=True)


class IdentityRow(Base):
    """Who an account is at an OpenID provider."""

    __tablename__ = "identities"
    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(
        ForeignKey("accounts.name", ondelete="CASCADE"), index=True
    )


class SessionRow(Base):
    """A login in a browser, as long as the account's rights are those it began with."""

    __tablename__ = "sessions"
    hash: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(
        ForeignKey("accounts.name", ondelete="CASCADE"), index=True
    )
    rights: Mapped[int]
    began_at: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[int] = mapped_column(BigInteger)


class ApiKeyRow(Base):
    """An API key. ``taken`` of the day ``day`` (days since 1970) are already given to a server."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("hash"),
        CheckConstraint("per_minute > 0 AND per_day > 0", name="quota"),
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account: Mapped[str] = mapped_column(
        ForeignKey("accounts.name", ondelete="CASCADE"), index=True
    )
    hash: Mapped[str]
    label: Mapped[str]
    scopes: Mapped[str]
    per_minute: Mapped[int]
    per_day: Mapped[int]
    day: Mapped[int] = mapped_column(server_default=text("0"))
    taken: Mapped[int] = mapped_column(server_default=text("0"))
    made_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)
