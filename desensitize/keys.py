"""Token keys: one secret per domain, in a private file (TOML, mode 0600), with its history.

No secret is ever used as it is: each purpose has a subkey of its own (HKDF-SHA-256, RFC 5869), so
that no token can be another method's key. Rotation retires a key and keeps the record of it: when
it was made, when it ceased, under which id releases name it.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import TypeAdapter, ValidationError

from desensitize.masking.base import Domain
from protos.faults import InputError, TrustError, UnavailableError
from protos.keyfile import read_private
from protos.language import Text
from protos.whole_file import write_whole

LEAST_BYTES: Final = 32
_SECRET_BYTES: Final = 32
_FEW_BYTES: Final = 8  # different ones; 32 random bytes have 30 or so
_HEAD: Final = (
    "# Token keys of Veil. Whoever has them can make and try out tokens, and undo FF1.\n"
    "# Veil 令牌密钥：持有者可生成、试算令牌，并可还原 FF1 加密。请妥善保管，勿提交到代码库。\n"
)


@dataclass(frozen=True)
class TokenKey:
    """One key.

    Attributes:
        domain: Where it is used.
        id: How releases name it; drawn apart from the secret, tells nothing about it.
        made: When it was made, UTC, ISO 8601.
        secret: At least 32 bytes; empty if a retired key was forgotten.
        retired: When it ceased to be used; empty for the key in use.
    """

    domain: str
    id: str
    made: str
    secret: bytes = field(repr=False)
    retired: str = ""


@dataclass(frozen=True)
class TokenKeys:
    """The keys of a file.

    Attributes:
        keys: Of all domains, retired ones too, in the order of the file.
    """

    keys: tuple[TokenKey, ...] = ()

    def in_use(self) -> dict[str, TokenKey]:
        """Returns the key in use of each domain."""
        return {key.domain: key for key in self.keys if not key.retired}

    def subkey(self, domain: str, purpose: str) -> bytes:
        """Returns the key of a domain for one purpose, 32 bytes (HKDF-SHA-256).

        Raises:
            InputError: There is no key for the domain.
        """
        self.check([domain])
        info = f"veil desensitize 1|{purpose}|{domain}".encode()
        kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info)
        return kdf.derive(self.in_use()[domain].secret)

    def check(self, domains: Iterable[str]) -> None:
        """Refuses, before any work, domains without a key.

        Raises:
            InputError: There is none; says how to make it.
        """
        if missing := [domain for domain in domains if domain not in self.in_use()]:
            listed = ", ".join(missing)
            raise InputError(
                Text(f"there is no token key for {listed}", f"缺少令牌密钥：{listed}"),
                remedy=Text(
                    f"make one with 'veil desensitize keys new keys.toml {' '.join(missing)}', and "
                    'add --token-keys keys.toml; or write "drop" instead of these methods',
                    f"请用 veil desensitize keys new keys.toml {' '.join(missing)} 生成，并加上 "
                    "--token-keys keys.toml；或将这些方法改为 drop",
                ),
                code="keys.domain",
            )


def read_keys(path: Path) -> TokenKeys:
    """Reads a key file.

    Raises:
        TrustError: Somebody else may have read it.
        InputError: It is no key file, or a key is too short, weak or used twice.
        UnavailableError: It is missing.
    """
    try:
        raw = read_private(path)
    except UnavailableError as error:
        raise UnavailableError(
            error.said,
            remedy=Text(
                "check the path; 'veil desensitize keys new' makes a file",
                "请检查路径；密钥文件由 veil desensitize keys new 生成",
            ),
            code="keys.missing",
        ) from error
    try:
        body = tomllib.loads(raw.decode("utf-8"))
        keys = tuple(_key(entry) for entry in body.pop("keys"))
        if body:
            raise ValueError(f"unknown keys {sorted(body)}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # Not the error's text: it could quote the file.
        raise InputError(
            Text(f"{path} is no file of token keys", f"{path} 不是令牌密钥文件"),
            remedy=Text(
                "take the one that 'veil desensitize keys new' wrote",
                "请使用 veil desensitize keys new 生成的文件",
            ),
            code="keys.format",
        ) from error
    _check_keys(path, keys)
    return TokenKeys(keys)


def new_keys(
    path: str | os.PathLike[str], domains: Iterable[str], *, now: dt.datetime | None = None
) -> TokenKeys:
    """Makes a key for each domain, in a new file or added to one.

    Raises:
        InputError: A domain has a key already, or its name is malformed.
        UnavailableError: The file cannot be written.
    """
    path = Path(path)
    known = read_keys(path) if path.exists() else TokenKeys()
    wanted = tuple(dict.fromkeys(domains))
    for domain in wanted:
        _check_domain(domain)
        if domain in known.in_use():
            raise InputError(
                Text(f"{path} has a key for {domain} already", f"{path} 中已有 {domain} 的密钥"),
                remedy=Text(
                    f"replace it with 'veil desensitize keys rotate {path} {domain}'",
                    f"如需更换，请用 veil desensitize keys rotate {path} {domain}",
                ),
                code="keys.exists",
            )
    made = TokenKeys((*known.keys, *(_fresh(domain, now) for domain in wanted)))
    _write(path, made)
    return made


def rotate_keys(
    path: Path, domains: Iterable[str], *, forget: bool = False, now: dt.datetime | None = None
) -> TokenKeys:
    """Retires the keys of domains and makes new ones; tokens before and after do not match.

    Args:
        path: The key file.
        domains: Which; none for all.
        forget: Erase the secrets of retired keys of these domains, keeping the record: nobody
            can then make old tokens or undo old FF1 values.
        now: The time, for the record.

    Raises:
        InputError: A domain has no key.
        UnavailableError: The file cannot be written.
    """
    known = read_keys(path)
    wanted = tuple(dict.fromkeys(domains)) or tuple(known.in_use())
    known.check(wanted)
    result = []
    for key in known.keys:
        if key.domain in wanted:
            retired = key.retired or _stamp(now)
            key = replace(key, retired=retired, secret=b"" if forget else key.secret)  # noqa: PLW2901
        result.append(key)
    made = TokenKeys((*result, *(_fresh(domain, now) for domain in wanted)))
    _write(path, made)
    return made


def _fresh(domain: str, now: dt.datetime | None) -> TokenKey:
    return TokenKey(domain, secrets.token_hex(8), _stamp(now), secrets.token_bytes(_SECRET_BYTES))


def _stamp(now: dt.datetime | None) -> str:
    return (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).isoformat(timespec="seconds")


def _key(entry: Mapping[str, Any]) -> TokenKey:
    fields = dict(entry)
    secret = bytes.fromhex(fields.pop("secret"))
    key = TokenKey(**fields, secret=secret)
    if not all(isinstance(v, str) for v in (key.domain, key.id, key.made, key.retired)):
        raise TypeError("not text")
    return key


def _check_keys(path: Path, keys: tuple[TokenKey, ...]) -> None:
    seen: dict[bytes, str] = {}
    active: set[str] = set()
    for key in keys:
        _check_domain(key.domain)
        if key.retired and not key.secret:
            continue
        if len(key.secret) < LEAST_BYTES:
            raise _weak(path, key, Text(
                f"has {len(key.secret)} bytes, fewer than {LEAST_BYTES}",
                f"只有 {len(key.secret)} 字节，少于 {LEAST_BYTES} 字节"))  # fmt: skip
        if len(set(key.secret)) < _FEW_BYTES:
            raise _weak(path, key, Text("is not random", "不是随机值"))
        if key.secret in seen:
            raise _weak(path, key, Text(f"is also that of {seen[key.secret]}",
                                        f"与 {seen[key.secret]} 的密钥相同"))  # fmt: skip
        if not key.retired and key.domain in active:
            raise _weak(path, key, Text("is the second that is in use", "有两个同时在用"))
        seen[key.secret] = key.domain
        if not key.retired:
            active.add(key.domain)


def _weak(path: Path, key: TokenKey, what: Text) -> TrustError:
    return TrustError(
        Text(f"{path}: the key of {key.domain} {what.en}", f"{path}：{key.domain} 的密钥{what.zh}"),
        remedy=Text(
            "make keys with 'veil desensitize keys new', one for each domain",
            "请用 veil desensitize keys new 为每个域生成密钥",
        ),
        code="keys.weak",
    )


def _check_domain(domain: str) -> None:
    try:
        TypeAdapter(Domain).validate_python(domain)
    except ValidationError as error:
        raise InputError(
            Text(f"{domain!r} is no name of a domain", f"{domain!r} 不是有效的域名称"),
            remedy=Text(
                "use small letters, digits, '.', '-' and '_'; at most 63",
                "请使用小写字母、数字、“.”“-”“_”，最多 63 个字符",
            ),
            code="keys.name",
        ) from error


def _write(path: Path, keys: TokenKeys) -> None:
    """Writes the file whole or not at all: beside it first, then under its name."""
    lines = [_HEAD]
    for key in keys.keys:
        lines += [
            "\n[[keys]]",
            f'domain = "{key.domain}"',
            f'id = "{key.id}"',
            f'made = "{key.made}"',
            *([f'retired = "{key.retired}"'] if key.retired else []),
            f'secret = "{key.secret.hex()}"',
        ]
    write_whole(path, ("\n".join(lines) + "\n").encode())
