"""Accounts: who has one, which roles it holds, and what it logs in with.

Whatever changes what an account may do or how it logs in counts ``rights`` up: sessions that began
before are over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from catalog.access.principal import EXCHANGE_NAME, Principal
from catalog.access.roles import IMPLIED, OF_DEPARTMENTS, ROLES, Role
from catalog.access.tables import AccountRow, IdentityRow, SecondFactorRow
from catalog.registry.database import Database
from catalog.registry.tables import DepartmentRow
from protos.faults import ConflictError, InputError, MissingError
from protos.language import Text
from protos.terminal import printable

MOST: Final = 200
"""Most accounts of one page."""
NAME: Final = "[a-z0-9][a-z0-9._-]{1,39}"
"""What names look like, as a regular expression; others are not even looked up."""
_NAME: Final = re.compile(NAME, re.ASCII)
_LONGEST: Final = 100
_TABLE: Final = AccountRow.__table__


@dataclass(frozen=True)
class Account:
    """An account.

    Attributes:
        name: What is typed to log in.
        title: What people read.
        roles: What it holds; it is a member besides.
        department: Code of its department; "" for none.
        subject: The person or firm that it stands for; "" for none.
        enabled: Whether it may do anything.
        rights: How often its rights have changed.
        created_at: Unix seconds.
    """

    name: str
    title: str = ""
    roles: frozenset[Role] = frozenset()
    department: str = ""
    subject: str = ""
    enabled: bool = True
    rights: int = 0
    created_at: int = 0

    def principal(self) -> Principal:
        """Returns it as a caller."""
        return Principal(self.name, self.roles, self.department, subject=self.subject)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return body | {"roles": sorted(self.roles, key=ROLES.index)}


COLUMNS: Final = tuple(
    _TABLE.c[name]
    for name in ("name", "title", "roles", "department", "subject", "enabled", "rights",
                 "created_at")
)  # fmt: skip
"""What `account_of` reads, the first of a row."""


def account_of(row: Sequence[Any]) -> Account:
    """Reads an account from a row that begins with `COLUMNS`."""
    name, title, roles, department, subject, enabled, rights, created_at = row[: len(COLUMNS)]
    return Account(name, title, _roles(roles), department or "", subject, bool(enabled), rights,
                   created_at)  # fmt: skip


@lru_cache(256)
def _roles(text: str) -> frozenset[Role]:
    written = set(json.loads(text))
    return frozenset(role for role in ROLES if role in written)


class Accounts:
    """The accounts of one catalog.

    Args:
        database: Open.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def add(
        self, account: Account, *, password: str = "", identity: tuple[str, str] | None = None
    ) -> Account:
        """Adds an account.

        Args:
            account: Its rights and time are not taken.
            password: What is kept of it; "" for none: it cannot log in with one.
            identity: Issuer and subject of its login at an OpenID provider.

        Raises:
            ConflictError: The name is taken.
            InputError: A value is none, or the department is unknown.
        """
        checked = _checked(account)
        if checked.name == EXCHANGE_NAME:  # what it did would look like what was carried
            raise InputError(
                Text(f"{EXCHANGE_NAME} is the exchange itself", f"{EXCHANGE_NAME} 指交换中心本身"),
                remedy=Text("choose another name", "请换一个账号名"),
                code="account.name",
            )
        with self._database.write() as (db, _):
            if _find(db, checked.name) is not None:
                raise ConflictError(
                    Text(f"the account {checked.name} exists already",
                         f"账号 {checked.name} 已存在"),
                    remedy=Text("choose another name", "请换一个账号名"),
                    code="account.taken",
                )  # fmt: skip
            _know(db, checked.department)
            values = _values(checked) | {
                "rights": 1, "password": password, "created_at": self._clock(),
            }  # fmt: skip
            db.execute(insert(AccountRow).values(name=checked.name, **values))
            if identity is not None:
                issuer, subject = identity
                db.execute(
                    insert(IdentityRow).values(issuer=issuer, subject=subject, account=checked.name)
                )
            return _get(db, checked.name)

    def get(self, name: str) -> Account:
        """Returns an account.

        Raises:
            MissingError: There is none of this name.
        """
        with self._database.read() as db:
            return _get(db, name)

    def kept_password(self, name: str) -> tuple[Account | None, str]:
        """Returns an account (None if there is none) and what is kept of its password ("")."""
        if not _NAME.fullmatch(name):
            return None, ""
        with self._database.read() as db:
            statement = select(*COLUMNS, AccountRow.password).where(AccountRow.name == name)
            row = db.execute(statement).first()
        return (None, "") if row is None else (account_of(row), row.password)

    def with_identity(self, issuer: str, subject: str) -> Account | None:
        """Returns the account that somebody at an OpenID provider has here."""
        with self._database.read() as db:
            statement = select(*COLUMNS).join(IdentityRow, IdentityRow.account == AccountRow.name)
            row = db.execute(
                statement.where(IdentityRow.issuer == issuer, IdentityRow.subject == subject)
            ).first()
        return None if row is None else account_of(row)

    def page(self, after: str = "", limit: int = MOST) -> list[Account]:
        """Returns accounts in the order of their names, those after one."""
        with self._database.read() as db:
            statement = select(*COLUMNS).where(AccountRow.name > after).order_by(AccountRow.name)
            return [account_of(row) for row in db.execute(statement.limit(min(limit, MOST)))]

    def count(self) -> int:
        """Returns how many there are."""
        with self._database.read() as db:
            return db.execute(select(func.count()).select_from(AccountRow)).scalar_one()

    def change(self, name: str, changes: Mapping[str, Any], *, anyway: bool = False) -> Account:
        """Changes ``title``, ``roles``, ``department``, ``subject`` or ``enabled``.

        Args:
            name: Of the account.
            changes: Field → new value; of `Account`.
            anyway: Also takes the rights of the last administrator: for the operator.

        Raises:
            MissingError: There is no such account.
            ConflictError: It is the last administrator, who would be none afterwards.
            InputError: A value is none, or the department is unknown.
        """
        with self._database.write() as (db, _):
            before = _get(db, name)
            after = _checked(Account(**(before.__dict__ | dict(changes))))
            _know(db, after.department)
            if not anyway and _rules(before) and not _rules(after):
                others = (account_of(row) for row in db.execute(select(*COLUMNS)))
                if not any(_rules(each) for each in others if each.name != name):
                    raise ConflictError(
                        Text(f"{name} is the last administrator", f"{name} 是最后一名平台管理员"),
                        remedy=Text("make somebody else an administrator first",
                                    "请先指定另一名平台管理员"),
                        code="account.last",
                    )  # fmt: skip
            if after == before:
                return before
            grows = int(_may(after) != _may(before))
            db.execute(
                update(AccountRow)
                .where(AccountRow.name == name)
                .values(**_values(after), rights=before.rights + grows)
            )
            return _get(db, name)

    def set_password(self, name: str, kept: str) -> None:
        """Exchanges what is kept of a password; all sessions of the account are over.

        Raises:
            MissingError: There is no such account.
        """
        with self._database.write() as (db, _):
            _get(db, name)
            db.execute(
                update(AccountRow)
                .where(AccountRow.name == name)
                .values(password=kept, rights=AccountRow.rights + 1)
            )

    def rehash(self, name: str, before: str, after: str) -> None:
        """Keeps the same password in another way, unless it was changed meanwhile."""
        with self._database.write() as (db, _):
            db.execute(
                update(AccountRow)
                .where(AccountRow.name == name, AccountRow.password == before)
                .values(password=after)
            )

    def end_sessions(self, name: str) -> None:
        """Ends every session of an account: logs out everywhere."""
        with self._database.write() as (db, _):
            db.execute(
                update(AccountRow)
                .where(AccountRow.name == name)
                .values(rights=AccountRow.rights + 1)
            )

    def with_second_factor(self) -> frozenset[str]:
        """Returns the names of accounts that have one."""
        with self._database.read() as db:
            statement = select(SecondFactorRow.account).where(SecondFactorRow.confirmed)
            return frozenset(db.execute(statement).scalars())


