"""What a verification found, as JSON: what a program that reads one field may rely on."""

from __future__ import annotations

from pydantic import BaseModel

from catalog.certificates.report import Check, Report
from protos.language import both


class Found(BaseModel):
    """One question about a certificate.

    Attributes:
        question: In English.
        question_zh: In Chinese.
        ok: Whether it holds; null where it could not be asked.
        found: What was found, or why it was not asked, in English.
        found_zh: … in Chinese.
    """

    question: str
    question_zh: str
    ok: bool | None
    found: str
    found_zh: str


class Verification(BaseModel):
    """What a verification found.

    Attributes:
        ok: Whether it may be relied on: nothing is wrong and nothing was left out. A program that
            reads one field reads this one.
        complete: Whether, besides, every question was asked and answered without a remark.
        lacking: Questions that could not be asked as the bundle lacks what its certificate names.
        checks: All questions.
    """

    ok: bool
    complete: bool
    lacking: list[str]
    checks: list[Found]


def verification_of(report: Report) -> Verification:
    """Returns a report as JSON."""
    return Verification(
        ok=report.ok,
        complete=report.complete,
        lacking=[check.name.en for check in report.lacking],
        checks=[_found(check) for check in report.checks],
    )


def _found(check: Check) -> Found:
    what = both(check.what)
    return Found(
        question=check.name.en, question_zh=check.name.zh, ok=check.ok,
        found=what.en, found_zh=what.zh,
    )  # fmt: skip
