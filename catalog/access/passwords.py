"""Passwords: which are good enough, and how they are kept (argon2id, RFC 9106).

Rules are those of NIST SP 800-63B section 3.1.1: long, not among the commonest, nothing about
kinds of characters, no change without a reason. Every check hashes once, also where there is no
account or no password: how long an answer takes says nothing about who is there.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import unicodedata
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from protos.faults import InputError, LimitError
from protos.language import Text

SHORTEST: Final = 12
LONGEST: Final = 200
_COMMON: Final = Path(__file__).with_name("common_passwords.txt")
_AT_ONCE: Final = 2  # each takes 64 MiB
_PATIENCE_S: Final = 10.0
_WAITING: Final = 16  # who guesses from many places must not hold up who only reads


class Passwords:
    """Hashes and compares.

    Args:
        hasher: How; by default the second choice of RFC 9106 section 4: 64 MiB, three passes.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turns = _Turns()

    @cached_property
    def _nobody(self) -> str:
        """What is compared with where nothing is kept."""
        return self._hasher.hash(secrets.token_hex())

    def hash(self, password: str) -> str:
        """Returns what is kept of a password; `check` it first."""
        with self._turns:
            return self._hasher.hash(_normal(password))

    def verify(self, kept: str, password: str) -> bool:
        """Whether a password is the one that was kept; takes one hash in every case.

        Args:
            kept: From `hash`; "" if there is none.
            password: As typed.

        Raises:
            LimitError: Too many people log in at once.
        """
        with self._turns:
            nobody = self._nobody  # made at the first login, whoever it is
            try:
                self._hasher.verify(kept or nobody, _normal(password[:LONGEST]))
            except (VerificationError, InvalidHashError):
                return False
        return bool(kept) and len(password) <= LONGEST

    def outdated(self, kept: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


class _Turns:
    """Turns to hash, and a room of a few seats to wait for one."""

    def __init__(self) -> None:
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._seats = threading.BoundedSemaphore(_AT_ONCE + _WAITING)

    def __enter__(self) -> None:
        if not self._seats.acquire(blocking=False):
            raise _busy()
        if not self._turns.acquire(timeout=_PATIENCE_S):
            self._seats.release()
            raise _busy()

    def __exit__(self, *_: object) -> None:
        self._turns.release()
        self._seats.release()


def _busy() -> LimitError:
    return LimitError(
        Text("too many people log in at once", "当前登录人数过多"),
        remedy=Text("try again in a moment", "请稍后重试"),
        code="login.busy", retry_after_s=5,
    )  # fmt: skip


def check(password: str, *names: str) -> None:
    """Checks that a new password is good enough.

    Args:
        password: As typed.
        names: Of the account: a password that contains one is the first guess.

    Raises:
        InputError: It is not; says why.
    """
    text = _normal(password).casefold()
    plain = "".join(text.split())
    if len(text) < SHORTEST:
        raise _bad(Text(f"a password has at least {SHORTEST} characters",
                        f"密码至少 {SHORTEST} 个字符"))  # fmt: skip
    if len(password) > LONGEST:
        raise _bad(Text(f"a password has at most {LONGEST} characters",
                        f"密码最多 {LONGEST} 个字符"))  # fmt: skip
    if plain in _common() or _monotonous(plain):
        raise _bad(Text("this password is among the first that are guessed",
                        "该密码属于最容易被猜到的密码"))  # fmt: skip
    if any(len(name) >= 3 and name.casefold() in text for name in names):
        raise _bad(Text("a password must not contain the account's name", "密码不得包含账号名"))


def _normal(password: str) -> str:
    """One spelling of what is typed alike: Chinese input methods write full-width digits, too."""
    # A lone surrogate cannot be typed, and is no text that could be hashed.
    return unicodedata.normalize("NFKC", password.encode("utf-8", "replace").decode("utf-8"))


def _monotonous(text: str) -> bool:
    """Whether a text repeats up to four characters, or counts up or down throughout."""
    if any(text == (text[:n] * len(text))[: len(text)] for n in range(1, 5)):
        return True
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(text)}
    return len(steps) == 1


@cache
def _common() -> frozenset[str]:
    lines = _COMMON.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _bad(said: Text) -> InputError:
    return InputError(
        said,
        remedy=Text("take four or five words that nobody else would put together",
                    "可用四五个互不相关的词组成"),
        code="password.weak",
    )  # fmt: skip
