"""API keys: for programs, narrower than their account, with an end and a quota."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from catalog.access import tokens
from catalog.access.accounts import COLUMNS, Account, account_of
from catalog.access.permissions import ACTIONS, Action
from catalog.access.principal import Principal
from catalog.access.tables import AccountRow, ApiKeyRow
from catalog.registry.database import Database
from protos.faults import ConflictError, InputError, MissingError, PolicyError
from protos.language import Text

LONGEST_S: Final = 366 * 24 * 3600
PER_MINUTE: Final = 600
PER_DAY: Final = 50_000
MOST: Final = 20
"""Most keys of one account that hold: a quota is worth nothing to who makes a hundred keys."""
_LOGINS: Final = frozenset({"login.enter", "me.write", "key.write", "account.write"})
_OWN: Final = ("number", "account", "label", "scopes", "per_minute", "per_day", "made_at",
               "expires_at", "used_at", "revoked_at")  # fmt: skip
_COLUMNS: Final = tuple(ApiKeyRow.__table__.c[name] for name in _OWN)
_FIND: Final = (  # built once: each call of a program asks it
    select(*COLUMNS, *_COLUMNS)
    .join(ApiKeyRow, ApiKeyRow.account == AccountRow.name)
    .where(ApiKeyRow.hash == bindparam("hashed"))
)


@dataclass(frozen=True)
class ApiKey:
    """What is known of an API key; never the key itself.

    Attributes:
        number: Names it.
        account: Whose.
        label: What for.
        scopes: The only actions that it allows, as far as its account may do them.
        per_minute: Most calls a minute.
        per_day: Most calls a day (UTC).
        made_at: Unix seconds.
        expires_at: Unix seconds.
        used_at: Of the last call, about a minute late; None if there was none.
        revoked_at: None if it was not.
    """

    number: int
    account: str
    label: str
    scopes: frozenset[Action]
    per_minute: int
    per_day: int
    made_at: int
    expires_at: int
    used_at: int | None = None
    revoked_at: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types."""
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return body | {"scopes": sorted(self.scopes)}


@dataclass(frozen=True)
class Wish:
    """What somebody wants of a new key.

    Attributes:
        label: What for.
        scopes: Actions; all must be possible for who makes it.
        lasts_s: Until it expires, seconds.
        per_minute: Most calls a minute.
        per_day: Most calls a day.
    """

    label: str
    scopes: Sequence[str]
    lasts_s: int = 90 * 24 * 3600
    per_minute: int = PER_MINUTE
    per_day: int = PER_DAY


