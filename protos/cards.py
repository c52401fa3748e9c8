"""Cards say who somebody is; pins say whom this machine believes.

A card is signed by the key that it names, so it proves possession and nothing more. Trust
comes only from pins: fingerprints that people compared over another channel.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from protos.faults import InputError, TrustError, UnavailableError
from protos.identity import IdentityKey, PublicIdentity, show_fingerprint, unverified_claims
from protos.language import Text
from protos.names import Role, check_name, check_role
from protos.sealing import public_key
from protos.whole_file import write_whole

CARD_TYPE: Final = "veil-card+jwt"
_KNOWN_CARDS: Final = 4096
_MAX_CARD: Final = 2048  # characters; a card has about 700, and thousands are kept
_KEYS: Final = frozenset({"role", "name", "fingerprint"})  # of every pin
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Card:
    """Who somebody is.

    Attributes:
        name: Department's, analyst's, exchange's or auditor's name.
        role: Which of these.
        identity: The signing key.
        sealing_key: X25519 public key, 64 hex digits; what is sealed to it only they open.
    """

    name: str
    role: Role
    identity: PublicIdentity
    sealing_key: str


def make_card(
    key: IdentityKey, name: str, role: Role, sealing_public_hex: str, issued_at: int
) -> str:
    """Signs one's own card.

    Args:
        key: The identity that the card is about.
        name: As on the certificate.
        role: As on the certificate.
        sealing_public_hex: X25519 public key, 64 hex digits.
        issued_at: Unix seconds.

    Raises:
        InputError: Name or role are malformed.
        TrustError: The sealing key is malformed.
    """
    public_key(sealing_public_hex)
    claims = {
        "sub": check_name(name),
        "role": check_role(role),
        "jwk": key.public.to_jwk(),
        "sealing_key": sealing_public_hex,
        "iat": issued_at,
    }
    return key.sign(CARD_TYPE, claims)


def read_card(token: object) -> Card:
    """Reads a card and checks that the key inside signed it. It is not yet trusted: see `Pins`.

    A card verifies the same every time, so one that did is remembered by its token; one that did
    not is checked again.

    Args:
        token: As received; anything.

    Raises:
        TrustError: The card is malformed or not signed by its own key.
    """
    # Whoever has a key can sign any number of cards: each that is remembered must be small.
    if not isinstance(token, str) or len(token) > _MAX_CARD:
        raise TrustError(
            Text("the card is no text, or too long", "身份卡不是文本，或过长"), code="card.invalid"
        )
    return _read_card(token)


@lru_cache(maxsize=_KNOWN_CARDS)
def _read_card(token: str) -> Card:
    identity = PublicIdentity.from_jwk(unverified_claims(token).get("jwk"))
    claims = identity.verify(CARD_TYPE, token)
    try:
        if set(claims) != {"sub", "role", "jwk", "sealing_key", "iat"}:
            raise TrustError(
                Text("the card has missing or unknown fields", "身份卡缺少字段或有未知字段"),
                code="card.invalid",
            )
        if type(claims["iat"]) is not int:
            raise TrustError(Text("the card has no date", "身份卡没有日期"), code="card.invalid")
        public_key(claims["sealing_key"])
        name, role = check_name(claims["sub"]), check_role(claims["role"])
    except InputError as error:
        raise TrustError(
            Text(f"the card is malformed: {error.message}", f"身份卡格式有误：{error.said.zh}"),
            code="card.invalid",
        ) from error
    return Card(name, role, identity, claims["sealing_key"])


class Pins:
    """The identities that this machine believes, as (role, name) → fingerprint.

    The file is TOML, made to be read and compared by people::

        [[pin]]
        role = "department"
        name = "shenzhen"
        fingerprint = "…64 hex digits…"

    An analyst's pin may also say to which department the analyst belongs
    (``department = "foshan"``): whoever compares the fingerprint knows that, the exchange's CA does
    not decide it.
    """

    def __init__(self) -> None:
        self._pins: dict[tuple[Role, str], str] = {}
        self._departments: dict[str, str] = {}  # analyst → department

    @classmethod
    def load(cls, path: Path) -> Pins:
        """Reads a file; a missing file means that nobody is pinned, so nobody is believed.

        Raises:
            InputError: The file is malformed; the message names it.
            UnavailableError: It is there but cannot be read.
        """
        pins = cls()
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return pins
        except OSError as error:
            raise UnavailableError(
                Text(f"cannot read {path}: {error.strerror}", f"无法读取 {path}：{error.strerror}")
            ) from error
        except ValueError as error:
            raise InputError(
                Text(f"{path} is not valid TOML: {error}", f"{path} 不是有效的 TOML：{error}"),
                code="pins.invalid",
            ) from error
        entries = document.pop("pin", [])
        if document or not isinstance(entries, list):
            raise InputError(
                Text(
                    f"{path}: only [[pin]] entries may stand here", f"{path}：只能有 [[pin]] 条目"
                ),
                code="pins.invalid",
            )
        for number, entry in enumerate(entries, 1):
            keys = set(entry) if isinstance(entry, dict) else set()
            if unknown := sorted(keys - {*_KEYS, "department"}):
                raise InputError(
                    Text(
                        f"{path}: pin {number}: {unknown[0]} is not a known key",
                        f"{path}：第 {number} 个 pin：{unknown[0]} 不是已知的键",
                    ),
                    code="pins.invalid",
                )
            if not keys >= _KEYS:
                raise InputError(
                    Text(
                        f"{path}: pin {number} needs role, name and fingerprint",
                        f"{path}：第 {number} 个 pin 须有 role、name 和 fingerprint",
                    ),
                    code="pins.invalid",
                )
            try:
                role, department = check_role(entry["role"]), entry.get("department", "")
                pins.add(role, entry["name"], entry["fingerprint"], department)
            except (InputError, TrustError) as error:
                raise InputError(
                    Text(
                        f"{path}: pin {number}: {error.message}",
                        f"{path}：第 {number} 个 pin：{error.said.zh}",
                    ),
                    remedy=error.advice,
                    code="pins.invalid",
                ) from error
        return pins

    @classmethod
    def watched(cls, path: Path) -> Callable[[], Pins]:
        """Returns a function that gives the pins as they are now; it reads a changed file again.

        The function raises what `load` raises.
        """
        known: tuple[tuple[int, int, int] | None, Pins] | None = None

        def current() -> Pins:
            nonlocal known
            try:
                status = path.stat()
                version = (status.st_ino, status.st_mtime_ns, status.st_size)
            except OSError:
                version = None
            if known is None or version is None or known[0] != version:
                # The version was taken before reading: what changes meanwhile is read again.
                known = version, cls.load(path)
            return known[1]

        return current

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all, mode 0600.

        Raises:
            UnavailableError: It cannot be written.
        """
        lines = ["# Whom this machine believes. Compare fingerprints by telephone, not by mail."]
        for (role, name), fingerprint in sorted(self._pins.items()):
            # JSON strings of these ASCII values are valid TOML basic strings.
            lines += ["", "[[pin]]", f"role = {json.dumps(role)}", f"name = {json.dumps(name)}"]
            lines += [f"fingerprint = {json.dumps(fingerprint)}"]
            if role == "analyst" and name in self._departments:
                lines += [f"department = {json.dumps(self._departments[name])}"]
        write_whole(path, "\n".join([*lines, ""]).encode())

    def add(self, role: Role, name: str, fingerprint: object, department: object = "") -> None:
        """Pins one identity; adding the same again changes nothing.

        Args:
            role: Which role.
            name: Under which name.
            fingerprint: Of the identity key, 64 lower-case hex digits.
            department: Where an analyst belongs; "" says nothing, and takes nothing back.

        Raises:
            InputError: Role, name, fingerprint or department are malformed.
            TrustError: Another key is pinned under this name, or this key under another name
                of the role (one key must not count as two parties), or another department.
        """
        check_name(name)
        check_role(role)
        self._check_department(role, name, department)
        if not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
            raise InputError(
                Text("a fingerprint has 64 lower-case hex digits", "指纹须为 64 位小写十六进制数"),
                code="pins.invalid",
            )
        for (other_role, other_name), pinned in self._pins.items():
            if other_role == role and (other_name == name) != (pinned == fingerprint):
                raise TrustError(
                    Text(
                        f"{role} {name} does not fit the pin of {other_name} "
                        f"({show_fingerprint(pinned)})",
                        f"{role} {name} 与已登记的 {other_name} 不符（{show_fingerprint(pinned)}）",
                    ),
                    remedy=Text(
                        "compare fingerprints with them, then correct the pins file by hand",
                        "请与其核对指纹，再手工改正 pins 文件",
                    ),
                    code="pins.conflict",
                )
        self._pins[role, name] = fingerprint
        if isinstance(department, str) and department:
            self._departments[name] = department

    def department_of(self, analyst: str) -> str:
        """Returns the department that the analyst belongs to, or ""."""
        return self._departments.get(analyst, "")

    def _check_department(self, role: Role, name: str, department: object) -> None:
        if department == "":
            return
        if role != "analyst":
            raise InputError(
                Text(f"a {role} belongs to no department", f"角色 {role} 不属于任何部门"),
                code="pins.invalid",
            )
        if not isinstance(department, str):
            raise InputError(Text("a department is a name", "部门须为名称"), code="pins.invalid")
        known = self._departments.get(name, check_name(department))
        if known != department:
            raise TrustError(
                Text(
                    f"analyst {name} is pinned as one of {known}, not of {department}",
                    f"分析员 {name} 已登记为属于 {known}，而非 {department}",
                ),
                remedy=Text(
                    "ask them, then correct the pins file by hand",
                    "请向其核实，再手工更正 pins 文件",
                ),
                code="pins.conflict",
            )

    def check(self, card: Card) -> Card:
        """Returns the card if its identity is pinned under its role and name.

        Raises:
            TrustError: It is not pinned, or with another key.
        """
        pinned = self._pins.get((card.role, card.name))
        if pinned is None:
            raise TrustError(
                Text(
                    f"{card.role} {card.name} is not pinned here",
                    f"{card.role} {card.name} 未在本机登记为可信",
                ),
                remedy=Text(
                    "compare the fingerprint with them, then run 'veil node pin'",
                    "请与对方核对指纹，再运行 veil node pin",
                ),
                code="pins.unknown",
            )
        if pinned != card.identity.fingerprint:
            raise TrustError(
                Text(
                    f"{card.role} {card.name} shows the key "
                    f"{show_fingerprint(card.identity.fingerprint)}, but "
                    f"{show_fingerprint(pinned)} is pinned",
                    f"{card.role} {card.name} 出示的密钥为 "
                    f"{show_fingerprint(card.identity.fingerprint)}，但登记的可信密钥为 "
                    f"{show_fingerprint(pinned)}",
                ),
                remedy=Text(
                    "somebody may be in the middle: call them before you change the pin",
                    "可能有人在中间冒充：更改登记前请先打电话核实",
                ),
                code="pins.mismatch",
            )
        return card

    def names(self, role: Role) -> tuple[str, ...]:
        """Returns the pinned names of a role, sorted."""
        return tuple(sorted(name for r, name in self._pins if r == role))

    def fingerprint_of(self, role: Role, name: str) -> str | None:
        """Returns the pinned fingerprint (64 hex digits), or None."""
        return self._pins.get((role, name))
