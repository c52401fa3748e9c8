"""What a verification found: one line for each question, and whether all of it holds."""

from __future__ import annotations

from dataclasses import dataclass

from protos.language import Text, Words


@dataclass(frozen=True)
class Check:
    """One question about a receipt or a certificate.

    Attributes:
        name: The question.
        ok: True, False, or None where it could not be asked.
        what: What was found, or what is wrong and where, or why it was not asked.
        remark: Whether it holds, and a reader must know something nevertheless.
        absent: Whether it could not be asked as the file lacks what it names.
    """

    name: Text
    ok: bool | None
    what: Words
    remark: bool = False
    absent: bool = False


@dataclass(frozen=True)
class Report:
    """All questions, in order."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether it may be relied on: nothing is wrong, and the file lacks nothing that it names.

        Whoever hands a file in must not decide what is looked at, also not for a program that
        reads this alone. What the reader did not bring (keys, a policy) is the reader's choice.
        """
        return self.sound and not self.lacking

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with what could be checked, however little that is."""
        return all(check.ok is not False for check in self.checks)

    @property
    def complete(self) -> bool:
        """Whether every question was asked and answered well, without a remark."""
        return all(check.ok and not check.remark for check in self.checks)

    @property
    def lacking(self) -> tuple[Check, ...]:
        """The checks that could not be made, as the file lacks what it names."""
        return tuple(check for check in self.checks if check.absent)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.ok is False)
