"""What is wrong with a file of records, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.registry.record import Record
from catalog.registry.rules import flaws
from protos.faults import InputError
from protos.language import Text


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        line: Line of a text file, row of a sheet, or number of a record, from 1.
        column: Header or key, may be empty.
        said: What is wrong.
        remedy: What to do.
    """

    line: int
    column: str
    said: Text
    remedy: Text

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON types, in both languages."""
        return {
            "line": self.line,
            "column": self.column,
            "message": self.said.en,
            "message_zh": self.said.zh,
            "remedy": self.remedy.en,
            "remedy_zh": self.remedy.zh,
        }


@dataclass(frozen=True)
class Parsed:
    """One record of a file, or why it is none.

    Attributes:
        line: Where it begins.
        record: What was read; None if that failed.
        problems: What is wrong; a record with problems is not registered.
        raw: What stood in the file: rows of a form, or one JSON value. Only kept for problems.
    """

    line: int
    record: Record | None
    problems: Sequence[Problem] = ()
    raw: Sequence[Any] = ()


def problem_of(error: InputError, line: int, column: str) -> Problem:
    """Returns the problem that an error tells of."""
    return Problem(line, column, error.said, error.advice)


def judged(line: int, record: Record, raw: object) -> Parsed:
    """Returns a record with its flaws, of a file in which each is one value (``raw``)."""
    problems = [Problem(line, flaw.field, flaw.said, flaw.remedy) for flaw in flaws(record)]
    return Parsed(line, None if problems else record, problems, [raw] if problems else ())
