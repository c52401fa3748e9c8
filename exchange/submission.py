"""What an analyst hands in: the signed plan, and the public HE key if the plan names one."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field

from protos.canonical import canonical
from protos.faults import InputError
from protos.language import Text


@dataclass(frozen=True)
class Submission:
    """One submission.

    Attributes:
        plan: ``veil-plan+jwt``.
        he_key: The analyst's public HE key for this job, or b"".
    """

    plan: str
    he_key: bytes = field(default=b"", repr=False)

    def encode(self) -> str:
        """Writes it as ASCII text."""
        key = base64.b64encode(self.he_key).decode("ascii")
        return canonical({"plan": self.plan, "he_key": key}).decode("ascii")


def read_submission(text: str) -> Submission:
    """Reads what `Submission.encode` wrote.

    Raises:
        InputError: It is malformed.
    """
    try:
        fields = json.loads(text)
        if set(fields) != {"plan", "he_key"} or not isinstance(fields["plan"], str):
            raise ValueError("fields")
        return Submission(fields["plan"], base64.b64decode(fields["he_key"], validate=True))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise InputError(
            Text("the submission is malformed", "提交的内容格式有误"), code="submit.malformed"
        ) from error