def read_roles(names: Iterable[str]) -> frozenset[Role]:
    """Reads names of roles.

    Raises:
        InputError: One is none, or is not given to anybody.
    """
    given = tuple(role for role in ROLES if role not in IMPLIED)
    wanted = set(names)
    if unknown := sorted(wanted - set(given)):
        raise InputError(
            Text(f"{unknown[0]!r} is no role", f"“{unknown[0]}”不是可授予的角色"),
            remedy=Text(f"choose among {', '.join(given)}", f"可选：{'、'.join(given)}"),
            code="account.role",
        )
    return frozenset(role for role in given if role in wanted)


def _rules(account: Account) -> bool:
    return account.enabled and "administrator" in account.roles


def _may(account: Account) -> tuple[object, ...]:
    return (account.roles, account.department, account.subject, account.enabled)


def _find(db: Connection, name: str) -> Account | None:
    row = db.execute(select(*COLUMNS).where(AccountRow.name == name)).first()
    return None if row is None else account_of(row)


def _get(db: Connection, name: str) -> Account:
    found = _find(db, name)
    if found is None:
        raise MissingError(
            Text(f"there is no account {name}", f"没有账号 {name}"),
            remedy=Text("veil account list shows all", "可用 veil account list 查看全部账号"),
            code="account.missing",
        )
    return found


def _know(db: Connection, department: str) -> None:
    if not department:
        return
    statement = select(DepartmentRow.code).where(DepartmentRow.code == department)
    if db.execute(statement).first() is None:
        raise InputError(
            Text(f"the catalog knows no department {department}", f"目录中没有部门 {department}"),
            remedy=Text("veil catalog departments lists them; one is there once it has registered "
                        "a dataset",
                        "可用 veil catalog departments 查看；部门在登记数据集后出现"),
            code="account.department",
        )  # fmt: skip


def _values(account: Account) -> dict[str, Any]:
    return {
        "title": account.title, "roles": json.dumps(sorted(account.roles)),
        "department": account.department or None, "subject": account.subject,
        "enabled": account.enabled,
    }  # fmt: skip


def _checked(account: Account) -> Account:
    if not _NAME.fullmatch(account.name):
        raise InputError(
            Text("a name has 2 to 40 small letters, digits, dots, dashes",
                 "账号名由 2 至 40 个小写字母、数字、点、横线组成"),
            remedy=Text("such as li.wei", "例如 li.wei"),
            code="account.name",
        )  # fmt: skip
    for text in (account.title, account.subject, account.department):
        if len(text) > _LONGEST or printable(text) != text or not text.isprintable():
            raise InputError(
                Text(f"a text of an account has at most {_LONGEST} characters, in one line",
                     f"账号信息每项不超过 {_LONGEST} 个字符，且不含换行"),
                remedy=Text("shorten it", "请缩短"),
                code="account.text",
            )  # fmt: skip
    held = sorted(account.roles & OF_DEPARTMENTS)
    if held and not account.department:
        raise InputError(
            Text(f"the role {held[0]} is held in a department", f"角色 {held[0]} 须归属部门"),
            remedy=Text("name the department, too", "请同时指定部门"),
            code="account.department",
        )
    return account
