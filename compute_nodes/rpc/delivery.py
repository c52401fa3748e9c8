"""One whole message between a department and the exchange, whatever carries it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Delivery:
    """A message for, or from, one department.

    Attributes:
        job: 32 hex digits, or "" for what belongs to no job.
        round: Protocol instance and round, such as ``values/masked``.
        attempt: From 1; a repeated send repeats the number and the bytes.
        sender: Department, or "" for the exchange.
        recipient: Department, or "" for the exchange.
        kind: What the body is, such as ``plan``, ``message``, ``fault``.
        body: Opaque bytes, at most 256 MiB; not shown in ``repr``.
    """

    job: str
    round: str
    attempt: int
    sender: str
    recipient: str
    kind: str
    body: bytes = field(repr=False)
