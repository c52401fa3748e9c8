"""Veil's one error tree.

    VeilError
    ├── InputError          what the caller wrote is wrong (SQL, file, option)
    │   ├── SqlError        … and this is the place in the SQL
    │   ├── MissingError    … it names what is not there, or not for this caller to see
    │   └── ConflictError   … it was right, but somebody else has changed the thing meanwhile
    ├── PolicyError         a rule of a policy refuses; says which rewrite would pass
    │   ├── BudgetError     the privacy budget does not allow it
    │   └── LimitError      too much for now: a quota or a rate
    ├── TrustError          a signature, pin, certificate or token does not hold
    │   └── LoginError      nobody has logged in, or the login does not hold
    ├── ProtocolError       a peer's message is malformed, out of order or contradictory
    ├── JobError            a job ended without an answer (too few survivors, cancelled, too late)
    └── UnavailableError    something needed cannot be reached or written (network, disk)

What is said stands in English and Chinese side by side (`Text`) wherever a user can meet it; a
plain ``str`` is English only. Message and remedy are public: they never hold anything that
depends on a department's rows. ``detail`` is private: it goes to the log of the process that
raised, never to a peer.
"""

from __future__ import annotations

from typing import Final

from protos.language import Text, Words, both

MISTAKES: Final = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError,
                   ValueError)  # fmt: skip
"""What a mistake of ours raises: a loop that serves everybody survives one, and says so."""


class VeilError(Exception):
    """Base of every error that Veil raises on purpose.

    Args:
        message: What was wrong and where, in one sentence; public.
        remedy: What to do about it; public, may be empty.
        code: A stable dotted code for programs, such as ``budget.exhausted``.
        detail: Private explanation for the local log only.

    Attributes:
        said: The message in both languages.
        advice: The remedy in both languages.
    """

    kind = "error"

    def __init__(
        self, message: Words, *, remedy: Words = "", code: str = "", detail: str = ""
    ) -> None:
        super().__init__(message)
        self.said = both(message)
        self.advice = both(remedy)
        self.code = code or self.kind
        self.detail = detail
        if self.advice.en:
            self.add_note(f"→ {self.advice}")  # a notebook's traceback shows it under the message

    def __str__(self) -> str:
        """Returns the message in the language of this process."""
        return str(self.said)

    @property
    def message(self) -> str:
        """The message in English: for logs and programs."""
        return self.said.en

    @property
    def remedy(self) -> str:
        """The remedy in English: for logs and programs."""
        return self.advice.en

    def public(self) -> dict[str, str]:
        """Returns what may cross the wire, in both languages: never ``detail``."""
        body = {
            "kind": self.kind,
            "code": self.code,
            "message": self.said.en,
            "remedy": self.advice.en,
        }
        if self.said.zh != self.said.en:
            body["message_zh"] = self.said.zh
        if self.advice.zh != self.advice.en:
            body["remedy_zh"] = self.advice.zh
        return body


class InputError(VeilError):
    """What the caller wrote is wrong."""

    kind = "input"


class SqlError(InputError):
    """A statement is malformed or not supported.

    Args:
        message: What is wrong.
        sql: The whole statement.
        start: First offending character, 0-based offset in ``sql``; -1 if not known.
        end: One past the last offending character.
        remedy: What would work.
        code: Stable dotted code.
    """

    kind = "sql"

    def __init__(
        self,
        message: Words,
        *,
        sql: str = "",
        start: int = -1,
        end: int = -1,
        remedy: Words = "",
        code: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy, code=code)
        self.sql = sql
        self.start = start
        self.end = end
        if place := self.underlined():
            self.add_note(place)

    def underlined(self) -> str:
        """Returns the offending line of the SQL with the place underlined, or ``""``."""
        if self.start < 0 or not self.sql:
            return ""
        line_start = self.sql.rfind("\n", 0, self.start) + 1
        line_end = self.sql.find("\n", self.start)
        line_end = len(self.sql) if line_end < 0 else line_end
        width = max(1, min(self.end, line_end) - self.start)
        line = self.sql[line_start:line_end]
        return f"{line}\n{' ' * (self.start - line_start)}{'^' * width}"


class MissingError(InputError):
    """What the caller names is not there, or is not for this caller to see."""

    kind = "missing"


class ConflictError(InputError):
    """What the caller wants was right once; somebody else has changed the thing meanwhile."""

    kind = "conflict"


class PolicyError(VeilError):
    """A rule of a policy refuses."""

    kind = "policy"


class BudgetError(PolicyError):
    """The privacy budget does not allow it."""

    kind = "budget"


class LimitError(PolicyError):
    """It is too much for now: a quota is used up, or calls come too fast.

    Args:
        message: What is used up.
        remedy: What to do about it.
        code: Stable dotted code.
        retry_after_s: When it may work again, seconds from now; 0 if nobody knows.
    """

    kind = "limit"

    def __init__(
        self, message: Words, *, remedy: Words = "", code: str = "", retry_after_s: int = 0
    ) -> None:
        super().__init__(message, remedy=remedy, code=code)
        self.retry_after_s = retry_after_s


class TrustError(VeilError):
    """A signature, pin, certificate or token does not hold."""

    kind = "trust"


class LoginError(TrustError):
    """Nobody has logged in, or the login does not hold."""

    kind = "login"


class ProtocolError(VeilError):
    """A peer's message is malformed, out of order or contradictory."""

    kind = "protocol"


class JobError(VeilError):
    """A job ended without an answer."""

    kind = "job"


class UnavailableError(VeilError):
    """Something that is needed cannot be reached or written."""

    kind = "unavailable"


KINDS: Final[dict[str, type[VeilError]]] = {
    cls.kind: cls
    for cls in (
        VeilError,
        InputError,
        SqlError,
        MissingError,
        ConflictError,
        PolicyError,
        BudgetError,
        LimitError,
        TrustError,
        LoginError,
        ProtocolError,
        JobError,
        UnavailableError,
    )
}


def from_public(body: dict[str, str]) -> VeilError:
    """Rebuilds an error that crossed the wire; an unknown kind becomes ``VeilError``."""
    cls = KINDS.get(body.get("kind", ""), VeilError)
    message, remedy = body.get("message", "unknown error"), body.get("remedy", "")
    return cls(
        Text(message, body.get("message_zh") or message),
        remedy=Text(remedy, body.get("remedy_zh") or remedy),
        code=body.get("code", ""),
    )
