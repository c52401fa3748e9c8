"""Whose signed decisions make a node sign a grant by itself: ``[grants]`` in ``node.toml``.

Without the section every grant is signed by hand. It is the department's own word, on its own
machine, read anew for each request: an officer who is struck out decides nothing from then on.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from catalog.certificates.decisions import Office
from protos.did_key import read_fingerprint
from protos.faults import TrustError
from protos.language import Text

EVERY = "*"


def _fingerprint(key: str) -> str:
    """Reads a key by did:key or fingerprint; as eight groups of four digits."""
    try:
        return read_fingerprint(key)
    except TrustError as error:
        raise ValueError(error.said) from error


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Officer(_Strict):
    """``[[grants.officer]]``.

    Attributes:
        name: Who it is; one person has one office and one key.
        key: Fingerprint, or did:key, that the officer has told.
        office: ``steward`` or ``chief``.
        since: First day (UTC).
        until: Last day (UTC).
        removed: Day (UTC) from which it decides nothing more, whatever it signed before.
    """

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    key: Annotated[str, AfterValidator(_fingerprint)]
    office: Office
    since: dt.date
    until: dt.date
    removed: dt.date | None = None

    def in_office(self, now: dt.datetime) -> bool:
        """Whether it may decide at a time."""
        day = now.astimezone(dt.UTC).date()
        return self.since <= day <= self.until and (self.removed is None or day < self.removed)


class Rule(_Strict):
    """``[[grants.rule]]``.

    Attributes:
        datasets: Names, or ``*``.
        steward: How many data stewards must have said yes.
        chief: How many chief data officers.
    """

    datasets: Annotated[tuple[str, ...], Field(min_length=1)]
    steward: Annotated[int, Field(ge=0, le=8)] = 0
    chief: Annotated[int, Field(ge=0, le=8)] = 0

    @model_validator(mode="after")
    def _needs_somebody(self) -> Rule:
        if not self.steward + self.chief:
            raise ValueError(Text("must need at least one officer", "至少须有一名签批人"))
        return self

    @property
    def needs(self) -> dict[Office, int]:
        """How many of which office."""
        return {"steward": self.steward, "chief": self.chief}


class GrantRules(_Strict):
    """``[grants]``.

    Attributes:
        department: Code under which officers sign for this department; its name if empty.
        decision_days: A decision that was signed longer ago counts no more.
        officer: Who may decide.
        rule: What is needed, the first rule that names a dataset counts; without one, by hand.
    """

    department: Annotated[str, StringConstraints(max_length=64)] = ""
    decision_days: Annotated[int, Field(ge=1, le=366)] = 30
    officer: tuple[Officer, ...] = ()
    rule: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _one_office_each(self) -> GrantRules:
        for said, counts in (
            (Text("key", "密钥"), Counter(each.key for each in self.officer)),
            (Text("name", "姓名"), Counter(each.name.casefold() for each in self.officer)),
        ):
            for value, times in counts.items():
                if times > 1:
                    raise ValueError(
                        Text(
                            f"two officers have the {said.en} {value}: four eyes are two people",
                            f"两名签批人的{said.zh}同为 {value}：双人签批须为两个人",
                        )
                    )
        return self

    def rule_for(self, dataset: str) -> Rule | None:
        """Returns what a dataset's grants need; None if they are signed by hand."""
        for rule in self.rule:
            if dataset in rule.datasets or EVERY in rule.datasets:
                return rule
        return None
