"""What a session takes in. The same inputs in the same order give the same job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

What = Literal["answer", "expired", "absent", "signed"]


@dataclass(frozen=True)
class Input:
    """One thing that happened to a job.

    Attributes:
        what: ``answer`` of a department; ``expired``: the open round's time was over; ``absent``:
            the analyst was told for whom the job waits; ``signed``: no event of its own, but what
            the exchange signed because of the one before it (signatures are randomised).
        department: Who answered, or is absent.
        round: Of an answer.
        kind: Of an answer, as on the wire.
        body: Of an answer.
        signature: Token that the exchange signed because of this input, or "".
    """

    what: What
    department: str = ""
    round: str = ""
    kind: str = ""
    body: bytes = field(default=b"", repr=False)
    signature: str = field(default="", repr=False)