class ApiKeys:
    """The keys of one catalog.

    Args:
        database: Open.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def add(self, maker: Principal, wish: Wish) -> tuple[ApiKey, str]:
        """Makes a key for its maker.

        One that is made by another key holds no longer and calls no more often than that one.

        Returns:
            What is known of it, and the key: it is shown once.

        Raises:
            InputError: A value is none.
            PolicyError: A scope is beyond the maker, or beyond the key it calls with.
            ConflictError: The account has too many keys.
        """
        scopes, now = _scopes(maker, wish.scopes), self._clock()
        _check(wish)
        key = tokens.new_key()
        with self._database.write() as (db, _):
            held = select(func.count()).where(
                ApiKeyRow.account == maker.account, ApiKeyRow.revoked_at.is_(None),
                ApiKeyRow.expires_at > now,
            )  # fmt: skip
            if db.execute(held).scalar_one() >= MOST:
                raise ConflictError(
                    Text(f"an account has at most {MOST} keys", f"每个账号最多 {MOST} 个密钥"),
                    remedy=Text("revoke one that is not used", "请先吊销不用的密钥"),
                    code="key.most",
                )
            wish = self._within(db, maker, wish, now)
            last = db.execute(select(func.max(ApiKeyRow.number))).scalar_one() or 0
            db.execute(insert(ApiKeyRow).values(
                number=last + 1, account=maker.account, hash=tokens.hashed(key),
                label=wish.label, scopes=json.dumps(sorted(scopes)),
                per_minute=wish.per_minute, per_day=wish.per_day,
                made_at=now, expires_at=now + wish.lasts_s,
            ))  # fmt: skip
            row = db.execute(select(*_COLUMNS).where(ApiKeyRow.number == last + 1)).one()
        return _key_of(row), key

    def _within(self, db: Connection, maker: Principal, wish: Wish, now: int) -> Wish:
        """What may be had of a wish, by the key that the maker calls with."""
        if not maker.key:
            return wish
        held = _key_of(db.execute(select(*_COLUMNS).where(ApiKeyRow.number == maker.key)).one())
        return replace(
            wish, lasts_s=max(0, min(wish.lasts_s, held.expires_at - now)),
            per_minute=min(wish.per_minute, held.per_minute),
            per_day=min(wish.per_day, held.per_day),
        )  # fmt: skip

    def find(self, key: str) -> tuple[ApiKey, Account] | None:
        """Returns a key that holds and its account; None if it does not, or there is none."""
        with self._database.look() as db:
            row = db.execute(_FIND, {"hashed": tokens.hashed(key)}).first()
        if row is None:
            return None
        account, found = account_of(row), _key_of(row[len(COLUMNS) :])
        over = found.revoked_at is not None or self._clock() >= found.expires_at
        return None if over or not account.enabled else (found, account)

    def all(self, account: str = "", *, after: int = 0, limit: int = 200) -> list[ApiKey]:
        """Returns the keys of an account (of all if ""), the oldest first, those after one."""
        statement = select(*_COLUMNS).where(ApiKeyRow.number > after).order_by(ApiKeyRow.number)
        if account:
            statement = statement.where(ApiKeyRow.account == account)
        with self._database.read() as db:
            return [_key_of(row) for row in db.execute(statement.limit(limit))]

    def get(self, number: int) -> ApiKey:
        """Returns one key.

        Raises:
            MissingError: There is none.
        """
        with self._database.read() as db:
            row = db.execute(select(*_COLUMNS).where(ApiKeyRow.number == number)).first()
        if row is None:
            raise unknown(number)
        return _key_of(row)

    def revoke(self, number: int) -> ApiKey:
        """Ends a key at once; ending it twice is harmless.

        Raises:
            MissingError: There is none.
        """
        with self._database.write() as (db, _):
            db.execute(
                update(ApiKeyRow)
                .where(ApiKeyRow.number == number, ApiKeyRow.revoked_at.is_(None))
                .values(revoked_at=self._clock())
            )
        return self.get(number)

    def revoke_all(self, account: str) -> int:
        """Ends every key of an account at once; returns how many held until then."""
        now = self._clock()
        with self._database.write() as (db, _):
            return db.execute(
                update(ApiKeyRow)
                .where(ApiKeyRow.account == account, ApiKeyRow.revoked_at.is_(None),
                       ApiKeyRow.expires_at > now)
                .values(revoked_at=now)
            ).rowcount  # fmt: skip

    def ended(self, key: str) -> Text | None:
        """Says why a key that was once made does not hold; None of what never was a key.

        Only who has the key learns it: nobody guesses 256 bits.
        """
        with self._database.look() as db:
            row = db.execute(_FIND, {"hashed": tokens.hashed(key)}).first()
        if row is None:
            return None
        found, account = _key_of(row[len(COLUMNS) :]), account_of(row)
        if found.revoked_at is not None:
            return Text("the API key has been revoked", "API 密钥已被吊销")
        if not account.enabled:
            return Text("the account of this API key is disabled", "该 API 密钥所属账号已停用")
        day = dt.datetime.fromtimestamp(found.expires_at, dt.UTC)
        return Text(f"the API key expired on {day:%Y-%m-%d %H:%M} UTC",
                    f"API 密钥已于 {day:%Y-%m-%d %H:%M}（UTC）过期")  # fmt: skip


def usual_scopes(maker: Principal) -> list[Action]:
    """Returns all that somebody may do, but for what changes who may log in."""
    return [
        action for action in ACTIONS if action not in _LOGINS and maker.reach(action) is not None
    ]


def unknown(number: int) -> MissingError:
    """What is said of a key that is not there, or not for this caller."""
    return MissingError(
        Text(f"there is no key {number}", f"没有编号为 {number} 的密钥"),
        remedy=Text("look at the list of keys", "请查看密钥列表"),
        code="key.missing",
    )


def _key_of(row: Sequence[Any]) -> ApiKey:
    number, account, label, scopes, *rest = row
    return ApiKey(number, account, label, _read_scopes(scopes), *rest)


@lru_cache(1024)
def _read_scopes(text: str) -> frozenset[Action]:
    """Reads what stands in the table; an action that there is no more is no scope."""
    written = set(json.loads(text))
    return frozenset(action for action in ACTIONS if action in written)


def _scopes(maker: Principal, wanted: Sequence[str]) -> frozenset[Action]:
    known = frozenset(action for action in ACTIONS if action in wanted)
    if unknown_ := sorted(set(wanted) - known):
        raise InputError(
            Text(f"{unknown_[0]!r} is no action", f"“{unknown_[0]}”不是可授予的操作"),
            remedy=Text(f"choose among {', '.join(ACTIONS)}", f"可选：{'、'.join(ACTIONS)}"),
            code="key.scope",
        )
    if not known:
        raise InputError(
            Text("a key without scopes is good for nothing", "密钥至少需要一个权限范围"),
            remedy=Text("name at least one action", "请至少指定一项操作"),
            code="key.scope",
        )
    for action in sorted(known):
        if maker.reach(action) is None:
            raise PolicyError(
                Text(f"{maker.account} may not do {action} itself",
                     f"{maker.account} 自身无 {action} 权限"),
                remedy=Text("leave the scope out", "请去掉该权限范围"),
                code="key.wider",
            )  # fmt: skip
    return known


def _check(wish: Wish) -> None:
    flaw = None
    if not (0 < len(wish.label) <= 100 and wish.label.isprintable()):
        flaw = Text("a label has 1 to 100 characters, in one line", "标签为 1 至 100 个字符，单行")
    elif not 0 < wish.lasts_s <= LONGEST_S:
        flaw = Text("a key lasts 1 to 366 days", "密钥有效期为 1 至 366 天")
    elif not (0 < wish.per_minute <= 1_000_000 and 0 < wish.per_day <= 1_000_000_000):
        flaw = Text("a quota is a number of calls above zero", "配额须为正整数")
    if flaw is not None:
        raise InputError(flaw, remedy=Text("choose another value", "请调整"), code="key.value")
