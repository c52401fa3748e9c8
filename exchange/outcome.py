"""What a finished job hands to its analyst, and what everybody signs for.

The *aggregate* is the sum as it stands under the analyst's envelope, with the sealed seeds that
open it; its SHA-256 is what the departments' statements and the receipt name. The *outcome* is the
aggregate together with the receipt and the statements.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from compute_nodes.protocols.base import pack, unpack
from protos.canonical import canonical
from protos.faults import ProtocolError
from protos.names import check_name

NO_BITMAP: Final = ""


@dataclass(frozen=True)
class Aggregate:
    """The sum of a job, closed to everybody but the analyst.

    Attributes:
        survivors: Departments whose values are in it, in roster order.
        vector: Ring-encoded sum under the envelope, or b"" where the protocol has none.
        sealed: What each survivor sealed to the analyst, in the order of ``survivors``.
        bitmap: Exact mode: the signed bitmap of visible cells (token); "" otherwise.
    """

    survivors: tuple[str, ...]
    vector: bytes
    sealed: tuple[bytes, ...]
    bitmap: str = NO_BITMAP

    def to_bytes(self) -> bytes:
        """Writes it."""
        header = {"survivors": list(self.survivors), "bitmap": self.bitmap}
        return pack(header, (self.vector, *self.sealed))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of `to_bytes`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What `Fetch` returns.

    Attributes:
        aggregate: Bytes of the aggregate.
        receipt: ``vc+jwt`` of the exchange.
        statements: Department → its signed statement.
        cards: Cards of everybody who signed.
    """

    aggregate: bytes
    receipt: str
    statements: dict[str, str]
    cards: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Writes it."""
        papers = {
            "receipt": self.receipt,
            "statements": self.statements,
            "cards": list(self.cards),
        }
        return pack({"version": 1}, (self.aggregate, canonical(papers)))


def read_aggregate(body: bytes) -> Aggregate:
    """Reads an aggregate.

    Raises:
        ProtocolError: It is malformed.
    """
    header, parts = unpack(body)
    try:
        survivors = tuple(check_name(name) for name in header["survivors"])
        bitmap = header["bitmap"]
        if set(header) != {"survivors", "bitmap"} or not isinstance(bitmap, str) or not parts:
            raise ValueError("fields")
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError("the aggregate is malformed", code="outcome.malformed") from error
    return Aggregate(survivors, bytes(parts[0]), tuple(bytes(p) for p in parts[1:]), bitmap)


def read_outcome(body: bytes) -> Outcome:
    """Reads an outcome; signatures are the reader's to check (``exchange.proof.receipt``).

    Raises:
        ProtocolError: It is malformed.
    """
    header, parts = unpack(body)
    if header != {"version": 1} or len(parts) != 2:
        raise ProtocolError("the outcome is malformed", code="outcome.malformed")
    try:
        papers = json.loads(bytes(parts[1]))
        if set(papers) != {"receipt", "statements", "cards"}:
            raise ValueError("fields")
        statements = {check_name(k): str(v) for k, v in papers["statements"].items()}
        cards = tuple(str(card) for card in papers["cards"])
        return Outcome(bytes(parts[0]), str(papers["receipt"]), statements, cards)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError("the outcome is malformed", code="outcome.malformed") from error
