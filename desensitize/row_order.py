"""The order of rows in a release: secret, and the same whenever the release is made again.

Rows that kept the order of the original would be linked by their place: two releases of one table,
each harmless, would lie side by side row for row, and so would any file that somebody exported in
the same order. So rows are put into an order that is drawn from the original's bytes and from what
makes this release another than the next. Whoever has the original can draw it again, and with it
the same release; nobody else can, for it is not derived from the SHA-256 that a manifest tells.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

_PERSON: Final = b"veil row order"


@dataclass(frozen=True)
class Occasion:
    """What two releases of one original may differ in; where they do, their orders differ too.

    Else new keys would be worth nothing: tokens before and after would stand in the same places.
    All of it is public.

    Attributes:
        policy: SHA-256 of its text.
        keys: Id of the key of each domain.
        files: SHA-256 of each hierarchy file.
        population: SHA-256 of the population; empty without one.
        sheet: Of the original, as it was named.
        drawn: Drawn anew where a method draws anew, so that noise cannot be averaged over two
            releases; empty where the same bytes must come out.
    """

    policy: str
    keys: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    population: str = ""
    sheet: str = ""
    drawn: str = ""

    def told(self) -> bytes:
        """Returns it as bytes, the same for the same occasion."""
        return json.dumps(asdict(self), sort_keys=True).encode()


class RowOrder:
    """Takes in what an original consists of; gives the seed of a release's order."""

    def __init__(self) -> None:
        self._hashed = hashlib.blake2b(digest_size=32, person=_PERSON)

    def update(self, content: bytes | memoryview) -> None:
        """Takes in more of the original."""
        self._hashed.update(content)

    def seed(self, occasion: Occasion) -> bytes:
        """Returns 32 secret bytes: of this original in this release."""
        return hmac.digest(self._hashed.digest(), occasion.told(), "sha256")


def seed_of(path: Path, occasion: Occasion) -> bytes:
    """Returns the seed of a release of a file.

    Raises:
        OSError: The file cannot be read.
    """
    order = RowOrder()
    with path.open("rb") as file:
        while content := file.read(1 << 20):
            order.update(content)
    return order.seed(occasion)


def place(row: str, seed: str) -> str:
    """Returns the expression by which rows are ordered.

    128 bits of SHA-256 over 32 secret bytes and eight bytes of the number: no ties, and without the
    seed a random order.

    Args:
        row: Expression of a row's number.
        seed: Expression of the seed, a BLOB.
    """
    return f"left(sha256({seed} || unhex(printf('%016x', {row}))), 32)"
